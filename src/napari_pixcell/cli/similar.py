"""``napari-pixcell similar``: a similarity map of a slide."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.progress import ProgressLine
from napari_pixcell.cli.region import chosen_region
from napari_pixcell.cli.running import answer, check_folder_of, embedding_of
from napari_pixcell.datasets.export import write_problem
from napari_pixcell.engine.events import Embedding
from napari_pixcell.engine.styles.cache import EmbeddingCache
from napari_pixcell.engine.styles.similarity import SurveyGrid, best_matches
from napari_pixcell.engine.styles.survey import Survey
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.slides.slide import Slide

BATCH = 64  # tiles
SUFFIXES = (".json", ".tif", ".tiff")


@cli.command(
    "similar",
    cli.SLIDE,
    cli.region(),
    cli.NO_CACHE,
    cli.number("--count", 6, "number of matches"),
    cli.path("--out", "FILE.json|FILE.tif", "map and matches to write", required=True),
    cli.DEVICE,
    cli.examples("similar sample --region 400,400,256,256 --out map.json"),
)
def similar(options: cli.Options) -> cli.Result:
    """Find tissue similar to a region across its slide: a map, and the best matches."""
    out: Path = options.out
    if out.suffix.lower() not in SUFFIXES:
        raise PixCellError(f"“{out.name}” is not a map. End its name in .json or .tif.")
    if not 1 <= options.count <= 1000:
        raise PixCellError(f"--count is {options.count}. Choose 1 to 1000.")
    check_folder_of(out)
    chosen = chosen_region(options)
    slide, family = chosen.slide, chosen.family
    wanted, _ = embedding_of(chosen, options.no_cache)
    survey = Survey(slide, family, None if options.no_cache else EmbeddingCache())
    computed = 0
    with ProgressLine() as line:
        while (batch := survey.following(BATCH)) is not None:
            survey.add(batch, answer(batch.request, Embedding, silent=True))
            computed += len(batch.tiles)
            words = f"Compared {survey.done:,} of {survey.total:,} tiles"
            line.show(words, survey.done, survey.total, "tiles")
    heat = survey.heat(wanted)
    matches = best_matches(survey.grid, heat, chosen.region, options.count)
    result: cli.Result = {
        "region": chosen.region.as_list(),
        "mpp": slide.mpp,
        "family": family.name,
        "places": [asdict(m.region) | {"similarity": round(m.similarity, 4)} for m in matches],
        "looked at": survey.done - len(survey.unreadable),
        "unreadable": len(survey.unreadable),
    }
    _write(out, result, heat, survey.grid, slide)
    if not options.json:
        result["places"] = [f"{m.percent} at {m.region.x:.0f}, {m.region.y:.0f}" for m in matches]
        result["region"] = [round(n) for n in chosen.region.as_list()]
    cached = survey.done - computed - len(survey.unreadable)
    return {"map": str(out), **result, "from cache": cached}


def _write(
    out: Path, result: cli.Result, heat: NDArray[np.float32], grid: SurveyGrid, slide: Slide
) -> None:
    """Write a map of the whole slide: similarities from 0 to 1, and NaN or null on glass."""
    high, wide = grid.cell
    result = {**result, "cell": {"width": wide, "height": high}}
    try:
        if out.suffix.lower() == ".json":
            rows = [[None if np.isnan(v) else round(float(v), 4) for v in row] for row in heat]
            write_whole(out, json.dumps({**result, "map": rows}, indent=1))
        else:
            from tifffile import imwrite

            words, cm = json.dumps(result), 1e4 / slide.require_mpp()  # in level-0 pixels
            scale = cm / wide, cm / high

            def write(path: Path) -> None:
                imwrite(
                    path, heat, resolution=scale, resolutionunit="CENTIMETER", description=words
                )

            write_whole(out, write)
    except OSError as error:
        raise write_problem(out, error) from error

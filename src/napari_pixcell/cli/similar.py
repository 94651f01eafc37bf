"""``napari-pixcell similar``: where a slide looks like one of its regions."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cli.place import place
from napari_pixcell.engine.events import Embedding, Event
from napari_pixcell.engine.request import Request
from napari_pixcell.engine.styles.cache import EmbeddingCache
from napari_pixcell.engine.styles.similarity import SurveyGrid, best_matches
from napari_pixcell.engine.styles.survey import Survey
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide

Result = dict[str, Any]
Style = Callable[[Slide, Region, Family, bool], tuple[NDArray[np.float32], bool]]
Run = Callable[[Request], list[Event]]

AT_ONCE = 64  # places
SUFFIXES = (".json", ".tif", ".tiff")


def add_similar_command(
    commands: Any, parents: list[argparse.ArgumentParser], style: Style, run: Run
) -> None:
    """Add ``similar`` to the parser.

    Parameters
    ----------
    commands
        Of the parser.
    parents : list of ArgumentParser
        With the options of slide, region and cache.
    style : callable
        Gives the embeddings of a region.
    run : callable
        Runs a request and gives its events.
    """
    text = "Find tissue like a region's all over its slide: a map, and the best places."
    command = commands.add_parser("similar", help=text, description=text, parents=parents)
    command.set_defaults(command=lambda options: _similar(options, style, run))
    command.add_argument("--count", type=int, default=6, help="number of best places")
    command.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE.json|FILE.tif",
        help="places and map as JSON, or the map as a picture whose description has the places",
    )


def _similar(options: argparse.Namespace, style: Style, run: Run) -> Result:
    out: Path = options.out
    if out.suffix.lower() not in SUFFIXES:
        raise PixCellError(
            f"“{out.name}” is no name for a map; let it end in .json or .tif, such as heat.tif."
        )
    if not 1 <= options.count <= 1000:
        raise PixCellError(f"The number of places is {options.count}; choose one from 1 to 1000.")
    if not out.absolute().parent.is_dir():
        raise PixCellError(f"There is no folder to write {out.name} to; make it first.")
    family, slide, region, _, _ = place(options)
    wanted, _ = style(slide, region, family, options.no_cache)
    survey = Survey(slide, family, None if options.no_cache else EmbeddingCache())
    computed = 0
    while (batch := survey.following(AT_ONCE)) is not None:
        event = next(e for e in run(batch.request) if isinstance(e, Embedding))
        survey.add(batch, event)
        computed += len(batch.tiles)
        if sys.stderr.isatty():
            print(f"Looked at {survey.done} of {survey.total} places", file=sys.stderr)
    heat = survey.heat(wanted)
    best = best_matches(survey.grid, heat, region, options.count)
    places = [
        {
            "x": one.region.x,
            "y": one.region.y,
            "width": one.region.width,
            "height": one.region.height,
            "similarity": round(one.similarity, 4),
        }
        for one in best
    ]
    found: Result = {
        "region": region.as_list(),
        "mpp": slide.mpp,
        "family": family.name,
        "places": places,
        "looked at": survey.done - len(survey.unreadable),
        "unreadable": len(survey.unreadable),
    }
    _write(out, found, heat, survey.grid, slide)
    if not options.json:
        found["places"] = [f"{p.percent} at {p.region.x:.0f}, {p.region.y:.0f}" for p in best]
        found["region"] = [round(n) for n in region.as_list()]
    return {"map": str(out), **found, "from cache": survey.done - computed - len(survey.unreadable)}


def _write(
    out: Path, found: Result, heat: NDArray[np.float32], grid: SurveyGrid, slide: Slide
) -> None:
    """Write a map of similarities, 0 to 1, glass NaN or null; it covers the whole slide."""
    high, wide = grid.cell
    found = {**found, "cell": {"width": wide, "height": high}}
    try:
        if out.suffix.lower() == ".json":
            rows = [[None if np.isnan(v) else round(float(v), 4) for v in row] for row in heat]
            out.write_text(json.dumps({**found, "map": rows}, indent=1), "utf-8")
        else:
            from tifffile import imwrite

            mpp = slide.require_mpp()
            imwrite(
                out,
                heat,
                resolution=(1e4 / (wide * mpp), 1e4 / (high * mpp)),
                resolutionunit="CENTIMETER",
                description=json.dumps(found),
            )
    except OSError as error:
        raise PixCellError(
            f"{out.name} cannot be written ({error.strerror}); choose another folder."
        ) from error

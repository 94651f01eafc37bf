"""Drift of colour between generated tissue and its style, before and after the colour match.

    python benchmarks/colour.py [--slide FILE] [--mpp 0.5] [--regions 12] [--sheet FILE.png]

Generates one variant of the demo family for each of several tiles of a slide or picture, every
other one with its own layout. Prints the difference of the median tissue colours (CIEDE2000), as
the score “colour” of datasets, the same of the mean colours of nuclei and of the rest where there
is a layout, the share of saturated pixels, and the time per tile. The sheet shows the tissue, then
its variant as generated, and matched gently and in full.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.color import deltaE_ciede2000

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.datasets.quality.looks import colour_distance, look_of
from napari_pixcell.engine.colour_match import OFF, colour_match, match
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest
from napari_pixcell.engine.requests import GenerationSettings, generate_request, tile_size
from napari_pixcell.engine.tissue_colours import tissue_colours
from napari_pixcell.models.catalogue import COLOUR_MATCHES, DEMO
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE

LEAST_TISSUE = 0.3  # of a tile
GRID = 8  # places looked at across and down

Pixels = NDArray[np.uint8]


def tiles(path: Path, mpp: float | None, most: int) -> Iterator[Pixels]:
    """Iterate over tiles with tissue, spread over the slide in a fixed random order."""
    slide = open_slide(path, mpp)
    (height, width), side = slide.shape, DEMO.tile * DEMO.mpp / slide.require_mpp()
    found = 0
    for place in np.random.default_rng(0).permutation(GRID**2).tolist():
        row, column = divmod(place, GRID)
        x, y = ((n - side) * at / (GRID - 1) for n, at in ((width, column), (height, row)))
        tile = slide.read(Region(x, y, side, side), DEMO.mpp)[: DEMO.tile, : DEMO.tile]
        if tissue_colours(tile).share >= LEAST_TISSUE and found < most:
            found += 1
            yield tile


def variant(engine: Engine, tile: Pixels, labels: NDArray | None) -> Pixels:
    """Generate a variant of a tile without a match."""
    events: list = []
    engine.run(EmbedRequest(DEMO.name, PackedArray.pack(tile)), events.append)
    embedding = next(e.values for e in events if isinstance(e, Embedding))
    settings = GenerationSettings.for_family(DEMO, layout=labels is not None, count=1)
    request = generate_request(
        DEMO, settings, size=tile_size(DEMO), embedding=embedding, layout=labels
    )
    engine.run(request, events.append, previews=False)
    return next(np.asarray(e.image) for e in events if isinstance(e, Variant))


def class_distances(image: Pixels, tile: Pixels, nuclei: NDArray[np.bool_]) -> list[float]:
    """Return the difference in colour of nuclei, and of the rest, of one layout (CIEDE2000)."""
    distances = []
    for part in (nuclei, ~nuclei):
        own, real = (np.array(tissue_colours(p[part][None]).mean) for p in (image, tile))
        distances.append(float(deltaE_ciede2000(own, real)))
    return distances


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slide", type=Path, default=SAMPLE_SLIDE)
    parser.add_argument("--mpp", type=float)
    parser.add_argument("--regions", type=int, default=12)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    engine = Engine()
    rows, seconds = [], []
    distances: dict[str, list[float]] = {how: [] for how in COLOUR_MATCHES}
    saturated: dict[str, list[float]] = {how: [] for how in COLOUR_MATCHES}
    apart: dict[str, list[list[float]]] = {how: [] for how in COLOUR_MATCHES}
    for number, tile in enumerate(tiles(options.slide, options.mpp, options.regions)):
        labels = segment_nuclei(tile, DEMO.mpp) if number % 2 else None
        made, tissue = variant(engine, tile, labels), tissue_colours(tile, DEMO.mpp)
        nuclei = labels > 0 if labels is not None else None
        images = [tile]
        for how in COLOUR_MATCHES:
            before = time.process_time()
            images.append(match(made, colour_match(how, tissue), nuclei=nuclei))
            if how != OFF:
                seconds.append(time.process_time() - before)
            look = look_of(images[-1])
            distances[how].append(colour_distance(look, look_of(tile)) or 0.0)
            saturated[how].append(look["saturated"])
            if nuclei is not None:
                apart[how].append(class_distances(images[-1], tile, nuclei))
        rows.append(np.concatenate(images, axis=1))
    result = {
        how: {
            "median": round(float(np.median(distances[how])), 2),
            "largest": round(max(distances[how]), 2),
            "nuclei, rest": np.round(np.median(apart[how], axis=0), 2).tolist(),
            "saturated": round(float(np.mean(saturated[how])), 4),
        }
        for how in COLOUR_MATCHES
    }
    times = {"regions": len(rows), "ms per tile": round(1000 * float(np.median(seconds)), 1)}
    print(json.dumps(result | times, indent=1))
    if options.sheet is not None:
        Image.fromarray(np.concatenate(rows)).save(options.sheet)


if __name__ == "__main__":
    main()

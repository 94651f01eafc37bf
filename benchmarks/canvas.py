"""An image of 16 tiles, compared with two other ways of tiling: time, windows and seams.

    python benchmarks/canvas.py [--canvases 4] [--steps 20]

Uses the demo family with one style everywhere. Compares our schedule of windows with windows that
overlap by half at every step, and with independent tiles. The methods alternate; prints median
seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import replace

import numpy as np
from seams import seam_ratio

from napari_pixcell.engine.canvas.plan import Canvas, Turn
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE

SIDE = 4  # tiles along the canvas
TILE = 256
OURS = Canvas.turns
WAYS = ("ours", "half overlapping", "side by side")


def fused(_canvas: Canvas, steps: int) -> list[Turn]:
    """Schedule with windows that overlap by half at every step."""
    return [Turn("fused")] * steps


def make(engine: Engine, request: GenerateRequest, way: str) -> np.ndarray:
    """Generate the image with one of the methods."""
    if way == "side by side":
        request = replace(request, size=None, count=SIDE**2)
    Canvas.turns = fused if way == "half overlapping" else OURS  # type: ignore[method-assign]
    events: list = []
    engine.run(request, events.append)
    images = np.stack([e.image for e in events if isinstance(e, Variant)])
    if len(images) == 1:
        return images[0]
    grid = images.reshape(SIDE, SIDE, TILE, TILE, 3)
    return grid.swapaxes(1, 2).reshape(SIDE * TILE, SIDE * TILE, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--canvases", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--ways", nargs="*", default=list(WAYS))
    options = parser.parse_args()
    engine, slide = Engine(), open_slide(SAMPLE_SLIDE)
    seconds: dict[str, list[float]] = {way: [] for way in options.ways}
    pictures: dict[str, list[np.ndarray]] = {way: [] for way in options.ways}
    for number in range(options.canvases):
        place = Region(200 + 300 * number, 300 + 200 * number, 256, 256)
        tile = PackedArray.pack(slide.read(place, 0.5))
        events: list = []
        engine.run(EmbedRequest("demo", tile), events.append)
        style = next(e.values for e in events if isinstance(e, Embedding))
        request = GenerateRequest(
            "demo",
            PackedArray.pack(style),
            size=(SIDE * TILE, SIDE * TILE),
            count=1,
            seed=number,
            steps=options.steps,
            guidance=2.0,
        )
        for way in options.ways:
            started = time.perf_counter()
            pictures[way].append(make(engine, request, way))
            seconds[way].append(time.perf_counter() - started)
    canvas = Canvas((SIDE * TILE, SIDE * TILE), TILE, 1)
    turns = {"ours": OURS(canvas, options.steps), "half overlapping": fused(canvas, options.steps)}
    figures: dict[str, object] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    }
    for way in options.ways:
        windows = canvas.count(turns[way]) if way in turns else canvas.fewest * options.steps
        figures[way] = {
            "windows for each tile": windows / canvas.fewest / options.steps,
            "s": round(float(np.median(seconds[way])), 1),
            "seam ratio": round(seam_ratio(pictures[way]), 3),
        }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

"""A canvas of 16 tiles against two other ways to tile: time, windows and seams.

    python benchmarks/canvas.py [--canvases 4] [--steps 20]

The demo family, one style over the whole canvas. The three ways take turns; medians of seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time

import numpy as np
from seams import seam_ratio

from napari_pixcell.engine.canvas import Canvas, Turn
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import EmbedRequest, GenerateRequest
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE

WAYS = {
    "ours": Canvas.turns,
    "side by side": lambda self, steps: [Turn()] * steps,
    "half overlapping": lambda self, steps: [Turn("fused")] * steps,
}


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
            size=(1024, 1024),
            count=1,
            seed=number,
            steps=options.steps,
            guidance=2.0,
        )
        for way in options.ways:
            Canvas.turns = WAYS[way]  # type: ignore[method-assign]
            events = []
            started = time.perf_counter()
            engine.run(request, events.append)
            seconds[way].append(time.perf_counter() - started)
            pictures[way].append(next(e.image for e in events if isinstance(e, Variant)))
    canvas = Canvas((1024, 1024), 256, 1)
    figures: dict[str, object] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    }
    for way in options.ways:
        windows = canvas.count(WAYS[way](canvas, options.steps))
        figures[way] = {
            "windows for each tile": windows / canvas.fewest / options.steps,
            "s": round(float(np.median(seconds[way])), 1),
            "seam ratio": round(seam_ratio(pictures[way]), 3),
        }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

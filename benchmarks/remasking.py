"""Moving a threshold slider, which reuses stored outputs, compared with a full segmentation.

    python benchmarks/remasking.py [--side 1024] [--rounds 5]

Uses the built-in method on the sample slide, and Cellpose on discs with the tests' network of 0.9
million parameters. With the published network a segmentation takes minutes without a GPU, and the
slider takes the same time. The methods alternate, at the same thresholds; prints median seconds.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.cells.segmentation import measure_haematoxylin, outline_nuclei, segment_nuclei
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import SegmentRequest
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))
from tiny_cellpose import discs, write_tiny


def seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with open_slide(SAMPLE_SLIDE) as slide:
        pixels = slide.read(Region(300, 300, options.side, options.side), 0.5)
    stain = measure_haematoxylin(pixels, 0.5)
    found: dict[str, list[float]] = {}

    def note(name: str, work) -> None:
        found.setdefault(name, []).append(seconds(work))

    with tempfile.TemporaryDirectory() as folder:
        engine, model = Engine(), Path(folder) / "tiny"
        write_tiny(model)
        cells = discs(0, pixels.shape[:2])[0]

        def cellpose(threshold: float) -> None:
            how = SegmentMethod("cellpose", str(model), cellprob_threshold=threshold)
            engine.run(SegmentRequest(PackedArray.pack(cells), 0.5, how), lambda _: None)

        cellpose(0.0)
        for index in range(options.rounds):
            sensitivity = 0.1 * index
            note("built-in, whole", lambda s=sensitivity: segment_nuclei(pixels, 0.5, s))
            note("built-in, slider", lambda s=sensitivity: outline_nuclei(stain, s))
            engine.unload()
            engine.loaded.load_segmenter(str(model))
            note("Cellpose (tiny), whole", lambda t=-0.1 * index: cellpose(t))
            note("Cellpose (tiny), slider", lambda t=-0.1 * index - 0.05: cellpose(t))
    print(platform.machine(), os.cpu_count(), "cores, load", os.getloadavg())
    for name, values in found.items():
        print(f"{options.side} px  {name:26} {np.median(values):.3f} s")


if __name__ == "__main__":
    main()

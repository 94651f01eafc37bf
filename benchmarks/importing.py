"""Import of cells, compared with simple methods; prints one JSON object.

    python benchmarks/importing.py [--rounds 3] [--cells 1000 10000 100000]

Generates nuclei of 18 px, 28 px apart, with 24 corners each. They are written as QuPath GeoJSON
with ten measurements per cell, and as a label TIFF. Three jobs are timed: reading the file, reading
it and drawing a region of 1024 px, and drawing the region from a file already read. Compared with:

- ``json`` and shapely alone: load the whole file, ``shape()`` of each feature, ``intersects`` of
  the region with every cell, and a full image for each cell drawn.
- A loop over labels: ``mask == i`` and its contour, if it ends within a minute. Its time grows with
  the number of labels times the size of the image.

The methods alternate (A B A B), and the median of the rounds is printed. Memory is that of a
separate process that reads the file and draws the region, minus its memory after the imports.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

STEP, RADIUS, SIDE, CORNERS, MEASURES = 28, 9, 1024, 24, 10
LOOP_ENDS = 2_000  # labels

MEMORY = """
import re, sys
import importing
peak = lambda: int(re.search("VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024
importing.prepare()
before = peak()
getattr(importing, sys.argv[1])(sys.argv[2])
print(peak() - before)
"""


def prepare() -> None:
    """Import everything that the methods need, so that imports do not count."""
    import tifffile  # noqa: F401

    import napari_pixcell.cells.reading
    import napari_pixcell.cells.slide_cells  # noqa: F401


def make(folder: Path, count: int) -> tuple[Path, Path]:
    """Write the nuclei in both formats."""
    import shapely

    from napari_pixcell.cells import Outlines, rasterise, write_labels

    rng = np.random.default_rng(count)
    side = int(np.ceil(np.sqrt(count)))
    place = (np.stack(np.divmod(np.arange(count), side)[::-1], 1) + 0.5) * STEP
    place = place + rng.uniform(-2, 2, place.shape)
    angle = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    radius = RADIUS + rng.uniform(-1.5, 1.5, (count, CORNERS))
    rings = place[:, None] + radius[..., None] * np.stack((np.cos(angle), np.sin(angle)), 1)
    rings = np.round(rings, 2)
    labels = folder / f"{count}.tif"
    outlines = Outlines.of(shapely.polygons(rings))
    write_labels(labels, rasterise(outlines, (side * STEP, side * STEP))[0])
    outline_file = folder / f"{count}.geojson"
    with outline_file.open("w") as file:
        file.write('{"type": "FeatureCollection", "features": [\n')
        for number, ring in enumerate(rings.tolist()):
            value = {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
                "properties": {
                    "objectType": "cell",
                    "classification": {"name": "Tumor", "color": [200, 0, 0]},
                    "measurements": {f"measure {n}": rng.random() for n in range(MEASURES)},
                },
            }
            file.write(("," if number else "") + json.dumps(value) + "\n")
        file.write("]}")
    return outline_file, labels


def region(path: str) -> Any:
    """Return the region to draw, at the corner of the field and within it."""
    from napari_pixcell.slides import Region

    return Region(0, 0, SIDE, SIDE)


def ours(path: str) -> Callable[[], Any]:
    """Read, draw a region, and return a function that draws it again."""
    from napari_pixcell.cells import SlideCells, read_cells

    cells = SlideCells(read_cells(path).as_outlines())
    cells.layout(region(path), (SIDE, SIDE))
    return lambda: cells.layout(region(path), (SIDE, SIDE))


def json_and_shapely(path: str) -> Callable[[], Any]:
    """Do the same with the standard library, shapely and scikit-image."""
    from shapely.geometry import box, shape
    from skimage.draw import polygon2mask

    features = json.loads(Path(path).read_text())["features"]
    shapes = [shape(one["geometry"]) for one in features]

    def draw() -> Any:
        frame, labels = box(0, 0, SIDE, SIDE), np.zeros((SIDE, SIDE), np.int32)
        for number, one in enumerate((s for s in shapes if s.intersects(frame)), 1):
            points = np.asarray(one.exterior.coords)[:, ::-1] - 0.5
            labels[polygon2mask(labels.shape, points)] = number
        return labels

    draw()
    return draw


def loop_over_labels(path: str) -> None:
    """Trace each label with a mask of the whole image."""
    import shapely
    from skimage.measure import find_contours
    from tifffile import imread

    mask = imread(path)
    found = []
    for number in range(1, int(mask.max()) + 1):
        contour = max(find_contours(np.pad(mask == number, 1), 0.5), key=len)
        found.append(shapely.Polygon(contour[:, ::-1]))


def read_outlines(path: str) -> None:
    """Read a label image and trace its cells."""
    from napari_pixcell.cells import read_cells

    read_cells(path).as_outlines()


def seconds(function: Callable[[str], Any], path: Path) -> tuple[float, Any]:
    started = time.perf_counter()
    result = function(str(path))
    return time.perf_counter() - started, result


def memory(name: str, path: Path) -> float:
    """Return the MB that a job takes in a separate process."""
    if sys.platform != "linux":
        return float("nan")
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, name, str(path)],
        cwd=Path(__file__).parent,
        check=True,
        capture_output=True,
        text=True,
    )
    return round(float(done.stdout), 0)


def compare(jobs: dict[str, tuple[str, Path]], rounds: int) -> dict[str, Any]:
    """Alternate the jobs, and return medians and memory."""
    first: dict[str, list[float]] = {name: [] for name in jobs}
    again: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, (function, path) in jobs.items():
            took, draw = seconds(globals()[function], path)
            first[name].append(took)
            if draw is not None:
                started = time.perf_counter()
                draw()
                again[name].append(time.perf_counter() - started)
            del draw
    report: dict[str, Any] = {}
    for name, (function, path) in jobs.items():
        report[name] = {"s": round(statistics.median(first[name]), 3)}
        if again[name]:
            report[name]["region alone, ms"] = round(1000 * statistics.median(again[name]), 1)
        report[name]["MB"] = memory(function, path)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cells", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    options = parser.parse_args()
    prepare()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    report: dict[str, Any] = {"machine": machine, "load before": os.getloadavg()}
    with tempfile.TemporaryDirectory() as folder:
        for count in options.cells:
            outlines, labels = make(Path(folder), count)
            size = round(outlines.stat().st_size / 2**20, 1)
            report[f"GeoJSON of {count:,} cells, {size} MB, and a region of {SIDE} px"] = compare(
                {"ours": ("ours", outlines), "json and shapely": ("json_and_shapely", outlines)},
                options.rounds,
            )
            jobs = {"ours": ("read_outlines", labels)}
            if count <= LOOP_ENDS:
                jobs["mask == i"] = ("loop_over_labels", labels)
            report[f"label TIFF of {count:,} cells to outlines"] = compare(jobs, options.rounds)
    report["load after"] = os.getloadavg()
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()

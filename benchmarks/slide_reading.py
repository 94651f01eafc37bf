"""Reading slides, compared with OpenSlide, tiffslide and fastslide; prints one JSON object.

    python benchmarks/slide_reading.py [SLIDE] [--rounds 5] [--folder FOLDER] [--only TEXT]

SLIDE is a scan, by default the bundled sample. Its tissue also fills three slides of 20,000 px that
are written to FOLDER once: a pyramid of 1, 1/4 and 1/16, an odd pyramid (19,999 px above 9,999 px),
and a flat TIFF without levels. Peers that are not installed are left out.

Each row is the median of the rounds in ms, and how many times longer a peer takes than we do. Rows:
50 random boxes of 512 px and 20 pans of 1024 px at level 0, 50 boxes at half size where no level
has it, 50 boxes from the half-size level of the odd pyramid, and of the flat TIFF the first view
and an overview. Cold: a fresh handle and an empty tile cache; the operating system's cache is warm
for all. Warm: the same boxes again. Each reader has a tile cache of 256 MB if it can have one, and
they take turns in changing order. ``cpu`` is the processor time of all threads. ``--only`` measures
the rows whose name contains a text.

``--window`` opens the flat TIFF in napari instead, and prints the longest turns of the event loop
next to those for an array of the same size (needs a display, or xvfb-run).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

BOXES, SIDE, PANS, VIEW = 50, 512, 20, 1024
CACHE = 256 * 10**6
LARGE = 20_000
MPP = 0.25
Box = tuple[int, int, int]  # x, y, side in level-0 pixels


class Ours:
    """Our slides. ``threads`` is the size of the pool that decodes the tiles of a box."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        from napari_pixcell.slides import levels, open_slide

        levels.THREADS = threads or min(4, os.cpu_count() or 1)
        levels._pool = ThreadPoolExecutor(levels.THREADS)
        self.slide = open_slide(path, MPP)

    def full(self, box: Box) -> Any:
        x, y, side = box
        return self.slide.levels[0].read_white(y, y + side, x, x + side)

    def half(self, box: Box) -> Any:
        from napari_pixcell.slides import Region

        x, y, side = box
        return self.slide.read(Region(x, y, side, side), 2 * MPP)

    stored_half = half

    def overview(self, _box: Box) -> Any:
        return np.asarray(self.slide.levels[-1])

    def close(self) -> None:
        self.slide.close()


class OneThread(Ours):
    """Our slides with one decoding thread."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, 1)


class OpenSlides:
    """OpenSlide, and PIL to halve what it reads."""

    def __init__(self, path: Path) -> None:
        import openslide

        self.slide = openslide.OpenSlide(str(path))
        self.slide.set_cache(openslide.OpenSlideCache(CACHE))

    def full(self, box: Box, level: int = 0) -> Any:
        x, y, side = box
        return np.asarray(self.slide.read_region((x, y), level, (side, side)).convert("RGB"))

    def half(self, box: Box) -> Any:
        x, y, side = box
        return np.asarray(self.slide.read_region((x, y), 0, (side, side)).convert("RGB").reduce(2))

    def stored_half(self, box: Box) -> Any:
        return self.full((box[0], box[1], box[2] // 2), 1)

    def overview(self, _box: Box) -> Any:
        return np.asarray(self.slide.get_thumbnail((LARGE // 16, LARGE // 16)))

    def close(self) -> None:
        self.slide.close()


class TiffSlides(OpenSlides):
    """tiffslide, which has OpenSlide's interface and no cache of tiles."""

    def __init__(self, path: Path) -> None:
        import tiffslide

        self.slide = tiffslide.TiffSlide(str(path))


class FastSlides:
    """fastslide, and PIL to halve what it reads."""

    def __init__(self, path: Path) -> None:
        import fastslide

        self.slide = fastslide.FastSlide.from_file_path(str(path), cache=CACHE)

    def full(self, box: Box) -> Any:
        x, y, side = box
        return np.asarray(self.slide.read_region((x, y), 0, (side, side)).numpy())

    def half(self, box: Box) -> Any:
        from PIL import Image

        return np.asarray(Image.fromarray(self.full(box)).reduce(2))

    def stored_half(self, box: Box) -> Any:
        x, y, side = box
        at = self.slide.convert_level0_to_level_native(x, y, 1)
        return np.asarray(self.slide.read_region(at, 1, (side // 2, side // 2)).numpy())

    def overview(self, _box: Box) -> Any:
        from PIL import Image

        whole = self.full((0, 0, self.slide.dimensions[0]))
        return np.asarray(Image.fromarray(whole).reduce(16))

    def close(self) -> None:
        self.slide.close()


PEERS = {"openslide": OpenSlides, "tiffslide": TiffSlides, "fastslide": FastSlides}
PACKAGES = {"openslide": "openslide-python"}


def random_boxes(shape: tuple[int, int], side: int, round_: int) -> list[Box]:
    rng = np.random.default_rng(round_)
    height, width = shape
    return [
        (int(rng.integers(width - side)), int(rng.integers(height - side)), side)
        for _ in range(BOXES)
    ]


def pans(shape: tuple[int, int], _side: int, _round: int) -> list[Box]:
    height, width = shape
    view = min(VIEW, height, width)
    x, y, found, step = 0, 0, [], view // 4
    for _ in range(PANS):
        found.append((x, y, view))
        x += step
        if x + view > width:
            x, y = 0, min(y + step, height - view)
    return found


def centre(shape: tuple[int, int], side: int, _round: int) -> list[Box]:
    return [((shape[1] - side) // 2, (shape[0] - side) // 2, side)]


# -- slides -----------------------------------------------------------------------------------


def build(folder: Path, scan: Path) -> dict[str, Path]:
    """Write the large slides that are not there yet, filled with the tissue of a scan."""
    import tifffile

    from napari_pixcell.slides import open_slide

    with open_slide(scan) as slide:
        tissue = np.asarray(slide.levels[0])
    tissue = tissue[: len(tissue) // 240 * 240, : tissue.shape[1] // 240 * 240]
    tissue = np.concatenate([tissue, tissue[::-1]])
    tissue = np.concatenate([tissue, tissue[:, ::-1]], axis=1)
    jpeg: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb", "dtype": np.uint8}
    jpeg |= {"compression": "jpeg", "compressionargs": {"level": 85}, "metadata": None}
    kinds = {"pyramid": (LARGE, (4, 16)), "odd": (LARGE - 1, (2, 4, 8, 16)), "flat": (LARGE, ())}
    paths = {name: folder / f"{name}.tif" for name in kinds}
    for name, (side, factors) in kinds.items():
        if paths[name].exists():
            continue
        part = paths[name].with_suffix(".part")
        with tifffile.TiffWriter(part) as writer:
            for factor in (1, *factors):
                small = side // factor
                tiles, reduced = filled(tissue, small, factor), int(factor > 1)
                writer.write(tiles, shape=(small, small, 3), subfiletype=reduced, **jpeg)
        part.replace(paths[name])
    return paths


def filled(tissue: np.ndarray, side: int, factor: int) -> Iterator[np.ndarray]:
    """Iterate over the tiles of a level in which the tissue is repeated."""
    count = -(-side // 256)
    columns = np.arange(count * 256 * factor) % tissue.shape[1]
    for row in range(count):
        rows = np.arange(row * 256 * factor, (row + 1) * 256 * factor) % tissue.shape[0]
        band = tissue[rows][:, columns]
        if factor > 1:
            blocks = band.reshape(256, factor, count * 256, factor, 3)
            band = np.rint(blocks.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)
        for column in range(count):
            yield np.ascontiguousarray(band[:, column * 256 : (column + 1) * 256])


# -- rows -------------------------------------------------------------------------------------

Row = tuple[str, str, str, Callable[..., list[Box]], int, bool]


def rows(scan: str) -> list[Row]:
    """Return name, slide, method, boxes, their side, and whether opening is timed, of each row."""
    reads, halves = f"{BOXES} boxes of {SIDE} px", f"{BOXES} boxes of {SIDE} px at half size"
    return [
        (f"{scan}, level 0: {reads}", "scan", "full", random_boxes, SIDE, False),
        (f"{scan}, level 0: {PANS} pans of {VIEW} px", "scan", "full", pans, VIEW, False),
        (f"20,000² pyramid, level 0: {reads}", "pyramid", "full", random_boxes, SIDE, False),
        (f"20,000² pyramid: {halves}", "pyramid", "half", random_boxes, 2 * SIDE, False),
        (f"19,999² over 9,999²: {halves}", "odd", "stored_half", random_boxes, 2 * SIDE, False),
        ("flat 20,000²: opening and a view of 1024 px", "flat", "full", centre, VIEW, True),
        ("flat 20,000²: opening and an overview", "flat", "overview", centre, VIEW, True),
    ]


def measure(
    paths: dict[str, Path], readers: dict[str, Any], rounds: int, only: str
) -> dict[str, Any]:
    from napari_pixcell.slides import open_slide

    shapes = {}
    for name, path in paths.items():
        with open_slide(path) as slide:
            shapes[name] = slide.shape
    report: dict[str, Any] = {}
    for title, slide_name, method, boxes, side, with_opening in rows(paths["scan"].name):
        if only not in title:
            continue
        times: dict[tuple[str, str], list[tuple[float, float]]] = {}
        problems: dict[str, str] = {}
        for round_ in range(rounds if method != "overview" else min(rounds, 3)):
            wanted = boxes(shapes[slide_name], side, round_)
            names = list(readers)
            for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
                if name in problems:
                    continue
                try:
                    started, cpu = time.perf_counter(), time.process_time()
                    reader = readers[name](paths[slide_name])
                    if not with_opening:
                        started, cpu = time.perf_counter(), time.process_time()
                    for state in ("cold", "warm"):
                        for box in wanted:
                            getattr(reader, method)(box)
                        took = time.perf_counter() - started, time.process_time() - cpu
                        times.setdefault((state, name), []).append(took)
                        started, cpu = time.perf_counter(), time.process_time()
                    reader.close()
                except Exception as error:  # a peer that cannot read this slide
                    problems[name] = f"{type(error).__name__}: {error}"[:200]
        for state in ("cold",) if with_opening else ("cold", "warm"):
            report[f"{title}, {state}"] = row = dict[str, Any](problems)
            base = statistics.median(took for took, _ in times[state, "ours"])
            for (other, name), values in times.items():
                if other == state and name not in problems:
                    took, cpu = (statistics.median(kind) for kind in zip(*values, strict=True))
                    row[name] = {
                        "ms": round(1000 * took, 1),
                        "cpu": round(1000 * cpu, 1),
                        "times ours": round(took / base, 2),
                    }
    return report


def window(path: Path) -> dict[str, Any]:
    """Open a slide in napari, and return the longest turns of the event loop in ms."""
    import napari
    from qtpy.QtCore import QTimer

    from napari_pixcell.slides import open_slide
    from napari_pixcell.ui.demo import open_dock, settle
    from napari_pixcell.ui.layers.sharpening import view_of

    viewer = napari.Viewer(show=True)
    _, studio = open_dock(viewer)
    settle(1)
    turns: list[float] = []
    last = time.perf_counter()

    def beat() -> None:
        nonlocal last
        now = time.perf_counter()
        turns.append(now - last)
        last = now

    timer = QTimer()
    timer.timeout.connect(beat)
    timer.start(1)
    arrays = [np.zeros((LARGE // k, LARGE // k, 3), np.uint8) for k in (4, 16)]
    found: dict[str, Any] = {}
    for turn in range(3):  # the first compiles shaders and builds controls
        for name in ("an array", "the slide"):
            turns.clear()
            last = started = time.perf_counter()
            if name == "an array":
                layer = viewer.add_image(arrays, multiscale=True)
                opening = 0.0
                settle(2)
            else:
                slide = open_slide(path)
                opening = time.perf_counter() - started
                layer = studio.slide.link.add_slide(slide)
                view = view_of(layer)
                assert view is not None
                while not view.overview.complete:
                    settle(0.05)
                complete = time.perf_counter() - started
                settle(1)
            longest = sorted(turns, reverse=True)[:4]
            if turn:
                found.setdefault(name, []).append([round(1000 * gap) for gap in longest])
            if turn and opening:
                found.setdefault("of which open_slide", []).append(round(1000 * opening))
                found.setdefault("overview complete after, ms", []).append(round(1000 * complete))
            viewer.layers.remove(layer)
            settle(0.5)
    timer.stop()
    studio.close_session()
    viewer.close()
    return {"longest turns of the event loop while a layer is added, ms": found}


def main() -> None:
    from napari_pixcell.slides.samples import SAMPLE_SLIDE

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slide", type=Path, nargs="?", default=SAMPLE_SLIDE)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--window", action="store_true")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    about: dict[str, Any] = {
        "machine": f"{platform.machine()}, {cores} cores, Python {platform.python_version()}",
        "load before": os.getloadavg(),
        "rounds": options.rounds,
    }
    readers: dict[str, Any] = {"ours": Ours, "ours, one decoding thread": OneThread}
    for name, peer in PEERS.items():
        if importlib.util.find_spec(name) is None:
            about[name] = "not installed"
        else:
            about[name] = version(PACKAGES.get(name, name))
            readers[name] = peer
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        paths = build(folder, options.slide) | {"scan": options.slide}
        if options.window:
            about |= window(paths["flat"])
        else:
            about |= measure(paths, readers, options.rounds, options.only)
    print(json.dumps(about | {"load after": os.getloadavg()}, indent=1))


if __name__ == "__main__":
    main()

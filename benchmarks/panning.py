"""Stalls of the window while panning a huge, uncached slide; prints one JSON object.

    xvfb-run -a python benchmarks/panning.py            # or with a display, without xvfb-run

Writes a slide of 100,000 × 100,000 px to a temporary folder, with JPEG tiles that share a few
contents and a fifth of them missing. The window pans and zooms over it, always to parts not yet
read. The control pans over levels in memory, which measures napari and the graphics alone. The two
alternate, several times each.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

SIDE, TILE, FACTOR = 100_000, 256, 2
PANS, TURN_S = 20, 0.4


def make_giant(path: Path, side: int = SIDE, codec: str = "jpeg") -> None:
    """Write a pyramidal BigTIFF whose tiles share 64 images: a few MB on disk."""
    import imagecodecs

    rng = np.random.default_rng(0)
    noise = rng.normal(0, 18, (TILE, TILE, 3)).cumsum(0).cumsum(1) / 40
    jpegs = []
    for _ in range(64):
        colour = rng.integers((150, 80, 140), (245, 190, 220))
        texture = np.roll(noise, rng.integers(0, TILE, 2), (0, 1)) + rng.normal(0, 12, noise.shape)
        pixels = np.clip(colour + texture % 60, 0, 255).astype(np.uint8)
        if codec == "jpeg":
            jpegs.append(imagecodecs.jpeg8_encode(pixels, level=80, colorspace="rgb"))
        else:
            jpegs.append(imagecodecs.jpeg2k_encode(pixels, level=40, codecformat="j2k"))
    sides = [side]
    while sides[-1] > 2048:
        sides.append(sides[-1] // FACTOR)

    def nothing(count: int):
        yield from (b"" for _ in range(count))

    options = {"tile": (TILE, TILE), "dtype": np.uint8}
    if codec == "jpeg":
        options |= {"photometric": "ycbcr", "compression": "jpeg", "subsampling": (2, 2)}
    else:
        options |= {"photometric": "rgb", "compression": "jpeg2000"}
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for index, size in enumerate(sides):
            across = -(-size // TILE)
            more = {"subifds": len(sides) - 1} if index == 0 else {"subfiletype": 1}
            scale = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}
            writer.write(
                nothing(across * across), shape=(size, size, 3), metadata=None,
                **options, **more, **(scale if index == 0 else {}),
            )  # fmt: skip
    with tifffile.TiffFile(path) as file:
        tags = [
            (level.keyframe.tags[324], level.keyframe.tags[325], len(level.keyframe.dataoffsets))
            for level in file.series[0].levels
        ]
        places = [(a.valueoffset, a.dtype, b.valueoffset, b.dtype, n) for a, b, n in tags]
    with path.open("r+b") as file:
        file.seek(0, 2)
        starts = []
        for jpeg in jpegs:
            starts.append(file.tell())
            file.write(jpeg)
        for offsets, offset_type, counts, count_type, number in places:
            chosen = rng.integers(0, len(jpegs), number)
            empty = rng.random(number) < 0.2
            for at, kind, values in (
                (offsets, offset_type, np.array(starts)),
                (counts, count_type, np.array([len(jpeg) for jpeg in jpegs])),
            ):
                file.seek(at)
                width = {3: "<u2", 4: "<u4", 16: "<u8"}[int(kind)]
                file.write(np.where(empty, 0, values[chosen]).astype(width).tobytes())


class InMemory:
    """A level of the same shape and chunks whose pixels are only copied."""

    def __init__(self, like) -> None:
        self.shape, self.chunks, self.dtype = like.shape, like.chunks, like.dtype
        self.ndim, self.size = 3, like.size
        self._tissue = np.random.default_rng(1).integers(0, 255, (8192, 8192, 3), np.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype=None, copy=None):
        return self._tissue[: self.shape[0], : self.shape[1]]

    def __getitem__(self, key):
        rows, columns = (range(*k.indices(n)) for k, n in zip(key[:2], self.shape[:2], strict=True))
        return self._tissue[: len(rows), : len(columns)]


def timed(kind, name: str, into: list[float]):
    """Wrap a method to record its milliseconds in the main thread; return the original."""
    before = getattr(kind, name)

    def method(*args):
        started = time.perf_counter()
        try:
            return before(*args)
        finally:
            into.append((time.perf_counter() - started) * 1000)

    setattr(kind, name, method)
    return before


def pan(data, options, seed: int) -> tuple[list[float], list[float], float, list[float]]:
    """Pan over a layer in a new window.

    Returns
    -------
    stalls, sharp : list of float
        For each pan, the longest gap of the event loop, and the time until all tiles are decoded.
    opened : float
        The longest gap while the layer is added.
    reads : list of float
        Time of all reads of pixels in the main thread. All times are in milliseconds.
    """
    import napari
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    from napari_pixcell.slides.window import SlideView, ViewLevel
    from napari_pixcell.ui.layers.sharpening import view_of, watch

    reads: list[float] = []
    ours = isinstance(data[0], ViewLevel)  # recognises its caller, so it is timed one step inside
    kind, name = (SlideView, "now") if ours else (type(data[0]), "__getitem__")
    before = timed(kind, name, reads)
    viewer = napari.Viewer(show=True)
    watch(viewer)
    window = viewer.window._qt_window
    window.resize(1400, 900)
    gaps: list[tuple[float, float]] = []
    last = [time.perf_counter()]

    def beat() -> None:
        now = time.perf_counter()
        gaps.append((now, now - last[0]))
        last[0] = now

    timer = QTimer()
    timer.setInterval(1)
    timer.timeout.connect(beat)
    timer.start()

    def turn(act, seconds: float) -> tuple[float, float]:
        gaps.clear()
        start = last[0] = time.perf_counter()
        QTimer.singleShot(0, act)
        sharp = 0.0
        while time.perf_counter() - start < seconds:
            QApplication.processEvents()
            view = view_of(viewer.layers[0]) if len(viewer.layers) else None
            if view is not None and view.busy:
                sharp = time.perf_counter() - start
        return max(gap for _, gap in gaps) * 1000, sharp * 1000

    turn(lambda: None, 0.5)
    opened, _ = turn(lambda: viewer.add_image(data, **options), 1.5)
    rng = np.random.default_rng(seed)
    scale = float(viewer.layers[0].scale[-1])
    turn(lambda: setattr(viewer.scene.camera, "zoom", 1.0 / scale), 1.0)
    stalls, sharps = [], []
    for number in range(PANS):
        centre = tuple(rng.uniform(0.1, 0.9, 2) * SIDE * scale)
        zoom = (1.0, 0.6, 0.3)[number % 3] / scale

        def move(centre=centre, zoom=zoom) -> None:
            viewer.scene.camera.center = centre
            viewer.scene.camera.zoom = zoom

        stall, sharp = turn(move, TURN_S)
        stalls.append(stall)
        sharps.append(sharp)
    timer.stop()
    setattr(kind, name, before)
    viewer.close()
    QApplication.processEvents()
    return stalls, sharps, opened, reads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--waiting", action="store_true", help="also with reading that waits")
    parser.add_argument("--codec", choices=("jpeg", "jpeg2000"), default="jpeg")
    options = parser.parse_args()
    from napari_pixcell.slides import open_slide
    from napari_pixcell.slides.levels import CACHE
    from napari_pixcell.slides.reader import layer_data

    load = os.getloadavg()
    figures: dict[str, list] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "giant.tif"
        started = time.perf_counter()
        make_giant(path, codec=options.codec)
        made = time.perf_counter() - started
        size = path.stat().st_size / 1e6
        for number in range(options.rounds):
            ways = ["control in memory", "slide, cold", *["slide, waiting"] * options.waiting]
            for way in ways:
                started = time.perf_counter()
                slide = open_slide(path)
                opening = time.perf_counter() - started
                data, settings, _ = layer_data(slide)
                if way.startswith("control"):
                    data = [InMemory(level) for level in slide.levels]
                elif way.endswith("waiting"):
                    data = slide.levels
                stalls, sharps, opened, reads = pan(data, settings, number)
                found = figures.setdefault(way, [])
                cached = CACHE.nbytes / 1e6
                found.append((stalls, sharps, opened, opening * 1000, cached, reads))
                slide.close()
    report = {}
    for way, runs in figures.items():
        stalls = [stall for run in runs for stall in run[0]]
        sharps = [sharp for run in runs for sharp in run[1]]
        report[way] = {
            "longest stall of a pan, ms": round(max(stalls), 1),
            "median stall of a pan, ms": round(statistics.median(stalls), 1),
            "longest read in the main thread, ms": round(max(max(run[5]) for run in runs), 1),
            "pans over 50 ms": f"{sum(s > 50 for s in stalls)} of {len(stalls)}",
            "median until sharp, ms": round(statistics.median(sharps), 1),
            "adding the layer, ms": round(statistics.median(run[2] for run in runs), 1),
            "opening the file, ms": round(statistics.median(run[3] for run in runs), 1),
            "cache after, MB": round(max(run[4] for run in runs), 1),
        }
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    about = {"machine": machine, "load before": load, "load after": os.getloadavg()}
    made_of = {
        "side": SIDE,
        "codec": options.codec,
        "MB on disk": round(size, 1),
        "seconds to write": round(made, 1),
    }
    print(json.dumps(about | {"slide": made_of} | report, indent=1))


if __name__ == "__main__":
    main()

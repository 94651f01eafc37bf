"""Reading a slide, compared with OpenSlide and, if installed, napari-wsi; prints one JSON object.

    python benchmarks/slide_reading.py SLIDE [--rounds 5]

Reads 50 random boxes of 512 × 512 px, and pans a view of 1024 × 1024 px 20 times by a quarter of
its width. Cold: before each round our tile cache is cleared, and OpenSlide's handle is reopened
with its cache. The operating system's cache is warm for all. Warm: the same boxes again. Readers
alternate, and the median of the rounds is printed. With 2 threads, two callers share the boxes. Our
reader decodes the tiles of a box in a pool even for one caller, so it is also measured with a pool
of one thread.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

BOXES, SIDE, PANS, VIEW = 50, 512, 20, 1024
Box = tuple[int, int, int]  # x, y, side
Read = Callable[[Box], Any]


class Ours:
    """Our levels. ``threads`` is the size of the pool that decodes the tiles of a box."""

    def __init__(self, path: Path, threads: int) -> None:
        from napari_pixcell.slides import levels, open_slide

        levels._pool = ThreadPoolExecutor(threads)
        self.slide = open_slide(path)

    def read(self, box: Box) -> np.ndarray:
        x, y, side = box
        return self.slide.levels[0].read_white(y, y + side, x, x + side)

    def close(self) -> None:
        self.slide.close()


class OpenSlides:
    """OpenSlide in its usual form."""

    def __init__(self, path: Path, threads: int) -> None:
        import openslide

        self.slide = openslide.OpenSlide(str(path))

    def read(self, box: Box) -> np.ndarray:
        x, y, side = box
        return np.asarray(self.slide.read_region((x, y), 0, (side, side)).convert("RGB"))

    def close(self) -> None:
        self.slide.close()


class NapariWSI:
    """The levels of napari-wsi, read as napari reads them."""

    def __init__(self, path: Path, threads: int) -> None:
        from napari_wsi.reader import wsi_reader_openslide

        data = wsi_reader_openslide(str(path))(str(path))[0][0]
        self.level = data[0] if isinstance(data, list | tuple) else data

    def read(self, box: Box) -> np.ndarray:
        x, y, side = box
        return np.asarray(self.level[y : y + side, x : x + side])

    def close(self) -> None:
        pass


def boxes(shape: tuple[int, int], round_: int) -> dict[str, list[Box]]:
    """Return the boxes of one round, the same for all readers."""
    rng = np.random.default_rng(round_)
    height, width = shape
    view = min(VIEW, height, width)
    random = [
        (int(rng.integers(width - SIDE)), int(rng.integers(height - SIDE)), SIDE)
        for _ in range(BOXES)
    ]
    x, y, pans, step = 0, 0, [], view // 4
    for _ in range(PANS):
        pans.append((x, y, view))
        x += step
        if x + view > width:
            x, y = 0, min(y + step, height - view)
    return {f"{BOXES} reads of {SIDE} px": random, f"{PANS} pans of {view} px": pans}


def seconds(read: Read, wanted: list[Box], callers: int) -> float:
    started = time.perf_counter()
    if callers == 1:
        for box in wanted:
            read(box)
    else:
        with ThreadPoolExecutor(callers) as pool:
            list(pool.map(read, wanted))
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slide", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    from napari_pixcell.slides import open_slide

    readers: dict[str, tuple[type, int]] = {
        "ours": (Ours, min(4, os.cpu_count() or 1)),
        "ours, one decoding thread": (Ours, 1),
        "OpenSlide": (OpenSlides, 1),
    }
    if importlib.util.find_spec("napari_wsi") is not None:
        readers["napari-wsi"] = (NapariWSI, 1)
    load = os.getloadavg()
    with open_slide(options.slide) as slide:
        shape = slide.shape
    times: dict[tuple[str, str, str, int], list[float]] = {}
    for round_ in range(options.rounds):
        for work, wanted in boxes(shape, round_).items():
            for callers in (1, 2):
                for name, (kind, threads) in readers.items():
                    reader = kind(options.slide, threads)
                    for state in ("cold", "warm"):
                        took = seconds(reader.read, wanted, callers)
                        times.setdefault((work, state, name, callers), []).append(took)
                    reader.close()
    report: dict[str, Any] = {}
    for (work, state, name, callers), values in times.items():
        took = statistics.median(values)
        base = statistics.median(times[work, state, "OpenSlide", callers])
        place = report.setdefault(f"{work}, {state}, {callers} caller{'s' * (callers > 1)}", {})
        place[name] = {"ms": round(took * 1000, 1), "times OpenSlide": round(base / took, 2)}
    if "napari-wsi" not in readers:
        report["napari-wsi"] = "not installed"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    about = {"machine": machine, "load before": load, "load after": os.getloadavg()}
    print(
        json.dumps(
            about | {"slide": options.slide.name, "rounds": options.rounds} | report, indent=1
        )
    )


if __name__ == "__main__":
    main()

"""Cost of a long strip of results: each new one, each click, the divider, and the memory.

    python benchmarks/strip.py [count] [side]

Needs a display or xvfb-run. All figures are from a real window, painting included, as CPU time of
the main thread, so that other programs do not count. Only the stall is wall time. Without a GPU,
drawing the slide dominates.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import napari
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from pictures import tissue
from scripted import ScriptedClient

from napari_pixcell.engine.events import Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.slides import ArraySlide, Region
from napari_pixcell.studio.generation.target import Target
from napari_pixcell.ui.dock import PixCellStudio

JOB = 12  # variants per job


def main(count: int = 300, side: int = 256) -> None:
    """Add results one by one, as a worker does, then click and swipe."""
    os.environ["PIXCELL_CACHE_DIR"] = tempfile.mkdtemp()
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1366, 768)
    studio = PixCellStudio(viewer, ScriptedClient())
    viewer.window.add_dock_widget(studio, name="PixCell studio")
    studio.link.add_slide(ArraySlide([tissue(2 * side)], 0.5, "slide"))
    gallery, key = studio.session.gallery, studio.session.slides.key
    for section in (studio.slide, studio.region, studio.style_, studio.layout_, studio.generate):
        section.header.setChecked(False)
    work(1.0)
    labels = np.zeros((side, side), np.uint16)
    labels[5:20, 5:20] = 1
    rng = np.random.default_rng(0)
    region = Region(0, 0, side, side)
    pixels = tissue(side)
    before, started = _resident(), time.perf_counter()

    def make(number: int) -> float:
        image = rng.integers(0, 256, (side, side, 3), np.uint8)
        request = GenerateRequest(family="demo", seed=number, layout=PackedArray.pack(labels))
        variant = Variant(0, image, Record(request, sha256=pixels_sha256(image)))
        return turn(lambda: gallery.add(targets[number // JOB], variant, number // JOB, not number))

    targets = [
        Target(1, "Region 1", key, region, 0.5, (side, side), pixels)
        for _ in range(count // JOB + 1)
    ]
    make(0)  # adds the shared layer
    work(0.5)
    with Stalls() as stalls:
        rest = [make(number) for number in range(1, count)]
    print(f"{count} results of {side} px in {time.perf_counter() - started:.1f} s, with painting")
    print(f"  each of the first 10: {1e3 * median(rest[:10]):.1f} ms")
    print(
        f"  each of the last 10:  {1e3 * median(rest[-10:]):.1f} ms (worst {1e3 * max(rest):.1f})"
    )
    print(f"  longest event-loop stall: {1e3 * stalls.longest:.0f} ms")
    print(
        f"  memory: +{_resident() - before:.0f} MB, pixels alone {count * 3 * side**2 / 1e6:.0f} MB"
    )
    clicks = [turn(lambda r=r: gallery.show(r)) for r in gallery.results[-24:]]
    print(
        f"  a click on a thumbnail: {1e3 * median(clicks):.1f} ms (worst {1e3 * max(clicks):.1f})"
    )
    gallery.swipe.switch(True)
    work(0.2)
    swipes = [turn(lambda i=i: gallery.swipe.move(i / 40)) for i in range(40)]
    print(f"  a move of the divider: {1e3 * median(swipes):.1f} ms (worst {1e3 * max(swipes):.1f})")
    strip = studio.results.strip
    bar = strip.verticalScrollBar()
    steps = np.linspace(0, bar.maximum(), 40).astype(int)
    scrolls = [turn(lambda v=int(v): bar.setValue(v)) for v in steps]
    print(f"  a step of scrolling: {1e3 * median(scrolls):.1f} ms (worst {1e3 * max(scrolls):.1f})")
    studio.close_session()
    viewer.close()


class Stalls:
    """The longest delay of a timer of 5 ms.

    ``longest`` is wall time, and ``work`` the CPU time of this thread in it. Other programs, and
    other threads that hold the interpreter lock, make the difference.
    """

    def __enter__(self) -> Stalls:
        self.longest = self.work = 0.0
        self._last, self._worked = time.perf_counter(), time.thread_time()
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        return self

    def _tick(self) -> None:
        now, worked = time.perf_counter(), time.thread_time()
        self.longest, self._last = max(self.longest, now - self._last), now
        self.work, self._worked = max(self.work, worked - self._worked), worked

    def __exit__(self, *_: object) -> None:
        self._timer.stop()


def turn(act: Callable[[], object]) -> float:
    """Return the CPU seconds of a call and of everything that follows from it."""
    start = time.thread_time()
    act()
    for _ in range(3):
        QApplication.processEvents()
    return time.thread_time() - start


def work(seconds: float) -> None:
    """Process the window's events for some seconds."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.005)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))

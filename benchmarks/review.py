"""Cost of a long review: opening, scrolling from top to bottom, sorting, deciding, memory.

    python benchmarks/review.py [pairs] [side]

Needs a display or xvfb-run. A few pairs are drawn. The others have their own rows, and hard links
to the same files. Stalls are wall time, drawing included, next to the CPU time of the main thread.
All other times are CPU time of the main thread, so that other programs do not count.
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
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from drawn_dataset import make_dataset
from strip import Stalls, turn, work

from napari_pixcell.datasets.store.rows import append_rows, read_rows
from napari_pixcell.studio.review.open_dataset import OpenDataset
from napari_pixcell.ui.review.dock import ReviewPairs, open_review

DRAWN = 16
STEPS = 400  # in a scroll from top to bottom


def main(pairs: int = 10_000, side: int = 256) -> None:
    """Write a long dataset and review it."""
    os.environ["PIXCELL_CACHE_DIR"] = tempfile.mkdtemp()
    with tempfile.TemporaryDirectory() as scratch:
        folder = many(Path(scratch) / "data", pairs, side)
        viewer = napari.Viewer(show=True)
        viewer.window.resize(1366, 768)
        dock = open_review(viewer)
        work(1.0)
        with Stalls() as stalls:
            work(3.0)
        print(f"longest stall of an idle window: {1e3 * stalls.longest:.0f} ms")
        before, decoded = _resident(), _count_decoded()
        started = time.perf_counter()
        with Stalls() as stalls:
            dock.open(folder)
            _work_until(lambda: dock.review.columns is not None)
        seconds = time.perf_counter() - started
        print(f"{pairs:,} pairs of {side} px: open after {seconds:.2f} s", end="")
        print(f", {said(stalls)}")
        rest(dock)
        print(f"  memory: +{_resident() - before:.0f} MB, {len(decoded)} pictures read")
        scroll(dock, decoded)
        print(f"  memory at the end: +{_resident() - before:.0f} MB")
        list_and_decide(dock)
        dock.close_review()
        viewer.close()


def scroll(dock: ReviewPairs, decoded: list[int]) -> None:
    """Drag the scroll bar from top to bottom in 10 s, then page down."""
    bar, steps = dock.grid.verticalScrollBar(), []
    with Stalls() as stalls:
        for value in np.linspace(0, bar.maximum(), STEPS).astype(int):
            steps.append(turn(lambda v=int(value): bar.setValue(v)))
            work(0.02)
    print(f"  scroll from top to bottom: {1e3 * median(steps):.1f} ms per step", end="")
    print(f" (worst {1e3 * max(steps):.1f}), {said(stalls)}", end="")
    print(f", {len(decoded)} images read")
    started = time.perf_counter()
    rest(dock)
    print(f"  all visible images {time.perf_counter() - started:.2f} s after the last step")
    bar.setValue(0)
    dock.review.outline(False)  # so that no image is cached
    rest(dock)
    first = len(decoded)
    started, pages = time.perf_counter(), 30
    with Stalls() as stalls:
        for _ in range(pages):
            QTest.keyClick(dock.grid, Qt.Key.Key_PageDown)
            _work_until(lambda: not dock.review.small.busy)
    seconds = (time.perf_counter() - started) / pages
    print(f"  page down with all images: {1e3 * seconds:.0f} ms", end="")
    print(f", {said(stalls)}, {len(decoded) - first} images read")


def list_and_decide(dock: ReviewPairs) -> None:
    """Sort and filter, then accept and reject as fast as keys repeat."""
    review = dock.review
    sort = turn(lambda: review.want(sort="dice"))
    some = turn(lambda: review.want(show="flagged"))
    all_ = turn(lambda: review.want(show="all"))
    print(f"  sort {1e3 * sort:.0f} ms, filter {1e3 * some:.0f} ms, all again {1e3 * all_:.0f} ms")
    for show in ("all", "undecided"):
        review.want(show=show)
        rest(dock)
        with Stalls() as stalls:
            keys = []
            for at in range(60):
                key = Qt.Key.Key_D if at % 3 == 2 else Qt.Key.Key_A
                keys.append(turn(lambda key=key: QTest.keyClick(dock.grid, key)))
                work(0.03)
        print(f"  a decision ({show}): {1e3 * median(keys):.1f} ms (worst {1e3 * max(keys):.1f})")
        print(f"    {said(stalls)}, decisions not yet on disk: {review.unsaved}")
    rest(dock)


def said(stalls: Stalls) -> str:
    """Return the longest stall of the window, and its own share of it, in words."""
    return f"longest stall {1e3 * stalls.longest:.0f} ms ({1e3 * stalls.work:.0f} of its own)"


def many(folder: Path, pairs: int, side: int) -> Path:
    """Write a dataset of many pairs from a few images."""
    dataset = make_dataset(folder, styles=4, layouts=DRAWN // 4, side=side)
    rows, rng = list(read_rows(folder / "manifest.jsonl")), np.random.default_rng(0)
    more = []
    for index in range(DRAWN, pairs):
        row = rows[index % DRAWN]
        paths = {}
        for name in ("image", "mask"):
            old = Path(row[name])
            paths[name] = str(old.with_name(f"{index:06}{old.suffix}"))
            (folder / paths[name]).hardlink_to(folder / old)
        scores = {"dice": float(rng.uniform(0.2, 0.9)), "style": float(rng.uniform(0.4, 0.9))}
        more.append(row | paths | {"index": index, "scores": scores})
    append_rows(folder / "manifest.jsonl", more)
    return dataset.folder


def rest(dock: ReviewPairs) -> None:
    """Wait until nothing is running and everything is drawn."""
    work(0.1)
    _work_until(lambda: not dock.review.busy)
    work(0.1)


def _count_decoded() -> list[int]:
    decoded: list[int] = []
    picture = OpenDataset.picture

    def counted(self: OpenDataset, key: object) -> object:
        decoded.append(1)
        return picture(self, key)  # type: ignore[arg-type]

    OpenDataset.picture = counted  # type: ignore[method-assign,assignment]
    return decoded


def _work_until(so: Callable[[], bool]) -> None:
    while not so():
        QApplication.processEvents()
        time.sleep(0.002)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))

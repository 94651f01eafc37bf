"""Cost of a stroke in the window, on a layout of 1024 × 1024 px with 2,000 nuclei.

    xvfb-run -a python benchmarks/painting.py [--side 1024] [--nuclei 2000] [--strokes 20]

Every kind of stroke in the real window, compared with napari's own brush on a plain labels layer of
the same data. They alternate. Prints the milliseconds of the main thread for the slowest part of a
stroke (press, one move, release), without and with drawing the window, as median and maximum.
Without a GPU, drawing dominates for both.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import napari
import numpy as np
from mouse import send
from napari.layers import Labels
from qtpy.QtWidgets import QApplication
from skimage.draw import disk

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.slides import ArraySlide, Region
from napari_pixcell.ui.dock import PixCellStudio

RADIUS = 7


class Idle:
    """Stands in for a worker; these strokes send no requests."""

    def submit(self, request: Any, on_event: Any = None, previews: bool = True) -> Any:
        return self

    def cancel(self) -> None: ...

    def restart(self) -> None: ...

    def close(self) -> None: ...


def nuclei(side: int, count: int) -> np.ndarray:
    rng, labels = np.random.default_rng(0), np.zeros((side, side), np.int32)
    step = side / np.ceil(np.sqrt(count))
    grid = np.arange(step / 2, side, step)
    places = [(y, x) for y in grid for x in grid][:count]
    for label, place in enumerate(places, start=1):
        labels[disk(place + rng.uniform(-2, 2, 2), RADIUS, shape=labels.shape)] = label
    return labels


def stroke(
    layer: Labels, path: list[tuple[float, float]], modifiers: tuple[str, ...]
) -> tuple[float, float]:
    """Return the milliseconds of the slowest part of a stroke, without and with drawing."""
    parts = [("mouse_press", path[0]), *(("mouse_move", place) for place in path)]
    slowest = np.zeros(2)
    for kind, place in [*parts, ("mouse_release", path[-1])]:
        start = time.perf_counter()
        send(layer, kind, place, modifiers)
        changed = time.perf_counter()
        QApplication.processEvents()
        taken = changed - start, time.perf_counter() - start
        slowest = np.maximum(slowest, taken)
    return 1000 * slowest[0], 1000 * slowest[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--nuclei", type=int, default=2000)
    parser.add_argument("--strokes", type=int, default=20)
    options = parser.parse_args()
    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(1500, 950)
    studio = PixCellStudio(viewer, Idle())
    viewer.window.add_dock_widget(studio)
    tissue = np.random.default_rng(0).integers(120, 255, (2048, 2048, 3), np.uint8)
    studio.link.add_slide(ArraySlide([tissue], 0.5, "made"))
    item = studio.session.regions.draw(Region(100, 100, options.side, options.side))
    labels = nuclei(options.side, options.nuclei)
    studio.session.layouts.set(item.number, labels.copy(), "made", LayoutSource("painted"))
    like = {name: getattr(studio.link.tools.layer, name) for name in ("scale", "units")}
    plain = viewer.add_labels(labels.copy(), name="plain", visible=False, **like)
    plain.brush_size, plain.contour = 12, studio.link.tools.layer.contour
    tools, rng = studio.link.tools, np.random.default_rng(1)

    def ours(name: str) -> Callable[[], Labels]:
        def prepare() -> Labels:
            tools.choose(name)
            return tools.layer

        return prepare

    def napari_s() -> Labels:
        plain.visible = True
        viewer.layers.selection.active = plain
        plain.mode = "paint"
        return plain

    kinds: dict[str, tuple[Callable[[], Labels], tuple[str, ...]]] = {
        "napari's own brush": (napari_s, ()),
        "paint": (ours("paint"), ()),
        "erase": (ours("erase"), ()),
        "split": (ours("split"), ()),
        "delete (ctrl)": (ours("paint"), ("Control",)),
        "stamp": (ours("stamp"), ()),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for _ in range(options.strokes):
        for name, (prepare, modifiers) in kinds.items():
            layer = prepare()
            for _ in range(5):
                QApplication.processEvents()
            start = rng.uniform(40, options.side - 80, 2)
            path = [tuple(layer.data_to_world(start + 4 * i)) for i in range(8)]
            found[name].append(stroke(layer, path, modifiers))
            plain.visible = False
            end = time.time() + 0.4  # cells are counted between strokes
            while time.time() < end:
                QApplication.processEvents()
    print(platform.machine(), os.cpu_count(), "cores, load", os.getloadavg())
    print(f"{options.side} × {options.side} px, {options.nuclei} nuclei, {options.strokes} strokes")
    for name, values in found.items():
        (change, drawn), worst = np.median(values, axis=0), max(value for _, value in values)
        print(f"{name:20} {change:6.1f} ms, drawn {drawn:6.1f} ms, worst {worst:6.1f} ms")
    studio.close_session()


if __name__ == "__main__":
    main()

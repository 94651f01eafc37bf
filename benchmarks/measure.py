"""Main figures of this machine; prints one JSON object.

    python benchmarks/measure.py            # needs a display, or xvfb-run

Machines are noisy: compare figures within one run, not across runs.
"""

from __future__ import annotations

import json
import platform
import resource
import subprocess
import sys
import time

import numpy as np

START = """
import time; t = time.perf_counter()
import napari
viewer = napari.Viewer(show=True)
from qtpy.QtWidgets import QApplication
QApplication.processEvents()
window = time.perf_counter() - t
_, dock = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
QApplication.processEvents()
total = time.perf_counter() - t
import sys
assert "torch" not in sys.modules
print(window, total - window)
import os; os._exit(0)
"""


def demo_tile() -> dict[str, float]:
    """Measure a tile of 20 steps in the worker, cold and warm, and the worker's memory."""
    from napari_pixcell.engine.packed import PackedArray
    from napari_pixcell.engine.request_values import GenerateRequest
    from napari_pixcell.worker.client import WorkerClient

    style = PackedArray.pack(np.zeros((1, 128), np.float32))
    client = WorkerClient()
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        list(client.submit(GenerateRequest("demo", style, count=1, steps=20)).events())
        seconds.append(time.perf_counter() - started)
    client.close()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {
        "first tile, including the start of the worker, s": seconds[0],
        "tile of 20 steps, s": sorted(seconds[1:])[1],
        "peak memory of the worker, MB": peak,
    }


def import_cost() -> dict[str, float]:
    """Measure the seconds that the dock's module adds to an imported napari."""
    code = (
        "import napari, napari._qt.qt_viewer, time; t = time.perf_counter(); "
        "import napari_pixcell.ui.dock; print(time.perf_counter() - t)"
    )
    values = sorted(float(_python(code)) for _ in range(3))
    return {"import of the dock, without napari, s": values[1]}


def start() -> dict[str, float]:
    """Measure the seconds from ``import napari`` to its window, and from there to the dock."""
    runs = sorted(tuple(map(float, _python(START).split())) for _ in range(3))
    window, dock = runs[1]
    return {"napari window, s": window, "dock after the window, s": dock}


def longest_stall() -> dict[str, float]:
    """Measure the gaps between turns of the event loop while the dock generates 2 variants.

    Turns in which napari adds a layer are reported separately, next to napari's own cost of adding
    the same image to the same window without the plugin.
    """
    import napari
    from qtpy.QtCore import QTimer

    from napari_pixcell.ui.demo import click, open_dock, settle

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1560, 960)
    _dock, studio = open_dock(viewer)
    session = studio.session
    click(studio.welcome.sample_button)
    settle(0.5)
    click(studio.region.add_button)
    while session.busy:
        settle(0.05)
    studio.generate.count.setValue(2)
    gaps: list[float] = []
    adding: list[float] = []
    last, layers = time.perf_counter(), len(viewer.layers)

    def beat() -> None:
        nonlocal last, layers
        now = time.perf_counter()
        (gaps if len(viewer.layers) == layers else adding).append(now - last)
        last, layers = now, len(viewer.layers)

    timer = QTimer()
    timer.timeout.connect(beat)
    timer.start(1)
    click(studio.footer.generate_button)
    while session.queue.current is not None:
        settle(0.05)
    timer.stop()
    own = []
    for _ in range(3):
        picture = np.zeros((256, 256, 3), np.uint8)
        settle(0.3)
        started = time.perf_counter()
        viewer.add_image(picture, rgb=True, units=("um", "um"))
        own.append(time.perf_counter() - started)
    studio.close_session()
    viewer.close()
    gaps.sort()
    return {
        "longest stall of the event loop while generating, except adding layers, ms": 1e3
        * gaps[-1],
        "99th percentile of its turns, ms": 1e3 * gaps[int(0.99 * len(gaps))],
        "longest stall while a layer is added, ms": 1e3 * max(adding),
        "of which napari itself, median of 3 images added without the plugin, ms": 1e3
        * sorted(own)[1],
    }


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1]


def main() -> None:
    figures = {"machine": f"{platform.machine()}, Python {platform.python_version()}"}
    for part in (demo_tile, import_cost, start, longest_stall):
        figures |= {key: round(value, 3) for key, value in part().items()}
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

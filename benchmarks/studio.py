"""The studio at work: stalls of the window, cost of previews, and memory after many jobs.

    xvfb-run -a python benchmarks/studio.py [--jobs 200] [--pairs 8]

Everything runs in one real window with the real worker and the demo family.

- Stalls: gaps between turns of the event loop while panning and painting, without and with a
  generation at the same time, alternating. The first is the control: napari's own drawing. The
  time that the CPU works for the window in a turn is reported too: other programs do not add to it.
- Previews: generations of 20 steps with and without previews, alternating; medians.
- Memory: of the napari process and of the worker, after a quarter of the jobs and after all. Each
  variant is discarded when it arrives.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from typing import Any

import napari
import numpy as np
import psutil
from mouse import drag
from qtpy.QtCore import QTimer

from napari_pixcell.ui.demo import click, open_dock, settle

VARIANTS = 4  # the default of the dock
ROUNDS = 3  # of stalls


class Beat:
    """Records the gaps between turns of the event loop, in ms, during its ``with`` blocks."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self.work: list[float] = []  # CPU time of this process
        self._timer = QTimer()
        self._timer.timeout.connect(self._note)

    def __enter__(self) -> Beat:
        self._last, self._worked = time.perf_counter(), time.process_time()
        self._timer.start(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.stop()

    def _note(self) -> None:
        now, worked = time.perf_counter(), time.process_time()
        self.gaps.append(1e3 * (now - self._last))
        self.work.append(1e3 * (worked - self._worked))
        self._last, self._worked = now, worked

    def figures(self, what: str) -> dict[str, float]:
        return {
            f"{what}: 99th percentile of turns, ms": float(np.percentile(self.gaps, 99)),
            f"{what}: longest turn, ms": max(self.gaps),
            f"{what}: 99th percentile of the CPU's work, ms": float(np.percentile(self.work, 99)),
        }


def busy_hands(viewer: Any, studio: Any, seconds: float | None) -> None:
    """Pan and paint until the time is over or the generation has ended."""
    layer = studio.link.find("layout", 1)
    centre, started, turn = viewer.scene.camera.center, time.perf_counter(), 0
    top, left = layer.translate[-2:]
    while time.perf_counter() - started < (seconds or math.inf):
        if seconds is None and studio.session.queue.current is None:
            break
        turn += 1
        angle = turn / 8
        viewer.scene.camera.center = (
            centre[-2] + 10 * math.sin(angle),
            centre[-1] + 10 * math.cos(angle),
        )
        if turn % 4 == 0:
            y, x = top + 10 + turn % 100, left + 10 + 2 * turn % 100
            drag(layer, (y, x), (y + 2, x + 2))
        settle(0.03)


def stalls(viewer: Any, studio: Any) -> dict[str, float]:
    session = studio.session
    session.layouts.new()
    settle(0.5)
    studio.link.tools.choose("paint")
    busy_hands(viewer, studio, 1)
    session.settings.count = 3
    alone, beside = Beat(), Beat()
    for _ in range(ROUNDS):
        with alone:
            busy_hands(viewer, studio, 4)
        session.generator.generate()
        with beside:
            busy_hands(viewer, studio, None)
    session.layouts.set(1, None)
    settle(0.5)
    figures = alone.figures("panning and painting") | beside.figures("and generating as well")
    between = [float(np.percentile(beat.gaps, 99)) for beat in (alone, beside)]
    return figures | {"generating adds to the 99th percentile, ms": between[1] - between[0]}


def generation(session: Any) -> float:
    """Return the seconds of one job, from the button to the last image."""
    started = time.perf_counter()
    session.generator.generate()
    while session.queue.current is not None:
        settle(0.005)
    return time.perf_counter() - started


def previews(studio: Any, pairs: int) -> dict[str, float]:
    session, taken = studio.session, {True: [], False: []}
    session.settings.count = VARIANTS
    generation(session)
    for turn in range(2 * pairs):
        on = bool((turn + turn // 2) % 2)  # alternates which of the two is first
        session.settings.previews = on
        taken[on].append(generation(session))
    session.settings.previews = True
    with_, without = (float(np.median(taken[on])) for on in (True, False))
    return {
        f"{VARIANTS} variants with previews, s": with_,
        "without, s": without,
        "cost of previews, %": 100 * (with_ / without - 1),
    }


def memory(studio: Any, jobs: int) -> dict[str, float]:
    session = studio.session
    session.settings.count, session.settings.steps = 1, 2
    found: dict[str, float] = {}
    for done in range(1, jobs + 1):
        generation(session)
        for result in list(session.gallery.results):
            session.gallery.discard(result)
        if done in (jobs // 4, jobs):
            settle(1)
            found[f"window after {done} jobs, MB"] = psutil.Process().memory_info().rss / 2**20
            worker = psutil.Process(session.client.process_id)
            found[f"worker after {done} jobs, MB"] = worker.memory_info().rss / 2**20
    for what in ("window", "worker"):
        early, late = (found[f"{what} after {n} jobs, MB"] for n in (jobs // 4, jobs))
        found[f"{what}: growth, %"] = 100 * (late / early - 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=8)
    options = parser.parse_args()
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1366, 768)
    _dock, studio = open_dock(viewer)
    click(studio.welcome.sample_button)
    settle(0.5)
    click(studio.region.add_button)
    while studio.session.busy:
        settle(0.05)
    generation(studio.session)  # start the worker
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "load before": os.getloadavg()[0],
    }
    figures |= stalls(viewer, studio)
    figures |= previews(studio, options.pairs)
    figures |= memory(studio, options.jobs)
    figures["load after"] = os.getloadavg()[0]
    studio.close_session()
    viewer.close()
    rounded = {k: round(v, 2) if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps(rounded, indent=1))


if __name__ == "__main__":
    main()

"""A process that pretends to make a dataset: it writes the log of a run until it is stopped.

Run as a program, with the path of the dataset.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from napari_pixcell.datasets.runs.listing import RunList
from napari_pixcell.datasets.runs.log import RunLog
from napari_pixcell.datasets.runs.state import RunState, run_of
from napari_pixcell.engine.events import Finished, Notice, Progress
from napari_pixcell.errors import PixCellError


@contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run such a process; it is killed at the end, if it has not been stopped."""
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen([sys.executable, __file__, str(folder)], stdin=subprocess.PIPE)
    try:
        until(folder, lambda state: state.dashboard != "" and state.total > 0)
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def kill_runs() -> None:
    """Kill what a failed test has left: detached processes outlive it."""
    for state in RunList().look():
        if state.stage == "running" and state.owner is not None:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(state.owner.process).kill()


def until(folder: Path, holds) -> RunState:
    """Wait until the run of a dataset is in a state."""
    while True:
        try:
            state = run_of(folder)
            if holds(state):
                return state
        except PixCellError:  # not begun
            pass
        time.sleep(0.02)


if __name__ == "__main__":
    log = RunLog(Path(sys.argv[1]), ["dataset", "make"], ["--workers", "2"])
    log.add(Progress(12, 300, "12 of 300 pairs, 2 workers, 3.1 pairs/s, 2 min left"))
    log.add(Notice("Pairs 6 to 7 are retried: its worker was killed (signal 9)."))
    log.add_dashboard("http://127.0.0.1:8787/status")
    while not log.stop_wanted:
        time.sleep(0.02)
    log.close(Finished(cancelled=True))

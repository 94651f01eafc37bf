"""A Dask scheduler and workers in processes of their own, on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_pixcell.cluster.connection import Connection

SUPPORT = Path(__file__).parent
POLL = 0.05  # seconds
START = """
from distributed.cli.dask_worker import main
main()
"""
NO_PACKAGE = """
import sys
sys.modules["napari_pixcell"] = None
"""
OTHER_VERSION = f"""
import napari_pixcell
napari_pixcell.__version__ = "0.0.1"
{START}"""
OTHER_WEIGHTS = f"""
from napari_pixcell.datasets.recipe import same_weights
same_weights.cached_sha256 = lambda path: "0" * 64
{START}"""


class DaskProcesses:
    """A scheduler, and workers with one thread each.

    Parameters
    ----------
    folder : Path
        Of the log files.
    before : str
        Code that the scheduler runs first.
    """

    def __init__(self, folder: Path, before: str = "") -> None:
        self.folder = folder
        self.acted = folder / "acted"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._count = 0
        script = f"{before}\nfrom distributed.cli.dask_scheduler import main\nmain()"
        self._start(
            "scheduler", "-c", script, "--host", "127.0.0.1", "--port", "0", "--no-dashboard"
        )
        self.address = self._scheduler_address()

    def have(self, name: str, count: int, script: str = START) -> None:
        """Have this many workers whose names begin so. They are not waited for."""
        running = [one for one in self._processes if one.startswith(name) and self._runs(one)]
        for _ in range(count - len(running)):
            self._count += 1
            own = f"{name}{self._count}"
            options = ("--name", own, "--nthreads", "1", "--no-nanny", "--no-dashboard")
            self._start(
                own, "-c", script, self.address, *options, "--local-directory", str(self.folder)
            )

    def wait(self, connection: Connection, count: int) -> None:
        """Wait until the scheduler knows of this number of workers."""
        while len(connection.workers()) != count:
            time.sleep(POLL)

    def _runs(self, name: str) -> bool:
        return self._processes[name].poll() is None

    def _start(self, name: str, *command: str) -> None:
        paths = [str(SUPPORT), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        with self._log(name).open("wb") as out:
            self._processes[name] = subprocess.Popen(
                [sys.executable, *command], stdout=out, stderr=out, env=variables
            )

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _scheduler_address(self) -> str:
        while True:
            text = self._log("scheduler").read_text()
            for line in text.splitlines():
                if "Scheduler at:" in line:
                    return line.split()[-1]
            assert self._runs("scheduler"), text
            time.sleep(POLL)

    def end(self, name: str = "") -> None:
        """Kill the processes whose names begin so."""
        for one in [one for one in self._processes if one.startswith(name)]:
            process = self._processes.pop(one)
            process.kill()
            process.wait()


@contextmanager
def dask_processes(folder: Path, before: str = "") -> Iterator[DaskProcesses]:
    """Run a scheduler for the duration of the block."""
    processes = DaskProcesses(folder, before)
    try:
        yield processes
    finally:
        processes.end()

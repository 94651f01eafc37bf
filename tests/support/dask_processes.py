"""A Dask scheduler and workers in processes of their own, on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SUPPORT = Path(__file__).parent
WORKER = "distributed.cli.dask_worker"
OTHER_VERSION = """
import sys, napari_pixcell
napari_pixcell.__version__ = "0.0.1"
from distributed.cli.dask_worker import main
main()
"""


class DaskProcesses:
    """Starts workers, and ends all of them together with the scheduler.

    Parameters
    ----------
    folder : Path
        Of the log files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        command = ("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        process = self._start(*command, "--no-dashboard", log="scheduler")
        self.address = _address(folder / "scheduler.log", process)

    def add(
        self, name: str, environment: Mapping[str, str] | None = None, script: str = ""
    ) -> subprocess.Popen[bytes]:
        """Start a worker, by default from Dask's own script. It is not waited for."""
        program = ("-c", script) if script else ("-m", WORKER)
        options = ("--name", name, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        command = (*program, self.address, *options, "--local-directory", str(self._folder))
        return self._start(*command, log=name, environment=environment)

    def _start(
        self, *command: str, log: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        paths = [str(SUPPORT), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | dict(environment or {})
        with (self._folder / f"{log}.log").open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, *command], stdout=out, stderr=out, env=variables
            )
        self._processes.append(process)
        return process

    def end(self) -> None:
        """Kill all processes."""
        for process in reversed(self._processes):
            process.send_signal(signal.SIGKILL)
            process.wait()


@contextmanager
def dask_processes(folder: Path) -> Iterator[DaskProcesses]:
    """Run a scheduler for the duration of the block."""
    processes = DaskProcesses(folder)
    try:
        yield processes
    finally:
        processes.end()


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Wait until a scheduler has written its address."""
    while True:
        for line in log.read_text().splitlines():
            if "Scheduler at:" in line:
                return line.split()[-1]
        assert process.poll() is None, log.read_text()

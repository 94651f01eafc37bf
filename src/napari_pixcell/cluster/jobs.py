"""Jobs with workers on SLURM, PBS, LSF or this machine, from the settings of a cluster file."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from dask.utils import parse_bytes
from dask_jobqueue.core import JobQueueCluster
from dask_jobqueue.local import LocalJob
from dask_jobqueue.lsf import LSFCluster
from dask_jobqueue.pbs import PBSCluster
from dask_jobqueue.slurm import SLURMCluster
from distributed.core import Status

from napari_pixcell.cluster.settings import ClusterSettings
from napari_pixcell.errors import PixCellError

MARGIN = 120  # seconds before the wall time at which a worker ends, so that its job is not killed
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
LIMITS = ("TARGET", "SPILL", "PAUSE")  # of data that Dask holds, which is little here
LONGEST = 300  # characters of a reason
PATIENCE = 10  # seconds for a job on this machine to end


class ScriptJob(LocalJob):
    """A job script that runs on this machine, in a session of its own."""

    _running: ClassVar[dict[str, subprocess.Popen[bytes]]] = {}

    async def _submit_job(self, script_filename: str) -> str:
        script = Path(script_filename).read_text()  # the file is removed after the submission
        log = Path(self.log_directory) / f"{self.name}.log" if self.log_directory else os.devnull
        with open(log, "ab") as out:  # noqa: PTH123  (os.devnull is text)
            process = subprocess.Popen(
                ["sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._running[str(process.pid)] = process
        return str(process.pid)

    @classmethod
    async def _close_job(cls, job_id: str, cancel_command: object) -> None:
        process = cls._running.pop(job_id, None)
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(int(job_id), number)
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, PATIENCE)


class ScriptCluster(JobQueueCluster):
    """Job scripts that run on this machine, to try a cluster file before it goes to a cluster."""

    job_cls = ScriptJob


KINDS: dict[str, Any] = {
    "local": ScriptCluster,
    "slurm": SLURMCluster,
    "pbs": PBSCluster,
    "lsf": LSFCluster,
}


class Jobs:
    """A scheduler in this process, and the jobs of its workers.

    Parameters
    ----------
    settings : ClusterSettings

    Attributes
    ----------
    cluster : JobQueueCluster
        Its jobs are one worker each.

    Raises
    ------
    PixCellError
        If the scheduler cannot be started, for example on that network interface.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings, self._failures = settings, list[str]()
        for name in ("distributed", "tornado.application"):  # see “problem”
            logging.getLogger(name).setLevel(logging.CRITICAL)
        kind = KINDS[settings.kind]
        job = _reporting(kind.job_cls, self._failures)
        try:
            self.cluster = kind(job_cls=job, **job_options(settings))
        except (OSError, ValueError, RuntimeError) as error:
            raise PixCellError(
                f"The scheduler of the cluster cannot be started: {error}. Check “interface” and "
                "“logs” of the cluster file."
            ) from error

    def adapt(self, needed: int, idle: Sequence[str]) -> None:
        """Submit jobs while chunks wait, again for those that have ended; cancel some at the end.

        Parameters
        ----------
        needed : int
            Workers that would have work.
        idle : sequence of str
            Names of the workers without work, which may end.
        """
        settings, planned = self._settings, len(self.cluster.worker_spec)
        wanted = min(max(needed, settings.least_workers), settings.most_workers)
        if planned <= wanted:
            self.cluster.scale(wanted)
        elif idle:
            self.cluster.sync(self.cluster.scale_down, list(idle[: planned - wanted]))

    @property
    def problem(self) -> str:
        """Why jobs could not be submitted, as a sentence; empty if all were."""
        if not self._failures:
            return ""
        return (
            f"A job could not be submitted: {self._failures[-1]}. Check the cluster file, and that "
            "jobs can be submitted from this machine."
        )

    def close(self) -> None:
        """Cancel all jobs, and end the scheduler."""
        self.cluster.close()


def _reporting(job: Any, failures: list[str]) -> Any:
    """Return a class of jobs that keeps the reasons why some could not be submitted."""

    class ReportingJob(job):  # type: ignore[misc]
        async def start(self) -> None:
            try:
                await super().start()
            except Exception as error:
                words = " ".join(str(error).split()).rstrip(".")
                failures.append(words if len(words) <= LONGEST else f"…{words[-LONGEST:]}")
                self.status = Status.failed
                raise

        async def close(self) -> None:
            await super().close()
            self.status = Status.closed

    return ReportingJob


def job_options(settings: ClusterSettings) -> dict[str, Any]:
    """Return the parameters of a cluster of dask-jobqueue.

    Every job is one worker with one thread for tasks, because it has one engine. The threads of
    PyTorch are set in the job script.
    """
    directives = list(settings.directives)
    exports = [f"export {name}={settings.cores}" for name in THREADS]
    # A worker would pause for ever if its models take most of the memory.
    exports += [f"export DASK_DISTRIBUTED__WORKER__MEMORY__{what}=False" for what in LIMITS]
    options: dict[str, Any] = {
        "cores": 1,
        "processes": 1,
        "memory": settings.memory,
        "python": sys.executable,
        "job_name": "napari-pixcell",
        "job_script_prologue": [*exports, *settings.prologue],
        "interface": settings.interface or None,
        "log_directory": settings.logs or None,
        "scheduler_options": {"dashboard": settings.dashboard, "dashboard_address": ":0"},
        "worker_extra_args": [] if settings.dashboard else ["--no-dashboard"],
    }
    if settings.walltime_seconds:
        options["worker_extra_args"] += ["--lifetime", f"{settings.walltime_seconds - MARGIN}s"]
    specific: dict[str, Any] = {"queue": settings.queue or None}
    match settings.kind:
        case "local":
            options["scheduler_options"] |= {
                "host": "127.0.0.1",
                "dashboard_address": "127.0.0.1:0",
            }
            return options
        case "slurm":
            if settings.gpus:
                directives.append("--gres=gpu:1")
            specific["account"] = settings.account or None
            specific["job_cpu"] = settings.cores
        case "pbs":
            spec = f"select=1:ncpus={settings.cores}:mem={_megabytes(settings.memory)}mb"
            specific["resource_spec"] = spec + ":ngpus=1" * settings.gpus
            specific["account"] = settings.account or None
        case "lsf":
            if settings.gpus:
                directives.append('-gpu "num=1"')
            specific["project"] = settings.account or None
            specific["ncpus"] = settings.cores
    if settings.walltime:
        # LSF knows no seconds.
        specific["walltime"] = settings.walltime[: -3 if settings.kind == "lsf" else None]
    return options | specific | {"job_extra_directives": directives}


def _megabytes(memory: str) -> int:
    return -(-parse_bytes(memory) // 2**20)

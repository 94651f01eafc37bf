"""Jobs with workers on SLURM, PBS, LSF or this machine, from the settings of a cluster file."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from dask.utils import parse_bytes
from dask_jobqueue import LSFCluster, PBSCluster, SLURMCluster
from dask_jobqueue.core import JobQueueCluster
from dask_jobqueue.local import LocalJob

from napari_pixcell.cluster.settings import ClusterSettings
from napari_pixcell.errors import PixCellError

MARGIN = 120  # seconds before the wall time at which a worker ends, so that its job is not killed
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PATIENCE = 10  # seconds for a job on this machine to end


class ScriptJob(LocalJob):  # type: ignore[misc]
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
        for number in (signal.SIGTERM, signal.SIGKILL) if process is not None else ():
            with suppress(ProcessLookupError):
                os.killpg(int(job_id), number)
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, PATIENCE)


class ScriptCluster(JobQueueCluster):  # type: ignore[misc]
    """Job scripts that run on this machine, to try a cluster file before it goes to a cluster."""

    job_cls = ScriptJob


def submitted(settings: ClusterSettings) -> JobQueueCluster:
    """Start a scheduler in this process. Its ``scale`` submits and cancels jobs.

    Raises
    ------
    PixCellError
        If the scheduler cannot be started, for example on that network interface.
    """
    kind: Any = {
        "local": ScriptCluster,
        "slurm": SLURMCluster,
        "pbs": PBSCluster,
        "lsf": LSFCluster,
    }[settings.kind]
    try:
        return kind(**job_options(settings))
    except (OSError, ValueError, RuntimeError) as error:
        raise PixCellError(
            f"The scheduler of the cluster cannot be started: {error}. Check “interface” of the "
            "cluster file."
        ) from error


def job_options(settings: ClusterSettings) -> dict[str, Any]:
    """Return the parameters of a cluster of dask-jobqueue.

    Every job is one worker with one thread for tasks, because it has one engine. The threads of
    PyTorch are set in the job script.
    """
    directives = list(settings.directives)
    threads = [f"export {name}={settings.cores}" for name in THREADS]
    options: dict[str, Any] = {
        "cores": 1,
        "processes": 1,
        "memory": settings.memory,
        "python": sys.executable,
        "job_name": "napari-pixcell",
        "job_script_prologue": [*threads, *settings.prologue],
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
            options["scheduler_options"]["host"] = "127.0.0.1"
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

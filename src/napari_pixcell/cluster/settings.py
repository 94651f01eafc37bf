"""Cluster files: how jobs with workers are submitted. Free of Dask."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import read_bounded

KINDS = ("local", "slurm", "pbs", "lsf")
MOST_BYTES = 100_000
MOST_WORKERS = 10_000
LEAST_WALLTIME = 10 * 60  # seconds
_WALLTIME = re.compile(r"(\d{1,4}):([0-5]\d):([0-5]\d)", re.ASCII)
_MEMORY = re.compile(r"\d{1,6}(\.\d{1,3})? ?[MGT]i?B", re.ASCII)
_WORD = re.compile(r"[^\s\"'`$;&|<>\\]{1,100}")  # goes into a job script


@dataclass(frozen=True)
class ClusterSettings:
    """A cluster file, such as those in ``docs/how-to/clusters.md``.

    Parameters
    ----------
    kind : str
        One of ``KINDS``. ``local`` runs the job scripts on this machine.
    least_workers, most_workers : int
        As many jobs run while chunks wait, and at the end. Each job is one worker.
    cores : int
        CPU cores of a job, and threads of its worker.
    memory : str
        Of a job, such as “16 GB”.
    gpus : int
        Of a job: 0 or 1.
    walltime : str
        Of a job, as hours, minutes and seconds.
    queue, account, interface : str
        Queue or partition, account or project, and network interface, such as ``ib0``. Empty for
        the default of the cluster.
    directives, prologue : list of str
        Lines of the job script: more directives without their prefix, and commands before the
        worker is started.
    logs : str
        Folder of the output of jobs.
    dashboard : bool
        Whether Dask serves its dashboard.
    """

    kind: str
    least_workers: int = 0
    most_workers: int = 1
    cores: int = 1
    memory: str = "8 GB"
    gpus: int = 0
    walltime: str = ""
    queue: str = ""
    account: str = ""
    interface: str = ""
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    logs: str = ""
    dashboard: bool = True

    @classmethod
    def load(cls, path: Path) -> ClusterSettings:
        """Read a cluster file.

        Raises
        ------
        PixCellError
            If it cannot be read, or a value does not fit: one sentence for the first of them.
        """
        data = read_bounded(path, MOST_BYTES, "cluster file")
        try:
            values = tomllib.loads(data.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            reason = str(error)[:200]
            raise PixCellError(f"{path.name} is not valid TOML: {reason}. Correct it.") from error
        return cls.of(values, path.name)

    @classmethod
    def of(cls, values: dict[str, Any], name: str) -> ClusterSettings:
        """Return settings from the values of the file ``name``. Raises: see :meth:`load`."""
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                close = get_close_matches(key, known, 1)
                words = f"Did you mean “{close[0]}”?" if close else f"Choose from: {_list(known)}."
                raise PixCellError(f"{name} has no key “{key[:40]}”. {words}")
        if "kind" not in values:
            raise PixCellError(f"{name} lacks “kind”. Add it: one of {_list(KINDS)}.")
        types = get_type_hints(cls)
        given = {key: _of_type(types[key], value, key, name) for key, value in values.items()}
        settings = cls(**given)
        wrong = next(settings._problems(), None)
        if wrong is not None:
            key, advice = wrong
            raise PixCellError(f"“{key}” of {name} does not fit. {advice}")
        return settings

    def _problems(self) -> Any:
        if self.kind not in KINDS:
            yield "kind", f"Choose one of: {_list(KINDS)}."
        if not 1 <= self.most_workers <= MOST_WORKERS:
            yield "most_workers", f"Use a number from 1 to {MOST_WORKERS:,}."
        if not 0 <= self.least_workers <= self.most_workers:
            yield "least_workers", "Use a number from 0 to “most_workers”."
        if not 1 <= self.cores <= 1024:
            yield "cores", "Use a number from 1 to 1,024."
        if self.gpus not in (0, 1):
            yield "gpus", "Use 0 or 1: each job is one worker. For more GPUs, use more workers."
        if not _MEMORY.fullmatch(self.memory):
            yield "memory", "Use a size such as 16 GB."
        if self.walltime and self.walltime_seconds < LEAST_WALLTIME:
            yield "walltime", "Use hours, minutes and seconds, at least 00:10:00."
        for key in ("queue", "account", "interface", "logs"):
            value = getattr(self, key)
            if value and not _WORD.fullmatch(value):
                yield key, "Use a name without spaces, quotes and special characters."
        for key in ("directives", "prologue"):
            if not all(line.isprintable() for line in getattr(self, key)):
                yield key, "Use lines of text."

    @property
    def walltime_seconds(self) -> int:
        """The wall time in seconds; 0 if none is given, or it cannot be read."""
        match = _WALLTIME.fullmatch(self.walltime)
        if match is None:
            return 0
        hours, minutes, seconds = map(int, match.groups())
        return 3600 * hours + 60 * minutes + seconds


def _of_type(kind: Any, value: Any, key: str, name: str) -> Any:
    if kind == tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            return tuple(value)
        advice = "Use a list of texts."
    elif type(value) is kind:
        return value
    else:
        advice = {int: "Use a whole number.", bool: "Use true or false."}.get(kind, "Use text.")
    raise PixCellError(f"“{key}” of {name} does not fit. {advice}")


def _list(words: Any) -> str:
    return ", ".join(words)

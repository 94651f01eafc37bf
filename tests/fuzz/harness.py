"""Runs a reader on many damaged inputs in child processes, and judges every outcome.

Allowed are an accepted input and a PixCellError. Another exception, a killed process, a hang or too
much memory is a failure.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHILD = Path(__file__).with_name("child.py")
MOST_MEGABYTES = 2048
LONGEST = 10.0  # seconds for one input
START = 120.0  # seconds until a child is ready


@dataclass
class Failure:
    """One input whose outcome is not allowed."""

    reader: str
    number: int
    path: Path
    detail: str


@dataclass
class Outcomes:
    """Counts of outcomes, and the failures."""

    counts: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)  # of inputs that are not damaged
    failures: list[Failure] = field(default_factory=list)


def run_reader(
    reader: str,
    folder: Path,
    seed: int,
    numbers: range,
    patience: float = LONGEST,
    keep: Any = None,
    whole: list[Path] | None = None,
) -> Outcomes:
    """Read the mutations ``numbers`` of a seed; ``keep(failure)`` sees each failing input.

    With ``whole``, the valid inputs and these files are read as well, and counted apart.
    """
    outcomes, start = Outcomes(), numbers.start
    more = [] if whole is None else ["--whole", *map(str, whole)]
    while start < numbers.stop:
        arguments = [reader, str(seed), str(start), str(numbers.stop), str(folder), *more]
        start = _run(reader, arguments, patience, outcomes, keep, numbers.stop)
    return outcomes


def _run(
    reader: str, arguments: list[str], patience: float, outcomes: Outcomes, keep: Any, stop: int
) -> int:
    """Run one child until it ends or one input ends it; return the number to go on with.

    Numbers from ``stop`` on are of inputs that are not damaged.
    """
    environment = dict(
        os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1"
    )
    child = subprocess.Popen(
        [sys.executable, CHILD, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    )
    lines: queue.Queue[str | None] = queue.Queue()

    def listen() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=listen, daemon=True).start()
    begun: tuple[int, Path] | None = None
    wait = START

    def fail(detail: str) -> None:
        assert begun is not None
        failure = Failure(reader, *begun, detail)
        outcomes.counts["failed"] += 1
        outcomes.failures.append(failure)
        if keep is not None:
            keep(failure)

    try:
        while True:
            try:
                line = lines.get(timeout=wait)
            except queue.Empty:
                if begun is None:
                    raise RuntimeError(f"the child of {reader} did not start") from None
                fail(f"hang of more than {patience:g} s")
                return begun[0] + 1
            if line is None:
                code = child.wait()
                if begun is not None:
                    fail(f"killed: {_cause(code)}")
                    return begun[0] + 1
                if code:
                    raise RuntimeError(f"the child of {reader} ended with {_cause(code)}")
                return sys.maxsize
            value = json.loads(line)
            wait = patience
            if "begin" in value:
                begun = (value["begin"], Path(value["path"]))
            elif "outcome" in value:
                if value["outcome"] == "failed":
                    fail(value["detail"])
                elif value["megabytes"] > MOST_MEGABYTES:
                    fail(f"{value['megabytes']} MB")
                else:
                    damaged = value["number"] < stop
                    (outcomes.counts if damaged else outcomes.whole)[value["outcome"]] += 1
                begun = None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _cause(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"

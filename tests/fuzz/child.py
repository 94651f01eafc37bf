"""Reads mutated inputs in a process of its own, and reports each outcome as a line of JSON.

``python child.py READER SEED START STOP FOLDER [--whole PATH…]`` or ``… READER --files PATH…``
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [
    str(HERE.parents[1] / "src"),
    str(HERE),
    str(HERE.parent / "support"),
    str(HERE.parents[1] / "benchmarks"),
]

from mutations import mutate  # noqa: E402

MOST_MEMORY = 8 * 2**30  # address space; the parent judges what was really used


def main() -> None:
    name, *rest = sys.argv[1:]
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print
    limit_memory()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    state = tempfile.TemporaryDirectory(prefix="fuzz")  # settings and caches of this child alone
    for kind in ("CONFIG", "CACHE", "DATA"):
        os.environ[f"PIXCELL_{kind}_DIR"] = f"{state.name}/{kind.lower()}"
    os.environ["PIXCELL_SESSIONS"] = "1"
    os.environ.pop("PIXCELL_WEIGHTS", None)
    from readers import READERS

    from napari_pixcell.errors import PixCellError

    def say(**value: Any) -> None:
        out.write(json.dumps(value) + "\n")
        out.flush()

    reader = READERS[name]
    if rest[0] == "--files":
        inputs: Any = enumerate(map(Path, rest[1:]))
    else:
        seed, start, stop, folder = int(rest[0]), int(rest[1]), int(rest[2]), Path(rest[3])
        bases = folder / "bases" / name
        if not bases.is_dir():
            bases.mkdir(parents=True)
            reader.make(bases)
        own = folder / f"{name}-{seed}-{start}"
        inputs = mutated(bases, own, range(start, stop), f"{name} {seed}")
        if len(rest) > 4:  # then the valid ones, and other files
            copies = Path(shutil.copytree(bases, own / "whole"))  # some write beside what they read
            whole = [*sorted(copies.iterdir()), *map(Path, rest[5:])]
            inputs = chain(inputs, enumerate(whole, start=stop))
    say(ready=True)
    for number, path in inputs:
        say(begin=number, path=str(path))
        forget_peak()
        before = peak()
        try:
            reader.read(path)
            outcome, detail = "accepted", ""
        except PixCellError as error:
            outcome, detail = "refused", str(error)
            if not detail.strip() or "Traceback" in detail or len(detail) > 1500:
                outcome = "failed"
        except BaseException as error:
            outcome, detail = "failed", where(error)
        say(number=number, outcome=outcome, detail=detail[:600], megabytes=(peak() - before) >> 20)


def mutated(bases: Path, own: Path, numbers: range, seed: str) -> Iterator[tuple[int, Path]]:
    """Iterate over (number, path of a damaged copy of a valid input)."""
    for number in numbers:
        place = own / str(number)  # a new one each time: a session may still save to the last
        yield number, mutate(bases, place, seed, number)
        shutil.rmtree(place, ignore_errors=True)


def where(error: BaseException) -> str:
    """Return the kind of an error, its message, and the last line of the product it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "napari_pixcell" in f.filename] or frames
    last = own[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno} {str(error)[:200]}"


def limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Return the peak of this process's memory in bytes since it was forgotten."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()

"""Fuzz for as long as one likes: ``make fuzz``, or ``python tests/fuzz/run.py --seconds 600``.

Each new kind of failure is stored as a small input in ``tests/fuzz/cases/READER``, where the tests
read it from then on.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from harness import LONGEST, Failure, run_reader  # noqa: E402
from readers import READERS  # noqa: E402

CASES = HERE / "cases"
LARGEST_CASE = 300_000  # bytes
AT_ONCE = 500  # inputs of a reader before the next one's turn


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--inputs", type=int, help="of each reader; then --seconds does not count")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--reader", action="append", choices=READERS, help="default: all")
    options = parser.parse_args()
    names = options.reader or list(READERS)
    print(f"seed {options.seed}")
    counts = {name: Counter[str]() for name in names}
    kinds: set[tuple[str, str]] = set()
    end, start = time.monotonic() + options.seconds, 0

    def keep(failure: Failure) -> None:
        kind = re.sub(r"[\d.]+|/\S+|“[^”]*”|'[^']*'", "…", failure.detail)[:80]
        if (failure.reader, kind) not in kinds:
            kinds.add((failure.reader, kind))
            print(f"{failure.reader} {failure.number}: {failure.detail}")
            print(f"    stored as {store(failure)}", flush=True)

    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        while start < options.inputs if options.inputs else time.monotonic() < end:
            stop = start + min(AT_ONCE, (options.inputs or sys.maxsize) - start)
            for name in names:
                numbers = range(start, stop)
                found = run_reader(name, Path(folder), options.seed, numbers, LONGEST, keep)
                counts[name] += found.counts
                if not options.inputs and time.monotonic() > end:
                    break
            start = stop
    for name, count in counts.items():
        print(
            f"{name:12}",
            *(f"{count[kind]:8,} {kind}" for kind in ("accepted", "refused", "failed")),
        )
    return int(any(count["failed"] for count in counts.values()))


def store(failure: Failure) -> str:
    """Copy a failing input to the cases; return its place, or why it is not stored."""
    if not failure.path.exists():
        return "nothing: its file is gone; make it again from its seed and number"
    files = [p for p in (failure.path, *failure.path.rglob("*")) if p.is_file()]
    if sum(p.stat().st_size for p in files) > LARGEST_CASE:
        return "nothing: it is too large; make it again from its seed and number"
    word = re.sub(r"[^a-zA-Z]+", "-", failure.detail)[:30].strip("-").lower()
    target = CASES / failure.reader / f"{word}-{failure.number}{failure.path.suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    if failure.path.is_dir():
        shutil.copytree(failure.path, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy(failure.path, target)
    return str(target.relative_to(HERE.parents[1]))


if __name__ == "__main__":
    sys.exit(main())

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
from mutations import mutate  # noqa: E402
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
            print("    stored as", store(failure, Path(folder) / "bases", options.seed), flush=True)

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


def store(failure: Failure, bases: Path, seed: int) -> str:
    """Store a failing input as a case; return its place, or why it is not stored.

    It is made again, because reading may have changed it.
    """
    with tempfile.TemporaryDirectory(prefix="fuzz") as place:
        seeds = f"{failure.reader} {seed}"
        path = mutate(bases / failure.reader, Path(place), seeds, failure.number)
        files = [p for p in (path, *path.rglob("*")) if p.is_file()]
        if sum(p.stat().st_size for p in files) > LARGEST_CASE:
            return "nothing: it is too large; make it again from its seed and number"
        word = re.sub(r"[^a-zA-Z]+", "-", failure.detail)[:30].strip("-").lower()
        target = CASES / failure.reader / f"{word}-{failure.number}{path.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy(path, target)
    return str(target.relative_to(HERE.parents[1]))


if __name__ == "__main__":
    sys.exit(main())

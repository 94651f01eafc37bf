"""Kills at random while datasets are made: ``make kills``, or ``python tests/kills/run.py``.

    python tests/kills/run.py [--kills 100] [--seed 7] [--chance 0.01]

Datasets of drawn pairs are made again and again, in turn by workers and by shards of a job array.
Each process (coordinator, worker, shard, join) is killed with SIGKILL before a call that changes
files, chosen at random, and started again, until the dataset is complete. Then it must be whole,
and its pixels, masks and rows must be those that one undisturbed process makes.

Nothing waits for the clock. Which calls are killed follows from the seed, but for the order in
which processes start.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import count
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from same_datasets import is_whole, rows_of  # noqa: E402

PAIRS = 12
SHARDS = ("0/2", "1/2")
MOST_STARTS = 1000  # of the processes of one dataset, which then counts as lost


def begin(role: str, folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "mortal.py"), role, str(folder)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def until_done(role: str, folder: Path, environment: dict[str, str]) -> int:
    """Start a process until it is not killed any more; return how often it was started."""
    for starts in range(1, MOST_STARTS):
        process = begin(role, folder, environment)
        _, problems = process.communicate()
        if process.returncode == 0:
            return starts
        if process.returncode != -9:
            raise SystemExit(f"{role} of {folder} failed:\n{problems}")
    raise SystemExit(f"{role} of {folder} never came to its end")


def both_shards(folder: Path, environment: dict[str, str]) -> None:
    """Run two shards at the same time, each until it is not killed any more."""
    running = {shard: begin(shard, folder, environment) for shard in SHARDS}
    while running:
        for shard, process in list(running.items()):
            _, problems = process.communicate()  # the other one goes on meanwhile
            if process.returncode == 0:
                del running[shard]
            elif process.returncode == -9:
                running[shard] = begin(shard, folder, environment)
            else:
                raise SystemExit(f"Shard {shard} of {folder} failed:\n{problems}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--chance", type=float, default=0.01, help="of a kill, for each call")
    options = parser.parse_args()
    kinds: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="kills") as temporary:
        base = Path(temporary)
        log = base / "killed"
        log.touch()
        calm = os.environ | {"PIXCELL_DATA_DIR": str(base / "user")}
        until_done("workers", base / "calm", calm)
        expected = rows_of(base / "calm")
        mortal = {"MORTAL": f"{options.seed} {options.chance}", "MORTAL_LOG": str(log)}
        for number in count():
            before = log.stat().st_size
            if before >= options.kills:
                break
            folder = base / f"{number}"
            folder.mkdir()
            environment = calm | mortal | {"PIXCELL_DATA_DIR": str(folder / "user")}
            environment["MORTAL_STARTED"] = str(folder / "started")
            data = folder / "data"
            if number % 2:
                both_shards(data, environment)
                until_done("join", data, environment)
            else:
                until_done("workers", data, environment)
            os.environ["PIXCELL_DATA_DIR"] = environment["PIXCELL_DATA_DIR"]
            is_whole(data, PAIRS)
            if rows_of(data) != expected:
                raise SystemExit(f"{data} differs from the dataset of one undisturbed process")
            kind, kills = "shards" if number % 2 else "workers", log.stat().st_size
            kinds[kind] += kills - before
            print(f"dataset {number}, by {kind}: whole after {kills} kills", flush=True)
        print(f"seed {options.seed}: {sum(kinds.values())} kills, {dict(kinds)}, nothing lost")


if __name__ == "__main__":
    main()

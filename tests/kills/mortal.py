"""A process that makes a part of a drawn dataset, and is killed at random on the way."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from drawn_engine import drawn_recipe  # noqa: E402
from faults import make_mortal  # noqa: E402
from parallel_engines import BlockEngine  # noqa: E402

from napari_pixcell.datasets.parallel.chunks import Shard  # noqa: E402
from napari_pixcell.datasets.parallel.coordinator import make_with_workers  # noqa: E402
from napari_pixcell.datasets.parallel.joining import join_dataset  # noqa: E402
from napari_pixcell.datasets.parallel.shard_making import make_shard  # noqa: E402
from napari_pixcell.datasets.recipe.request import DatasetRequest  # noqa: E402
from napari_pixcell.datasets.store.dataset import Dataset  # noqa: E402


def become_mortal() -> None:
    """Let this process be killed, if the environment says so."""
    if "MORTAL" not in os.environ:
        return
    seed, chance = os.environ["MORTAL"].split()
    with Path(os.environ["MORTAL_STARTED"]).open("ab", buffering=0) as started:
        started.write(b"x")
        number = started.tell()  # of this process, so that each one draws anew
    drawn = random.Random(f"{seed} {number}")
    make_mortal(lambda: drawn.random() < float(chance), Path(os.environ["MORTAL_LOG"]))


def engine() -> BlockEngine:
    """Return the engine of a worker process."""
    become_mortal()
    return BlockEngine()


def main() -> None:
    role, folder = sys.argv[1], Path(sys.argv[2])
    become_mortal()
    request = DatasetRequest(str(folder), drawn_recipe())
    if role == "workers":
        joined = make_with_workers(request, engine, [{}, {}], lambda event: None)
        assert joined is not None
        while joined.failed:  # chunks that were killed four times: the next run makes them
            joined = make_with_workers(request, engine, [{}, {}], lambda event: None)
            assert joined is not None
    elif role == "join":
        join_dataset(Dataset(folder))
    else:
        make_shard(request, Shard.parse(role), BlockEngine(), lambda event: None)


if __name__ == "__main__":
    main()

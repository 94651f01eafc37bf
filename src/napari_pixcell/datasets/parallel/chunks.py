"""Chunks: consecutive pairs that a process makes at once, and their distribution over shards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import from_json, to_json

LARGEST = 64  # pairs of a chunk
LEAST_CHUNKS = 64  # of a dataset, so that all workers have work until its end
_SHARD = re.compile(r"(\d{1,9})/(\d{1,9})", re.ASCII)


@dataclass(frozen=True)
class Chunk:
    """Consecutive pairs of a dataset, which depend on its folder and their numbers alone.

    Parameters
    ----------
    first, stop : int
        Numbers of the first pair, and after the last.
    done : tuple of int
        Those that are complete already.
    """

    first: int
    stop: int
    done: tuple[int, ...] = ()

    @property
    def missing(self) -> int:
        """Number of pairs to make."""
        return self.stop - self.first - len(self.done)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return to_json(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Chunk:
        """Read what :meth:`to_dict` returned."""
        return from_json(cls, value, "The chunk is not valid ({detail}).")


@dataclass(frozen=True)
class Shard:
    """Every ``count``-th chunk of a dataset, from chunk ``number`` on."""

    number: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read a shard as it is typed: “0/3”, “1/3” and “2/3” are all shards of three.

        Raises
        ------
        PixCellError
            If it is not a shard.
        """
        match = _SHARD.fullmatch(text.strip())
        number, count = map(int, match.groups()) if match else (0, 0)
        if number >= count:
            raise PixCellError(
                f"“{text[:40]}” is no shard. Use i/n with i from 0 to n - 1, such as 0/3, 1/3 and "
                "2/3."
            )
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def chunk_size(dataset: Dataset) -> int:
    """Return the number of pairs in a chunk of a dataset: whole blocks that are made together.

    Every process computes the same.
    """
    block = dataset.description.block
    most = max(1, LARGEST // block)
    return block * max(1, min(most, len(dataset.plan) // (block * LEAST_CHUNKS)))


def missing_chunks(
    dataset: Dataset, done: NDArray[np.bool_], shard: Shard = Shard()
) -> Iterator[Chunk]:
    """Iterate over the chunks of a shard that are not complete.

    Parameters
    ----------
    dataset : Dataset
    done : array, bool, (pairs,)
        True for the complete pairs. May change meanwhile.
    shard : Shard
        The whole dataset by default.
    """
    size, pairs = chunk_size(dataset), len(dataset.plan)
    for first in range(shard.number * size, pairs, shard.count * size):
        stop = min(first + size, pairs)
        complete = np.flatnonzero(done[first:stop])
        if len(complete) < stop - first:
            yield Chunk(first, stop, tuple((complete + first).tolist()))

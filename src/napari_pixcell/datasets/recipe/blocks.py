"""Blocks: consecutive pairs of a dataset that are always generated together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from napari_pixcell.datasets.store.plan import Plan, PlannedPair


@dataclass(frozen=True)
class Block:
    """Pairs that are generated together, as a pair's pixels depend by rounding on its place.

    Parameters
    ----------
    pairs : tuple of PlannedPair
        All of them, in order. Also those that exist already are generated.
    wanted : frozenset of int
        Indices of the pairs to check and keep.
    """

    pairs: tuple[PlannedPair, ...]
    wanted: frozenset[int]


def blocks_of(plan: Plan, wanted: Iterable[int], size: int) -> Iterator[Block]:
    """Iterate over the blocks that hold wanted pairs.

    Parameters
    ----------
    wanted : iterable of int
        Indices of pairs, ascending.
    size : int
        Pairs of a block. Block *n* begins with pair ``n * size``, and the last one may be shorter.
    """
    waiting: list[int] = []
    for index in wanted:
        if waiting and index // size != waiting[0] // size:
            yield _block(plan, waiting, size)
            waiting = []
        waiting.append(index)
    if waiting:
        yield _block(plan, waiting, size)


def _block(plan: Plan, wanted: Sequence[int], size: int) -> Block:
    first = wanted[0] // size * size
    indices = range(first, min(first + size, len(plan)))
    return Block(tuple(plan[index] for index in indices), frozenset(wanted))

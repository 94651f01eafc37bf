"""Which groups of slides and layouts to set aside, so that a share of the pairs goes with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

TRIES = 16
MOST_CUTS = 64
SHARE_COUNTS = 4  # a share wrong by 1 % is as bad as losing 4 % of the pairs

Numbers = NDArray[np.int64]


class Members:
    """Which groups each style, or each layout, belongs to.

    Parameters
    ----------
    groups : sequence of set of str
        One or more for each.
    names : list of str
        Of all groups; they are numbered in this order.
    """

    def __init__(self, groups: Sequence[frozenset[str]], names: list[str]) -> None:
        number = {name: at for at, name in enumerate(names)}
        self.groups = len(names)
        self._sizes = np.array([len(one) for one in groups], np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._flat = np.array(
            [number[name] for name in chain.from_iterable(sorted(one) for one in groups)], np.int64
        )

    def __len__(self) -> int:
        """Count the styles or layouts."""
        return len(self._sizes)

    def used(self, which: Numbers) -> Numbers:
        """Give the groups of some of them."""
        return np.unique(self.links(which)[:, 1])

    def first(self, value: Numbers) -> Numbers:
        """Give the smallest value among the groups of each."""
        return np.minimum.reduceat(value[self._flat], self._starts)

    def last(self, value: Numbers) -> Numbers:
        """Give the largest value among the groups of each."""
        return np.maximum.reduceat(value[self._flat], self._starts)

    def links(self, which: Numbers) -> Numbers:
        """Give (number, group) for each group of some of them."""
        chosen = np.zeros(len(self), bool)
        chosen[which] = True
        both = np.stack([np.repeat(np.arange(len(self)), self._sizes), self._flat], 1)
        return both[np.repeat(chosen, self._sizes)]


def choose(
    styles: Members, layouts: Members, pairs: Numbers, share: float, seed: int
) -> Numbers | None:
    """Choose groups so that a share of the pairs has all its groups among them.

    Groups are put in an order, and those before a cut are chosen: one cut among the slides, one
    among the layouts. Of several orders and all their cuts the best is taken: close to the share,
    with few pairs that have groups on both sides.

    Parameters
    ----------
    styles, layouts : Members
    pairs : array, (combinations, 3)
        Style, layout, and how many pairs there are of them.
    share : float
        Of the pairs that have all their groups on one side.
    seed : int
        Of the orders.

    Returns
    -------
    array of int, or None
        Numbers of the groups; None if there is no choice that leaves pairs on both sides.
    """
    if not len(pairs):
        return None
    slides, others = styles.used(pairs[:, 0]), layouts.used(pairs[:, 1])
    total, best, chosen = int(pairs[:, 2].sum()), np.inf, None
    for slide_step, layout_step, tied in _orders(styles, layouts, pairs, seed):
        inside, outside = _sides(styles, layouts, pairs, slide_step, layout_step)
        possible = (inside > 0) & (outside > 0)
        if tied:
            possible &= np.eye(*inside.shape, dtype=np.bool_)
        kept = np.maximum(inside + outside, 1)
        badness = (total - kept) / total + SHARE_COUNTS * np.abs(inside / kept - share)
        badness = np.where(possible, badness, np.inf)
        row, column = np.unravel_index(int(badness.argmin()), badness.shape)
        if badness[row, column] < best:
            best = badness[row, column]
            before = slides[slide_step[slides] <= row], others[layout_step[others] <= column]
            chosen = np.concatenate(before)
    return chosen


def _sides(
    styles: Members, layouts: Members, pairs: Numbers, slide_step: Numbers, layout_step: Numbers
) -> tuple[Numbers, Numbers]:
    """Count the pairs before, and those behind, each cut of the slides and of the layouts."""
    shape = int(slide_step.max()) + 1, int(layout_step.max()) + 1

    def table(of_style: Numbers, of_layout: Numbers) -> Numbers:
        cell = of_style[pairs[:, 0]] * shape[1] + of_layout[pairs[:, 1]]
        counted = np.bincount(cell, pairs[:, 2], shape[0] * shape[1])
        return counted.astype(np.int64).reshape(shape)

    inside = table(styles.last(slide_step), layouts.last(layout_step)).cumsum(0).cumsum(1)
    behind = table(styles.first(slide_step), layouts.first(layout_step))
    behind = behind[::-1, ::-1].cumsum(0).cumsum(1)[::-1, ::-1]
    outside = np.zeros_like(behind)
    outside[:-1, :-1] = behind[1:, 1:]
    return inside, outside


def _orders(
    styles: Members, layouts: Members, pairs: Numbers, seed: int
) -> Iterator[tuple[Numbers, Numbers, bool]]:
    """Give orders of the groups: the step of each, for slides and for layouts.

    A cut lies between two steps; where both are tied, it is the same for slides and layouts.
    """
    slides, others = styles.used(pairs[:, 0]), layouts.used(pairs[:, 1])
    everything = np.union1d(slides, others)
    tied = len(everything) < len(slides) + len(others)  # some slide and some layout are one group
    island = _islands(styles, layouts, pairs, everything)
    islands = int(island[everything].max()) + 1
    for number in range(TRIES):
        rng = np.random.default_rng([seed, number])
        if islands > 1:  # a cut between them loses no pair
            step = _steps(rng.permutation(islands))[island]
            yield step, step, True
        if tied:
            step = np.zeros_like(island)
            step[everything] = _steps(rng.permutation(len(everything)))
            yield step, step, True
        else:
            slide_step, layout_step = np.zeros_like(island), np.zeros_like(island)
            slide_step[slides] = _steps(rng.permutation(len(slides)))
            layout_step[others] = _steps(rng.permutation(len(others)))
            yield slide_step, layout_step, False


def _steps(places: Numbers) -> Numbers:
    """Put places on at most as many steps as there may be cuts."""
    steps = min(len(places), MOST_CUTS)
    return places * steps // len(places)


def _islands(styles: Members, layouts: Members, pairs: Numbers, names: Numbers) -> Numbers:
    """Give each group the number of its island: no pair joins groups of two islands."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # A graph of groups, styles and layouts.
    first_style = styles.groups
    first_layout = first_style + len(styles)
    links = [np.stack([first_style + pairs[:, 0], first_layout + pairs[:, 1]], 1)]
    for members, which, first in (
        (styles, pairs[:, 0], first_style),
        (layouts, pairs[:, 1], first_layout),
    ):
        links.append(members.links(which) + np.array((first, 0)))
    rows, columns = np.concatenate(links).T
    size = first_layout + len(layouts)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(size, size))
    label = connected_components(graph, directed=False)[1]
    island = np.zeros(first_style, np.int64)
    island[names] = np.unique(label[names], return_inverse=True)[1]
    return island

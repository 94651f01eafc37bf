"""Training, validation and test pairs that share no source slide and no layout.

Each style and each layout belongs to a group: the slide of its tissue, or the layout that it is a
variation of. A group is assigned to one part as a whole. A pair belongs to a part only if all its
groups do. Pairs that join groups of different parts are left out, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError

PARTS = TRAIN, VALIDATION, TEST = "train", "validation", "test"
UNKNOWN = ""  # group of styles and layouts whose row is missing
JOINED = "+"  # between the slides of a blend, in the name of its group
NO_PART = -1
TRIES = 16
MOST_CUTS = 64
SHARE_WEIGHT = 4  # a share that is off by 1 % is as bad as losing 4 % of the pairs

Groups = Sequence[frozenset[str]]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Shares of the pairs for validation and testing.

    Parameters
    ----------
    validation, test : float
        Shares of the pairs that are assigned to any part, 0 to 0.9 together; not both are 0.
    seed : int
        Another seed gives another split.

    Raises
    ------
    PixCellError
        If a share is out of range.
    """

    validation: float = 0.2
    test: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.validation, self.test) < 0 or not 0 < self.validation + self.test <= 0.9:
            raise PixCellError(
                f"The shares of a split are {self.validation:g} for validation and {self.test:g} "
                "for testing. Choose shares of 0 to 0.9 together, such as 0.2 and 0."
            )

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts that have a share."""
        shares = {TRAIN: 1.0, VALIDATION: self.validation, TEST: self.test}
        return tuple(part for part, share in shares.items() if share)


class SplitAssignment:
    """Assigns pairs to the parts of a split.

    Parameters
    ----------
    styles, layouts : sequence of set of str
        Groups of each style and layout, by their numbers; empty if they are unknown. A pair of
        unknown groups belongs to no part.
    pairs : array of int, (pairs, 2)
        Numbers of the style and the layout of each pair; -1 without a layout.
    split : Split

    Attributes
    ----------
    part : dict of str to str
        Part of each group.

    Raises
    ------
    PixCellError
        If no choice of groups leaves pairs for each part.
    """

    def __init__(self, styles: Groups, layouts: Groups, pairs: NDArray[np.int32], split: Split):
        pairs, styles, layouts = _with_known_groups(pairs, styles, layouts)
        # Millions of styles and layouts may have few sets of groups, which are all that matters.
        style_sets, set_of_style = _sets(styles)
        layout_sets, set_of_layout = _sets(layouts)
        names = sorted(frozenset().union(*style_sets, *layout_sets))
        of_style = Memberships(style_sets, names)
        # Without a layout the style decides.
        of_layout = Memberships([*layout_sets, *style_sets], names)
        style = set_of_style[pairs[:, 0]]
        layout = np.append(set_of_layout, -1)[pairs[:, 1]]
        layout = np.where(layout < 0, len(layout_sets) + style, layout)
        both, counts = np.unique(style * len(of_layout) + layout, return_counts=True)
        rows = np.stack([*np.divmod(both, len(of_layout)), counts], 1)
        remaining = every = Combinations(of_style, of_layout, rows)
        part = np.zeros(len(names), np.int64)  # in the order of split.parts
        assigned = 0.0
        for name, share in ((TEST, split.test), (VALIDATION, split.validation)):
            if share:
                chosen = remaining.choose(share / (1 - assigned), split.seed)
                if chosen is None:
                    raise PixCellError(_impossible(every, bool(layouts)))
                assigned += share
                part[chosen] = split.parts.index(name)
                free_styles, free_layouts = of_style.last(part) == 0, of_layout.last(part) == 0
                free = free_styles[remaining.pairs[:, 0]] & free_layouts[remaining.pairs[:, 1]]
                remaining = replace(remaining, pairs=remaining.pairs[free])
        self.part = {name: split.parts[at] for name, at in zip(names, part.tolist(), strict=True)}
        self._parts = split.parts
        self._of_style, self._of_layout = (
            np.append(np.array([self._common(one) for one in sets], np.int8)[of], np.int8(NO_PART))
            for sets, of in ((style_sets, set_of_style), (layout_sets, set_of_layout))
        )

    def of(self, style: int, layout: int | None) -> str | None:
        """Return the part of a pair; None if its groups belong to different parts."""
        numbers = np.array([[style, -1 if layout is None else layout]])
        code = int(self.of_all(numbers)[0])
        return None if code == NO_PART else self._parts[code]

    def of_all(self, pairs: NDArray[Any]) -> NDArray[np.int8]:
        """Return the part of each pair as its place in ``split.parts``; NO_PART without one.

        Parameters
        ----------
        pairs : array of int, (pairs, 2)
            As for the class.
        """
        style, layout = pairs[:, 0], pairs[:, 1]
        part = self._of_style[np.minimum(style, len(self._of_style) - 1)]
        other = self._of_layout[np.minimum(layout, len(self._of_layout) - 1)]
        return np.where((layout < 0) | (part == other), part, NO_PART).astype(np.int8)

    def _common(self, groups: frozenset[str]) -> int:
        """Return the part of all groups; NO_PART if they have none in common."""
        parts = {self.part[name] for name in groups}
        common = len(parts) == 1 and UNKNOWN not in groups
        return self._parts.index(parts.pop()) if common else NO_PART


def groups_of(rows: Iterable[dict[str, Any]]) -> list[frozenset[str]]:
    """Return the groups of styles or layouts from their rows; a blend has those of all slides.

    They are in the order of their numbers. Those whose row is missing have none.
    """
    alike: dict[str, frozenset[str]] = {}  # millions of tiles may have the group of their slide

    def group(text: str) -> frozenset[str]:
        return alike.setdefault(text, frozenset(text.split(JOINED)))

    groups: list[frozenset[str]] = []
    for at, row in enumerate(rows):
        number = row.get("number", at)
        groups += [frozenset()] * (number + 1 - len(groups))
        groups[number] = group(row["group"])
    return groups


def _with_known_groups(
    pairs: NDArray[np.int32], styles: Groups, layouts: Groups
) -> tuple[NDArray[np.int32], Groups, Groups]:
    """Leave out the pairs of unknown groups, and name these.

    Raises
    ------
    PixCellError
        If no pair is left.
    """
    known = _are_known(pairs[:, 0], styles) & _are_known(pairs[:, 1], layouts)
    if not known.any():
        raise PixCellError(
            "The rows of the styles or layouts are missing, so that no pair can be assigned to a "
            "part. Restore styles.jsonl and layouts.jsonl, or convert without a split."
        )
    return pairs[known], _named(styles), _named(layouts)


def _sets(groups: Groups) -> tuple[list[frozenset[str]], Numbers]:
    """Return the different sets of groups, and the number of the set of each style or layout."""
    sets: dict[frozenset[str], int] = {}
    numbers = np.fromiter((sets.setdefault(one, len(sets)) for one in groups), np.int64)
    return list(sets), numbers


def _named(groups: Groups) -> Groups:
    return [one or frozenset({UNKNOWN}) for one in groups]


def _are_known(numbers: NDArray[np.int32], groups: Groups) -> NDArray[np.bool_]:
    known = np.array([*map(bool, groups), False])
    return np.asarray((numbers < 0) | known[np.minimum(numbers, len(groups))])


def _impossible(pairs: Combinations, has_layouts: bool) -> str:
    without = "or convert it without a split."
    if len(pairs.slides) == 1:
        return (
            "All tissue comes from one slide, which a split keeps together. Add styles of another "
            f"slide to the dataset, {without}"
        )
    if has_layouts and len(pairs.others) == 1:
        return (
            "All layouts are variations of one, which a split keeps together. Add another layout "
            f"to the dataset, {without}"
        )
    return (
        "No split leaves pairs for each part and keeps slides and layouts together. Add styles of "
        f"more slides or more layouts to the dataset, choose fewer parts, {without}"
    )


# -- the choice of groups ------------------------------------------------------------------


class Memberships:
    """The groups that each style, or each layout, belongs to.

    Parameters
    ----------
    groups : sequence of set of str
        One or more for each.
    names : list of str
        Of all groups, which are numbered in this order.
    """

    def __init__(self, groups: Groups, names: list[str]) -> None:
        number = {name: at for at, name in enumerate(names)}
        self.groups = len(names)
        self._sizes = np.array([len(one) for one in groups], np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._flat = np.array(
            [number[name] for name in chain.from_iterable(sorted(one) for one in groups)], np.int64
        )

    def __len__(self) -> int:
        return len(self._sizes)

    def used(self, which: Numbers) -> Numbers:
        """Return the groups of some of them."""
        return np.unique(self.links(which)[:, 1])

    def first(self, value: Numbers) -> Numbers:
        """Return the smallest value among the groups of each."""
        return np.minimum.reduceat(value[self._flat], self._starts)

    def last(self, value: Numbers) -> Numbers:
        """Return the largest value among the groups of each."""
        return np.maximum.reduceat(value[self._flat], self._starts)

    def links(self, which: Numbers) -> Numbers:
        """Return a row (number, group) for each group of some of them."""
        chosen = np.zeros(len(self), bool)
        chosen[which] = True
        both: Numbers = np.stack([np.repeat(np.arange(len(self)), self._sizes), self._flat], 1)
        return both[np.repeat(chosen, self._sizes), :]


@dataclass(frozen=True, eq=False)
class Combinations:
    """The pairs of a dataset, counted by style and layout, and the groups of both."""

    styles: Memberships
    layouts: Memberships
    pairs: Numbers  # style, layout, and number of pairs: (combinations, 3)

    @cached_property
    def slides(self) -> Numbers:
        """The groups of the styles."""
        return self.styles.used(self.pairs[:, 0])

    @cached_property
    def others(self) -> Numbers:
        """The groups of the layouts."""
        return self.layouts.used(self.pairs[:, 1])

    def choose(self, share: float, seed: int) -> Numbers | None:
        """Choose groups that contain a given share of the pairs.

        The groups are ordered, and those before a cut are chosen: one cut among the slides, one
        among the layouts. The best cut of several random orders comes close to the share, and few
        pairs have groups on both sides of it.

        Parameters
        ----------
        share : float
            Of the pairs that have all their groups on one side.
        seed : int
            Of the orders.

        Returns
        -------
        array of int, or None
            Numbers of the groups; None if no choice leaves pairs on both sides.
        """
        if not len(self.pairs):
            return None
        total, best, chosen = int(self.pairs[:, 2].sum()), np.inf, None
        for slide_step, layout_step, tied in self._orders(seed):
            inside, outside = self._sides(slide_step, layout_step)
            possible = (inside > 0) & (outside > 0)
            if tied:
                possible &= np.eye(*inside.shape, dtype=np.bool_)
            kept = np.maximum(inside + outside, 1)
            badness = (total - kept) / total + SHARE_WEIGHT * np.abs(inside / kept - share)
            badness = np.where(possible, badness, np.inf)
            row, column = np.unravel_index(int(badness.argmin()), badness.shape)
            if badness[row, column] < best:
                best = badness[row, column]
                slides = self.slides[slide_step[self.slides] <= row]
                others = self.others[layout_step[self.others] <= column]
                chosen = np.concatenate([slides, others])
        return chosen

    def _sides(self, slide_step: Numbers, layout_step: Numbers) -> tuple[Numbers, Numbers]:
        """Count the pairs before and after each cut of the slides and of the layouts."""
        shape = int(slide_step.max()) + 1, int(layout_step.max()) + 1

        def table(of_style: Numbers, of_layout: Numbers) -> Numbers:
            cell = of_style[self.pairs[:, 0]] * shape[1] + of_layout[self.pairs[:, 1]]
            counts = np.bincount(cell, self.pairs[:, 2], shape[0] * shape[1])
            return counts.astype(np.int64).reshape(shape)

        inside = table(self.styles.last(slide_step), self.layouts.last(layout_step))
        behind = table(self.styles.first(slide_step), self.layouts.first(layout_step))
        behind = behind[::-1, ::-1].cumsum(0).cumsum(1)[::-1, ::-1]
        outside = np.zeros_like(behind)
        outside[:-1, :-1] = behind[1:, 1:]
        return inside.cumsum(0).cumsum(1), outside

    def _orders(self, seed: int) -> Iterator[tuple[Numbers, Numbers, bool]]:
        """Iterate over orders of the groups: the step of each, for slides and for layouts.

        A cut lies between two steps. If both are tied, slides and layouts share the cut.
        """
        slides, others = self.slides, self.others
        everything = np.union1d(slides, others)
        tied = len(everything) < len(slides) + len(others)  # a slide and a layout are one group
        island = self._islands(everything)
        islands = int(island[everything].max()) + 1
        for number in range(TRIES):
            rng = np.random.default_rng([seed, number])
            if islands > 1:  # a cut between islands loses no pair
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

    def _islands(self, names: Numbers) -> Numbers:
        """Return the island of each group: no pair joins groups of two islands."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        # A graph of groups, styles and layouts.
        style, layout = self.pairs[:, 0], self.pairs[:, 1]
        first_style = self.styles.groups
        first_layout = first_style + len(self.styles)
        size = first_layout + len(self.layouts)
        of_styles = self.styles.links(style) + np.array((first_style, 0))
        of_layouts = self.layouts.links(layout) + np.array((first_layout, 0))
        joined = np.stack([first_style + style, first_layout + layout], 1)
        rows, columns = np.concatenate([joined, of_styles, of_layouts]).T
        graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(size, size))
        label = connected_components(graph, directed=False)[1]
        island = np.zeros(first_style, np.int64)
        island[names] = np.unique(label[names], return_inverse=True)[1]
        return island


def _steps(ranks: Numbers) -> Numbers:
    """Merge ranks into at most ``MOST_CUTS`` steps."""
    steps = min(len(ranks), MOST_CUTS)
    return ranks * steps // len(ranks)

"""Training, validation and test pairs that share no source slide and no layout.

A style and a layout each belong to a group: the slide that its tissue is from, the layout that it
is a variation of. Each group goes into one part as a whole, and a pair into a part only if all its
groups do; pairs that join groups of two parts go nowhere, and are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.group_choice import Members, choose
from napari_pixcell.errors import PixCellError

TRAIN, VALIDATION, TEST = "train", "validation", "test"
JOINED = "+"  # between the slides of a blend, in the name of its group
Groups = Sequence[frozenset[str]]


@dataclass(frozen=True)
class Split:
    """What shares of the pairs are wanted.

    Parameters
    ----------
    validation, test : float
        Of the pairs that go into any part, from 0 to 0.9 together; not both are 0.
    seed : int
        Another one gives another split.

    Raises
    ------
    PixCellError
        If a share is out of range.
    """

    validation: float = 0.2
    test: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse shares that leave nothing."""
        if min(self.validation, self.test) < 0 or not 0 < self.validation + self.test <= 0.9:
            raise PixCellError(
                f"The shares of a split are {self.validation:g} for validation and {self.test:g} "
                "for testing; choose them between 0 and 0.9 together, such as 0.2 and 0."
            )

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts, those without a share left out."""
        shares = {TRAIN: 1.0, VALIDATION: self.validation, TEST: self.test}
        return tuple(part for part, share in shares.items() if share)


class Parts:
    """Says which part a pair goes into.

    Parameters
    ----------
    styles, layouts : sequence of set of str
        Groups of each style and layout, by their numbers.
    pairs : array of int, (pairs, 2)
        Numbers of the style and the layout of each pair; -1 without a layout.
    split : Split

    Attributes
    ----------
    part : dict of str to str
        Of each group.

    Raises
    ------
    PixCellError
        If no choice of groups leaves pairs for each part.
    """

    def __init__(self, styles: Groups, layouts: Groups, pairs: NDArray[np.int32], split: Split):
        names = sorted(frozenset().union(*styles, *layouts))
        of_style = Members(styles, names)
        of_layout = Members([*layouts, *styles], names)  # without a layout, only the style counts
        style, layout = pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64)
        layout = np.where(layout < 0, len(layouts) + style, layout)
        both, counts = np.unique(style * len(of_layout) + layout, return_counts=True)
        left = every = np.stack([*np.divmod(both, len(of_layout)), counts], 1)
        part = np.zeros(len(names), np.int64)  # in the order of split.parts
        taken = 0.0
        for name, share in ((TEST, split.test), (VALIDATION, split.validation)):
            if share:
                chosen = choose(of_style, of_layout, left, share / (1 - taken), split.seed)
                if chosen is None:
                    raise PixCellError(_impossible(of_style, of_layout, every, bool(layouts)))
                taken += share
                part[chosen] = split.parts.index(name)
                free_styles, free_layouts = of_style.last(part) == 0, of_layout.last(part) == 0
                left = left[free_styles[left[:, 0]] & free_layouts[left[:, 1]]]
        self.part = {name: split.parts[at] for name, at in zip(names, part.tolist(), strict=True)}
        self._of_style, self._of_layout = (
            [_common({self.part[name] for name in one}) for one in groups]
            for groups in (styles, layouts)
        )

    def of(self, style: int, layout: int | None) -> str | None:
        """Give the part of a pair of these numbers; None if its groups are of several."""
        part = self._of_style[style]
        if layout is None or layout < 0:
            return part
        return part if part == self._of_layout[layout] else None


def _common(parts: set[str]) -> str | None:
    return parts.pop() if len(parts) == 1 else None


def _impossible(
    styles: Members, layouts: Members, pairs: NDArray[np.int64], has_layouts: bool
) -> str:
    if len(styles.used(pairs[:, 0])) == 1:
        return (
            "All tissue is of one slide, which a split must not part; add styles of another "
            "slide to the dataset, or convert it without a split."
        )
    if has_layouts and len(layouts.used(pairs[:, 1])) == 1:
        return (
            "All layouts are variations of one, which a split must not part; add another "
            "layout to the dataset, or convert it without a split."
        )
    return (
        "No split leaves pairs for each part and keeps slides and layouts whole; add styles of "
        "more slides or more layouts to the dataset, ask for fewer parts, or convert it "
        "without a split."
    )


def groups_of(rows: Iterable[dict[str, str]]) -> list[frozenset[str]]:
    """Give the groups of styles or layouts from their rows; a blend has those of all its slides."""
    return [frozenset(row["group"].split(JOINED)) for row in rows]

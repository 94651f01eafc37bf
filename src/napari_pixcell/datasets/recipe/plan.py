"""Which style goes with which layout and seed: the pairs of a dataset, by their number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_pixcell.engine.request import MAX_SEED
from napari_pixcell.errors import PixCellError

PAIRINGS = {
    "each": "each style with each layout",
    "random": "styles and layouts at random",
    "matched": "each layout with the tissue it was found in, or else the most alike",
}
MOST_PAIRS = 10_000_000


@dataclass(frozen=True)
class PlannedPair:
    """What pair ``index`` is made of: numbers of its style and layout, and its seed."""

    index: int
    style: int
    layout: int | None
    seed: int


@dataclass(frozen=True)
class Plan:
    """The pairs of a dataset, none of which is held in memory.

    Parameters
    ----------
    styles, layouts : int
        How many there are; without a layout there are images without masks.
    pairing : str
        One of :data:`PAIRINGS`.
    seeds : int
        How many pairs of the same style and layout there are.
    first_seed : int
        Pair *i* has the seed ``first_seed + i``, so that no two share their noise.
    pairs : int, optional
        How many at random; as many as there would be of each with each by default.
    matches : tuple of int
        For ``matched``: the number of the style that goes with each layout.

    Raises
    ------
    PixCellError
        If there would be no pair, or too many.
    """

    styles: int
    layouts: int
    pairing: str = "each"
    seeds: int = 1
    first_seed: int = 1234
    pairs: int | None = None
    matches: tuple[int, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Refuse what makes no dataset."""
        if self.pairing not in PAIRINGS:
            raise PixCellError(
                f"There is no pairing “{self.pairing}”; choose one of: {', '.join(PAIRINGS)}."
            )
        if self.styles < 1:
            raise PixCellError("The dataset has no style; add a region, a picture or a library's.")
        limits = (
            ("number of seeds", self.seeds, 1, 100_000),
            ("first seed", self.first_seed, 0, MAX_SEED),
            ("number of pairs", self.pairs if self.pairs is not None else 1, 1, MOST_PAIRS),
        )
        for name, value, low, high in limits:
            if not isinstance(value, int) or not low <= value <= high:
                raise PixCellError(f"The {name} is {value}; choose one from {low} to {high:,}.")
        if len(self) > MOST_PAIRS:
            raise PixCellError(
                f"The dataset would have {len(self):,} pairs, more than {MOST_PAIRS:,}; choose "
                "fewer styles, layouts or seeds, or a number of pairs at random."
            )

    def __len__(self) -> int:
        """How many pairs there are."""
        combinations = self.styles * max(1, self.layouts)
        if self.pairing == "matched" and self.layouts:
            combinations = self.layouts
        if self.pairing == "random" and self.pairs is not None:
            return self.pairs
        return combinations * self.seeds

    def __getitem__(self, index: int) -> PlannedPair:
        """Say what a pair is made of; the same numbers give the same pair."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        style, layout = self._choice(index)
        seed = (self.first_seed + index) % (MAX_SEED + 1)
        return PlannedPair(index, style, layout if self.layouts else None, seed)

    def _choice(self, index: int) -> tuple[int, int]:
        layouts = max(1, self.layouts)
        if self.pairing == "random":
            rng = np.random.default_rng([self.first_seed, index])
            return int(rng.integers(self.styles)), int(rng.integers(layouts))
        if self.pairing == "matched" and self.layouts:
            layout = index % layouts
            return self.matches[layout], layout
        # Along a diagonal, so that the first pairs show many styles and many layouts.
        round_, style = divmod(index % (self.styles * layouts), self.styles)
        return style, (round_ + style) % layouts

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value, but for the matches, which are with the layouts."""
        return {
            "styles": self.styles,
            "layouts": self.layouts,
            "pairing": self.pairing,
            "seeds": self.seeds,
            "first_seed": self.first_seed,
            "pairs": self.pairs,
        }

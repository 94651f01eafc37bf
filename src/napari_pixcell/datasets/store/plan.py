"""The style, the layout and the seed of each pair of a dataset, by its number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_pixcell.engine.request_values import MAX_SEED
from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import OMIT_DEFAULT, to_json

PAIRINGS = {
    "each": "each style with each layout",
    "random": "styles and layouts at random",
    "matched": "each layout with the tissue it comes from, or the most similar tissue",
}
MOST_PAIRS = 10_000_000
MOST_CANDIDATES = 20
FIRST = 16  # pairs that are made for a first look, and shown on a sheet


@dataclass(frozen=True)
class PlannedPair:
    """Style number, layout number and first seed of pair ``index``."""

    index: int
    style: int
    layout: int | None
    seed: int  # of its first candidate
    candidates: int = 1  # of consecutive seeds


@dataclass(frozen=True)
class Plan:
    """The pairs of a dataset as a sequence that computes its items.

    Parameters
    ----------
    styles, layouts : int
        Their numbers; without layouts there are images without masks.
    pairing : str
        One of :data:`PAIRINGS`.
    seeds : int
        Pairs of the same style and layout.
    first_seed : int
        Pair *i* has the seed ``first_seed + i``, so that no two share their noise. With several
        candidates it has as many seeds, from ``first_seed + i * candidates`` on.
    pairs : int, optional
        Number of random pairs; by default as many as there are of each with each.
    matches : tuple of int
        For ``matched``: number of the style that goes with each layout.
    candidates : int
        Images made for each pair, of which the best is kept.

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
    candidates: int = field(default=1, metadata=OMIT_DEFAULT)

    def __post_init__(self) -> None:
        check_pairing(self.pairing)
        check_styles(self.styles)
        limits = (
            ("number of styles", self.styles, 1, MOST_PAIRS),
            ("number of layouts", self.layouts, 0, MOST_PAIRS),
            ("number of seeds", self.seeds, 1, 100_000),
            ("first seed", self.first_seed, 0, MAX_SEED),
            ("number of candidates", self.candidates, 1, MOST_CANDIDATES),
            ("number of pairs", self.pairs if self.pairs is not None else 1, 1, MOST_PAIRS),
        )
        for name, value, low, high in limits:
            if not isinstance(value, int) or not low <= value <= high:
                raise PixCellError(f"The {name} is {value}. Choose one from {low} to {high:,}.")
        if self._count() > MOST_PAIRS:  # len() itself cannot return more than 2**63
            raise PixCellError(
                f"The dataset would have {self._count():,} pairs, more than {MOST_PAIRS:,}. Choose "
                "fewer styles, layouts or seeds, or a number of random pairs."
            )

    def __len__(self) -> int:
        return self._count()

    def _count(self) -> int:
        combinations = self.styles * max(1, self.layouts)
        if self.pairing == "matched" and self.layouts:
            combinations = self.layouts
        if self.pairing == "random" and self.pairs is not None:
            return self.pairs
        return combinations * self.seeds

    def __getitem__(self, index: int) -> PlannedPair:
        """Return a pair; the same index always gives the same one."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        style, layout = self._choice(index)
        # The seeds of all its candidates must fit.
        seed = (self.first_seed + index * self.candidates) % (MAX_SEED + 2 - self.candidates)
        chosen = layout if self.layouts else None
        return PlannedPair(index, style, chosen, seed, self.candidates)

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
        """Return a JSON value without the matches, which are stored with the layouts."""
        value = to_json(self)
        del value["matches"]
        return value


def check_pairing(pairing: str) -> None:
    """Raise PixCellError if a pairing is not one of :data:`PAIRINGS`."""
    if pairing not in PAIRINGS:
        raise PixCellError(
            f"There is no pairing “{pairing}”. Choose one of: {', '.join(PAIRINGS)}."
        )


def check_styles(count: int) -> None:
    """Raise PixCellError if a dataset has no style."""
    if count < 1:
        raise PixCellError("The dataset has no style. Add a region, a picture or a saved style.")

"""Recipe of an invented layout, as a serialisable value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from napari_pixcell.cells.class_map import UNCLASSED
from napari_pixcell.errors import PixCellError, check_range
from napari_pixcell.serialization import to_json

LARGEST_SEED = 2**32 - 1
EXAMPLE = "tumour=0.3,stroma=0.5"  # of shares
ROUNDING = 1e-9  # of shares that add up to 1

Shares = tuple[tuple[str, float], ...]
"""Classes of cells, and how common each is relative to the others."""

LIMITS = (  # field, words, smallest and largest value, unit
    ("density", "density", 0.0, 30_000.0, " cells/mm²"),
    ("area_um2", "median area of a cell", 2.0, 2_000.0, " µm²"),
    ("area_spread", "spread of the areas", 0.0, 1.5, ""),
    ("elongation", "elongation of a cell", 1.0, 6.0, ""),
    ("elongation_spread", "spread of the elongations", 0.0, 2.0, ""),
    ("alignment", "alignment of the cells", 0.0, 1.0, ""),
    ("direction", "direction of the cells", 0.0, 180.0, "°"),
    ("clustering", "clustering", 0.0, 1.0, ""),
    ("gap_um", "gap between cells", 0.0, 50.0, " µm"),
)


@dataclass(frozen=True)
class Recipe:
    """Statistics of a layout.

    Parameters
    ----------
    density : float
        Cells per mm², including cells cut by the border, as in
        :func:`~napari_pixcell.cells.describe`. Up to 30,000.
    area_um2 : float
        Median area of a cell, 2 to 2,000 µm².
    area_spread : float
        Standard deviation of the logarithm of the areas, 0 to 1.5; areas are log-normal.
    elongation : float
        Median ratio of long to short axis, 1 (round) to 6.
    elongation_spread : float
        Standard deviation of the logarithm of (elongation − 1), 0 to 2.
    alignment : float
        Nematic order of the long axes: 0 random, 1 parallel.
    direction : float
        Their common direction in degrees, 0 to 180, from x (right) towards y (down).
    clustering : float
        1.5 − R clipped to 0 … 1, with R the nearest-neighbour index of Clark and Evans (1954):
        0 evenly spaced, 0.5 random, 1 strongly clustered.
    gap_um : float
        Smallest gap between cells; at least one pixel is always kept.
    seed : int
        0 to 2³² − 1.
    classes : tuple of (name, share)
        Classes assigned to cells at random, in these proportions. An empty name stands for cells
        without a class. Default: none.

    Raises
    ------
    PixCellError
        If a value is out of range.
    """

    density: float = 3000.0
    area_um2: float = 36.0
    area_spread: float = 0.45
    elongation: float = 1.45
    elongation_spread: float = 0.7
    alignment: float = 0.0
    direction: float = 0.0
    clustering: float = 0.4
    gap_um: float = 0.5
    seed: int = 0
    classes: Shares = ()

    def __post_init__(self) -> None:
        for name, words, low, high, unit in LIMITS:
            check_range(words, getattr(self, name), low, high, unit)
        check_seed(self.seed)
        object.__setattr__(self, "classes", checked_shares(self.classes, unclassed=True))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return to_json(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Recipe:
        """Read the value of :meth:`to_dict`, or one written by hand.

        Values are not converted (unlike in ``from_json``), so that a seed of 1.5 is refused.

        Raises
        ------
        PixCellError
            If a key is unknown or a value is invalid.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(value) - known) if isinstance(value, dict) else ["none"]
        if unknown:
            raise PixCellError(
                f"This is not a recipe of a layout (unknown: {', '.join(map(str, unknown))}). "
                "Use one written by napari-pixcell."
            )
        return cls(**value)


def checked_shares(classes: Any, unclassed: bool = False) -> Shares:
    """Return classes and their shares, given as pairs or as a mapping.

    Parameters
    ----------
    classes : pairs or mapping
    unclassed : bool
        True if the name may be empty, which stands for cells without a class.

    Raises
    ------
    PixCellError
        If one has no name or no share, or all shares are 0.
    """
    pairs = classes.items() if isinstance(classes, dict) else classes
    try:
        shares = tuple((str(name), float(share)) for name, share in pairs)
    except (TypeError, ValueError):
        shares = (("", -1.0),)
    if any(not (name or unclassed) or not 0 <= share < 1e9 for name, share in shares) or (
        shares and not sum(share for _, share in shares)
    ):
        raise PixCellError(
            "Each class needs a name and a share of 0 or more, with at least one above 0. For "
            "example: tumour 3, stroma 1."
        )
    return shares


def read_shares(text: str) -> Shares:
    """Read the shares of classes among all cells, written as ``tumour=0.3,stroma=0.5``.

    Classes without a share divide what the others leave. If nothing is left to divide, the rest of
    the cells gets the empty name, which stands for no class.

    Raises
    ------
    PixCellError
        If a name or share is missing or wrong, or the shares are more than all cells.
    """
    given: dict[str, float | None] = {}
    for part in text.split(","):
        name, mark, number = (word.strip() for word in part.rpartition("="))
        name, number = (name, number) if mark else (number, "")
        if not name:
            raise PixCellError(f"A class in “{text}” has no name. Write {EXAMPLE}, for example.")
        if name in given:
            raise PixCellError(f"The class “{name}” is there twice. Name each class once.")
        given[name] = _share(name, number) if mark else None
    total = sum(share for share in given.values() if share is not None)
    if total > 1 + ROUNDING:
        raise PixCellError(
            f"The shares of the classes add up to {total:g}. They are parts of all cells: let them "
            "add up to 1 or less."
        )
    left, without = max(0.0, 1 - total), [name for name, share in given.items() if share is None]
    if without and left <= ROUNDING:
        raise PixCellError(
            f"The other classes leave no cells for “{without[0]}”. Give it a share, and them less."
        )
    each = left / max(len(without), 1)
    rest = ((UNCLASSED, left),) if left > ROUNDING and not without else ()
    return (*((n, each if share is None else share) for n, share in given.items()), *rest)


def _share(name: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        raise PixCellError(
            f"The share of the class “{name}” is “{text}”, not a number. Write {EXAMPLE}, for "
            "example."
        ) from None
    check_range(f"share of the class “{name}”", share, 0, 1)
    return share


def draw_classes(shares: Shares, count: int, rng: np.random.Generator) -> list[str]:
    """Draw the class of each of some cells at random, in these proportions."""
    parts = np.array([share for _, share in shares])
    at = np.searchsorted(np.cumsum(parts / parts.sum()), rng.random(count), side="right")
    names = [name for name, _ in shares]
    return [names[min(int(i), len(names) - 1)] for i in at]


def check_seed(seed: Any) -> None:
    """Raise PixCellError if a seed is not an integer from 0 to 2³² − 1."""
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= LARGEST_SEED:
        raise PixCellError(f"The seed is {seed}. Choose a whole number from 0 to {LARGEST_SEED:,}.")

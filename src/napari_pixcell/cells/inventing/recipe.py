"""What an invented layout should be like: a value without code."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from napari_pixcell.errors import PixCellError

LARGEST_SEED = 2**32 - 1
BY_CHANCE = 0.5

_LIMITS = (
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
    """The statistics of a layout.

    Parameters
    ----------
    density : float
        Cells per mm², counted as :func:`~napari_pixcell.cells.describe` counts them: those that
        the border cuts as well. Up to 30,000.
    area_um2 : float
        Median area of a cell, 2 to 2,000 µm².
    area_spread : float
        Standard deviation of the areas' logarithm, 0 to 1.5; areas are log-normal.
    elongation : float
        Median of long over short axis, 1 (round) to 6.
    elongation_spread : float
        Standard deviation of the logarithm of (elongation − 1), 0 to 2.
    alignment : float
        Nematic order of the long axes: 0 in all directions, 1 all in one.
    direction : float
        The direction they share, in degrees, 0 to 180, from x (right) towards y (down).
    clustering : float
        1.5 − R clipped to 0 … 1, with R the nearest-neighbour index of Clark and Evans (1954):
        0 evenly spaced, 0.5 as by chance, 1 strongly clustered.
    gap_um : float
        Least gap between cells; one pixel is always kept.
    seed : int
        0 to 2³² − 1.
    classes : tuple of (name, share)
        Classes that cells are given at random, in these proportions; none by default.

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
    classes: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be made, in one sentence."""
        for name, words, low, high, unit in _LIMITS:
            value = getattr(self, name)
            if not _is_number(value) or not low <= value <= high:
                said = f"{value:g}{unit}" if _is_number(value) else f"“{value}”"
                raise PixCellError(
                    f"The {words} is {said}; choose from {low:,g} to {high:,g}{unit}."
                )
        check_seed(self.seed)
        pairs = self.classes.items() if isinstance(self.classes, dict) else self.classes
        try:
            classes = tuple((str(name), float(share)) for name, share in pairs)
        except (TypeError, ValueError):
            classes = (("", -1.0),)
        if any(not name or not 0 <= share < 1e9 for name, share in classes) or (
            classes and not sum(share for _, share in classes)
        ):
            raise PixCellError(
                "The classes need a name and a share each, with shares of 0 or more and one above "
                "0; for example tumour 3, stroma 1."
            )
        object.__setattr__(self, "classes", classes)

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value."""
        return {**asdict(self), "classes": [list(pair) for pair in self.classes]}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Recipe:
        """Read what :meth:`to_dict` gave.

        Raises
        ------
        PixCellError
            If it is something else.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(value) - known) if isinstance(value, dict) else ["none"]
        if unknown:
            raise PixCellError(
                f"This is no recipe of a layout ({', '.join(map(str, unknown))} is unknown); "
                "use one that this program wrote."
            )
        return cls(**value)


def check_seed(seed: Any) -> None:
    """Refuse a seed that is no whole number of 0 to 2³² − 1."""
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= LARGEST_SEED:
        raise PixCellError(f"The seed is {seed}; choose a whole number from 0 to {LARGEST_SEED:,}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

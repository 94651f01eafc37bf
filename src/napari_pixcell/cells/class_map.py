"""Class maps: layouts with a colour for each class, for ControlNets that know classes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError

Palette = tuple[tuple[str, str], ...]
"""Name and colour, ``#rrggbb``, of each class. The name of cells without a class is empty."""

UNCLASSED, WHITE = "", "#ffffff"
# Far apart from each other, from black (no cell) and from white (cells without a class).
COLOURS = (
    *("#ff2020", "#2060ff", "#20d020", "#ffd000", "#e030e0", "#00d8d8"),
    *("#ff8800", "#8040ff", "#a0ff60", "#a05020", "#ff90c0", "#608090"),
)
LONGEST_NAME = 100
LEAST_DISTANCE = 30  # of two colours, or of one and black, in 8-bit RGB
_HEX = re.compile(r"#[0-9a-f]{6}")


def make_palette(names: Iterable[str]) -> Palette:
    """Return a palette for classes, in order, the first colours first.

    Raises
    ------
    PixCellError
        If there are too many classes, or names that differ only in case or spaces.
    """
    named = [name for name in dict.fromkeys(names) if name]
    if len(named) > len(COLOURS):
        raise PixCellError(
            f"There are {len(named)} classes, but at most {len(COLOURS)} have colours that are far "
            "enough apart. Merge some."
        )
    colours = zip(named, COLOURS, strict=False)
    white = ((UNCLASSED, WHITE),) if UNCLASSED in names else ()
    return checked_palette((*colours, *white))


def read_palette(text: str) -> Palette:
    """Read a palette written as ``tumour=#ff0000,lymphocyte=#0000ff``. Raises PixCellError."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    return checked_palette([(name.strip(), colour.strip()) for name, _, colour in pairs])


def checked_palette(pairs: Iterable[tuple[str, str]]) -> Palette:
    """Return a palette if its names and colours can be told apart.

    Raises
    ------
    PixCellError
        If they cannot, if one is not a colour, or if there is no class.
    """
    palette = tuple((name, colour.lower()) for name, colour in pairs)
    if not any(name for name, _ in palette):
        raise PixCellError("The palette has no classes. Write it as tumour=#ff0000,other=#0000ff.")
    for name, colour in palette:
        if len(name) > LONGEST_NAME or not (name.isprintable() or not name):
            raise PixCellError(
                f"“{name[:20]}…” cannot be the name of a class. Use one line of at most "
                f"{LONGEST_NAME} characters."
            )
        if not _HEX.fullmatch(colour):
            raise PixCellError(
                f"The colour “{colour[:20]}” of the class “{name}” is not written as #rrggbb, such "
                "as #ff0000. Correct it."
            )
        if _distance(colour, "#000000") < LEAST_DISTANCE:
            raise PixCellError(
                f"The class “{name}” is black, which stands for no cell. Choose another colour."
            )
    for (one, first), (other, second) in combinations(palette, 2):
        if " ".join(one.lower().split()) == " ".join(other.lower().split()):
            raise PixCellError(
                f"The classes “{one}” and “{other}” differ only in case or spaces. Give cells of "
                "the same class the same name."
            )
        if _distance(first, second) < LEAST_DISTANCE:
            raise PixCellError(
                f"The classes “{one or 'without a class'}” and “{other or 'without a class'}” have "
                f"the same colour, or nearly ({first}, {second}). Choose colours that differ."
            )
    return palette


def _distance(one: str, other: str) -> int:
    return max(abs(a - b) for a, b in zip(_rgb(one), _rgb(other), strict=True))


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


@dataclass(frozen=True)
class ClassMap:
    """The classes of the cells of a layout, and their colours.

    Parameters
    ----------
    palette : tuple of (name, colour)
        See :data:`Palette`.
    labels : tuple of tuple of int
        Labels of the cells of each class, in the palette's order. Cells that are not listed have
        no class. They are drawn like those of the class "" or, if there is none, of the first.
    """

    palette: Palette
    labels: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        checked_palette(self.palette)
        if len(self.labels) != len(self.palette):
            raise PixCellError(
                f"The layout has labels of {len(self.labels)} classes, but the palette has "
                f"{len(self.palette)}. Use a record that was not edited."
            )

    @classmethod
    def of(cls, palette: Palette, classes: Mapping[int, str], source: str = "layout") -> ClassMap:
        """Build it from the class name of each label.

        Raises
        ------
        PixCellError
            If a class is not in the palette.
        """
        known = {name for name, _ in palette}
        unknown = Counter(name for name in classes.values() if name and name not in known)
        if unknown:
            name, count = unknown.most_common(1)[0]
            allowed = ", ".join(name for name, _ in palette if name)
            raise PixCellError(
                f"The {source} has cells of the class “{name}” ({count:,}), which this model does "
                f"not know. Rename the class, or use one of: {allowed}."
            )
        members = tuple(
            tuple(sorted(int(label) for label, one in classes.items() if one == name and name))
            for name, _ in palette
        )
        return cls(palette, members)

    @property
    def names(self) -> dict[int, str]:
        """Class name of each label that has a class, as :meth:`of` takes them."""
        return {
            label: name
            for (name, _), members in zip(self.palette, self.labels, strict=True)
            for label in members
        }

    @property
    def usual(self) -> int:
        """Index of the class that cells without one are drawn as."""
        names = [name for name, _ in self.palette]
        return names.index(UNCLASSED) if UNCLASSED in names else 0

    def indices(self, labels: NDArray[Any]) -> NDArray[np.intp]:
        """Return the index of the class of each label, of the same shape; 0 has the usual one."""
        known = np.array([label for members in self.labels for label in members], np.int64)
        counts = [len(members) for members in self.labels]
        index = np.repeat(np.arange(len(self.labels)), counts)
        if not len(known):
            return np.full(labels.shape, self.usual, np.intp)
        order = np.argsort(known, kind="stable")
        known, index = known[order], index[order]
        place = np.minimum(np.searchsorted(known, labels), len(known) - 1)
        found: NDArray[np.intp] = np.where(known[place] == labels, index[place], self.usual)
        return found

    def picture(self, labels: NDArray[Any]) -> NDArray[np.uint8]:
        """Return each pixel's colour, uint8 (height, width, 3); the background is not black."""
        colours = np.array([_rgb(colour) for _, colour in self.palette], np.uint8)
        return colours[self.indices(labels)]

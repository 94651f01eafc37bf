"""A grid of requests that differ in a few settings; imports no torch."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import MAX_SEED, GenerateRequest
from napari_pixcell.errors import PixCellError

MOST_PICTURES = 400
# What can be swept: name of the field, and how a value of it is written on the sheet.
FIELDS = {
    "seed": "seed {}",
    "guidance": "guidance {:g}",
    "layout_strength": "layout {:g}",
    "strength": "change {:g}",
    "steps": "{} steps",
    "embedding": "{}",
    "family": "{}",
}


@dataclass(frozen=True)
class Axis:
    """One setting and the values that it takes.

    Parameters
    ----------
    name : str
        Of the request's field, one of ``FIELDS``.
    values : tuple
        At least one.
    labels : tuple of str, optional
        What the values are called; written as numbers by default.

    Raises
    ------
    PixCellError
        If there is nothing to sweep.
    """

    name: str
    values: tuple[Any, ...]
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be swept."""
        if self.name not in FIELDS:
            raise PixCellError(
                f"“{self.name}” is nothing that a grid can sweep; choose of: {', '.join(FIELDS)}."
            )
        if not self.values:
            raise PixCellError(f"The grid has no values for {self.name}; give at least one.")
        if not self.labels:
            words = FIELDS[self.name]
            object.__setattr__(self, "labels", tuple(words.format(v) for v in self.values))

    @classmethod
    def seeds(cls, first: int, count: int) -> Axis:
        """Give consecutive seeds."""
        return cls("seed", tuple((first + i) % (MAX_SEED + 1) for i in range(count)))

    @classmethod
    def numbers(cls, name: str, text: str) -> Axis:
        """Read the values that a user wrote, such as “1, 1.5, 2”.

        Raises
        ------
        PixCellError
            If that is no list of numbers.
        """
        whole = name in ("seed", "steps")
        try:
            parts = text.replace(";", ",").replace(",", " ").split()
            values = [int(part) if whole else float(part) for part in parts]
        except ValueError:
            raise PixCellError(
                f"“{text}” is no list of numbers; write for example “1, 1.5, 2”."
            ) from None
        return cls(name, tuple(dict.fromkeys(values)))

    @classmethod
    def styles(cls, styles: Sequence[tuple[str, PackedArray]]) -> Axis:
        """Give styles by their names."""
        return cls(
            "embedding",
            tuple(embedding for _, embedding in styles),
            tuple(name for name, _ in styles),
        )


@dataclass(frozen=True)
class Sweep:
    """A grid: the first axis runs along its rows, the others name the rows.

    Parameters
    ----------
    axes : tuple of Axis
        At least one, of different settings.
    """

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        """Refuse grids that are too large, or that sweep one setting twice."""
        names = [axis.name for axis in self.axes]
        if not names or len(set(names)) != len(names):
            raise PixCellError("A grid sweeps at least one setting, and each only once.")
        if self.count > MOST_PICTURES:
            raise PixCellError(
                f"The grid would have {self.count:,} pictures; choose fewer values, at most "
                f"{MOST_PICTURES} in all."
            )

    @property
    def count(self) -> int:
        """Pictures in all."""
        count = 1
        for axis in self.axes:
            count *= len(axis.values)
        return count

    @property
    def columns(self) -> tuple[str, ...]:
        """What the columns are called."""
        return self.axes[0].labels

    @property
    def rows(self) -> tuple[str, ...]:
        """What the rows are called; one empty name where there is one axis only."""
        return tuple(
            ", ".join(labels) for labels in itertools.product(*(a.labels for a in self.axes[1:]))
        )

    def places(self) -> list[dict[str, Any]]:
        """Give the values of each place by their names, row by row."""
        first, *others = self.axes
        made = []
        for fixed in itertools.product(*(axis.values for axis in others)):
            row = dict(zip((axis.name for axis in others), fixed, strict=True))
            made += [{first.name: value, **row} for value in first.values]
        return made

    def requests(self, base: GenerateRequest) -> list[GenerateRequest]:
        """Give a request of one variant for each place, row by row.

        A strength is left to whoever brings the picture to start from, if the base has none yet.

        Raises
        ------
        PixCellError
            If one of the values is none that a request can have.
        """
        made = []
        for values in self.places():
            strength = values.pop("strength", None)
            if strength is not None and not 0 <= strength <= 1:
                raise PixCellError(f"The strength is {strength:g}; choose one from 0 to 1.")
            if strength is not None and base.start is not None:
                values["strength"] = strength
            made.append(replace(base, count=1, **values))
        return made

"""A grid of requests that differ in a few settings. Imports no torch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import MAX_SEED, GenerateRequest
from napari_pixcell.errors import PixCellError

MOST_PICTURES = 400
# Settings that can be swept: field of the request, and the label of a value on the contact sheet.
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
    """One setting and its values.

    Parameters
    ----------
    name : str
        Field of the request, one of ``FIELDS``.
    values : tuple
        At least one.
    labels : tuple of str, optional
        Names of the values. By default they are formatted as numbers.

    Raises
    ------
    PixCellError
        If the setting cannot be swept, or there are no values.
    """

    name: str
    values: tuple[Any, ...]
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.name not in FIELDS:
            raise PixCellError(
                f"A grid cannot sweep “{self.name}”. Choose one of: {', '.join(FIELDS)}."
            )
        if not self.values:
            raise PixCellError(f"The grid has no values for {self.name}. Enter at least one.")
        if not self.labels:
            words = FIELDS[self.name]
            object.__setattr__(self, "labels", tuple(words.format(v) for v in self.values))

    @classmethod
    def seeds(cls, first: int, count: int) -> Axis:
        """Return an axis of consecutive seeds."""
        return cls("seed", tuple((first + i) % (MAX_SEED + 1) for i in range(count)))

    @classmethod
    def numbers(cls, name: str, text: str) -> Axis:
        """Read the values that a user entered, such as “1, 1.5, 2”.

        Raises
        ------
        PixCellError
            If the text is not a list of numbers.
        """
        whole = name in ("seed", "steps")
        try:
            parts = text.replace(";", ",").replace(",", " ").split()
            values = [int(part) if whole else float(part) for part in parts]
        except ValueError:
            raise PixCellError(
                f"“{text}” is not a list of numbers. Enter for example “1, 1.5, 2”."
            ) from None
        return cls(name, tuple(dict.fromkeys(values)))

    @classmethod
    def styles(cls, styles: Sequence[tuple[str, PackedArray]]) -> Axis:
        """Return an axis of named styles."""
        return cls(
            "embedding",
            tuple(embedding for _, embedding in styles),
            tuple(name for name, _ in styles),
        )


@dataclass(frozen=True)
class Sweep:
    """A grid of settings. The first axis gives its columns, the others its rows.

    Parameters
    ----------
    axes : tuple of Axis
        At least one, each of another setting.

    Raises
    ------
    PixCellError
        If there is no axis, a setting occurs twice, or the grid is too large.
    """

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        names = [axis.name for axis in self.axes]
        if not names or len(set(names)) != len(names):
            raise PixCellError("A grid needs at least one setting, and each only once.")
        if self.count > MOST_PICTURES:
            raise PixCellError(
                f"The grid would have {self.count:,} images. Choose fewer values, for at most "
                f"{MOST_PICTURES} images."
            )

    @property
    def count(self) -> int:
        """Number of images."""
        return math.prod(len(axis.values) for axis in self.axes)

    @property
    def columns(self) -> tuple[str, ...]:
        """Labels of the columns."""
        return self.axes[0].labels

    @property
    def rows(self) -> tuple[str, ...]:
        """Labels of the rows. A single empty label if there is only one axis."""
        return tuple(
            ", ".join(labels) for labels in itertools.product(*(a.labels for a in self.axes[1:]))
        )

    def caption(self, request: GenerateRequest) -> str:
        """Return the labels of an image's values, of the axes on which the images differ."""
        parts = []
        for axis in self.axes:
            value = getattr(request, axis.name)
            if len(axis.values) > 1 and value in axis.values:
                parts.append(axis.labels[axis.values.index(value)])
        return ", ".join(parts)

    def settings(self) -> list[dict[str, Any]]:
        """Return the settings of each image, row by row."""
        first, *others = self.axes
        made = []
        for fixed in itertools.product(*(axis.values for axis in others)):
            row = dict(zip((axis.name for axis in others), fixed, strict=True))
            made += [{first.name: value, **row} for value in first.values]
        return made

    def requests(self, base: GenerateRequest) -> list[GenerateRequest]:
        """Return a request of one variant for each image, row by row.

        Strengths are ignored if the base has no image to start from. The caller then adds both.

        Raises
        ------
        PixCellError
            If a value is out of range.
        """
        made = []
        for values in self.settings():
            strength = values.pop("strength", None)
            if strength is not None and not 0 <= strength <= 1:
                raise PixCellError(f"The strength is {strength:g}; choose one from 0 to 1.")
            if strength is not None and base.start is not None:
                values["strength"] = strength
            made.append(replace(base, count=1, **values))
        return made

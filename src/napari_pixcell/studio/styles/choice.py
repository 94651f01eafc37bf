"""The styles that a region imitates: none, one, or several in shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from napari_pixcell.errors import PixCellError

Ref = int | str  # number of a region, or id of a style


@dataclass(frozen=True)
class StylePart:
    """One of the styles that a region imitates."""

    ref: Ref  # number of the region whose tissue it is, or id of a style
    weight: float = 1.0  # relative to the others, 0 or more


@dataclass(frozen=True)
class StyleChoice:
    """The styles that a region imitates, the main one first; none for tissue of any style."""

    parts: tuple[StylePart, ...] = ()

    @classmethod
    def of(cls, *refs: Ref) -> StyleChoice:
        """Return the choice of one style, or of several in equal shares; 0 is none."""
        return cls(tuple(StylePart(ref) for ref in refs if ref))

    @property
    def refs(self) -> tuple[Ref, ...]:
        return tuple(part.ref for part in self.parts)

    @property
    def shares(self) -> tuple[float, ...]:
        """The weights, with a sum of 1; equal ones where all are 0."""
        total = sum(part.weight for part in self.parts)
        if total <= 0:
            return tuple(1 / len(self.parts) for _ in self.parts)
        return tuple(part.weight / total for part in self.parts)

    @property
    def balance(self) -> float:
        """Balance between the first two: 0 is all the first, 1 all the second."""
        if len(self.parts) < 2:
            return 0.0
        first, second = self.shares[:2]
        return second / (first + second) if first + second else 0.5

    def with_ref(self, index: int, ref: Ref) -> StyleChoice:
        """Return a choice with one style replaced; 0 means no style at all."""
        if not self.parts or not ref:
            return StyleChoice.of(ref)
        parts = list(self.parts)
        parts[index] = replace(parts[index], ref=ref)
        return StyleChoice(tuple(parts))

    def with_balance(self, balance: float) -> StyleChoice:
        """Return a choice with another balance of the first two; the others keep their shares."""
        if len(self.parts) < 2:
            return self
        both = sum(self.shares[:2])
        return self._with_shares((both * (1 - balance), both * balance, *self.shares[2:]))

    def with_share(self, index: int, share: float) -> StyleChoice:
        """Return a choice with another share of one style; the others stay in proportion."""
        rest = 1 - self.shares[index]
        others = (
            [s * (1 - share) / rest for s in self.shares]
            if rest > 0
            else [(1 - share) / max(1, len(self.parts) - 1)] * len(self.parts)
        )
        return self._with_shares(
            tuple(share if i == index else other for i, other in enumerate(others))
        )

    def with_more(self, ref: Ref) -> StyleChoice:
        """Return a choice with one more style, whose share is the average."""
        count = len(self.parts)
        shares = (*(share * count for share in self.shares), 1.0)
        return StyleChoice((*self.parts, StylePart(ref)))._with_shares(
            tuple(share / (count + 1) for share in shares)
        )

    def without(self, index: int) -> StyleChoice:
        """Return a choice without one style; the others stay in proportion."""
        parts = self.parts[:index] + self.parts[index + 1 :]
        return StyleChoice(parts)

    def keeping(self, there: Callable[[Ref], bool], instead: Ref) -> StyleChoice:
        """Return a choice without styles that no longer exist, or ``instead`` if none is left."""
        kept = tuple(part for part in self.parts if there(part.ref))
        if kept == self.parts:
            return self
        return StyleChoice(kept) if kept else StyleChoice.of(instead)

    def series(self, count: int) -> list[StyleChoice]:
        """Return choices from the first style to the last in even steps, through the others.

        Raises
        ------
        PixCellError
            If there are fewer than two styles or steps.
        """
        last = len(self.parts) - 1
        if last < 1:
            raise PixCellError("A series needs two styles. Choose a second one with “Blend with…”.")
        if count < 2:
            raise PixCellError(f"A series of {count} is too short. Choose 2 or more.")
        return [self._at(i * last / (count - 1)) for i in range(count)]

    def _at(self, position: float) -> StyleChoice:
        return self._with_shares(
            tuple(max(0.0, 1 - abs(position - i)) for i in range(len(self.parts)))
        )

    def _with_shares(self, shares: tuple[float, ...]) -> StyleChoice:
        """Return the choice with these shares, rounded so that equal slider positions are equal."""
        pairs = zip(self.parts, shares, strict=True)
        return StyleChoice(tuple(StylePart(part.ref, round(share, 6)) for part, share in pairs))

    def to_dict(self) -> dict[str, Any]:
        return {"parts": [{"ref": part.ref, "weight": part.weight} for part in self.parts]}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> StyleChoice:
        """Convert a value of :meth:`to_dict` back.

        Raises
        ------
        PixCellError
            If it is damaged.
        """
        try:
            parts = tuple(StylePart(p["ref"], float(p["weight"])) for p in value["parts"])
        except (KeyError, TypeError, ValueError):
            parts = (StylePart(0),)
        if not all(p.ref and isinstance(p.ref, Ref) and 0 <= p.weight < 1e9 for p in parts):
            raise PixCellError("The styles of a region cannot be read. Choose its style again.")
        return cls(parts)

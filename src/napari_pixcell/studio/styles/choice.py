"""What a region should look like: nothing, a style, or several in parts."""

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
        """Give the choice of one style, or of several in equal parts; 0 is none."""
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
        """Where it stands between the first two: 0 is all the first, 1 all the second."""
        if len(self.parts) < 2:
            return 0.0
        first, second = self.shares[:2]
        return second / (first + second) if first + second else 0.5

    def with_ref(self, index: int, ref: Ref) -> StyleChoice:
        """Take another style in the place of one; 0 as the first is none at all."""
        if not self.parts or not ref:
            return StyleChoice.of(ref)
        parts = list(self.parts)
        parts[index] = replace(parts[index], ref=ref)
        return StyleChoice(tuple(parts))

    def with_balance(self, balance: float) -> StyleChoice:
        """Move between the first two; the others keep their shares."""
        if len(self.parts) < 2:
            return self
        both = sum(self.shares[:2])
        return self._with_shares((both * (1 - balance), both * balance, *self.shares[2:]))

    def with_share(self, index: int, share: float) -> StyleChoice:
        """Give one style a share (0 to 1); the others keep their proportions."""
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
        """Blend another one in, so that all that there are get equal parts of what it takes."""
        count = len(self.parts)
        shares = (*(share * count for share in self.shares), 1.0)
        return StyleChoice((*self.parts, StylePart(ref)))._with_shares(
            tuple(share / (count + 1) for share in shares)
        )

    def without(self, index: int) -> StyleChoice:
        """Take one out; the others keep their proportions."""
        parts = self.parts[:index] + self.parts[index + 1 :]
        return StyleChoice(parts)

    def keeping(self, there: Callable[[Ref], bool], instead: Ref) -> StyleChoice:
        """Drop the styles that are not there any more; ``instead`` comes where none is left."""
        kept = tuple(part for part in self.parts if there(part.ref))
        if kept == self.parts:
            return self
        return StyleChoice(kept) if kept else StyleChoice.of(instead)

    def series(self, count: int) -> list[StyleChoice]:
        """Go from the first style to the last in even steps, past the others between.

        Raises
        ------
        PixCellError
            If there are not two styles, or not two steps.
        """
        last = len(self.parts) - 1
        if last < 1:
            raise PixCellError(
                "A series goes from one style to another; choose a second one with “Blend with…”."
            )
        if count < 2:
            raise PixCellError(f"A series of {count} has no two ends; choose 2 or more.")
        return [self._at(i * last / (count - 1)) for i in range(count)]

    def _at(self, place: float) -> StyleChoice:
        return self._with_shares(
            tuple(max(0.0, 1 - abs(place - i)) for i in range(len(self.parts)))
        )

    def _with_shares(self, shares: tuple[float, ...]) -> StyleChoice:
        """Take the shares over, rounded so that equal places of a slider are equal values."""
        pairs = zip(self.parts, shares, strict=True)
        return StyleChoice(tuple(StylePart(part.ref, round(share, 6)) for part, share in pairs))

    def to_dict(self) -> dict[str, Any]:
        return {"parts": [{"ref": part.ref, "weight": part.weight} for part in self.parts]}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> StyleChoice:
        """Read what :meth:`to_dict` gave.

        Raises
        ------
        PixCellError
            If it is something else.
        """
        try:
            parts = tuple(StylePart(p["ref"], float(p["weight"])) for p in value["parts"])
        except (KeyError, TypeError, ValueError):
            parts = (StylePart(0),)
        if not all(p.ref and isinstance(p.ref, Ref) and 0 <= p.weight < 1e9 for p in parts):
            raise PixCellError(
                "The styles that a region looks like cannot be read; choose its style again."
            )
        return cls(parts)

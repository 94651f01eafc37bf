"""The outcome of an import, as counts and as a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_pixcell.serialization import to_json
from napari_pixcell.words import counted


@dataclass(frozen=True)
class Report:
    """Counts of cells that were read, dropped and changed, with reasons.

    Parameters
    ----------
    read : int
        Number of cells read.
    dropped : mapping
        Number of dropped objects for each reason, such as “lines or points”.
    changed : mapping
        Number of changed cells for each change, such as “cut at the edge”.
    """

    read: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("dropped", "changed"):
            kept = {why: int(count) for why, count in getattr(self, name).items() if count}
            object.__setattr__(self, name, kept)

    @property
    def lost(self) -> int:
        """Number of dropped objects."""
        return sum(self.dropped.values())

    def then(self, later: Report) -> Report:
        """Return the report of this step followed by a later one."""
        dropped, changed = _sum(self.dropped, later.dropped), _sum(self.changed, later.changed)
        return Report(later.read, dropped, changed)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return to_json(self)

    def __str__(self) -> str:
        text = f"Read {counted(self.read, 'cell')}"
        if self.dropped:
            verb = "was" if self.lost == 1 else "were"
            text += f"; {self.lost:,} {verb} dropped: {_list(self.dropped)}"
        if self.changed:
            text += f"; {_list(self.changed)}"
        return text + "."


def _sum(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    reasons = [*first, *(why for why in second if why not in first)]
    return {why: first.get(why, 0) + second.get(why, 0) for why in reasons}


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {why}" for why, count in counts.items())

"""What an import did, in numbers and in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Report:
    """What was read, what was left out and why, and what was changed.

    Parameters
    ----------
    read : int
        Cells that came through.
    dropped : mapping
        From a reason in words (such as “lines or points”) to how many were left out for it.
    changed : mapping
        From what was done (such as “cut at the edge”) to how many cells it was done to.
    """

    read: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Keep only what happened."""
        for name in ("dropped", "changed"):
            kept = {why: int(count) for why, count in getattr(self, name).items() if count}
            object.__setattr__(self, name, kept)

    @property
    def lost(self) -> int:
        """How many were left out."""
        return sum(self.dropped.values())

    def then(self, later: Report) -> Report:
        """Give the report of this step and the one after it."""
        return Report(
            later.read,
            _sum(self.dropped, later.dropped),
            _sum(self.changed, later.changed),
        )

    def to_dict(self) -> dict[str, object]:
        """Give a JSON value."""
        return {"read": self.read, "dropped": dict(self.dropped), "changed": dict(self.changed)}

    def __str__(self) -> str:
        text = f"Read {self.read:,} cell{'' if self.read == 1 else 's'}"
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

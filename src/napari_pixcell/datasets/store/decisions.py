"""What a person decided about the pairs of a dataset, stored with it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from napari_pixcell.datasets.store.rows import append_rows, read_rows

DECISIONS = "decisions.jsonl"

Decision = Literal["accepted", "rejected"]


def decide(folder: Path, pairs: dict[int, Decision | None]) -> None:
    """Store decisions on pairs, by their numbers; None takes an earlier one back."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    append_rows(
        folder / DECISIONS,
        [{"index": index, "decision": what, "at": now} for index, what in pairs.items()],
    )


def read_decisions(folder: Path) -> dict[int, Decision]:
    """Give the decisions that stand, by the numbers of the pairs."""
    decided: dict[int, Decision] = {}
    for row in read_rows(folder / DECISIONS):
        index, what = row.get("index"), row.get("decision")
        if not isinstance(index, int):
            continue
        if what in ("accepted", "rejected"):
            decided[index] = what
        else:
            decided.pop(index, None)
    return decided


def is_used(flagged: bool, decision: Decision | None) -> bool:
    """Whether a pair goes into what is made of the dataset: a person's word counts more."""
    return not flagged if decision is None else decision == "accepted"

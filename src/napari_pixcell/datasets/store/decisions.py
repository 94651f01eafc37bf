"""Reviewers' decisions on the pairs of a dataset, stored with it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from napari_pixcell.datasets.store.rows import append_rows, read_rows

DECISIONS = "decisions.jsonl"

Decision = Literal["accepted", "rejected"]


def now() -> str:
    """Return the time as the files of a dataset hold it: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def decide(folder: Path, pairs: dict[int, Decision | None]) -> None:
    """Store decisions by the numbers of the pairs; None revokes an earlier one."""
    at = now()
    rows = ({"index": index, "decision": one, "at": at} for index, one in pairs.items())
    append_rows(folder / DECISIONS, rows)


def read_decisions(folder: Path) -> dict[int, Decision]:
    """Return the current decisions by the numbers of the pairs."""
    decided: dict[int, Decision] = {}
    for row in read_rows(folder / DECISIONS):
        index, decision = row.get("index"), row.get("decision")
        if not isinstance(index, int) or isinstance(index, bool):
            continue
        if decision in ("accepted", "rejected"):
            decided[index] = decision
        elif decision is None and "decision" in row:
            decided.pop(index, None)
    return decided


def is_used(flagged: bool, decision: Decision | None) -> bool:
    """Return True if a pair is exported. A reviewer's decision overrides a flag."""
    return not flagged if decision is None else decision == "accepted"

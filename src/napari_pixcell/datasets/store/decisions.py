"""Reviewers' decisions on the pairs of a dataset, stored with it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

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


def decided(folder: Path, pairs: int) -> NDArray[np.int8]:
    """Return the current decision on each pair: 1 accepted, -1 rejected, 0 none; int8, (pairs,)."""
    codes = np.zeros(pairs, np.int8)
    for index, decision in read_decisions(folder).items():
        if 0 <= index < pairs:
            codes[index] = 1 if decision == "accepted" else -1
    return codes


def are_used(flagged: NDArray[Any], decisions: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return which pairs are exported, by their flags and the codes of :func:`decided`."""
    return np.asarray((~flagged | (decisions > 0)) & (decisions >= 0))


def is_used(flagged: bool, decision: Decision | None) -> bool:
    """Return True if a pair is exported. A reviewer's decision overrides a flag."""
    return not flagged if decision is None else decision == "accepted"

"""The outcome of a verification: one row a check, as a table and as JSON. Imports no torch."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.serialization import from_json, to_json
from napari_pixcell.verification.figures import Verdict

KEY, SCHEMA = "napari-pixcell verification", 1
DAMAGED = "This report of a verification is damaged. Verify the family again."
COLUMNS = "check", "measured", "published", "verdict"
OWN = "figure"  # instead of “published”, where a set has its own figures
WIDTH = 96
NOT_APPLICABLE: Verdict = "not applicable"


@dataclass(frozen=True)
class CheckRow:
    """One check: what was measured, the figure, the verdict, and what it means.

    Parameters
    ----------
    key, title : str
        Name in files, and for people.
    measured, figure : str
        In words. ``measured`` is the reason if the check does not apply.
    meaning : str
        What the verdict means.
    advice : str
        What to do. Empty if nothing is.
    values : dict of str to float
        The numbers behind ``measured``.
    """

    key: str
    title: str
    verdict: Verdict
    measured: str
    figure: str = ""
    meaning: str = ""
    advice: str = ""
    values: dict[str, float] = field(default_factory=dict)


def not_applicable(key: str, title: str, reason: str) -> CheckRow:
    """Return the row of a check that does not apply, with the reason."""
    return CheckRow(key, title, NOT_APPLICABLE, reason)


@dataclass(frozen=True)
class VerificationReport:
    """The checks of a family on a machine.

    Parameters
    ----------
    family, title : str
    device : str
        For example ``cuda: NVIDIA H200, bfloat16``.
    versions, weights : dict of str to str
        As in a record.
    samples : str
        Where the patches came from.
    patches, pictures, seed : int
    steps : int
        Denoising steps of each picture.
    own_figures : bool
        Whether the figures are the set's own, not published.
    rows : tuple of CheckRow
    created : str
        Time, ISO 8601, UTC.
    """

    family: str
    title: str
    device: str
    versions: dict[str, str]
    weights: dict[str, str]
    samples: str
    patches: int
    pictures: int
    steps: int
    seed: int
    own_figures: bool
    rows: tuple[CheckRow, ...]
    created: str

    def of(self, verdict: Verdict) -> list[CheckRow]:
        """Return the rows with a verdict."""
        return [row for row in self.rows if row.verdict == verdict]

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return bool(self.of("FAIL"))

    def sentence(self) -> str:
        """Return the outcome in one or two sentences."""
        counts = Counter(row.verdict for row in self.rows)
        judged = len(self.rows) - counts[NOT_APPLICABLE]
        text = f"{self.title}: {counts['PASS']} of {judged} checks passed"
        warned = f", {counts['WARN']} with a warning" if counts["WARN"] else ""
        if not self.failed:
            return f"{text}{warned}."
        first = self.of("FAIL")[0].title
        return (
            f"{text}{warned}, {counts['FAIL']} failed. Start with “{first}”: later checks may "
            "depend on it."
        )

    def table(self) -> str:
        """Return the report as text for a terminal."""
        head = list(COLUMNS)
        head[2] = OWN if self.own_figures else head[2]
        cells = [
            (row.title, "–" if row.verdict == NOT_APPLICABLE else row.measured, row.figure or "–")
            for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(head[:3], *cells, strict=True)]
        lines = [_line(head, widths), _line(["-" * width for width in (*widths, 7)], widths)]
        for row, shown in zip(self.rows, cells, strict=True):
            lines.append(_line([*shown, row.verdict], widths))
            notes = [row.measured] if row.verdict == NOT_APPLICABLE else []
            if row.verdict in ("WARN", "FAIL"):
                notes = [row.meaning, row.advice]
            note = " ".join(part for part in notes if part)
            lines += textwrap.wrap(note, WIDTH, initial_indent="    ", subsequent_indent="    ")
        return "\n".join([*lines, "", self.sentence()])

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {KEY: SCHEMA, **to_json(self)}

    @classmethod
    def from_dict(cls, value: Any) -> VerificationReport:
        """Read what :meth:`to_dict` returned."""
        if not isinstance(value, dict) or value.get(KEY) != SCHEMA:
            raise PixCellError(DAMAGED)
        return from_json(cls, {k: v for k, v in value.items() if k != KEY}, DAMAGED)


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write a report as JSON."""
    write_whole(path, json.dumps(report, indent=1, ensure_ascii=False) + "\n")


def _line(cells: list[str], widths: list[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return "  ".join([*padded, *cells[len(widths) :]]).rstrip()

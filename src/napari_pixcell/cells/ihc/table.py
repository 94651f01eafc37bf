"""Measured staining as tables: a row for each picture, a row for each nucleus."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from napari_pixcell.cells.ihc.measures import CLASSES, Staining, Thresholds
from napari_pixcell.errors import PixCellError

COLUMNS = (
    "name",
    "tissue_mm2",
    "positive_area_percent",
    "nuclei",
    "positive_nuclei",
    "positive_percent",
    "h_score",
    *CLASSES,
    "weak_from_od",
    "moderate_from_od",
    "strong_from_od",
    "nuclei_from",
    "um_per_px",
    "warning",
)
NUCLEI_COLUMNS = ("label", "area_um2", "dab_od", "class", "positive")

Row = tuple[Any, ...]


def picture_row(name: str, staining: Staining, thresholds: Thresholds, nuclei_from: str) -> Row:
    """Give the values of :data:`COLUMNS`; without nuclei, percentages are None.

    Parameters
    ----------
    name : str
        Of the picture.
    staining : Staining
        What was measured of it.
    thresholds : Thresholds
        That classes are made by.
    nuclei_from : str
        Where the nuclei came from, in words.
    """
    scores = staining.score(thresholds)
    return (
        name,
        round(staining.tissue_mm2, 5),
        round(scores.area_percent, 2),
        scores.nuclei,
        scores.positive,
        _number(scores.percent),
        _number(scores.h_score),
        *scores.classes,
        thresholds.weak,
        thresholds.moderate,
        thresholds.strong,
        nuclei_from,
        staining.mpp,
        staining.warning,
    )


def nuclei_rows(staining: Staining, thresholds: Thresholds) -> Iterator[Row]:
    """Give the values of :data:`NUCLEI_COLUMNS` for each nucleus."""
    grades = thresholds.classify(staining.dab)
    rows = zip(staining.labels, staining.areas_um2, staining.dab, grades, strict=True)
    for label, area, dab, grade in rows:
        yield (
            int(label),
            round(float(area), 2),
            round(float(dab), 4),
            CLASSES[grade],
            int(grade > 0),
        )


def as_text(columns: Sequence[str], rows: Iterable[Row], separator: str = ",") -> str:
    """Give a table as text, with its header; None becomes empty.

    Parameters
    ----------
    columns, rows : sequence
        Its header and its values.
    separator : str
        A comma for CSV; a tab for what is pasted into a spreadsheet.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write a table as CSV.

    Raises
    ------
    PixCellError
        If the file cannot be written.
    """
    try:
        path.write_text(as_text(columns, rows), "utf-8")
    except OSError as error:
        raise PixCellError(
            f"{path.name} cannot be written ({error.strerror}); choose another folder."
        ) from error


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)

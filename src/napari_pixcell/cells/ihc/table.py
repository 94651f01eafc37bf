"""IHC measurements as tables: one row per image, one row per nucleus."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from napari_pixcell.cells.ihc.measures import CLASSES, IhcMeasurement, Thresholds
from napari_pixcell.errors import PixCellError

COLUMNS = (
    *("name", "tissue_mm2", "positive_area_percent"),
    *("nuclei", "positive_nuclei", "positive_percent", "h_score", *CLASSES),
    *("weak_from_od", "moderate_from_od", "strong_from_od"),
    *("nuclei_from", "um_per_px", "warning"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # first letters of formulas in spreadsheets
NUCLEI_COLUMNS = ("label", "area_um2", "dab_od", "class", "positive")

Row = tuple[Any, ...]


def picture_row(
    name: str, measured: IhcMeasurement, thresholds: Thresholds, nuclei_from: str
) -> Row:
    """Return the values of :data:`COLUMNS`; percentages are None without nuclei.

    Parameters
    ----------
    nuclei_from : str
        Source of the nuclei, in words.
    """
    scores = measured.score(thresholds)
    area = round(measured.tissue_mm2, 5), round(scores.area_percent, 2)
    nuclei = scores.nuclei, scores.positive, _number(scores.percent), _number(scores.h_score)
    source = nuclei_from, measured.mpp, measured.warning
    return name, *area, *nuclei, *scores.classes, *astuple(thresholds), *source


def nuclei_rows(measured: IhcMeasurement, thresholds: Thresholds) -> Iterator[Row]:
    """Iterate over nuclei, with the values of :data:`NUCLEI_COLUMNS`."""
    grades = thresholds.classify(measured.dab)
    rows = zip(measured.labels, measured.areas_um2, measured.dab, grades, strict=True)
    for label, area, dab, grade in rows:
        area_um2, density = round(float(area), 2), round(float(dab), 4)
        yield int(label), area_um2, density, CLASSES[grade], int(grade > 0)


def as_text(columns: Sequence[str], rows: Iterable[Row], separator: str = ",") -> str:
    """Return a table as text with a header; None becomes empty.

    Parameters
    ----------
    columns, rows : sequence
        Header and values.
    separator : str
        A comma for CSV, a tab for pasting into a spreadsheet.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_inert(cell) for cell in row] for row in rows)
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
            f"{path.name} cannot be written ({error.strerror}). Choose another folder."
        ) from error


def _inert(cell: Any) -> Any:
    """Return a cell that a spreadsheet does not run as a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)

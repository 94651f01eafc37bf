"""How much DAB there is in pictures of a session, and in their nuclei."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.cells.ihc.measures import (
    BIN,
    HIGHEST,
    IhcMeasurement,
    Scores,
    Thresholds,
    measure_staining,
)
from napari_pixcell.cells.ihc.table import (
    COLUMNS,
    NUCLEI_COLUMNS,
    Row,
    as_text,
    nuclei_rows,
    picture_row,
    write_table,
)
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.notices import Notices

if TYPE_CHECKING:
    from napari_pixcell.slides.stored_picture import Picture

SECTION = "measure"
FROM_LAYOUT, FOUND = "its layout", "found in it"


@dataclass(frozen=True, eq=False)
class Place:
    """What is measured, captured when it is asked for.

    Parameters
    ----------
    name : str
        As the table shows it.
    number : int
        Of its region.
    slide : str
        Key of the slide.
    region : Region
        Where the region was.
    mpp : float
        Pixel size of the slide in µm.
    """

    name: str
    number: int
    slide: str
    region: Region
    mpp: float


@dataclass(frozen=True, eq=False)
class Measured:
    """A picture that was measured.

    Parameters
    ----------
    number : int
        Of this row, from 1.
    place : Place
        What it is of.
    labels : array, (height, width)
        Its nuclei.
    staining : IhcMeasurement
        Of the picture and of each nucleus.
    thresholds : Thresholds
        That it is shown with.
    nuclei_from : str
        Where the nuclei came from, in words.
    layout : array, optional
        The layout of the region that the nuclei are, as it is edited.
    """

    number: int
    place: Place
    labels: NDArray[Any]
    staining: IhcMeasurement
    thresholds: Thresholds
    nuclei_from: str
    layout: NDArray[Any] | None = None

    @property
    def name(self) -> str:
        """As the table shows it."""
        return self.place.name

    @property
    def scores(self) -> Scores:
        """What the thresholds make of it."""
        return self.staining.score(self.thresholds)

    @property
    def row(self) -> Row:
        """Its line of the table."""
        return picture_row(self.name, self.staining, self.thresholds, self.nuclei_from)


class Measures:
    """The measured pictures of a session.

    Parameters
    ----------
    background : Background
        Threads of the session.
    notices : Notices
        Gets the sentences.

    Attributes
    ----------
    changed : Signal
        There are other rows, other thresholds, or another row is chosen.
    rows : list of Measured
        Oldest first.
    chosen : Measured or None
        The one whose nuclei are coloured.
    thresholds : Thresholds
        Of all rows, so that they compare.
    coloured : bool
        Whether the nuclei are coloured by their class.
    busy : int
        How many are being measured.
    """

    changed = Signal()

    def __init__(self, background: Background, notices: Notices) -> None:
        self._background, self._notices = background, notices
        self._numbers = itertools.count(1)
        self.rows: list[Measured] = []
        self.chosen: Measured | None = None
        self.thresholds = Thresholds()
        self.coloured = True
        self.busy = 0

    def measure(
        self,
        place: Place,
        mpp: float,
        read: Callable[[], Picture],
        layout: NDArray[Any] | None,
        edited: NDArray[Any] | None = None,
    ) -> None:
        """Measure a picture in a thread; its row comes when it is done.

        Parameters
        ----------
        place : Place
            What it is of.
        mpp : float
            Pixel size of the picture in µm.
        read : callable
            Gives the picture; called in the thread.
        layout : array, (height, width), optional
            Its nuclei; without, they are looked for in the picture.
        edited : array, optional
            The region's own layout that ``layout`` is a copy of.
        """
        self.busy += 1
        self._notices.say(SECTION, "")

        def work() -> tuple[NDArray[Any], IhcMeasurement]:
            picture = read()
            labels = layout
            if labels is None:
                from napari_pixcell.cells import segment_nuclei

                labels = segment_nuclei(np.asarray(picture), mpp)
            return labels, measure_staining(picture, mpp, labels)

        def done(found: tuple[NDArray[Any], IhcMeasurement]) -> None:
            self.busy -= 1
            labels, staining = found
            nuclei_from = FOUND if layout is None else FROM_LAYOUT
            self.add(place, labels, staining, nuclei_from, edited)
            self._notices.say(SECTION, staining.warning)

        def failed(message: str) -> None:
            self.busy -= 1
            self._notices.say(SECTION, message)

        self._background.compute(work, done, failed)
        self.changed.emit()

    def add(
        self,
        place: Place,
        labels: NDArray[Any],
        staining: IhcMeasurement,
        nuclei_from: str,
        layout: NDArray[Any] | None = None,
    ) -> Measured:
        """Take a row in, and choose it."""
        row = Measured(
            next(self._numbers), place, labels, staining, self.thresholds, nuclei_from, layout
        )
        self.rows.append(row)
        self.choose(row)
        return row

    def choose(self, row: Measured | None) -> None:
        """Have the nuclei of a row coloured."""
        self.chosen = row
        self.changed.emit()

    def remove(self, *rows: Measured) -> None:
        """Take rows out."""
        self.rows = [row for row in self.rows if row not in rows]
        if self.chosen not in self.rows:
            self.chosen = self.rows[-1] if self.rows else None
        if not self.rows:
            self._notices.say(SECTION, "")
        self.changed.emit()

    def clear(self) -> None:
        """Take all rows out."""
        self.remove(*self.rows)

    def colour(self, on: bool) -> None:
        """Colour the nuclei of the chosen row by their class, or no longer."""
        self.coloured = on
        self.changed.emit()

    def set_thresholds(self, thresholds: Thresholds) -> None:
        """Count all rows anew; nothing is measured again."""
        if thresholds == self.thresholds:
            return
        self.thresholds = thresholds
        at = self.rows.index(self.chosen) if self.chosen in self.rows else None
        self.rows = [replace(row, thresholds=thresholds) for row in self.rows]
        self.chosen = None if at is None else self.rows[at]
        self.changed.emit()

    def move_threshold(self, index: int, value: float) -> None:
        """Move the weak (0), moderate (1) or strong (2) threshold; it pushes the others along."""
        now = self.thresholds
        steps = [round(value / BIN) for value in (now.weak, now.moderate, now.strong)]
        last = round(HIGHEST / BIN)
        steps[index] = min(max(round(value / BIN), 1 + index), last - 2 + index)
        for i in range(index + 1, 3):
            steps[i] = max(steps[i], steps[i - 1] + 1)
        for i in range(index - 1, -1, -1):
            steps[i] = min(steps[i], steps[i + 1] - 1)
        self.set_thresholds(Thresholds(*(step * BIN for step in steps)))

    def as_text(self, rows: list[Measured]) -> str:
        """Give rows as a spreadsheet takes them from the clipboard."""
        return as_text(COLUMNS, (row.row for row in rows), "\t")

    def save(self, path: Path) -> None:
        """Write all rows as CSV."""
        rows = [row.row for row in self.rows]
        self._write(path, lambda: write_table(path, COLUMNS, rows))

    def save_nuclei(self, path: Path, row: Measured) -> None:
        """Write the nuclei of a row as CSV."""
        self._write(
            path,
            lambda: write_table(path, NUCLEI_COLUMNS, nuclei_rows(row.staining, row.thresholds)),
        )

    def _write(self, path: Path, work: Callable[[], None]) -> None:
        self._background.compute(
            work,
            lambda _: self._notices.note(SECTION, f"Saved {path.name}"),
            lambda message: self._notices.say(SECTION, message),
        )

"""IHC measurements of a session: DAB in pictures and in their nuclei."""

from __future__ import annotations

import itertools
import math
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
from napari_pixcell.engine.requests import LARGEST_SEARCH
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.cells.layouts import Layouts
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.tasks import Task, Tasks

if TYPE_CHECKING:
    from napari_pixcell.slides.stored_picture import Picture

SECTION = "measure"
TISSUE = " · tissue"  # ends the names of measured tissue
FROM_LAYOUT, FOUND = "its layout", "found in it"


@dataclass(frozen=True, eq=False)
class MeasuredPlace:
    """What is measured, captured at the request."""

    name: str
    number: int
    slide: str
    region: Region
    mpp: float  # of the slide, in µm
    variant: str = ""  # name of the variant; empty for the region's own tissue
    result: int = 0  # its number, unless it was measured in an earlier session

    def shows(self, result: Result) -> bool:
        """Return True if a variant is the one that was measured."""
        if self.result:
            return result.number == self.result
        return result.name == self.variant and result.target.number == self.number


@dataclass(frozen=True, eq=False)
class Measured:
    """A measured picture."""

    number: int  # number of the row, from 1
    place: MeasuredPlace
    labels: NDArray[Any]  # (height, width): its nuclei
    staining: IhcMeasurement  # measured values of the picture and of each nucleus
    thresholds: Thresholds
    nuclei_from: str  # origin of the nuclei, in words
    layout: NDArray[Any] | None = None  # the region's own layout, if the nuclei are a copy of it

    @property
    def name(self) -> str:
        return self.place.name

    @property
    def scores(self) -> Scores:
        return self.staining.score(self.thresholds)

    @property
    def row(self) -> Row:
        return picture_row(self.name, self.staining, self.thresholds, self.nuclei_from)


@dataclass(eq=False, kw_only=True)
class MeasureTask(Task):
    """A measurement under way."""

    section: str = SECTION
    message: str = "Measuring"


@dataclass(eq=False)
class Measures:
    """The measured pictures of a session."""

    changed = Signal()  # other rows, other thresholds, or another selected row

    slides: Slides
    regions: Regions
    layouts: Layouts
    gallery: Gallery
    settings: Settings
    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self.rows: list[Measured] = []
        self.chosen: Measured | None = None  # the row whose nuclei are coloured
        self.thresholds = Thresholds()  # the same for all rows, so that they can be compared
        self.coloured = True  # whether the nuclei are coloured by their class

    @property
    def busy(self) -> int:
        return len(self.tasks.of(MeasureTask))

    def why_not(self) -> str:
        item = self.regions.active
        if not self.slides.ready:
            return "Open a slide whose pixel size is known first"
        if item is None:
            return "Add a region first: its tissue is measured"
        return "Segmenting nuclei…" if item.layout_busy else ""

    def why_not_variant(self) -> str:
        return "" if self.seen_variant is not None else "Show a variant of this region first"

    @property
    def seen_variant(self) -> Result | None:
        item = self.regions.active
        return self.gallery.shown_in(item.number) if item is not None else None

    def measure(self, result: Result | None = None) -> None:
        """Measure a variant, or the active region's own tissue.

        Nuclei are those of the region's layout, or of the variant's layout. Without one they are
        segmented in the picture.
        """
        with self.notices.reporting(SECTION):
            if result is not None:
                self._measure_variant(result)
            elif not self.why_not():
                self.layouts.wanted.emit()  # what is painted so far
                item = self.regions.active
                assert item is not None
                self._measure_tissue(item)

    def _measure_tissue(self, item: RegionItem) -> None:
        slide, region, mpp = self.slides.current, item.region, self.settings.model.mpp
        _check_size(region.shape_at(slide.mpp, mpp))
        own = item.layout if item.cells else None
        name = f"{item.name}{TISSUE}"
        place = MeasuredPlace(name, item.number, item.slide, region, slide.mpp)
        # A copy: the layer may be painted on during the measurement, and afterwards.
        layout = None if own is None else own.copy()
        self._start(place, mpp, lambda: slide.read(region, mpp), layout, own)

    def _measure_variant(self, result: Result) -> None:
        target = result.target
        _check_size(target.size)
        place = MeasuredPlace(
            result.name,
            target.number,
            target.slide,
            target.region,
            target.mpp,
            result.name,
            result.number,
        )
        layout: NDArray[Any] | None = result.labels
        if layout is not None and not layout.any():
            layout = None
        mpp = result.record.request.mpp
        self._start(place, mpp, lambda: result.image, layout)

    def _start(
        self,
        place: MeasuredPlace,
        mpp: float,
        read: Callable[[], Picture],
        layout: NDArray[Any] | None,
        edited: NDArray[Any] | None = None,
    ) -> None:
        """Measure a picture in a thread.

        Parameters
        ----------
        place : MeasuredPlace
        mpp : float
            Pixel size of the picture in µm.
        read : callable
            Returns the picture; called in the thread.
        layout : array, (height, width), optional
            Its nuclei; by default they are segmented.
        edited : array, optional
            The region's own layout that ``layout`` is a copy of.
        """

        def work() -> tuple[NDArray[Any], IhcMeasurement]:
            picture = read()
            labels = layout
            if labels is None:
                from napari_pixcell.cells import segment_nuclei

                labels = segment_nuclei(np.asarray(picture), mpp)
            return labels, measure_staining(picture, mpp, labels)

        def done(outcome: tuple[NDArray[Any], IhcMeasurement]) -> None:
            labels, staining = outcome
            nuclei_from = FOUND if layout is None else FROM_LAYOUT
            self.show(self.add(place, labels, staining, nuclei_from, edited))
            self.notices.say(SECTION, staining.warning)

        self.tasks.compute(MeasureTask(), work, done)
        self.changed.emit()

    def add(
        self,
        place: MeasuredPlace,
        labels: NDArray[Any],
        staining: IhcMeasurement,
        nuclei_from: str,
        layout: NDArray[Any] | None = None,
    ) -> Measured:
        row = Measured(
            next(self._numbers), place, labels, staining, self.thresholds, nuclei_from, layout
        )
        self.rows.append(row)
        self.choose(row)
        return row

    def choose(self, row: Measured | None) -> None:
        self.chosen = row
        self.changed.emit()

    def show(self, row: Measured) -> None:
        """Choose a row, and show the picture that was measured."""
        self.choose(row)
        place = row.place
        measured = [one for one in self.gallery.of_region(place.number) if place.shows(one)]
        if not place.variant:
            self.gallery.show_none(place.number)
        elif measured and not self.is_seen(row):
            self.gallery.show(measured[-1])

    def is_seen(self, row: Measured) -> bool:
        """Return True if the picture that was measured is the one that its region shows."""
        gallery, place = self.gallery, row.place
        shown = [one for one in gallery.of_region(place.number) if one.shown]
        if gallery.peeking == place.number:
            shown = []
        return any(map(place.shows, shown)) if place.variant else not shown

    def remove(self, *rows: Measured) -> None:
        self.rows = [row for row in self.rows if row not in rows]
        if self.chosen not in self.rows:
            self.chosen = self.rows[-1] if self.rows else None
        if not self.rows:
            self.notices.say(SECTION, "")
        self.changed.emit()

    def clear(self) -> None:
        self.remove(*self.rows)

    def colour(self, on: bool) -> None:
        self.coloured = on
        self.changed.emit()

    def set_thresholds(self, thresholds: Thresholds) -> None:
        """Apply thresholds to all rows; nothing is measured again."""
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
        return as_text(COLUMNS, (row.row for row in rows), "\t")

    def save(self, path: Path) -> None:
        rows = [row.row for row in self.rows]
        self._write(path, lambda: write_table(path, COLUMNS, rows))

    def save_nuclei(self, path: Path, row: Measured) -> None:
        self._write(
            path,
            lambda: write_table(path, NUCLEI_COLUMNS, nuclei_rows(row.staining, row.thresholds)),
        )

    def _write(self, path: Path, work: Callable[[], None]) -> None:
        self.tasks.background.compute(
            work,
            lambda _: self.notices.note(SECTION, f"Saved {path.name}"),
            lambda message: self.notices.say(SECTION, message),
        )


def _check_size(size: tuple[int, int]) -> None:
    if math.prod(size) > LARGEST_SEARCH:
        side = math.isqrt(LARGEST_SEARCH)
        raise PixCellError(
            f"The picture is larger than {side} × {side} px, the most that is measured at once. "
            "Choose a smaller region."
        )

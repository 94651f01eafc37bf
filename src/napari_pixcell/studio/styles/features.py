"""Styles out of a file of features: its patches on the slide, or in a list without it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.engine.styles.features.checking import Abandoned, check_readable
from napari_pixcell.engine.styles.features.file import FeatureFile, open_features
from napari_pixcell.engine.styles.features.neighbours import FeatureStyle, PatchNeighbours
from napari_pixcell.engine.styles.features.search import FeatureSearch
from napari_pixcell.engine.styles.library import free_name
from napari_pixcell.engine.styles.region_embedding import region_colours
from napari_pixcell.engine.styles.style import Style, checked_name, small_picture
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.styles.library import SECTION, Styles
from napari_pixcell.studio.tasks import CancelledTask, Task, Tasks

SAME_SIZE = 0.01  # a slide's size as stated in the file, which other readers may cut off
NEAREST = 50  # patches to a position
SAME_SCALE = 0.25  # of a patch in µm: magnifications are nominal


@dataclass(eq=False)
class OpenFeatures:
    """An open file of features. Only the thread that computes reads it.

    Parameters
    ----------
    file : FeatureFile
        Its coordinates are read.
    neighbours : PatchNeighbours
    search : FeatureSearch
    """

    file: FeatureFile
    neighbours: PatchNeighbours
    search: FeatureSearch
    row: int = 0  # the patch that was chosen last
    chosen: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # with others
    _within: tuple[Region, NDArray[np.int64]] | None = None

    @property
    def name(self) -> str:
        return self.file.path.name

    def __len__(self) -> int:
        return len(self.file)

    @cached_property
    def centres(self) -> NDArray[np.float64]:
        """The centres of the patches, x and y in level-0 pixels: (rows, 2)."""
        return self.file.coords + self.file.side / 2

    @cached_property
    def extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The least and the greatest x and y of the centres."""
        return self.centres.min(axis=0), self.centres.max(axis=0)

    def within(self, region: Region) -> NDArray[np.int64]:
        """Return the rows of the patches whose centres lie in a region."""
        if self._within is None or self._within[0] != region:  # asked at each change in the dock
            away = self.centres - (region.x, region.y)
            inside = (away >= 0) & (away < (region.width, region.height))
            self._within = region, np.flatnonzero(inside.all(axis=1))
        return self._within[1]

    def matching(self, text: str) -> NDArray[np.int64]:
        """Return the rows that a text names, the likeliest first.

        A number stands for the rows that begin with it, two for the patches nearest to a position.
        """
        count = len(self.file)
        if not text.strip():
            return np.arange(count)
        numbers = [part for part in re.split(r"[\s,;]+", text.strip()) if part]
        if not all(re.fullmatch(r"\d{1,9}", part) for part in numbers) or len(numbers) > 2:
            return np.zeros(0, np.int64)
        if len(numbers) == 2:
            away = np.abs(self.centres - np.array(numbers, float)).max(axis=1)
            return np.argsort(away, kind="stable")[:NEAREST]
        first, found = int(numbers[0]), []
        for zeros in range(len(str(count)) if first else 1):
            power = 10**zeros
            found.append(np.arange(min(first * power, count), min((first + 1) * power, count)))
        return np.concatenate(found)


@dataclass(eq=False)
class FeatureStyles:
    """The file of features that is open, and the styles that are taken from it."""

    changed = Signal()  # another file, another patch, or another slide or model for it

    slides: Slides
    settings: Settings
    regions: Regions
    library: Styles
    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self.current: OpenFeatures | None = None
        self.opening: Task | None = None
        self.slide = ""  # key of the slide in whose session it is saved
        self.shown = True  # whether the patches are shown on the slide
        self.slides.changed.connect(self._follow)
        self.settings.events.family.connect(self._follow, max_args=0)

    # -- the file --------------------------------------------------------------------------

    def open(self, path: Path, shown: bool = True) -> None:
        """Open a file of features in a thread, in place of the one that is open.

        A process of its own reads it first, so that a damaged file cannot freeze the window.

        Parameters
        ----------
        path : Path
        shown : bool
            Whether its patches are shown on the slide.
        """
        family, there = self.settings.model, self.slides.current is not None
        self.tasks.drop(self.opening)
        section = SECTION if there else "slide"  # without a slide, styles are not in view
        task = self.opening = Task(section=section, message=f"Opening {path.name}")

        def work() -> OpenFeatures:
            try:
                check_readable(path, lambda: task.cancelled)
            except Abandoned:
                raise CancelledTask from None
            file = open_features(path, family)
            try:
                neighbours = PatchNeighbours(file)
                neighbours.square(0, 0, 0)  # coordinates and their tree, once
                opened = OpenFeatures(file, neighbours, FeatureSearch(file))
                _ = opened.extent, file.key  # which the dock and a saved session ask for
                return opened
            except BaseException:
                file.close()
                raise

        def done(opened: OpenFeatures) -> None:
            if self.opening is not task:  # closed, or another one was opened
                self._close(opened)
                return
            if not there:
                self.notices.say(section, "")
            self.close()
            self.current, self.shown, self.slide = opened, shown, self.slides.key
            if note := self._other_name():
                self.notices.note(SECTION, note)
            self._emit()

        def ended() -> None:
            if self.opening is task:
                self.opening = None
                self._emit()

        self.tasks.run_alone(task, work, done, ended)
        if not there:
            self.notices.note(section, task.sentence())
        self._emit()

    def cancel(self) -> bool:
        """Open the file no longer that is being opened; True if there was one."""
        opening = self.opening
        self.tasks.drop(opening)
        self.opening = None
        if opening is not None:
            self._emit()
        return opening is not None

    def close(self) -> None:
        """Close the file; styles taken from it stay."""
        self.tasks.drop(self.opening)
        before, self.current, self.opening = self.current, None, None
        self.slide = ""
        if before is not None:
            self._close(before)
        self._emit()

    def _close(self, features: OpenFeatures) -> None:
        # In the thread that reads: after what it may still be reading.
        self.tasks.background.compute(features.file.close, lambda _: None, lambda _: None)

    def release(self) -> None:
        """Close the file at once, at the end of the session."""
        self.tasks.drop(self.opening)
        if self.current is not None:
            self.current.file.close()

    def show(self, shown: bool) -> None:
        """Show or hide the patches on the slide."""
        if shown != self.shown:
            self.shown = shown
            self._emit()

    def _follow(self) -> None:
        if self.current is not None:
            if not self.why_no_map():
                self.slide = self.slides.key
            self._emit()

    def _emit(self) -> None:
        self.changed.emit()
        self.notices.changed.emit()

    # -- whether it can be used ------------------------------------------------------------

    def why_not(self) -> str:
        """Return why the selected model cannot use the open file; empty if it can."""
        if self.current is None:
            return "Open a file of features first."
        return self.current.file.origin.why_not(self.current.name, self.settings.model)

    def why_no_map(self) -> str:
        """Return why the patches cannot be shown on a slide, as a sentence; empty if they can."""
        features, slide = self.current, self.slides.current
        if features is None or self.why_not():
            return self.why_not()
        if slide is None:
            return "Choose a patch in the list, or open its slide to see it there."
        if slide.mpp is None:
            return "Set the pixel size of the slide to see the patches on it."
        if not self._fits(features, slide):
            return (
                "The patches do not fit this slide. Open their own slide, or choose a patch in "
                "the list."
            )
        return ""

    def _fits(self, features: OpenFeatures, slide: Any) -> bool:
        file = features.file
        stated, shape = file.shape, np.array(slide.shape)
        if stated is not None and (np.abs(np.array(stated) / shape - 1) > SAME_SIZE).any():
            return False
        family = self.settings.model
        usual = family.tile // family.grid * family.mpp
        side = file.side * slide.mpp / (file.origin.micrometres or usual)
        if abs(side - 1) > SAME_SCALE:
            return False
        least, greatest = features.extent
        return bool((least >= 0).all() and (greatest <= shape[::-1]).all())

    def _other_name(self) -> str:
        """Return what to say of a file that bears the name of another slide."""
        features, slide = self.current, self.slides.current
        if features is None or self.why_no_map():
            return ""
        stem = Path(slide.path).stem if slide.path is not None else slide.name
        own = features.file.path.stem
        if own.casefold() in (stem.casefold(), slide.name.casefold()):
            return ""
        return f"“{features.name}” bears another name than this slide. Check that it belongs to it."

    def covering(self, region: Region) -> OpenFeatures | None:
        """Return the open file if it has patches in a region of the slide."""
        features = self.current
        if features is None or self.why_no_map() or not len(features.within(region)):
            return None
        return features

    # -- styles ----------------------------------------------------------------------------

    def use_at(self, x: float, y: float) -> None:
        """Let the active region imitate the patch at a position of the slide, in level-0 pixels."""
        self._take(lambda features: features.neighbours.row_at(x, y))

    def use(self, row: int) -> None:
        """Let the active region imitate a patch; without one, its style can be selected later."""
        self._take(lambda _: row)

    def save(self, row: int, name: str) -> None:
        """Save the style of a patch in the library."""
        with self.notices.reporting(SECTION):
            name = checked_name(name)
            self._take(lambda _: row, name)

    def suggested_name(self, row: int) -> str:
        return free_name(f"Patch {row}", self.library.names)

    def _take(self, row_of: Callable[[OpenFeatures], int], name: str = "") -> None:
        features, family = self.current, self.settings.model
        if features is None or self.why_not():
            self.notices.say(SECTION, self.why_not())
            return
        slide = self.slides.current if not self.why_no_map() else None
        active = self.regions.active
        number = active.number if active is not None and not name else 0
        self.notices.say(SECTION, "")
        task = Task(section=SECTION, message="Reading the patch")

        def work() -> tuple[int, FeatureStyle, Style]:
            row = row_of(features)
            found = features.neighbours.style(row, family)
            style = found.saved(name or f"Patch {row}", family)
            return row, found, _with_tissue(style, found, features.file, slide, family)

        def done(outcome: tuple[int, FeatureStyle, Style]) -> None:
            features.row, found, style = outcome
            features.chosen = found.rows.ravel()
            if name:
                self.library.save(lambda: style)
            else:
                self.library.add(self._known(style) or self._named(style), number)
            self._emit()

        self.tasks.compute(task, work, done)

    def _known(self, style: Style) -> Style | None:
        """Return the same style if it was taken before."""
        same = (one for one in self.library.all if one.made_of == style.made_of)
        return next((one for one in same if one.family == style.family), None)

    def _named(self, style: Style) -> Style:
        return replace(style, name=free_name(style.name, self.library.names))


def _with_tissue(
    style: Style, found: FeatureStyle, file: FeatureFile, slide: Any, family: Family
) -> Style:
    """Return a style with the picture and the colours of its tissue, if its slide is open."""
    if slide is None:
        return style
    x, y = file.coords[found.rows.ravel()].mean(axis=0) + file.side / 2  # its centre
    side = family.tile * family.mpp / slide.mpp
    tissue = Tissue(slide, Region(float(x) - side / 2, float(y) - side / 2, side, side), family)
    pixels = tissue.read()
    return replace(
        style, thumbnail=small_picture(tissue.cut(pixels)), colours=region_colours(tissue, pixels)
    )

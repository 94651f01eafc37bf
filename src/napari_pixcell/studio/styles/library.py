"""Styles besides the regions' own: the saved ones, and those of pictures and variants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.styles.blending import as_grid
from napari_pixcell.engine.styles.library import StyleLibrary, free_name
from napari_pixcell.engine.styles.pictures import StylePicture, check_picture_size, open_picture
from napari_pixcell.engine.styles.style import Style, checked_name
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.slide import ArraySlide
from napari_pixcell.studio.models import InstalledModels
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.styles.choice import Ref
from napari_pixcell.studio.styles.embedder import Embedder, EmbedTask
from napari_pixcell.studio.tasks import Task, Tasks

SECTION = "style"


@dataclass(eq=False, kw_only=True)
class PictureTask(Task):
    """A picture that is opened and embedded as a style."""

    name: str
    number: int = 0  # region that will imitate it; 0 for none
    section: str = SECTION
    message: str = "reading"
    job: EmbedTask | None = None
    thumbnail: NDArray[np.uint8] | None = None
    note: str = ""

    def sentence(self) -> str:
        if self.cancelled:
            return "Cancelling…"
        return f"{self.name}: {self.job.sentence() if self.job is not None else 'reading…'}"


@dataclass(eq=False)
class Styles:
    """All styles that a region can imitate, besides the regions' own."""

    changed = Signal()  # styles came or went
    # (Style, int): a picture became a style, for the region with this number
    made = Signal(object, int)

    models: InstalledModels
    settings: Settings
    embedder: Embedder
    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self._background = self.tasks.background
        self.folder = StyleLibrary()
        self.saved: dict[str, Style] = {}  # the saved ones known so far, by id
        # Styles of pictures and variants, which last as long as the session, by id
        self.temporary: dict[str, Style] = {}
        self.known = False  # True once the library was read
        self.last_removed: Style | None = None  # what undo_remove brings back
        self._removed_was_saved = False
        self._stamp = -1

    @property
    def all(self) -> list[Style]:
        """The saved styles by name, then the temporary ones."""
        saved = sorted(self.saved.values(), key=lambda style: style.name.casefold())
        return saved + [style for id_, style in self.temporary.items() if id_ not in self.saved]

    @property
    def names(self) -> set[str]:
        return {style.name for style in self.all}

    def get(self, id_: Ref) -> Style | None:
        return (self.saved.get(id_) or self.temporary.get(id_)) if isinstance(id_, str) else None

    def problem(self, style: Style) -> str:
        return style.why_not(self.settings.model, self.models.encoder)

    def usable(self) -> list[Style]:
        return [style for style in self.saved.values() if not self.problem(style)]

    def refresh(self) -> None:
        """Read the library again if it changed, in another session for example."""
        self._background.compute(self._read, self._take, self._fail)

    def _read(self) -> tuple[int, list[Style], list[str]] | None:
        stamp = self.folder.stamp()
        if stamp == self._stamp:
            return None
        return stamp, self.folder.read(), list(self.folder.problems)

    def _take(self, read: tuple[int, list[Style], list[str]] | None) -> None:
        if read is None:
            return
        self._stamp, styles, problems = read
        self.known = True
        self.saved = {style.id: style for style in styles}
        if problems:
            more = f" {len(problems) - 1} more are damaged too." if len(problems) > 1 else ""
            self._fail(problems[0] + more)
        self._emit()

    def _fail(self, message: str) -> None:
        self.notices.say(SECTION, message)

    def _emit(self) -> None:
        self.changed.emit()
        self.notices.changed.emit()

    # -- from pictures and variants ------------------------------------------------------

    @property
    def coming(self) -> list[PictureTask]:
        return self.tasks.of(PictureTask)

    def add_picture(self, path: Path, number: int = 0) -> None:
        """Embed a picture of tissue as a style, for the region with this number."""
        family = self.settings.model
        name = free_name("Picture", self.names)
        self._add(name, number, lambda: open_picture(Path(path), family))

    def add_variant(self, result: Result, number: int = 0) -> None:
        """Embed a variant as a style, for the region with this number."""
        family = self.settings.model
        self._add(f"Variant · seed {result.seed}", number, lambda: open_variant(result, family))

    def _add(self, name: str, number: int, open_it: Callable[[], StylePicture]) -> None:
        family, encoder = self.settings.model, self.models.encoder
        if encoder is None:
            missing = f"{family.title} is not installed. Download it in the model manager."
            self._fail(self.models.why_no_encoder() or missing)
            return
        task = self.tasks.start(PictureTask(name=name, number=number))
        values: list[PackedArray] = []
        colours: list[TissueColours] = []

        def work() -> tuple[StylePicture, NDArray[np.uint8]]:
            opened = open_it()
            return opened, opened.thumbnail()

        def embed(outcome: tuple[StylePicture, NDArray[np.uint8]]) -> None:
            opened, task.thumbnail = outcome
            task.note = opened.note
            if task.cancelled:
                end(opened)
                return
            task.job = self.embedder.embed(
                opened.slide,
                opened.region,
                family,
                on_pixels=lambda _pixels: None,
                on_style=lambda style, _stored: values.append(style),
                on_end=lambda job: end(opened, job.problem),
                on_colours=colours.append,
            )

        def end(opened: StylePicture, problem: str = "") -> None:
            # In the thread that reads: after what it may still be reading.
            self._background.compute(opened.slide.close, lambda _: None, lambda _: None)
            self.tasks.end(task, problem)
            if values and not problem and not task.cancelled:
                style_name = free_name(task.name, self.names)
                grid = as_grid(values[0].unpack())
                style = Style(style_name, grid, encoder, family.name, (), task.thumbnail)
                style = replace(style, colours=colours[-1] if colours else None)
                self.add(style, number, task.note)
            self._emit()

        self._background.compute(work, embed, lambda text: self.tasks.end(task, text))

    def add(self, style: Style, number: int = 0, note: str = "") -> None:
        """Add a style that lasts as long as the session, for the region with this number."""
        if style.id not in self.saved:
            self.temporary[style.id] = style
        if note:
            self.notices.note(SECTION, note)
        elif not number:
            self.notices.note(SECTION, f"“{style.name}” can be selected as a style now.")
        self.made.emit(style, number)
        self._emit()

    def cancel(self) -> bool:
        coming = [task for task in self.coming if not task.cancelled]
        for task in coming:
            self.tasks.cancel(task)
            if task.job is not None:
                self.tasks.cancel(task.job)
        return bool(coming)

    # -- the library on disk -------------------------------------------------------------

    def save(self, make: Callable[[], Style]) -> None:
        """Save the style that ``make`` returns; it is called in a thread."""

        def done(style: Style) -> None:
            self.saved[style.id] = style
            self.temporary.pop(style.id, None)
            self.notices.note(SECTION, f"Saved as “{style.name}”, for any region of any slide.")

        self._background.compute(lambda: self.folder.save(make()), done, self._fail)

    def rename(self, id_: str, name: str) -> None:
        with self.notices.reporting(SECTION):
            name = checked_name(name)
            if id_ in self.saved:
                self._background.compute(
                    lambda: self.folder.rename(id_, name), self._renamed, self._fail
                )
            elif id_ in self.temporary:
                taken = {style.name for style in self.all if style.id != id_}
                self.temporary[id_] = replace(self.temporary[id_], name=free_name(name, taken))
        self.notices.changed.emit()

    def _renamed(self, style: Style) -> None:
        self.saved[style.id] = style
        self.notices.changed.emit()

    def remove(self, id_: str) -> None:
        """Delete a style; regions that imitate it, alone or in a blend, keep the rest.

        :meth:`undo_remove` brings the last one back.
        """
        style, saved = self.get(id_), id_ in self.saved
        if style is None:
            return

        def done(_: None = None) -> None:
            self.saved.pop(id_, None)
            self.temporary.pop(id_, None)
            self.last_removed = style
            self._removed_was_saved = saved
            self.notices.note(SECTION, f"“{style.name}” was removed.")
            self._emit()

        if saved:
            self._background.compute(lambda: self.folder.remove(id_), done, self._fail)
        else:
            done()

    def undo_remove(self) -> None:
        """Bring the style that was removed last back."""
        style, self.last_removed = self.last_removed, None
        if style is None:
            return
        self.notices.say(SECTION, "")
        if self._removed_was_saved:
            self.save(lambda: style)
        else:
            self.temporary[style.id] = style
        self._emit()


def open_variant(result: Result, family: Family) -> StylePicture:
    """Open a variant whose whole area is to become a style.

    Raises
    ------
    PixCellError
        If it is smaller than a tile, or too large for one style.
    """
    mpp = result.record.request.mpp
    slide = ArraySlide([result.image], mpp, result.name)
    check_picture_size("This variant", slide, family)
    return StylePicture(slide)

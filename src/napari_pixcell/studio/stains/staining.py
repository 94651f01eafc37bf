"""Virtual stains of a region."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import Source
from napari_pixcell.engine.requests import (
    snap,
    source_of,
    stain_request,
    stain_warning,
    why_too_small,
)
from napari_pixcell.engine.sweep import Axis, Sweep
from napari_pixcell.engine.tissue import size_at
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import stain_families, stain_name
from napari_pixcell.models.store import encoder_identity, missing
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.cells.layouts import Layouts
from napari_pixcell.studio.generation.grids import Grid, Grids
from napari_pixcell.studio.generation.queue import JobQueue
from napari_pixcell.studio.generation.target import Start, Target
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.results.export import Exporter
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.settings import INVERSION, NOISE, Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.styles.embedder import Embedder, EmbedTask
from napari_pixcell.studio.tasks import Task, Tasks

SECTION = "stain"


@dataclass(eq=False, kw_only=True)
class StainTask(Task):
    """Stains that wait for their embedding: everything by value."""

    families: list[Family]  # stains that read the same embedding
    target: Target
    start: Start | None
    source: Source  # for the records
    seed: int
    layout: NDArray[Any] | None  # the cells that they follow, (height, width)
    classes: dict[int, str]  # and their classes
    published: bool  # by the published method
    previews: bool
    section: str = SECTION
    job: EmbedTask | None = None

    def sentence(self) -> str:
        return self.job.sentence() if self.job is not None else ""


@dataclass(eq=False)
class Staining:
    """Stains regions virtually."""

    slides: Slides
    regions: Regions
    layouts: Layouts
    settings: Settings
    gallery: Gallery
    exporter: Exporter
    embedder: Embedder
    queue: JobQueue
    grids: Grids
    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self._missing: dict[str, str] = {}
        self._examined: tuple[NDArray[np.uint8], str] | None = None
        self._target: Target | None = None
        self.last: Grid | None = None  # the stains that were queued last, as a grid of one row

    @property
    def waiting(self) -> list[StainTask]:
        return self.tasks.of(StainTask)

    # -- available and selected ----------------------------------------------------------

    @property
    def families(self) -> list[Family]:
        return stain_families()

    def why_missing(self, family: Family) -> str:
        """Return what a stain needs that is not installed; empty if it is complete."""
        if family.name not in self._missing:
            parts = missing(family)
            own = {"lora", "flow"}
            if not parts:
                text = ""
            elif {part.kind for part in parts} <= own:
                folder = parts[0].folder
                where = f": its files are not in “{folder.name}”" if folder else ""
                text = f"{family.title} is not installed{where}"
            else:
                base = next(part for part in parts if part.kind not in own)
                text = f"{family.title} needs its base: {base.hub_id or base.kind} is not installed"
            self._missing[family.name] = text
        return self._missing[family.name]

    def forget_missing(self) -> None:
        self._missing.clear()

    @property
    def installed(self) -> list[Family]:
        return [family for family in self.families if not self.why_missing(family)]

    @property
    def chosen(self) -> list[Family]:
        """The selected stains, in their usual order."""
        names = self.settings.stains.split(",")
        return [family for family in self.installed if family.name in names]

    def choose(self, name: str, on: bool) -> None:
        names = [family.name for family in self.chosen if family.name != name]
        self.settings.stains = ",".join([*names, name] if on else names)

    # -- what the dock shows --------------------------------------------------------------

    def why_not(self) -> str:
        item = self.regions.active
        if reason := self.slides.why_not():
            return reason
        if item is None:
            return "Add a region first"
        if not self.chosen:
            return "Select a stain"
        if item.layout_busy:
            return "Segmenting nuclei…"
        return self.why_too_small(item)

    def why_too_small(self, item: RegionItem) -> str:
        """Return that a region is smaller than a tile of a selected stain; empty if not."""
        mpp = self.slides.current.mpp
        reasons = (why_too_small(item.region, mpp, family, item.name) for family in self.chosen)
        return next((text for text in reasons if text), "")

    def enlarge(self) -> None:
        item, slide = self.regions.active, self.slides.current
        if item is None or not self.chosen:
            return
        largest = max(self.chosen, key=lambda family: family.tile * family.mpp)
        with self.notices.reporting(SECTION):
            region = snap(item.region, slide.shape, slide.mpp, largest)
            # On whole pixels, and not above one tile, which would be several windows.
            width, height = math.floor(region.width), math.floor(region.height)
            region = Region(region.x, region.y, width, height)
            self.regions.move(item.number, region)

    def words(self) -> str:
        """Return what of the tissue the stains keep, honestly."""
        settings, item = self.settings, self.regions.active
        text = kept_words(settings.stain_from, settings.stain_strength)
        held = item is not None and any(self._follows(item, family) for family in self.chosen)
        return f"{text} The layout holds its cells." if held else text

    def warning(self) -> str:
        """Return a warning if the active region looks like IHC; empty if not, or not yet known."""
        item = self.regions.active
        pixels = item.pixels if item is not None else None
        if pixels is None:
            return ""
        if self._examined is None or self._examined[0] is not pixels:
            self._examined = (pixels, "")

            def done(warning: str) -> None:
                if self._examined is not None and self._examined[0] is pixels:
                    self._examined = (pixels, warning)
                    self.notices.changed.emit()

            self.tasks.background.compute(lambda: stain_warning(pixels), done, lambda _text: None)
        return self._examined[1]

    def sentence(self) -> str:
        return self.waiting[0].sentence() if self.waiting else ""

    # -- staining --------------------------------------------------------------------------

    def stain(self) -> None:
        """Queue the selected stains of the active region, once it is embedded for them."""
        item = self.regions.active
        if self.why_not() or item is None:
            return
        self.notices.say(SECTION, "")
        self.layouts.wanted.emit()  # what is painted so far
        groups: dict[tuple[Any, ...], list[Family]] = {}
        for family in self.chosen:
            follows = self._follows(item, family)
            key = encoder_identity(family), family.tile, family.grid, family.mpp, follows
            groups.setdefault(key, []).append(family)
        with self.notices.reporting(SECTION):
            for (*_, follows), together in groups.items():
                self._embed(self._capture(item, together, bool(follows)))
        self.notices.changed.emit()

    def cancel(self) -> bool:
        """Stop embedding, but not what is queued; True if anything was stopped."""
        waiting = self.waiting
        for task in waiting:
            self.tasks.drop(task)
            if task.job is not None:
                self.tasks.cancel(task.job)
        return bool(waiting)

    def _follows(self, item: RegionItem, family: Family) -> bool:
        if not family.takes_layout or item.layout is None or not item.cells:
            return False
        size = size_at(item.region, self.slides.current.mpp, family)
        return bool(item.layout.shape == size)

    def _capture(self, item: RegionItem, families: list[Family], follows: bool) -> StainTask:
        """Capture what stains of a region need, by value."""
        settings, first, slide, region = (
            self.settings,
            families[0],
            self.slides.current,
            item.region,
        )
        size = size_at(region, slide.mpp, first)
        pixels = item.pixels if item.size == size else None
        start = None
        if settings.stain_from != NOISE:
            start = Start(
                slide=slide,
                region=region,
                family=first,
                size=size,
                picture=pixels,
                strength=settings.stain_strength,
                invert=settings.stain_from == INVERSION,
            )
        return StainTask(
            families=families,
            target=Target(item.number, item.name, item.slide, region, slide.mpp, size, pixels),
            start=start,
            source=source_of(
                self.exporter.name,
                region,
                slide.mpp,
                layout=item.layout_source if follows else None,
            ),
            seed=settings.seed,
            layout=np.array(item.layout) if follows else None,
            classes=dict(item.classes),
            published=settings.stain_from == NOISE,
            previews=settings.previews,
        )

    def _embed(self, task: StainTask) -> None:
        self.tasks.start(task)
        target = task.target

        def on_pixels(pixels: NDArray[np.uint8]) -> None:
            if target.pixels is None:
                target.pixels = pixels
                self.notices.changed.emit()

        def on_style(style: PackedArray, _stored: bool) -> None:
            if self.tasks.is_running(task):
                with self.notices.reporting(SECTION):
                    self._enqueue(task, style)
                self.tasks.end(task)

        task.job = self.embedder.embed(
            self.slides.current,
            target.region,
            task.families[0],
            on_pixels=on_pixels,
            on_style=on_style,
            on_end=lambda job: self.tasks.end(task, job.problem),
        )

    def _enqueue(self, task: StainTask, style: PackedArray) -> None:
        follows = task.layout is not None
        requests = [
            stain_request(
                family,
                size=task.target.size,
                embedding=style,
                source=task.source,
                seed=task.seed,
                layout=follows,
                classes=task.classes,
                published=task.published,
            )
            for family in task.families
        ]
        labels = tuple(stain_name(family) for family in task.families)
        title = f"virtual {', '.join(labels)}"
        job = self.queue.add(
            requests,
            task.target,
            task.layout,
            start=task.start,
            title=title,
            previews=task.previews,
        )
        sweep = Sweep((Axis("family", tuple(family.name for family in task.families), labels),))
        self.last = Grid(job.number, f"{task.target.name}, {title}", sweep, task.seed)
        self._target = task.target

    # -- results ---------------------------------------------------------------------------

    @property
    def made(self) -> list[Result]:
        if self.last is None:
            return []
        found = self.grids.pictures(self.last)
        return [result for result in found if result is not None]

    def keep(self) -> None:
        """Star the stains queued last: each gets a layer of its own."""
        self.gallery.star(self.made)

    def sheet(self, done: Any, failed: Any) -> None:
        """Lay out the tissue and its stains side by side; see :meth:`Grids.sheet`."""
        if self.last is not None and self._target is not None:
            self.grids.sheet(self.last, done, failed, before=("tissue", self._target.pixels))


def kept_words(start: str, strength: float) -> str:
    """Return how much of the tissue a stain keeps, in words.

    They follow benchmarks/structure.py on the demo stain: the share of nuclei that tissue and stain
    have in the same positions (F1). Chance gives 0.34, pure noise 0.19.

    | change | 0.2 | 0.3 | 0.4 | 0.5 | 0.6 | 0.8 |
    | --- | --- | --- | --- | --- | --- | --- |
    | inverted to noise | 0.79 | 0.78 | 0.79 | 0.80 | 0.76 | 0.74 |
    | with added noise | 0.71 | 0.59 | 0.51 | 0.39 | 0.27 | 0.23 |

    Parameters
    ----------
    start : str
        A key of :data:`~napari_pixcell.studio.settings.STAIN_FROM`.
    strength : float
        How much changes, 0 to 1.
    """
    if start == NOISE:
        return (
            "Only the style follows the tissue. Cells are not in the same positions as in the H&E."
        )
    if strength == 0:
        return "Nothing changes: every pixel of the H&E is kept."
    if start == INVERSION:
        kept = "Most cells stay in position" + ("." if strength < 0.65 else ", some move.")
        return f"{kept} Every seed gives the same picture."
    if strength < 0.35:
        return "Most cells stay in position, some are new."
    if strength < 0.5:
        return "Some cells stay in position, most are new."
    return "Cells are not in the same positions as in the H&E."

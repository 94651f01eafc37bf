"""From the active region and the settings to requests in the queue."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import QUICK
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.requests import generate_request, source_of, tiles_of
from napari_pixcell.engine.sweep import Axis, Sweep
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.cells.layouts import Layouts
from napari_pixcell.studio.generation.grids import Grids
from napari_pixcell.studio.generation.live import MOST_TILES, Live
from napari_pixcell.studio.generation.queue import JobQueue
from napari_pixcell.studio.generation.start import start_of, start_words, why_no_start
from napari_pixcell.studio.generation.target import Start, Target
from napari_pixcell.studio.models import InstalledModels
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.geometry import tiles_text
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.results.export import Exporter
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.settings import NOTHING, Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.styles.ingredients import Ingredient, blended
from napari_pixcell.studio.styles.styles import RegionStyles
from napari_pixcell.words import duration

SECTION = "generate"
START_SETTINGS = ("start_from", "strength", "only_part")


@dataclass(frozen=True, kw_only=True)
class Captured:
    """What a generation of a region needs, by value.

    Parameters
    ----------
    request : GenerateRequest
        Without layout and start.
    target : Target
        Where the variants land.
    start : Start, optional
        What they start from.
    layout : array, optional
        Label image, (height, width).
    """

    request: GenerateRequest
    target: Target
    start: Start | None
    layout: NDArray[Any] | None


@dataclass(eq=False)
class Generator:
    """Generates variants of the active region: single jobs, grids, series and live pictures.

    Its fields are the parts of the session that it uses.

    Attributes
    ----------
    live : Live
        Decides when a live picture is due.
    """

    slides: Slides
    models: InstalledModels
    settings: Settings
    regions: Regions
    layouts: Layouts
    styles: RegionStyles
    gallery: Gallery
    exporter: Exporter
    queue: JobQueue
    grids: Grids
    background: Background
    notices: Notices

    def __post_init__(self) -> None:
        self.live = Live()
        for name in ("seed", "guidance", "layout_strength", "layout_until", *START_SETTINGS):
            getattr(self.settings.events, name).connect(self.live.touched, max_args=0)
        self.layouts.changed.connect(self.live.touched, max_args=0)
        self.styles.changed.connect(self.live.touched)

    def why_not(self) -> str:
        """Return why nothing can be generated now; empty if it can."""
        item = self.regions.active
        if reason := self.slides.why_not() or self.models.why_not():
            return reason
        if item is None:
            return "Add a region first"
        if item.family != self.settings.family:
            return "The slide is too small for this model"
        if reason := self.styles.why_not(item):
            return reason
        if item.layout_busy:
            return "Segmenting nuclei…"
        if self.settings.takes_layout and item.layout is not None and not item.cells:
            return "The layout has no cells: paint some"
        return why_no_start(self.settings, item, self._shown(item))

    def start_words(self) -> str:
        """Return what the selected start and strength keep; empty without a start."""
        return start_words(self.settings)

    def where_words(self) -> str:
        """Return where the next generation changes the picture, to end a sentence."""
        part = self.settings.start_from != NOTHING and self.settings.only_part
        return " in the marked part" if part else ""

    @property
    def with_layout(self) -> bool:
        """True if the next generation follows the active region's layout."""
        active = self.regions.active
        return self.settings.takes_layout and active is not None and active.layout is not None

    def _shown(self, item: RegionItem) -> Result | None:
        return self.gallery.shown_in(item.number)

    # -- queueing --------------------------------------------------------------------------

    def generate(self) -> None:
        """Queue variants of the active region; they land there whatever is active later."""
        item = self.regions.active
        if self.why_not() or item is None:
            return
        self.notices.problems.pop(SECTION, None)
        with self.notices.reporting(SECTION):
            self._enqueue(self.capture(item), previews=self.settings.previews)

    def generate_grid(self) -> None:
        """Queue a grid of settings on the active region, as one job."""
        item = self.regions.active
        if self.why_not() or item is None:
            return
        with self.notices.reporting(SECTION):
            sweep = self.grid_sweep()
            if sweep.axes[0].name == "embedding":
                self.generate_series(self.settings.grid_styles, sweep.axes[1:])
            else:
                self._queue_grid(sweep, self.capture(item))

    def grid_sweep(self) -> Sweep:
        """Return the grid that the settings ask for; its styles are indices for now.

        Raises
        ------
        PixCellError
            If a field is not a list of numbers, or if the grid has too many pictures.
        """
        settings = self.settings
        written = (
            ("guidance", settings.grid_guidance),
            ("layout_strength", settings.grid_layout if self.with_layout else ""),
            ("strength", settings.grid_strength if settings.start_from != NOTHING else ""),
            ("steps", settings.grid_steps),
        )
        axes = []
        if self.styles.blended and settings.grid_styles > 1:
            steps = tuple(range(settings.grid_styles))
            axes.append(Axis("embedding", steps, tuple(map(str, steps))))
        axes.append(Axis.seeds(settings.seed, settings.grid_seeds))
        axes += [Axis.numbers(name, text) for name, text in written if text.strip()]
        return Sweep(tuple(axes))

    def generate_series(self, count: int, rows: Sequence[Axis] = ()) -> None:
        """Queue a variant for each of ``count`` blends; ``rows`` sweep other settings below it."""
        item = self.regions.active
        if item is None or self.why_not():
            return
        with self.notices.reporting("style"):
            steps, sources = self.styles.series(item, count)
            family, cells = self.settings.model, self.styles.grid_of(item)
            captured = self.capture(item)
            if captured.layout is not None:
                captured = replace(captured, layout=captured.layout.copy())
            labels = [_label(ingredients) for ingredients in steps]

            def work() -> list[PackedArray]:
                return [blended(ingredients, cells, family, over=True) for ingredients in steps]

            def done(embeddings: list[PackedArray]) -> None:
                with self.notices.reporting("style"):
                    styles = Axis.styles(list(zip(labels, embeddings, strict=True)))
                    self._queue_grid(Sweep((styles, *rows)), captured, sources)

            self.background.compute(work, done, lambda text: self.notices.say("style", text))
        self.notices.changed.emit()

    def _enqueue(self, captured: Captured, live: bool = False, previews: bool = True) -> None:
        self.queue.add(
            captured.request,
            captured.target,
            captured.layout,
            start=captured.start,
            live=live,
            previews=previews,
        )

    def _queue_grid(
        self,
        sweep: Sweep,
        captured: Captured,
        sources: Sequence[tuple[tuple[str, float], ...]] = (),
    ) -> None:
        self.grids.add(
            sweep,
            captured.request,
            captured.target,
            captured.layout,
            start=captured.start,
            previews=self.settings.previews,
            styles=sources,
        )

    def capture(self, item: RegionItem) -> Captured:
        """Capture what the next generation of a region needs."""
        settings, mpp, layout = self.settings, self.slides.current.mpp, self.with_layout
        request = generate_request(
            settings.model,
            settings.generation(layout),
            size=item.size,
            embedding=self.styles.embedding(item),
            source=source_of(
                self.exporter.name,
                item.region,
                mpp,
                layout=item.layout_source if layout else None,
                style=self.styles.source(item),
            ),
        )
        target = Target(
            item.number, item.name, item.slide, item.region, mpp, item.size, item.pixels
        )
        start = start_of(settings, item, self.slides.current, self._shown(item))
        return Captured(
            request=request, target=target, start=start, layout=item.layout if layout else None
        )

    def outlook(self) -> str:
        """Return size and expected duration of the next generation, where known.

        Empty for one tile with an unknown duration.
        """
        item, text = self.regions.active, ""
        if item is None or self.why_not():
            return text
        tiles = tiles_of(item.size, self.settings.model)
        if tiles > 1:
            height, width = item.size
            text = f"{width} × {height} px, {tiles_text(tiles)}"
        with contextlib.suppress(PixCellError):  # shown when it is queued
            captured = self.capture(item)
            seconds = self.queue.paces.expect(captured.request, self.with_layout)
            if seconds is not None and captured.start is not None:
                seconds *= captured.start.share
            if seconds is not None and seconds >= 2:
                text += f"{' · a' if text else 'A'}bout {duration(seconds)}"
        return text

    # -- live pictures ---------------------------------------------------------------------

    def set_live(self, on: bool) -> None:
        """Switch live mode on or off."""
        self.live.on = on
        self.live.forget()
        if on:
            self.live.touched()
        else:
            self.queue.end_live()
        self.notices.changed.emit()

    def why_no_live(self) -> str:
        """Return why live mode cannot show the active region; empty if it can."""
        item = self.regions.active
        if item is not None and tiles_of(item.size, self.settings.model) > MOST_TILES:
            return f"Live mode needs a region of at most {MOST_TILES} tiles"
        return self.why_not()

    def tick(self) -> None:
        """Queue a live picture if one is due; called often, in the main thread."""
        if not self.live.due():
            return
        self.layouts.wanted.emit()  # what is painted so far
        item = self.regions.active
        if item is None or self.why_no_live():
            return
        with self.notices.reporting(SECTION):
            captured = self.capture(item)
            request = captured.request
            steps = min(QUICK.steps_of(self.settings.model.steps), request.steps)
            quick = replace(request, count=1, preset=QUICK.name, steps=steps)
            self._enqueue(replace(captured, request=quick), live=True, previews=False)


def _label(ingredients: list[Ingredient]) -> str:
    """Return a caption for one blend of a series."""
    used = [one for one in ingredients if one.share]
    if len(used) == 1:
        return used[0].name
    return " · ".join(f"{100 * one.share:.0f} % {one.name}" for one in used)

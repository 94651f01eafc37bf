"""From the active region and the settings to requests in the queue."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.colour_match import OFF, ColourMatch, colour_match
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import QUICK, get_preset
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.requests import generate_request, source_of, tiles_of
from napari_pixcell.engine.start_image import MAX_FEATHER
from napari_pixcell.engine.sweep import Axis, Sweep
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.cells.layouts import Layouts
from napari_pixcell.studio.generation.grids import Grids
from napari_pixcell.studio.generation.job import Job
from napari_pixcell.studio.generation.queue import JobQueue
from napari_pixcell.studio.generation.target import Start, Target
from napari_pixcell.studio.generation.timing import MOST_TILES, Live
from napari_pixcell.studio.models import InstalledModels
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.geometry import tiles_text
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.results.export import Exporter
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.settings import NOTHING, SHOWN, Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.styles.ingredients import Ingredient, blended
from napari_pixcell.studio.styles.styles import RegionStyles
from napari_pixcell.words import duration

SECTION = "generate"
SAME = "These variants exist already. Unlock the seed, or change the style, layout or settings."
START_SETTINGS = ("start_from", "strength", "only_part")


@dataclass(frozen=True, kw_only=True)
class Captured:
    """What a generation of a region needs, by value."""

    request: GenerateRequest  # without layout and start
    target: Target
    start: Start | None
    layout: NDArray[Any] | None  # label image, (height, width)

    def is_like(self, other: Captured) -> bool:
        """Return True if another one makes the same pictures; neither starts from one."""
        layouts = self.layout, other.layout
        if layouts[0] is None or layouts[1] is None:
            return self.request == other.request and layouts[0] is layouts[1]
        return self.request == other.request and np.array_equal(layouts[0], layouts[1])


@dataclass(frozen=True)
class Asked:
    """What was generated last in a region, and the number of its job."""

    captured: Captured
    job: int


@dataclass(eq=False)
class Generator:
    """Generates variants of the active region: single jobs, grids, series and live pictures."""

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
        self.live = Live()  # decides when a live picture is due
        self._last_seed: int | None = None
        self._asked: dict[int, Asked] = {}  # by region
        for name in ("seed", "guidance", "layout_strength", "layout_until", *START_SETTINGS):
            getattr(self.settings.events, name).connect(self.live.touched, max_args=0)
        self.layouts.changed.connect(self.live.touched, max_args=0)
        self.styles.changed.connect(self.live.touched)

    def why_not(self) -> str:
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
        if get_preset(self.settings.preset).published and self.settings.start_from != NOTHING:
            return "As published starts from noise"
        return why_no_start(self.settings, item, self._shown(item))

    def start_words(self) -> str:
        return start_words(self.settings)

    def where_words(self) -> str:
        """Return which part of the picture the next generation changes, to end a sentence."""
        part = self.settings.start_from != NOTHING and self.settings.only_part
        return " in the marked area" if part else ""

    @property
    def with_layout(self) -> bool:
        active = self.regions.active
        return self.settings.takes_layout and active is not None and active.layout is not None

    def why_no_repair(self) -> str:
        """Return why the active region's nuclei cannot be repaired; empty if they can."""
        item = self.regions.active
        if item is not None and tiles_of(item.size, self.settings.model) > 1:
            return "Repair works on regions of one tile"
        return ""

    def _shown(self, item: RegionItem) -> Result | None:
        return self.gallery.shown_in(item.number)

    # -- queueing --------------------------------------------------------------------------

    def generate(self) -> None:
        """Queue variants of the active region; they land there whatever is active later."""
        item = self.regions.active
        if self.why_not() or item is None:
            return
        self.notices.say(SECTION, "")
        with self.notices.reporting(SECTION):
            self._roll()
            captured = self.capture(item)
            if self._is_same(captured):
                self.notices.note(SECTION, SAME)
                return
            job = self._enqueue(captured, previews=self.settings.previews)
            layout = captured.layout  # the user goes on to paint in it
            kept = replace(captured, layout=None if layout is None else layout.copy())
            self._asked[item.number] = Asked(kept, job.number)

    def _roll(self) -> None:
        """Draw a new seed if the one shown was used and is not kept."""
        if self.settings.seed == self._last_seed and not self.settings.keep_seed:
            self.settings.new_seed()
        self._last_seed = self.settings.seed

    def _is_same(self, captured: Captured) -> bool:
        """Return True if a region's last variants are all there, and were asked for in this way."""
        asked = self._asked.get(captured.target.number)
        if asked is None or captured.start is not None:
            return False
        made = sum(result.job == asked.job for result in self.gallery.results)
        return made == captured.request.count and asked.captured.is_like(captured)

    def generate_grid(self) -> None:
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
            steps, known = self.styles.series(item, count)
            setting = self.settings.colour_setting
            sources = [(source, colour_match(setting, colours)) for source, colours in known]
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

    def _enqueue(self, captured: Captured, live: bool = False, previews: bool = True) -> Job:
        return self.queue.add(
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
        sources: Sequence[tuple[tuple[tuple[str, float], ...], ColourMatch | None]] = (),
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
        settings, mpp, layout = self.settings, self.slides.current.mpp, self.with_layout
        request = generate_request(
            settings.model,
            settings.generation(layout),
            size=item.size,
            embedding=self.styles.embedding(item),
            classes=item.classes if layout else None,
            source=source_of(
                self.exporter.name,
                item.region,
                mpp,
                layout=item.layout_source if layout else None,
                style=self.styles.source(item),
            ),
            colour_match=colour_match(settings.colour_setting, self.styles.colours(item)),
        )
        if settings.repair and layout and not self.why_no_repair():
            request = replace(request, repair=settings.repairing)
        target = Target(
            item.number, item.name, item.slide, item.region, mpp, item.size, item.pixels
        )
        start = start_of(settings, item, self.slides.current, self._shown(item))
        return Captured(
            request=request, target=target, start=start, layout=item.layout if layout else None
        )

    def colours_words(self) -> str:
        """Return why the colours of the next variants cannot be matched; empty if they can."""
        item = self.regions.active
        if item is None or self.settings.colour_setting == OFF or self.why_not():
            return ""
        name = self.styles.without_colours(item)
        if not name:
            return ""
        return f"“{name}” holds no tissue colours. Save it again from its tissue to match them."

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
        self.live.on = on
        self.live.forget()
        if on:
            self.live.touched()
        else:
            self.queue.end_live()
        self.notices.changed.emit()

    def why_no_live(self) -> str:
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
            quick = replace(request, count=1, preset=QUICK.name, steps=steps, repair=None)
            self._enqueue(replace(captured, request=quick), live=True, previews=False)


def _label(ingredients: list[Ingredient]) -> str:
    used = [one for one in ingredients if one.share]
    if len(used) == 1:
        return used[0].name
    return " · ".join(f"{100 * one.share:.0f} % {one.name}" for one in used)


def why_no_start(settings: Settings, item: RegionItem, shown: Result | None) -> str:
    """Return why a region has nothing to start from as the settings ask; empty if it has.

    Parameters
    ----------
    settings : Settings
    item : RegionItem
        The region.
    shown : Result, optional
        Its variant that is shown.
    """
    if settings.start_from == NOTHING:
        return ""
    if settings.start_from == SHOWN and shown is None:
        return "Show a variant to start from"
    if settings.start_from == SHOWN and shown is not None:
        target = shown.target
        if target.region != item.region or target.size != item.size:
            return "The variant shown belongs to another position"
    if settings.only_part and (item.area is None or not item.area.any()):
        return "Mark an area first"
    return ""


def start_words(settings: Settings) -> str:
    """Return in one sentence what the selected strength keeps and changes; empty for no start."""
    if settings.start_from == NOTHING:
        return ""
    strength = settings.strength
    if strength == 0:
        return "Nothing changes: every pixel is kept."
    if strength < 0.25:
        return "Shapes and cells stay. Colours and fine texture change."
    if strength < 0.4:
        return "Most cells stay in position. Their appearance changes."
    if strength < 0.7:
        return "The rough arrangement stays. Most cells are new."
    if strength < 1:
        return "Little remains but light and dark."
    return "Nothing remains: style and layout alone decide."


def start_of(
    settings: Settings, item: RegionItem, slide: Any, shown: Result | None
) -> Start | None:
    """Capture what a region's next generation starts from, by value; None for nothing."""
    if settings.start_from == NOTHING:
        return None
    family = settings.model
    picture: Any = item.pixels
    if settings.start_from == SHOWN and shown is not None:
        picture = shown.image
    return Start(
        slide=slide,
        region=item.region,
        family=family,
        size=item.size,
        picture=picture,
        strength=settings.strength,
        area=item.area > 0 if settings.only_part and item.area is not None else None,
        feather=min(MAX_FEATHER, round(settings.feather_um / family.mpp)),
    )

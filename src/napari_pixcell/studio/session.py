"""One working session: a slide, its regions, and what was made from them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pixcell.engine.presets import QUICK
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.engine.styles.cache import EmbeddingCache
from napari_pixcell.engine.sweep import Axis, Sweep
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.store import missing
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.cells.segmenter import Segmenter
from napari_pixcell.studio.datasets.datasets import Datasets
from napari_pixcell.studio.generation.grids import Grids
from napari_pixcell.studio.generation.live import MOST_TILES, Live
from napari_pixcell.studio.generation.pace import duration
from napari_pixcell.studio.generation.queue import Generation
from napari_pixcell.studio.generation.start import (
    NOTHING,
    START_SETTINGS,
    beginning,
    why_no_start,
    words,
)
from napari_pixcell.studio.measure_actions import MeasureActions
from napari_pixcell.studio.measures import Measures
from napari_pixcell.studio.regions.item import NO_STYLE, RegionItem, tiles_of, tiles_text
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Client, Result, Target
from napari_pixcell.studio.results.saving_pictures import ResultActions
from napari_pixcell.studio.saving.restoring import SavingActions
from napari_pixcell.studio.saving.saver import Saver
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.similar import SimilarTissue
from napari_pixcell.studio.stains.staining import Staining
from napari_pixcell.studio.stains.training import StainTeaching
from napari_pixcell.studio.styles.embedder import Embedder

if TYPE_CHECKING:
    from napari_pixcell.studio.model_manager import Shelf


class Session(SavingActions, MeasureActions, ResultActions):
    """The state of the studio, without Qt.

    Every method returns at once; what takes time comes back through :meth:`pump`, which the
    owner of the main thread calls. Nothing raises for what a user did: the sentence lands in
    :attr:`problems`, under the name of the section it belongs to.

    Parameters
    ----------
    client : Client
        Who runs the requests.
    cache : EmbeddingCache, optional
        Where embeddings are kept; the user's own by default.

    Attributes
    ----------
    changed : Signal
        Anything the dock shows.
    regions_changed : Signal
        Regions were added, removed, moved or activated.
    layout_changed : Signal(RegionItem)
        A region has another layout, or none.
    """

    def __init__(self, client: Client, cache: EmbeddingCache | None = None) -> None:
        super().__init__()
        self.client = client
        self.background = Background()
        self.settings = Settings()
        self.export_name = ""
        self.exporting = False
        self.embedder = Embedder(client, self.background, cache or EmbeddingCache())
        self.gallery = Gallery(self.background, self)
        self.generation = Generation(client, self.background, self.gallery, self.say)
        self.grids = Grids(self.generation, self.gallery, self.background)
        self.live = Live()
        self.segmenter = Segmenter(client, self.background, self.changed.emit)
        self.similar = SimilarTissue(client, self.background, self.embedder.cache, self.say)
        self.measures = Measures(self.background, self)
        self.staining = Staining(self)
        self.datasets = Datasets(self)
        self.teaching = StainTeaching(self)
        self.saver = Saver(self)
        self._shelf: Shelf | None = None
        self.settings.events.family.connect(self.check_model)
        self.settings.events.segment_method.connect(self.check_segmenter)
        self.settings.events.segment_model.connect(self.check_segmenter)
        # Bound methods are held weakly: settings would keep a session for ever otherwise.
        self.settings.events.connect(self._set)
        self.datasets.choice.events.connect(self._set)
        for name in ("seed", "guidance", "layout_strength", "layout_until", *START_SETTINGS):
            getattr(self.settings.events, name).connect(self.live.touched, max_args=0)
        self.layout_changed.connect(self.live.touched, max_args=0)
        self.style_changed.connect(self.live.touched)
        self.generation.changed.connect(self.changed.emit)
        self.gallery.changed.connect(self.changed.emit)
        self.embedder.changed.connect(self.changed.emit)
        self.similar.changed.connect(self.changed.emit)
        self.measures.changed.connect(self.changed.emit)
        self.regions_changed.connect(self.follow_similar)
        self.look_for_styles()

    def _set(self, *_: object) -> None:
        self.changed.emit()

    # -- slide ---------------------------------------------------------------------------

    def set_slide(self, slide: Any, key: str = "") -> None:
        """Work on ``slide``; regions of other slides keep waiting for theirs."""
        if self.slide is not None:
            self.slide.corrupt.found.disconnect(self._found_corrupt, missing_ok=True)
        if slide is not None:
            slide.corrupt.found.connect(self._found_corrupt)
        self.slide = slide
        self.slide_key = (key or slide.name) if slide is not None else ""
        self.export_name = slide.short_name if slide is not None else ""
        self.problems.pop("slide", None)
        if slide is not None:
            self.embedder.measure()
        self._fit_regions()
        self.saver.look_at_slide()
        self.regions_changed.emit()
        self.changed.emit()

    def _found_corrupt(self) -> None:
        self.background.post(self.changed.emit)  # whoever read the tile, in whatever thread

    def corrupt_note(self) -> str:
        """Say that the active region, or else the slide, has corrupt tiles; empty without any."""
        if self.slide is None:
            return ""
        here = self.slide.corrupt_note(self.active.region) if self.active is not None else ""
        return here or self.slide.corrupt_note()

    # -- model ---------------------------------------------------------------------------

    @property
    def shelf(self) -> Shelf:
        """Which models are here, and getting the others; made when first asked for."""
        if self._shelf is None:
            from napari_pixcell.studio.model_manager import Shelf  # brings the hub's client

            self._shelf = Shelf(self.background, self._check_installed)
        return self._shelf

    def _check_installed(self) -> None:
        self.check_model()
        self.check_segmenter()

    def check_model(self, *_: object) -> None:
        """See what of the chosen family is missing here, and fit the regions to its tile."""
        self._encoders.clear()
        self.staining.forget_missing()
        self.not_here = [part.hub_id or part.kind for part in missing(self.settings.model)]
        self._fit_regions()
        self.changed.emit()

    # -- generate ------------------------------------------------------------------------

    def why_not(self) -> str:
        """Say why nothing can be generated now; empty if it can."""
        item = self.active
        if self.slide is None:
            return "Open a slide first"
        if self.slide.mpp is None:
            return "Set the pixel size first"
        if self.not_here:
            return f"{self.settings.model.title} is not installed"
        if item is None:
            return "Add a region first"
        if item.family != self.settings.family:
            return "The slide is too small for this model"
        if words := self.why_no_style(item):
            return words
        if item.layout_busy:
            return "Segmenting nuclei…"
        if self.takes_layout and item.layout is not None and not item.cells:
            return "The layout has no cells: paint some"
        return why_no_start(self.settings, item, self.shown_of(item))

    def start_words(self) -> str:
        """Say what comes of the start that is chosen; empty without one."""
        return words(self.settings)

    def where_words(self) -> str:
        """Say where the next generation changes the picture, to end a sentence."""
        part = self.settings.start_from != NOTHING and self.settings.only_part
        return " in the marked part" if part else ""

    def shown_of(self, item: RegionItem) -> Result | None:
        """Give the variant of a region that is seen."""
        return next((r for r in self.gallery.of_region(item.number) if r.shown), None)

    @property
    def takes_layout(self) -> bool:
        """Whether the chosen family can put cells in their places."""
        return self.settings.model.takes_layout

    @property
    def with_layout(self) -> bool:
        """Whether the active region's cells will be put in their places."""
        return self.takes_layout and self.active is not None and self.active.layout is not None

    def generate(self) -> None:
        """Queue variants of the active region; they land there whatever is chosen later."""
        item = self.active
        if self.why_not() or item is None:
            return
        self.problems.pop("generate", None)
        with self.reporting("generate"):
            request, place = self._asked(item)
            layout = item.layout if self.with_layout else None
            self.generation.queue(request, place, layout, previews=self.settings.previews)

    @property
    def blended(self) -> bool:
        """Whether the active region's style is a blend, which a grid can go through."""
        return self.active is not None and len(self.active.style.parts) > 1

    def grid_sweep(self) -> Sweep:
        """Give the grid that the settings ask for; its styles are numbers until they are made.

        Raises
        ------
        PixCellError
            If something is no list of numbers, or there would be too many pictures.
        """
        settings = self.settings
        written = (
            ("guidance", settings.grid_guidance),
            ("layout_strength", settings.grid_layout if self.with_layout else ""),
            ("strength", settings.grid_strength if settings.start_from != NOTHING else ""),
            ("steps", settings.grid_steps),
        )
        axes = []
        if self.blended and settings.grid_styles > 1:
            steps = tuple(range(settings.grid_styles))
            axes.append(Axis("embedding", steps, tuple(map(str, steps))))
        axes.append(Axis.seeds(settings.seed, settings.grid_seeds))
        axes += [Axis.numbers(name, text) for name, text in written if text.strip()]
        return Sweep(tuple(axes))

    def generate_grid(self) -> None:
        """Queue a grid of settings on the active region, as one job."""
        item = self.active
        if self.why_not() or item is None:
            return
        with self.reporting("generate"):
            sweep = self.grid_sweep()
            if sweep.axes[0].name == "embedding":
                self.generate_series(self.settings.grid_styles, sweep.axes[1:])
                return
            base, place = self._asked(item)
            layout = item.layout if self.with_layout else None
            self.grids.queue(sweep, base, place, layout, self.settings.previews)

    def set_live(self, on: bool) -> None:
        """Switch the live picture on or off."""
        self.live.on = on
        self.live.forget()
        if on:
            self.live.touched()
        else:
            self.generation.end_live()
        self.changed.emit()

    def why_no_live(self) -> str:
        """Say why there is no live picture of the active region; empty if there can be one."""
        item = self.active
        if item is not None and tiles_of(item.size, self.settings.model) > MOST_TILES:
            return f"Live pictures are for regions of at most {MOST_TILES} tiles"
        return self.why_not()

    def _make_live(self) -> None:
        self.layout_wanted.emit()  # what is painted by now
        item = self.active
        if item is None or self.why_no_live():
            return
        with self.reporting("generate"):
            request, place = self._asked(item)
            steps = QUICK.steps_of(self.settings.model.steps)
            quick = replace(request, count=1, preset=QUICK.name, steps=min(steps, request.steps))
            layout = item.layout if self.with_layout else None
            self.generation.queue(quick, place, layout, live=True, previews=False)

    def go_on(self) -> None:
        """Go on with the canvas that was stopped, whatever the settings are by now."""
        self.generation.go_on()

    def _asked(self, item: RegionItem) -> tuple[GenerateRequest, Target]:
        """Give the request for a region, but for its layout, and where it lands."""
        mpp = self.slide.mpp
        start = beginning(self.settings, item, self.slide, self.shown_of(item))
        place = Target(
            item.number, item.name, item.slide, item.region, mpp, item.size, item.pixels, start
        )
        request = self.generation.request(
            self.settings,
            place,
            self.style_embedding(item),
            self.with_layout,
            self.export_name,
            item.layout_source,
        )
        source = replace(request.source, style=self.style_source(item))
        return replace(request, source=source), place

    def outlook(self) -> str:
        """Say what the next generation will be, and how long it may take, if that is known.

        Empty for one tile of which nothing is known yet.
        """
        item, text = self.active, ""
        if item is None or self.why_not():
            return text
        tiles = tiles_of(item.size, self.settings.model)
        if tiles > 1:
            height, width = item.size
            text = f"{width} × {height} px, {tiles_text(tiles)}"
        with contextlib.suppress(PixCellError):  # said when it is asked for
            request, place = self._asked(item)
            seconds = self.generation.paces.expect(request, self.with_layout)
            if seconds is not None and place.start is not None:
                seconds *= place.start.share
            if seconds is not None and seconds >= 2:
                text += f"{' · a' if text else 'A'}bout {duration(seconds)}"
        return text

    def cancel(self) -> None:
        """Stop what runs: the generation, else the embedding, the making of cells, the search."""
        if self.generation.current is not None:
            self.generation.cancel()
        elif self.staining.asked:
            self.staining.cancel()
        elif self.embedding_style:
            self.cancel_embedding()
        elif self.similar.job is not None:
            self.similar.stop()
        elif self.teaching.job is not None:
            self.teaching.cancel()
        elif self.inventing:
            self.cancel_inventing()
        else:
            self.cancel_segmenting()

    def free_memory(self) -> None:
        """End the worker process; the next request starts a new one."""
        self.background.talk(self.client.restart)
        self.segmenter.forget()
        self.note("slide", "Memory was given back; the next request loads the model again.")

    # -- export --------------------------------------------------------------------------

    def export(self, folder: Path) -> None:
        """Write the kept variants, or else all of them, as image–mask pairs."""
        from napari_pixcell.studio.results.export import write_pairs

        results, name = self.gallery.to_export(), self.export_name.strip() or "slide"
        self.exporting = True
        self.say("export", "")

        def done(rows: list[dict[str, Any]]) -> None:
            self.exporting = False
            masks = sum(1 for row in rows if row.get("mask"))
            self.note("export", f"Wrote {len(rows)} images and {masks} masks to {folder}")

        def failed(message: str) -> None:
            self.exporting = False
            self.say("export", message)

        self.background.compute(lambda: write_pairs(results, folder, name), done, failed)

    # -- time -------------------------------------------------------------------------------

    def pump(self) -> bool:
        """Take in what came from threads and worker; call it often, in the main thread."""
        came = self.background.pump()
        self.generation.flush()
        if self.live.due():
            self._make_live()
        self.saver.tick()
        return came

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        items = self._items.values()
        return (
            self.background.busy
            or self.generation.current is not None
            or self.similar.job is not None
            or bool(self.styles_coming)
            or bool(self.staining.asked)
            or self.teaching.job is not None
            or any(item.embedding_busy or item.layout_busy for item in items)
            or any(item.search is not None and item.search.job is not None for item in items)
        )

    def wait(self, seconds: float = 60, until: Callable[[], bool] | None = None) -> None:
        """Pump until nothing is under way, or ``until`` holds; for scripts and tests."""
        end = time.monotonic() + seconds
        while self.busy if until is None else not until():
            if time.monotonic() > end:
                raise TimeoutError(f"still busy after {seconds} s")
            if not self.pump():
                time.sleep(0.01)
        self.pump()

    def close(self) -> None:
        """Save, and end the worker; nothing can be asked afterwards."""
        self.saver.close()
        self.cancel_inventing()
        self.background.close()
        self.gallery.close()
        self.client.close()


__all__ = ["NO_STYLE", "Session"]

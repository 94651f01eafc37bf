"""One working session: a slide, its regions, and what was made from them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.engine.embedding_cache import EmbeddingCache
from napari_pixcell.engine.events import Embedding, Event, Failure, is_last
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import get_family
from napari_pixcell.models.store import missing
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.embedding import Embedder
from napari_pixcell.studio.generation import Generation
from napari_pixcell.studio.layouts import LayoutActions
from napari_pixcell.studio.regions import NO_STYLE, RegionItem, snap
from napari_pixcell.studio.results import Client, Result, Target
from napari_pixcell.studio.segmenting import Segmenter
from napari_pixcell.studio.settings import Settings

if TYPE_CHECKING:
    from napari_pixcell.studio.shelf import Shelf


class Session(LayoutActions):
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

    regions_changed = Signal()

    def __init__(self, client: Client, cache: EmbeddingCache | None = None) -> None:
        super().__init__()
        self.client = client
        self.background = Background()
        self.settings = Settings()
        self.slide: Any = None
        self.slide_key = ""
        self.export_name = ""
        self.exporting = False
        self._items: dict[int, RegionItem] = {}
        self._active: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self.embedder = Embedder(client, self.background, cache or EmbeddingCache())
        self.generation = Generation(client, self.background, self.say)
        self.segmenter = Segmenter(client, self.background, self.changed.emit)
        self.not_here: list[str] = []
        self._shelf: Shelf | None = None
        self.settings.events.family.connect(self.check_model)
        self.settings.events.segment_method.connect(self.check_segmenter)
        self.settings.events.segment_model.connect(self.check_segmenter)
        self.settings.events.connect(lambda *_: self.changed.emit(), check_nargs=False)
        self.generation.changed.connect(self.changed.emit)
        self.embedder.changed.connect(self.changed.emit)

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
            from napari_pixcell.studio.shelf import Shelf  # brings the hub's client

            self._shelf = Shelf(self.background, self._check_installed)
        return self._shelf

    def _check_installed(self) -> None:
        self.check_model()
        self.check_segmenter()

    def check_model(self, *_: object) -> None:
        """See what of the chosen family is missing here, and fit the regions to its tile."""
        self.not_here = [part.hub_id or part.kind for part in missing(self.settings.model)]
        self._fit_regions()
        self.changed.emit()

    def _fit_regions(self) -> None:
        """Give the current slide's regions the tile, and soon the embedding, of the family."""
        if not self.ready:
            return
        model, changed = self.settings.model, False
        self.problems.pop("region", None)
        for item in self.regions:
            if item.family == model.name:
                if item.embedding is None and not (item.embedding_busy or self.not_here):
                    self.embed(item.number)  # the model came after the region
                continue
            with self.reporting("region"):
                place = self._snapped(item.region)
                changed = True
                self.change_tile(item, get_family(item.family).tile, model.tile)
                item.family, item.region = model.name, place
                item.pixels, item.embedding, item.embedding_busy = None, None, False
                if not self.not_here:
                    self.embed(item.number)
        if changed:
            self.regions_changed.emit()

    @property
    def ready(self) -> bool:
        """Whether there is a slide whose pixel size is known."""
        return self.slide is not None and self.slide.mpp is not None

    # -- regions -------------------------------------------------------------------------

    @property
    def regions(self) -> list[RegionItem]:
        """Regions of the current slide, oldest first."""
        return [item for item in self._items.values() if item.slide == self.slide_key]

    @property
    def active(self) -> RegionItem | None:
        """The region that everything below the Region section is about."""
        return self._items.get(self._active.get(self.slide_key, 0))

    def item(self, number: int) -> RegionItem | None:
        """Look a region up by its number."""
        return self._items.get(number)

    def activate(self, number: int) -> None:
        """Choose a region of the current slide."""
        if number in self._items and self._active.get(self.slide_key) != number:
            self._active[self.slide_key] = number
            self.regions_changed.emit()
            self.changed.emit()

    def add_region(self, centre: tuple[float, float]) -> RegionItem | None:
        """Add a tile-sized region about ``centre`` (x, y), in level-0 pixels, and embed it."""
        with self.reporting("region"):
            place = self._snapped(Region(*centre, 0, 0))
            number = next(self._numbers)
            name = f"Region {number}"
            family = self.settings.family
            item = RegionItem(number, name, self.slide_key, place, number, family)
            self._items[number] = item
            self._active[self.slide_key] = number
            self.regions_changed.emit()
            self.changed.emit()
            if not self.not_here:
                self.embed(number)
            return item
        return None

    def move_region(self, number: int, region: Region, embed: bool = True) -> None:
        """Put a region where ``region`` has its centre; its embedding is made anew."""
        item = self._items[number]
        with self.reporting("region"):
            place = self._snapped(region)
            if place != item.region:
                item.region, item.pixels, item.embedding = place, None, None
                if item.layout_origin.startswith("segmented") and "moved" not in item.layout_origin:
                    item.layout_origin += " before the region was moved"
                item.embedding_busy = True  # or soon: a drag waits for its end
                if embed:
                    self.embed(number)
        self.regions_changed.emit()
        self.changed.emit()

    def rename_region(self, number: int, name: str) -> None:
        """Call a region something else."""
        self._items[number].name = name.strip() or self._items[number].name
        self.regions_changed.emit()
        self.changed.emit()

    def remove_region(self, number: int) -> None:
        """Forget a region with its style and layout; its results stay."""
        item = self._items.pop(number, None)
        if item is None:
            return
        item.layout = None
        if item.layout_job is not None:
            self.segmenter.cancel(item.layout_job)
        self.layout_changed.emit(item)
        for other in self._items.values():
            if other.style_of == number:
                other.style_of = other.number
        left = self.regions
        self._active[self.slide_key] = left[-1].number if left else 0
        self.regions_changed.emit()
        self.changed.emit()

    def _snapped(self, region: Region) -> Region:
        if self.slide is None:
            raise PixCellError("There is no slide yet; open one first.")
        if self.slide.mpp is None:
            raise PixCellError("The pixel size is not known yet; set it in the Slide section.")
        return snap(region, self.slide.shape, self.slide.mpp, self.settings.model)

    # -- style ---------------------------------------------------------------------------

    def set_style(self, number: int) -> None:
        """Let the active region take the style of region ``number``, or ``NO_STYLE``."""
        if self.active is not None:
            self.active.style_of = number
            self.changed.emit()

    def style_item(self) -> RegionItem | None:
        """Give the region whose embedding is the style of the active one."""
        return self._items.get(self.active.style_of) if self.active is not None else None

    def embed(self, number: int) -> None:
        """Read a region and give it its embedding: the stored one, or a computed one."""
        item, family = self._items[number], self.settings.model
        place = item.region
        item.embedding_busy, item.embedding = True, None
        self.say("style", "")

        def current() -> bool:
            return item.region == place and item.family == family.name

        def on_pixels(pixels: NDArray[np.uint8]) -> None:
            if current():
                item.pixels = pixels
                self.changed.emit()

        def failed(message: str) -> None:
            if current():
                item.embedding_busy = False
                self.say("style", message)

        def on_event(event: Event, stored: bool) -> None:
            if not current():
                return  # it was moved meanwhile; another embedding is under way
            if isinstance(event, Embedding):
                item.embedding = PackedArray.pack(event.values)
                item.embedding_stored = stored
            if isinstance(event, Failure):
                self.problems["style"] = event.message
            if is_last(event):
                item.embedding_busy = False
                self.changed.emit()

        self.embedder.embed(self.slide, place, family, on_pixels, on_event, failed)

    def forget_styles(self) -> None:
        """Remove the styles stored on disk; those of the regions stay as they are."""

        def done(left: int) -> None:
            for item in self._items.values():
                item.embedding_stored = False
            if left:
                self.say("style", "Not all stored styles could be removed; check the cache folder.")
            else:
                self.note("style", "Stored styles were forgotten.")

        self.embedder.clear(done)

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
        style = self.style_item()
        if style is not None and style.embedding is None:
            return f"Embedding {style.name}…" if style.embedding_busy else "No style yet: embed it"
        if item.layout_busy:
            return "Segmenting nuclei…"
        if self.takes_layout and item.layout is not None and not item.cells:
            return "The layout has no cells: paint some"
        return ""

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
        place = Target(item.number, item.name, item.slide, item.region, self.slide.mpp, item.pixels)
        style = self.style_item()
        self.problems.pop("generate", None)
        with self.reporting("generate"):
            self.generation.queue(
                self.settings,
                place,
                style.embedding if style is not None else None,
                item.layout if self.with_layout else None,
                self.export_name,
                item.layout_source if self.with_layout else None,
            )

    def cancel(self) -> None:
        """Stop the running generation within one step, or else the search for cells."""
        if self.generation.current is not None:
            self.generation.cancel()
        else:
            self.cancel_segmenting()

    def free_memory(self) -> None:
        """End the worker process; the next request starts a new one."""
        self.background.talk(self.client.restart)
        self.note("slide", "Memory was given back; the next request loads the model again.")

    # -- export --------------------------------------------------------------------------

    def export(self, folder: Path) -> None:
        """Write every result as an image–mask pair."""
        from napari_pixcell.studio.export import write_pairs

        results, name = list(self.generation.results), self.export_name.strip() or "slide"
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
        return came

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        items = self._items.values()
        return (
            self.background.busy
            or self.generation.current is not None
            or any(item.embedding_busy or item.layout_busy for item in items)
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

    def results_of(self, number: int) -> Iterator[Result]:
        """Results of a region, oldest first."""
        return (r for r in self.generation.results if r.target.number == number)

    def close(self) -> None:
        """End the worker; nothing can be asked afterwards."""
        self.background.close()
        self.client.close()


__all__ = ["NO_STYLE", "Session"]

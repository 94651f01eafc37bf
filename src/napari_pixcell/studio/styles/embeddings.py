"""The embedding of each region: computed when it is drawn, moved or fitted to another family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.models import InstalledModels
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.styles.embedder import Embedder, EmbedTask

SECTION = "style"


@dataclass(eq=False)
class RegionEmbeddings:
    """Keeps the embeddings of regions up to date."""

    slides: Slides
    regions: Regions
    models: InstalledModels
    settings: Settings
    embedder: Embedder
    notices: Notices

    def __post_init__(self) -> None:
        self.regions.added.connect(self._added)
        self.regions.moved.connect(self._moved)
        self.regions.refitted.connect(self._refitted)
        self.regions.fitted.connect(self._embed_missing)
        self.regions.removed.connect(self.forget)
        self.slides.changed.connect(self._slide_changed)

    def embed(self, number: int) -> None:
        """Read a region and set its embedding: the cached one, or a computed one."""
        item, family = self.regions.items[number], self.settings.model
        self.forget(item)
        self.notices.say(SECTION, "", number)
        if item.slide != self.slides.key:
            return  # the slide was changed meanwhile; it is embedded when that is open again
        region = item.region

        def on_pixels(pixels: NDArray[np.uint8]) -> None:
            if item.region == region and item.family == family.name:
                item.pixels = pixels
                self.notices.changed.emit()

        if not self.models.embeds:  # the tissue is still compared with variants
            tissue = Tissue(self.slides.current, region, family)
            self._read(tissue, on_pixels, number)
            return
        item.embedding_busy = True

        def on_colours(colours: TissueColours) -> None:
            if item.embedding_job is task:
                item.colours = colours

        def on_style(style: PackedArray, stored: bool) -> None:
            if item.embedding_job is task:  # else it was moved, or another one is under way
                item.embedding, item.embedding_stored = style, stored

        def on_end(ended: EmbedTask) -> None:
            if item.embedding_job is ended:
                item.embedding_busy, item.embedding_job = False, None
                if ended.problem:
                    self.notices.say(SECTION, ended.problem, number)
                self.notices.changed.emit()

        task = self.embedder.embed(
            self.slides.current,
            region,
            family,
            on_pixels=on_pixels,
            on_style=on_style,
            on_end=on_end,
            on_colours=on_colours,
        )
        item.embedding_job = task

    def _read(self, tissue: Tissue, take: Callable[[NDArray[np.uint8]], None], number: int) -> None:
        """Read the tissue of a region that is not embedded, unless it is very large."""

        def failed(problem: str) -> None:
            self.notices.say(SECTION, problem, number)

        if not tissue.large:
            work = self.embedder.background.compute
            work(lambda: tissue.cut(tissue.read()), take, failed)

    def forget(self, item: RegionItem) -> None:
        """Drop what belongs to the former position of a region."""
        job, item.embedding_job = item.embedding_job, None
        self.embedder.tasks.drop(job)
        item.pixels, item.embedding, item.colours = None, None, None
        item.embedding_busy = False

    def clear_cache(self) -> None:
        """Remove computed embeddings from the cache; saved styles, and the regions', stay."""

        def done(left: int) -> None:
            for item in self.regions.items.values():
                item.embedding_stored = False
            if left:
                self.notices.say(
                    SECTION, "Some cached embeddings could not be removed. Check the cache folder."
                )
            else:
                self.notices.note(SECTION, "The embedding cache was cleared. Saved styles stay.")

        self.embedder.clear(done)

    def _slide_changed(self) -> None:
        if self.slides.current is not None:
            self.embedder.measure()

    def _added(self, item: RegionItem) -> None:
        if not self.models.missing:
            self.embed(item.number)

    def _moved(self, item: RegionItem, _before: Region, settled: bool) -> None:
        self.forget(item)
        item.embedding_busy = self.models.embeds  # or soon: a drag waits for its end
        if settled:
            self.embed(item.number)

    def _refitted(self, item: RegionItem, _before: tuple[int, int]) -> None:
        self.forget(item)

    def _embed_missing(self) -> None:
        """Embed regions drawn before the model was installed, for example."""
        for item in self.regions.current:
            fitted = item.family == self.settings.family and not self.models.missing
            known = item.embedding if self.models.embeds else item.pixels
            if fitted and known is None and not item.embedding_busy:
                self.embed(item.number)

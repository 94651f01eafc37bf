"""What a user does next, from a slide to variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_pixcell.studio.cells.layouts import Layouts
from napari_pixcell.studio.cells.segmentation import Segmentation
from napari_pixcell.studio.generation.generator import Generator
from napari_pixcell.studio.generation.queue import JobQueue
from napari_pixcell.studio.models import InstalledModels
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.settings import NOTHING, Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.words import counted

Kind = Literal["open", "pixel size", "model", "region", "cells", "generate"]
CELLS, BUSY = "Find the cells", "Finding the cells…"


@dataclass(frozen=True)
class NextStep:
    """A step of the way, as a button shows it."""

    kind: Kind
    words: str
    why_not: str = ""  # why it cannot be taken now


@dataclass(eq=False)
class Guide:
    """Knows the next step."""

    slides: Slides
    settings: Settings
    models: InstalledModels
    regions: Regions
    layouts: Layouts
    segmentation: Segmentation
    gallery: Gallery
    queue: JobQueue
    generator: Generator

    def step(self) -> NextStep:
        """Return the next step on the current slide."""
        if self.slides.current is None:
            opening = self.slides.opening
            words = f"Opening {opening}…" if opening else "Open a slide…"
            return NextStep("open", words, "The slide is being opened" if opening else "")
        if not self.slides.ready:
            return NextStep("pixel size", "Set the pixel size")
        if self.models.missing:
            return NextStep("model", f"Get {self.settings.model.title}…")
        item = self.regions.active
        if item is None:
            return NextStep("region", "Add a region here", self.regions.why_not())
        if self._wants_cells(item):
            reason = self.layouts.why_no_cells() or self.segmentation.problem
            return NextStep("cells", BUSY if item.layout_busy else CELLS, reason)
        return NextStep("generate", self.generate_words(), self.generator.why_not())

    def generate_words(self) -> str:
        """Return what a generation would make, or why it cannot."""
        verb = "Generate" if self.queue.current is None else "Queue"
        variants = counted(self.settings.count, "variant")
        reason = self.generator.why_not()
        return reason or f"{verb} {variants}{self.generator.where_words()}"

    def _wants_cells(self, item: RegionItem) -> bool:
        """Return True for a region that nothing was made of or drawn in yet."""
        if not self.settings.takes_layout or self.settings.start_from != NOTHING:
            return False
        if item.layout_busy or item.layout is not None:
            return item.layout_busy
        targets = (job.target for job in (*self.queue.jobs, *self.queue.ended))
        asked = any(target is not None and target.number == item.number for target in targets)
        return not asked and not any(self.gallery.of_region(item.number))

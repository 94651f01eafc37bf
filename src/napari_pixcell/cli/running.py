"""How a command runs requests: one engine, progress on a terminal, results into a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.events import Embedding, Event, Preview, Progress, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import EmbedRequest, GenerateRequest, Request
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide
from napari_pixcell.slides.stored_picture import StoredPicture

Result = dict[str, Any]


def say_corrupt(slide: Slide, region: Region) -> None:
    """Tell of corrupt tiles in a region."""
    note = slide.corrupt_note(region)
    if note:
        print(note, file=sys.stderr)


def style_of(
    slide: Slide, region: Region, family: Family, anew: bool
) -> tuple[NDArray[np.float32], bool]:
    """Give the embedding of a region, and whether it was stored; ``anew`` uses no store."""
    from napari_pixcell.engine.styles.cache import EmbeddingCache, embedding_key

    tissue, pixels = Tissue(slide, region, family), None
    if anew:
        return run_embed(tissue).values, False
    cache, key = EmbeddingCache(), embedding_key(slide, region, family)
    if key is None and not tissue.large:  # only pixels can tell
        pixels = tissue.read()
        key = embedding_key(slide, region, family, pixels)
    values = cache.get(key)
    if values is not None:
        return values, True
    event = run_embed(tissue, pixels)
    cache.keep(key, event)
    return event.values, False


def run_embed(tissue: Tissue, pixels: NDArray[np.uint8] | None = None) -> Embedding:
    """Embed a region, read already or not; a large one band by band."""
    found = []
    for first, stop in tissue.bands():
        part = tissue.read(first, stop) if pixels is None else pixels
        request = EmbedRequest(tissue.family.name, PackedArray.pack(part))
        events = collect(engine().run, request)
        found.append(next(e for e in events if isinstance(e, Embedding)))
    if len(found) == 1:
        return found[0]
    columns = tissue.cells[1]
    parts = [one.values.reshape(-1, columns, one.values.shape[-1]) for one in found]
    return Embedding(np.concatenate(parts), found[0].encoder)


def write_variants(request: GenerateRequest, out: Path) -> Result:
    """Run a request, and write its variants into a folder."""
    return write_all([request], out)


def write_all(requests: list[GenerateRequest], out: Path) -> Result:
    """Run requests, and write all variants into a folder."""
    export = Export(out)
    for request in requests:
        collect(engine().run, request, export.take)
    return export.result()


class Export:
    """Writes variants to a folder as they come: what is made is kept, whatever comes next."""

    def __init__(self, out: Path) -> None:
        from napari_pixcell.datasets import PairWriter

        self.out, self.writer = out, PairWriter(out)
        self.rows: list[dict[str, Any]] = []
        self.seeds: list[int] = []

    def take(self, variant: Variant) -> None:
        """Write one."""
        layout = variant.record.request.layout
        labels = layout.unpack() if layout is not None else None
        self.rows.append(self.writer.write(variant.image, labels, variant.record))
        self.seeds.append(variant.record.request.seed)
        if isinstance(variant.image, StoredPicture):
            variant.image.delete()

    def result(self) -> Result:
        """Say what was written."""
        return {
            "folder": str(self.out),
            "images": [row["image"] for row in self.rows],
            "masks": [row["mask"] for row in self.rows],
            "seeds": self.seeds,
        }


def collect(
    run: Callable[..., None], request: Request, take: Callable[[Variant], None] | None = None
) -> list[Event]:
    """Run a request here, showing progress on a terminal; ``take`` gets its variants."""
    events: list[Event] = []

    def emit(event: Event) -> None:
        if take is not None and isinstance(event, Variant):
            take(event)
        elif not isinstance(event, Preview):
            events.append(event)
        if isinstance(event, Progress) and sys.stderr.isatty():
            print(f"\r{event.message}: {event.done}/{event.total}  ", end="", file=sys.stderr)

    run(request, emit)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return events


_engines: list[Any] = []


def engine() -> Any:
    """One engine for all requests of a command, made when the first needs torch."""
    if not _engines:
        from napari_pixcell.engine.engine import Engine

        _engines.append(Engine())
    return _engines[0]

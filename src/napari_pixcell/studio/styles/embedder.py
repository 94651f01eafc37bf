"""Embeddings of regions: from the cache, or computed by the worker and cached."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.engine.events import Embedding, Event, Failure, Finished
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest
from napari_pixcell.engine.styles.cache import EmbeddingCache
from napari_pixcell.engine.styles.region_embedding import (
    CachedEmbedding,
    cached_embedding,
    embed_requests,
    joined,
    region_colours,
)
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.tasks import Task, Tasks

log = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True)
class EmbedTask(Task):
    """An embedding that is looked up or computed."""

    message: str = "Embedding"
    offset: int = 0  # tiles of the bands that are done

    def progress(self, done: int, total: int, message: str = "") -> None:
        super().progress(self.offset + done, self.total, message)

    def sentence(self) -> str:
        if self.cancelled:
            return "Cancelling…"
        if self.total == 1 or not self.done:
            return "Embedding…"
        return f"Embedding… {self.done:,} of {self.total:,} tiles"


@dataclass(eq=False)
class Embedder:
    """Embeds regions, through the cache."""

    changed = Signal()  # the cache grew or was cleared

    tasks: Tasks
    cache: EmbeddingCache

    def __post_init__(self) -> None:
        self.background = self.tasks.background

    def embed(
        self,
        slide: Any,
        region: Region,
        family: Family,
        *,
        on_pixels: Callable[[NDArray[np.uint8]], None],
        on_style: Callable[[PackedArray, bool], None],
        on_end: Callable[[EmbedTask], None],
        on_colours: Callable[[TissueColours], None] | None = None,
    ) -> EmbedTask:
        """Read and embed a region; returns at once.

        A large region is read and embedded band by band, so that memory stays bounded. All
        callbacks run in the main thread.

        Parameters
        ----------
        slide : Slide
            Its pixel size is known.
        region : Region
            At least one tile of the family, in level-0 pixels.
        family : Family
            Its encoder is used.
        on_pixels : callable
            Receives the tissue, uint8 (height, width, 3), unless it is very large.
        on_style : callable
            Receives the embedding, and whether it came from the cache.
        on_end : callable
            Receives the task at its end; its ``problem`` is a sentence if it failed.
        on_colours : callable, optional
            Receives the colours of the tissue, before its embedding.
        """
        tissue = Tissue(slide, region, family)
        task = self.tasks.start(EmbedTask(total=tissue.cells[0] * tissue.cells[1]))

        def end(problem: str = "", cancelled: bool = False) -> None:
            if self.tasks.is_running(task):
                task.cancelled |= cancelled
                self.tasks.end(task, problem)
                on_end(task)

        run = _Run(self, task, tissue, on_style, end)
        run.on_colours = on_colours
        self.background.compute(
            run.begin, lambda pixels: None if pixels is None else on_pixels(pixels), end
        )
        return task

    def measure(self) -> None:
        """Measure the cache, unless its size is known."""
        if self.cache.bytes is None:
            self.update_cache(self.cache.measure)

    def clear(self, done: Callable[[int], None]) -> None:
        """Clear the cache; ``done`` receives the number of bytes that could not be removed."""
        self.update_cache(self.cache.clear, done)

    def update_cache(
        self, work: Callable[[], int], done: Callable[[int], None] = lambda _: None
    ) -> None:
        def settled(outcome: int) -> None:
            done(outcome)
            self.changed.emit()

        self.background.compute(work, settled, log.warning)


class _Run:
    """One embedding under way: each band is read once the one before is embedded."""

    def __init__(
        self,
        embedder: Embedder,
        task: EmbedTask,
        tissue: Tissue,
        on_style: Callable[[PackedArray, bool], None],
        end: Callable[..., None],
    ) -> None:
        self._embedder, self._task, self._tissue = embedder, task, tissue
        self._on_style, self._end = on_style, end
        self.on_colours: Callable[[TissueColours], None] | None = None
        self._known = CachedEmbedding()
        self._requests: Iterator[EmbedRequest] = iter(())
        self._embedded: list[Embedding] = []

    # -- in the thread that computes -----------------------------------------------------

    def begin(self) -> NDArray[np.uint8] | None:
        """Look the embedding up, or request it; return the tissue, unless it is very large."""
        tissue, post = self._tissue, self._embedder.background.post
        self._known = known = cached_embedding(tissue, self._embedder.cache)
        pixels = known.pixels
        if pixels is None and not tissue.large:
            pixels = tissue.read()
        self._count_colours(pixels)
        if known.values is not None:
            cached = PackedArray.pack(known.values)
            post(lambda: self._on_style(cached, True))
            post(self._end)
        if known.values is None:
            self._requests = embed_requests(tissue, pixels)
            self._advance()
        return tissue.cut(pixels) if pixels is not None else None

    def _count_colours(self, pixels: NDArray[np.uint8] | None) -> None:
        """Post the colours of the tissue; without them its style is only not matched."""
        receive = self.on_colours
        if receive is not None:
            with contextlib.suppress(PixCellError, OSError):
                colours = region_colours(self._tissue, pixels)
                self._embedder.background.post(lambda: receive(colours))

    def _advance(self) -> None:
        request = None if self._task.cancelled else next(self._requests, None)
        if request is not None:
            self._embedder.tasks.ask(self._task, request, self._take)
            return
        post = self._embedder.background.post
        if not self._task.cancelled:
            embedding = joined(self._embedded, self._tissue)
            style = PackedArray.pack(embedding.values)
            post(lambda: self._on_style(style, False))
            self._embedder.cache.keep(self._known.key, embedding)
            post(self._embedder.changed.emit)
        post(self._end)

    # -- in the main thread --------------------------------------------------------------

    def _take(self, event: Event) -> None:
        match event:
            case Embedding():
                self._embedded.append(event)
                rows = self._tissue.bands()[len(self._embedded) - 1][1]
                self._task.offset = self._task.done = rows * self._tissue.cells[1]
            case Failure(message):
                self._end(message)
            case Finished(cancelled=False):
                self._embedder.background.compute(self._advance, lambda _: None, self._end)
            case Finished():
                self._end("", True)
        self._embedder.tasks.changed.emit()

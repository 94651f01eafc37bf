"""Embeddings of regions: from the cache, or computed by the worker and cached."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.engine.events import Embedding, Event, Failure, Finished
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest
from napari_pixcell.engine.styles.cache import EmbeddingCache, EmbeddingKey, embedding_key
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.tasks import Task, Tasks

log = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True)
class EmbedTask(Task):
    """An embedding that is looked up or computed.

    Parameters
    ----------
    total : int
        Number of tiles.
    offset : int
        Tiles of the bands that are done.
    """

    message: str = "Embedding"
    offset: int = 0

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Record the progress of one band."""
        super().progress(self.offset + done, self.total, message)

    def sentence(self) -> str:
        """Return how far it is."""
        if self.cancelled:
            return "Cancelling…"
        if self.total == 1 or not self.done:
            return "Embedding…"
        return f"Embedding… {self.done:,} of {self.total:,} tiles"


@dataclass(eq=False)
class Embedder:
    """Embeds regions, through the cache.

    Its fields are the parts of the session that it uses.

    Attributes
    ----------
    changed : Signal
        The cache grew or was cleared.
    """

    changed = Signal()

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
        """
        tissue = Tissue(slide, region, family)
        task = self.tasks.start(EmbedTask(total=tissue.cells[0] * tissue.cells[1]))

        def end(problem: str = "", cancelled: bool = False) -> None:
            if self.tasks.is_running(task):
                task.cancelled |= cancelled
                self.tasks.end(task, problem)
                on_end(task)

        if tissue.large:
            _Bands(self, task, tissue, on_style, end).look_up()
        else:
            self._embed_whole(task, tissue, on_pixels, on_style, end)
        return task

    def _embed_whole(
        self,
        task: EmbedTask,
        tissue: Tissue,
        on_pixels: Callable[[NDArray[np.uint8]], None],
        on_style: Callable[[PackedArray, bool], None],
        end: Callable[..., None],
    ) -> None:
        post = self.background.post

        def work() -> NDArray[np.uint8]:
            # A slide in a file is looked up before reading: over a slow network that takes long.
            key, pixels = embedding_key(tissue.slide, tissue.region, tissue.family), None
            if key is None:
                pixels = tissue.read()
                key = embedding_key(tissue.slide, tissue.region, tissue.family, pixels)
            values = self.cache.get(key)
            if values is not None:
                cached = PackedArray.pack(values)
                post(lambda: on_style(cached, True))
                post(end)
            if pixels is None:
                pixels = tissue.read()
            if values is None:
                request = EmbedRequest(tissue.family.name, PackedArray.pack(pixels))
                self.tasks.ask(task, request, lambda event: take(key, event))
            return tissue.cut(pixels)

        def take(key: EmbeddingKey | None, event: Event) -> None:
            match event:
                case Embedding():
                    on_style(PackedArray.pack(event.values), False)
                    self.update_cache(lambda: self.cache.keep(key, event))
                case Failure(message):
                    end(message)
                case Finished(cancelled=cancelled):
                    end("", cancelled)
                case _:
                    self.tasks.changed.emit()

        self.background.compute(work, on_pixels, end)

    def measure(self) -> None:
        """Find out how much is cached, unless that is known."""
        if self.cache.bytes is None:
            self.update_cache(self.cache.measure)

    def clear(self, done: Callable[[int], None]) -> None:
        """Clear the cache; ``done`` receives the number of bytes that could not be removed."""
        self.update_cache(self.cache.clear, done)

    def update_cache(
        self, work: Callable[[], int], done: Callable[[int], None] = lambda _: None
    ) -> None:
        """Change the cache in a thread."""

        def settled(outcome: int) -> None:
            done(outcome)
            self.changed.emit()

        self.background.compute(work, settled, log.warning)


class _Bands:
    """Embeds a large region: each band is read once the one before has its embeddings."""

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
        self._bands = tissue.bands()
        self._embedded: list[Embedding] = []
        self._key: EmbeddingKey | None = None

    def look_up(self) -> None:
        def work() -> PackedArray | None:
            # A slide without a file has no key: it would take all its pixels to identify it.
            tissue = self._tissue
            self._key = embedding_key(tissue.slide, tissue.region, tissue.family)
            values = self._embedder.cache.get(self._key)
            return PackedArray.pack(values) if values is not None else None

        def done(style: PackedArray | None) -> None:
            if style is None:
                self._next()
            else:
                self._on_style(style, True)
                self._end()

        self._embedder.background.compute(work, done, self._end)

    def _next(self) -> None:
        compute = self._embedder.background.compute
        if self._task.cancelled:
            self._end()
        elif len(self._embedded) < len(self._bands):
            first, stop = self._bands[len(self._embedded)]
            compute(lambda: self._read(first, stop), self._send, self._end)
        else:
            compute(self._join, self._finish, self._end)

    def _read(self, first: int, stop: int) -> EmbedRequest:
        pixels = self._tissue.read(first, stop)
        return EmbedRequest(self._tissue.family.name, PackedArray.pack(pixels))

    def _send(self, request: EmbedRequest) -> None:
        self._task.offset = self._bands[len(self._embedded)][0] * self._tissue.cells[1]
        self._embedder.tasks.ask(self._task, request, self._take)

    def _take(self, event: Event) -> None:
        match event:
            case Embedding():
                self._task.done = self._bands[len(self._embedded)][1] * self._tissue.cells[1]
                self._embedded.append(event)
            case Failure(message):
                self._end(message)
            case Finished(cancelled=False):
                self._next()
            case Finished():
                self._end("", True)
        self._embedder.tasks.changed.emit()

    def _join(self) -> PackedArray:
        columns, values = self._tissue.cells[1], [one.values for one in self._embedded]
        whole = np.concatenate([part.reshape(-1, columns, part.shape[-1]) for part in values])
        # Nothing is cached if the weights were replaced meanwhile.
        encoders = {one.encoder for one in self._embedded}
        encoder = self._embedded[0].encoder if len(encoders) == 1 else ""
        self._embedder.cache.keep(self._key, Embedding(whole, encoder))
        return PackedArray.pack(whole)

    def _finish(self, style: PackedArray) -> None:
        self._on_style(style, False)
        self._end()
        self._embedder.changed.emit()

"""The embedding of a region: looked up, or computed by the worker and stored."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.engine.events import Embedding, Event, Failure, Finished, Progress
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import EmbedRequest
from napari_pixcell.engine.styles.cache import EmbeddingCache, EmbeddingKey, embedding_key
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.results.results import Client, JobHandle

log = logging.getLogger(__name__)

OnStyle = Callable[[PackedArray, bool], None]
OnEvent = Callable[[Event], None]


@dataclass(eq=False)
class EmbedJob:
    """An embedding that is looked up or computed.

    Parameters
    ----------
    total : int
        How many tiles of one embedding there are.
    """

    total: int
    done: int = 0
    handle: JobHandle | None = None
    cancelled: bool = False

    def sentence(self) -> str:
        """Say how far it is."""
        if self.cancelled:
            return "Cancelling…"
        if self.total == 1 or not self.done:
            return "Embedding…"
        return f"Embedding… {self.done:,} of {self.total:,} tiles"


class Embedder:
    """Asks the worker for embeddings that are not stored yet.

    Parameters
    ----------
    client : Client
        Who computes them.
    background : Background
        Threads of the session.
    cache : EmbeddingCache
        Where they are kept.

    Attributes
    ----------
    changed : Signal
        More or less is stored.
    """

    changed = Signal()

    def __init__(self, client: Client, background: Background, cache: EmbeddingCache) -> None:
        self.client = client
        self.background = background
        self.cache = cache

    def embed(
        self,
        slide: Any,
        region: Region,
        family: Family,
        on_pixels: Callable[[NDArray[np.uint8]], None],
        on_style: OnStyle,
        on_event: OnEvent,
        failed: Callable[[str], None],
    ) -> EmbedJob:
        """Read a region and give its embedding; returns at once.

        A large region is read and embedded band by band, so that memory stays bounded.

        Parameters
        ----------
        slide : Slide
            Whose region it is; its pixel size is known.
        region : Region
            At least one tile of the family, in level-0 pixels.
        family : Family
            Whose encoder.
        on_pixels : callable
            Gets what was read, uint8 (height, width, 3), unless it is very large; in the main
            thread, as are the others.
        on_style : callable
            Gets the embedding, and whether it comes from the store.
        on_event : callable
            Gets progress, and how it ended.
        failed : callable
            Gets a sentence if the region cannot be read or the worker not be asked.
        """
        tissue = Tissue(slide, region, family)
        job = EmbedJob(tissue.cells[0] * tissue.cells[1])
        if tissue.large:
            self._embed_bands(job, tissue, on_style, on_event, failed)
            return job
        post = self.background.post

        def work() -> NDArray[np.uint8]:
            # A slide in a file is looked up before reading: over a slow network that takes long.
            key, pixels = embedding_key(slide, region, family), None
            if key is None:
                pixels = tissue.read()
                key = embedding_key(slide, region, family, pixels)
            values = self.cache.get(key)
            if values is not None:
                found = PackedArray.pack(values)
                post(lambda: on_style(found, True))
                post(lambda: on_event(Finished()))
            if pixels is None:
                pixels = tissue.read()
            if values is None:
                request = EmbedRequest(family.name, PackedArray.pack(pixels))
                self._ask(job, request, take(key), failed)
            return tissue.cut(pixels)

        def take(key: EmbeddingKey | None) -> Callable[[Event], None]:
            def taken(event: Event) -> None:
                if isinstance(event, Embedding):
                    on_style(PackedArray.pack(event.values), False)
                    self._change(lambda: self.cache.keep(key, event))
                    return
                if isinstance(event, Progress):
                    job.done = event.done
                on_event(event)

            return taken

        self.background.compute(work, on_pixels, failed)
        return job

    def measure(self) -> None:
        """Find out how much is stored, unless that is known."""
        if self.cache.bytes is None:
            self._change(self.cache.measure)

    def clear(self, done: Callable[[int], None]) -> None:
        """Forget all that is stored; ``done`` gets the bytes that could not be removed."""
        self._change(self.cache.clear, done)

    def _change(
        self, work: Callable[[], int], done: Callable[[int], None] = lambda _: None
    ) -> None:
        def settled(outcome: int) -> None:
            done(outcome)
            self.changed.emit()

        self.background.compute(work, settled, log.warning)

    def _embed_bands(
        self,
        job: EmbedJob,
        tissue: Tissue,
        on_style: OnStyle,
        on_event: OnEvent,
        failed: Callable[[str], None],
    ) -> None:
        """Read one band after another, each when the one before has its embeddings."""
        family, columns = tissue.family, tissue.cells[1]
        bands, found = tissue.bands(), list[Embedding]()
        key: EmbeddingKey | None = None

        def look_up() -> PackedArray | None:
            nonlocal key
            # Without a file to tell the slide by nothing is kept: it takes all pixels to tell.
            key = embedding_key(tissue.slide, tissue.region, family)
            values = self.cache.get(key)
            return PackedArray.pack(values) if values is not None else None

        def looked_up(style: PackedArray | None) -> None:
            if style is None:
                following()
            else:
                on_style(style, True)
                on_event(Finished())

        def following() -> None:
            if job.cancelled:
                on_event(Finished(cancelled=True))
            elif len(found) < len(bands):
                band = bands[len(found)]
                self.background.compute(lambda: ask(*band), send, failed)
            else:
                self.background.compute(put_together, finish, failed)

        def ask(first: int, stop: int) -> EmbedRequest:
            return EmbedRequest(family.name, PackedArray.pack(tissue.read(first, stop)))

        def send(request: EmbedRequest) -> None:
            self._ask(job, request, take, failed)

        def take(event: Event) -> None:
            match event:
                case Progress():
                    job.done = bands[len(found)][0] * columns + event.done
                    on_event(replace(event, done=job.done, total=job.total))
                case Embedding():
                    job.done = bands[len(found)][1] * columns
                    found.append(event)
                    on_event(Progress(job.done, job.total, "Embedding"))
                case Finished(cancelled=False):
                    following()
                case Finished() | Failure():
                    on_event(event)

        def put_together() -> PackedArray:
            parts = [one.values.reshape(-1, columns, one.values.shape[-1]) for one in found]
            # Where the weights were exchanged meanwhile nothing is kept.
            encoder = found[0].encoder if len({one.encoder for one in found}) == 1 else ""
            whole = Embedding(np.concatenate(parts), encoder)
            self.cache.keep(key, whole)
            return PackedArray.pack(whole.values)

        def finish(style: PackedArray) -> None:
            on_style(style, False)
            on_event(Finished())
            self.changed.emit()

        self.background.compute(look_up, looked_up, failed)

    def _ask(
        self,
        job: EmbedJob,
        request: EmbedRequest,
        take: Callable[[Event], None],
        failed: Callable[[str], None],
    ) -> None:
        post = self.background.post

        def submit() -> None:
            if job.cancelled:
                post(lambda: take(Finished(cancelled=True)))
            else:
                job.handle = self.client.submit(request, lambda event: post(lambda: take(event)))

        self.background.talk(submit, failed)

    def cancel(self, job: EmbedJob) -> None:
        """Stop before the next tiles; what was embedded of the region is lost."""
        job.cancelled = True
        self.background.talk(lambda: job.handle.cancel() if job.handle else None)

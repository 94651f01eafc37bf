"""The embedding of a region: looked up, or computed by the worker and stored."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.engine.embedding_cache import EmbeddingCache, EmbeddingKey, embedding_key
from napari_pixcell.engine.events import Embedding, Event, Finished
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import EmbedRequest
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.results import Client

log = logging.getLogger(__name__)


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
        on_event: Callable[[Event, bool], None],
        failed: Callable[[str], None],
    ) -> None:
        """Read a region and give its embedding; returns at once.

        Parameters
        ----------
        slide : Slide
            Whose region it is; its pixel size is known.
        region : Region
            One tile of the family, in level-0 pixels.
        family : Family
            Whose encoder.
        on_pixels : callable
            Gets what was read, uint8 (tile, tile, 3); in the main thread, as are the others.
        on_event : callable
            Gets the events of the embedding, and whether they come from the store.
        failed : callable
            Gets a sentence if the region cannot be read or the worker not be asked.
        """
        post = self.background.post

        def work() -> NDArray[np.uint8]:
            # A slide in a file is looked up before reading: over a slow network that takes long.
            key, pixels = embedding_key(slide, region, family), None
            if key is None:
                pixels = slide.read(region, family.mpp)
                key = embedding_key(slide, region, family, pixels)
            values = self.cache.get(key)
            if values is not None:
                found = Embedding(values, key.encoder if key is not None else "")
                post(lambda: on_event(found, True))
                post(lambda: on_event(Finished(), True))
            if pixels is None:
                pixels = slide.read(region, family.mpp)
            if values is None:
                self._ask(family, pixels, key, on_event, failed)
            return pixels

        self.background.compute(work, on_pixels, failed)

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

    def _ask(
        self,
        family: Family,
        pixels: NDArray[np.uint8],
        key: EmbeddingKey | None,
        on_event: Callable[[Event, bool], None],
        failed: Callable[[str], None],
    ) -> None:
        request = EmbedRequest(family.name, PackedArray.pack(pixels))

        def take(event: Event) -> None:
            on_event(event, False)
            if isinstance(event, Embedding):
                self._change(lambda: self.cache.keep(key, event))

        post = self.background.post
        self.background.talk(
            lambda: self.client.submit(request, lambda event: post(lambda: take(event))), failed
        )

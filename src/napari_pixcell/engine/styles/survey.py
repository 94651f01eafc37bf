"""Embeddings of tiles all over a slide, computed a few at a time. Imports no torch."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.events import Embedding
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest
from napari_pixcell.engine.styles.cache import EmbeddingCache, EmbeddingKey, embedding_key
from napari_pixcell.engine.styles.similarity import alike, lay_grid
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.slide import Slide

log = logging.getLogger(__name__)

CHANGED = "The model files changed during the search. Run it again."


@dataclass(frozen=True, eq=False)
class SurveyBatch:
    """A few tiles to be embedded by one request.

    Parameters
    ----------
    request : EmbedRequest
        Their pixels, row by row. The last tile is repeated to fill a rectangle.
    tiles : tuple of int
        Their numbers in the grid, each with its cache key in ``keys``.
    """

    request: EmbedRequest
    tiles: tuple[int, ...]
    keys: tuple[EmbeddingKey | None, ...]


class Survey:
    """Embeds a slide tile by tile, and can be resumed.

    Each tile is cached separately, as the embedding of a region there would be. A search that is
    interrupted, even by a crash, loses at most the tiles of one request. Only one thread may use
    it at a time.

    Parameters
    ----------
    slide : Slide
        With a known pixel size.
    family : Family
        Provides the encoder.
    cache : EmbeddingCache, optional
        Without it nothing is stored.

    Attributes
    ----------
    grid : SurveyGrid
        The tiles. Raises as :func:`napari_pixcell.engine.styles.similarity.lay_grid`.
    unreadable : set of int
        Numbers of the tiles that could not be read.
    """

    def __init__(self, slide: Slide, family: Family, cache: EmbeddingCache | None = None) -> None:
        self.slide, self.family, self.cache = slide, family, cache
        self.grid = lay_grid(slide, family)
        self.unreadable: set[int] = set()
        self._side = family.tile // family.grid
        # Families that share an encoder share tiles too, whatever their own tile.
        self._single = replace(family, tile=self._side, grid=1)
        self._tiles = [self.grid.tile(*cell) for cell in self.grid.cells]
        self._values: dict[int, NDArray[np.float32]] = {}
        self._encoder: str | None = None
        # In random order, so that partial results are from all over the slide.
        self._order = np.random.default_rng(0).permutation(len(self._tiles)).tolist()
        self._looked_up = False

    @property
    def total(self) -> int:
        """Number of tiles."""
        return len(self._tiles)

    @property
    def done(self) -> int:
        """Number of tiles that are embedded, or cannot be read."""
        return len(self._values) + len(self.unreadable)

    def retry(self) -> None:
        """Retry the tiles that could not be read."""
        self.unreadable.clear()

    def following(self, most: int) -> SurveyBatch | None:
        """Read the next tiles that are not embedded yet, for a request and :meth:`add`.

        ``most`` is the largest number of tiles, but at least the number of embeddings per tile.
        Returns None if no tile is left.
        """
        first = embedding_key(self.slide, self._tiles[0], self._single)
        if not self._looked_up:
            self._looked_up = True
            self._look_up(first)
        numbers: list[int] = []
        tiles: list[NDArray[np.uint8]] = []
        keys: list[EmbeddingKey | None] = []
        most = max(most, self.family.grid**2)
        for number in self._left:
            if len(numbers) == most:
                break
            tile = self._read(number)
            if tile is None:
                self.unreadable.add(number)
                continue
            key = self._key(first, number, tile)
            # Slides identified by their pixels were not looked up in the cache yet.
            if first is not None or not self._stored(key, number):
                numbers.append(number)
                tiles.append(tile)
                keys.append(key)
        if not numbers:
            return None
        request = EmbedRequest(self.family.name, PackedArray.pack(self._together(tiles)))
        return SurveyBatch(request, tuple(numbers), tuple(keys))

    def add(self, batch: SurveyBatch, event: Embedding) -> None:
        """Add the embeddings of a batch, and cache them.

        Raises
        ------
        PixCellError
            If the encoder differs from that of earlier tiles.
        """
        values = event.values.reshape(-1, event.values.shape[-1])
        if self._encoder not in (None, event.encoder) or len(values) < len(batch.tiles):
            raise PixCellError(CHANGED)
        self._encoder = event.encoder
        for number, key, value in zip(batch.tiles, batch.keys, values, strict=False):
            self._values[number] = value
            if self.cache is not None:
                self.cache.keep(key, Embedding(value[None], event.encoder))

    def heat(self, wanted: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the map of similarities to a region, float32 (rows, columns), see :func:`alike`.

        It is NaN on glass and where a tile is not embedded. ``wanted``, (..., dimension), are the
        embeddings of the region.

        Raises
        ------
        PixCellError
            If no tile is embedded, or the region was embedded by another encoder.
        """
        if not self._values:
            raise PixCellError(
                "No tissue of this slide could be read. Copy the file again from its source."
            )
        known = sorted(self._values)
        spread = np.full(self.total, np.nan, np.float32)
        spread[known] = alike(np.stack([self._values[n] for n in known]), wanted)
        return self.grid.spread(spread)

    @property
    def _left(self) -> list[int]:
        known = self._values
        return [n for n in self._order if n not in known and n not in self.unreadable]

    def _look_up(self, first: EmbeddingKey | None) -> None:
        if first is not None:
            for number in self._order:
                self._stored(self._key(first, number), number)

    def _stored(self, key: EmbeddingKey | None, number: int) -> bool:
        """Load a tile from the cache, and return whether it was there."""
        values = self.cache.get(key) if self.cache is not None else None
        if values is None or key is None or self._encoder not in (None, key.encoder):
            return False
        self._encoder = key.encoder
        self._values[number] = values.reshape(-1)
        return True

    def _key(
        self, first: EmbeddingKey | None, number: int, tile: NDArray[np.uint8] | None = None
    ) -> EmbeddingKey | None:
        if first is None:  # only pixels identify this slide
            return embedding_key(self.slide, self._tiles[number], self._single, tile)
        return replace(first, region=tuple(float(n) for n in self._tiles[number].as_list()))

    def _read(self, number: int) -> NDArray[np.uint8] | None:
        """Read a tile: uint8 (side, side, 3), or None if any of it is unreadable."""
        region = self._tiles[number]
        try:
            pixels = self.slide.read(region, self.family.mpp)
        except (PixCellError, OSError) as error:
            log.info("a tile of the slide cannot be read: %s", error)
            return None
        return None if self.slide.corrupt_in(region) else pixels

    def _together(self, tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Join tiles into one image of at least a tile of the family."""
        columns = self.family.grid
        rows = max(columns, -(-len(tiles) // columns))
        tiles = tiles + [tiles[-1]] * (rows * columns - len(tiles))
        side = self._side
        picture = np.stack(tiles).reshape(rows, columns, side, side, 3).swapaxes(1, 2)
        return np.ascontiguousarray(picture.reshape(rows * side, columns * side, 3))

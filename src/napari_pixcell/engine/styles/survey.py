"""The embeddings of a slide's places, read a few at a time and kept; imports no torch."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.events import Embedding
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import EmbedRequest
from napari_pixcell.engine.styles.cache import EmbeddingCache, EmbeddingKey, embedding_key
from napari_pixcell.engine.styles.similarity import alike, lay_grid
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.slide import Slide

log = logging.getLogger(__name__)

CHANGED = "The model's files were exchanged while places were looked at; look again."


@dataclass(frozen=True, eq=False)
class SurveyBatch:
    """A few places to be embedded by one request.

    Parameters
    ----------
    request : EmbedRequest
        Their tiles, put together row by row; the last one is repeated where that takes more.
    places : tuple of int
        Which places, by their number in the grid.
    keys : tuple of EmbeddingKey or None
        Under which each is stored.
    """

    request: EmbedRequest
    places: tuple[int, ...]
    keys: tuple[EmbeddingKey | None, ...]


class Survey:
    """Looks at a slide place by place, and goes on where it was.

    Each place is stored by itself, as the embedding of a region that lies there is: a search that
    was stopped, even by a crash, loses at most the places of one request. Only one thread may
    use it at a time.

    Parameters
    ----------
    slide : Slide
        Its pixel size is known.
    family : Family
        Whose encoder looks.
    cache : EmbeddingCache, optional
        Where embeddings are kept; without it nothing is.

    Attributes
    ----------
    grid : SurveyGrid
        The places.
    unreadable : set of int
        Places that could not be read, by their number.

    Raises
    ------
    PixCellError
        As :func:`napari_pixcell.engine.styles.similarity.lay_grid`.
    """

    def __init__(self, slide: Slide, family: Family, cache: EmbeddingCache | None = None) -> None:
        self.slide, self.family, self.cache = slide, family, cache
        self.grid = lay_grid(slide, family)
        self.unreadable: set[int] = set()
        self._side = family.tile // family.grid
        # Families that share an encoder share places too, whatever their tile.
        self._single = replace(family, tile=self._side, grid=1)
        self._places = [self.grid.place(*cell) for cell in self.grid.cells]
        self._values: dict[int, NDArray[np.float32]] = {}
        self._encoder: str | None = None
        # Not in the order of rows, so that those found by a time are from all over the slide.
        self._order = np.random.default_rng(0).permutation(len(self._places)).tolist()
        self._looked_up = False

    @property
    def total(self) -> int:
        """How many places there are."""
        return len(self._places)

    @property
    def done(self) -> int:
        """How many places are known, or cannot be read."""
        return len(self._values) + len(self.unreadable)

    def try_again(self) -> None:
        """Have places that could not be read tried again."""
        self.unreadable.clear()

    def following(self, most: int) -> SurveyBatch | None:
        """Read the next places that are not known.

        Parameters
        ----------
        most : int
            How many at most; a family whose tile has several embeddings takes as many at least.

        Returns
        -------
        SurveyBatch or None
            To be embedded, whose outcome :meth:`take` takes in; None where nothing is left.
        """
        first = embedding_key(self.slide, self._places[0], self._single)
        if not self._looked_up:
            self._looked_up = True
            self._look_up(first)
        places: list[int] = []
        tiles: list[NDArray[np.uint8]] = []
        keys: list[EmbeddingKey | None] = []
        most = max(most, self.family.grid**2)
        for number in self._left:
            if len(places) == most:
                break
            tile = self._read(number)
            if tile is None:
                self.unreadable.add(number)
                continue
            key = self._key(first, number, tile)
            # Of a slide that only its pixels tell nothing was looked up yet.
            if first is not None or not self._stored(key, number):
                places.append(number)
                tiles.append(tile)
                keys.append(key)
        if not places:
            return None
        request = EmbedRequest(self.family.name, PackedArray.pack(self._together(tiles)))
        return SurveyBatch(request, tuple(places), tuple(keys))

    def take(self, batch: SurveyBatch, event: Embedding) -> None:
        """Take the embeddings of some places in, and store them.

        Raises
        ------
        PixCellError
            If another encoder computed them than those before.
        """
        values = event.values.reshape(-1, event.values.shape[-1])
        if self._encoder not in (None, event.encoder) or len(values) < len(batch.places):
            raise PixCellError(CHANGED)
        self._encoder = event.encoder
        for number, key, value in zip(batch.places, batch.keys, values, strict=False):
            self._values[number] = value
            if self.cache is not None:
                self.cache.keep(key, Embedding(value[None], event.encoder))

    def heat(self, wanted: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map how alike the places are to a region's embeddings.

        Parameters
        ----------
        wanted : array, float32, (..., dimension)

        Returns
        -------
        array, float32, (rows, columns)
            0 to 1, see :func:`alike`; NaN where there is glass or the place is not known.

        Raises
        ------
        PixCellError
            If no place is known, or the region's embeddings are another encoder's.
        """
        if not self._values:
            raise PixCellError(
                "No place of this slide could be read; copy the file again from its source."
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
        """Whether a place is stored; it is then known."""
        values = self.cache.get(key) if self.cache is not None else None
        if values is None or key is None or self._encoder not in (None, key.encoder):
            return False
        self._encoder = key.encoder
        self._values[number] = values.reshape(-1)
        return True

    def _key(
        self, first: EmbeddingKey | None, number: int, tile: NDArray[np.uint8] | None = None
    ) -> EmbeddingKey | None:
        if first is None:  # only pixels can tell, if the encoder is there at all
            return embedding_key(self.slide, self._places[number], self._single, tile)
        return replace(first, region=tuple(float(n) for n in self._places[number].as_list()))

    def _read(self, number: int) -> NDArray[np.uint8] | None:
        """Read a place: uint8 (side, side, 3); None where it cannot be read whole."""
        place = self._places[number]
        try:
            pixels = self.slide.read(place, self.family.mpp)
        except (PixCellError, OSError) as error:
            log.info("a place of the slide cannot be read: %s", error)
            return None
        return None if self.slide.corrupt_in(place) else pixels

    def _together(self, tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Put tiles into one picture that is at least a tile of the family."""
        columns = self.family.grid
        rows = max(columns, -(-len(tiles) // columns))
        tiles = tiles + [tiles[-1]] * (rows * columns - len(tiles))
        side = self._side
        picture = np.stack(tiles).reshape(rows, columns, side, side, 3).swapaxes(1, 2)
        return np.ascontiguousarray(picture.reshape(rows * side, columns * side, 3))

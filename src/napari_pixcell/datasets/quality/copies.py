"""Real tissue, and the similarity of synthetic images to it, which reveals copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.quality.alignment import (
    SIDE,
    best_correlations,
    coarse,
    small_grey,
    small_part,
    symmetries,
)
from napari_pixcell.datasets.quality.looks import unit
from napari_pixcell.engine.styles.blending import as_grid
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.untrusted import MOST_ARRAY_BYTES, check_regular

Floats = NDArray[np.float32]

COMPARED = 16  # real tiles that a tile is aligned with, for each kind of similarity
CLOSE = 95  # percentile
MARGIN_UM = 1.0  # around the cells of a layout
OTHER_MODEL = "Another model embedded the real tissue. Prepare the dataset again."
SAMPLED = 64  # real tiles that are compared with all others
SEARCH_BYTES = 64 * 2**20  # of the similarities that are computed at once


@dataclass(frozen=True)
class Nearest:
    """Similarity to the nearest real tiles."""

    style: float  # largest cosine of the embeddings
    pixels: float  # largest correlation at the best shift and symmetry


class ComparedPicture(NamedTuple):
    """A picture to compare with real tissue; see :meth:`RealTiles.nearest`."""

    pixels: NDArray[np.uint8]
    embedding: Floats
    counts: NDArray[np.bool_] | None = None


class RealTiles:
    """Real tissue as embeddings and small grey pictures, by tiles of one embedding.

    A rotated or shifted copy has nearly the embedding of its original. A tinted copy aligns with
    its original without a shift. So a tile is aligned with the ``COMPARED`` real tiles nearest by
    embedding, and with as many that correlate best without a shift.

    There may be millions of real tiles. They are read once for all tiles that are compared
    together, and the similarities that memory holds at once take about ``SEARCH_BYTES``.
    """

    def __init__(self) -> None:
        # In parts as they were added, until they are compared.
        self._embeddings: list[Floats] = []  # (tiles, dimension)
        self._pictures: list[NDArray[np.uint8]] = []  # (tiles, SIDE, SIDE)
        self._closest: Nearest | None = None
        self._stacked: tuple[Floats, NDArray[np.uint8], Floats] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._pictures))

    @property
    def embeddings(self) -> Floats:
        """Embeddings of all tiles as unit vectors: float32, (tiles, dimension)."""
        return self._stack()[0] if len(self) else np.zeros((0, 0), np.float32)

    def add(self, pixels: NDArray[np.uint8], embedding: Floats) -> None:
        """Add tissue: a tile, or a region of whole tiles.

        Parameters
        ----------
        pixels : array, uint8, (height, width, 3)
            At the family's pixel size.
        embedding : array, float32, (tokens, dimension) or (rows, columns, dimension)
            Its embeddings.
        """
        grid = as_grid(embedding)
        values = unit(grid.reshape(-1, grid.shape[-1])).astype(np.float32)
        self._extend(values, np.stack([small_grey(one) for one in _cut(pixels, grid)]))

    def extend(self, other: RealTiles) -> None:
        """Add all tiles of another object."""
        self._embeddings += other._embeddings
        self._pictures += other._pictures
        self._closest = self._stacked = None

    def _extend(self, embeddings: Floats, pictures: NDArray[Any]) -> None:
        self._embeddings.append(embeddings)
        self._pictures.append(pictures.astype(np.uint8, copy=False))
        self._closest = self._stacked = None

    def nearest(
        self, pixels: NDArray[np.uint8], embedding: Floats, counts: NDArray[np.bool_] | None = None
    ) -> Nearest:
        """Return the similarity of the nearest real tile to any tile of a picture.

        Parameters
        ----------
        pixels, embedding
            As for :meth:`add`.
        counts : array, bool, (height, width), optional
            True for the pixels to compare; all by default.

        Raises
        ------
        PixCellError
            If there are no real tiles, or another model embedded them.
        """
        return self.nearest_each([ComparedPicture(pixels, embedding, counts)])[0]

    def nearest_each(self, pictures: Sequence[ComparedPicture]) -> list[Nearest]:
        """Return what :meth:`nearest` returns, for several pictures in less time.

        Raises
        ------
        PixCellError
            As :meth:`nearest` does.
        """
        tiles: list[Floats] = []
        values: list[Floats] = []
        weights: list[Floats | None] = []
        for one in pictures:
            grid = as_grid(one.embedding)
            own = _cut(one.pixels, grid)
            tiles += map(small_grey, own)
            values.append(unit(grid.reshape(-1, grid.shape[-1])).astype(np.float32))
            counts = one.counts
            weights += [None] * len(own) if counts is None else map(small_part, _cut(counts, grid))
        if len({part.shape[1] for part in values}) > 1:
            raise PixCellError(OTHER_MODEL)
        found = iter(self._nearest(np.stack(tiles), np.concatenate(values), weights))
        return [_largest(list(islice(found, len(part)))) for part in values]

    def closest(self) -> Nearest | None:
        """Return the similarity of real tiles to their nearest neighbours.

        At percentile ``CLOSE`` of up to ``SAMPLED`` tiles, so that a few duplicate tiles do not
        count; None if there are fewer than two tiles.
        """
        if self._closest is None and len(self) > 1:
            sample = np.linspace(0, len(self) - 1, min(SAMPLED, len(self))).round().astype(int)
            embeddings, pictures, _ = self._stack()
            tiles = pictures[sample].astype(np.float32)
            found = self._nearest(tiles, embeddings[sample], [None] * len(sample), sample)
            self._closest = Nearest(
                float(np.percentile([one.style for one in found], CLOSE)),
                float(np.percentile([one.pixels for one in found], CLOSE)),
            )
        return self._closest

    def _nearest(
        self,
        tiles: Floats,
        values: Floats,
        weights: Sequence[Floats | None],
        left_out: NDArray[np.intp] | None = None,
    ) -> list[Nearest]:
        """Return the similarity of tiles to their nearest real tiles.

        Parameters
        ----------
        tiles : array, float32, (tiles, SIDE, SIDE)
        values : array, float32, (tiles, dimension)
            Unit vectors.
        weights : sequence of array or None
            See :func:`best_correlations`.
        left_out : array, (tiles,), optional
            Number of the real tile that each is not compared with.
        """
        if not len(self):
            raise PixCellError("There is no real tissue to compare with. Add a style with tissue.")
        embeddings, _, unshifted = self._stack()
        if values.shape[1:] != embeddings.shape[1:]:
            raise PixCellError(OTHER_MODEL)
        turned = np.stack([coarse(symmetries(tile)) for tile in tiles])  # (tiles, 8, SIDE² / 4)
        flat = turned.reshape(-1, turned.shape[-1])
        by_style, by_pixels = (_Largest(len(tiles), COMPARED) for _ in range(2))
        step = max(COMPARED, SEARCH_BYTES // (4 * (len(flat) + len(tiles))))
        for start in range(0, len(self), step):
            some = slice(start, start + step)
            # In this order the larger matrix is read once, not first copied into another order.
            cosines = np.ascontiguousarray((embeddings[some] @ values.T).T)
            aligned = flat @ unshifted[some].T
            aligned = aligned.reshape(*turned.shape[:2], -1).max(axis=1)
            if left_out is not None:
                own = left_out - start
                inside = np.flatnonzero((own >= 0) & (own < cosines.shape[1]))
                cosines[inside, own[inside]] = aligned[inside, own[inside]] = -np.inf
            by_style.add(cosines, start)
            by_pixels.add(aligned, start)
        return [
            self._aligned(tile, part, style, near)
            for tile, part, style, near in zip(
                tiles, weights, by_style.found(), by_pixels.found(), strict=True
            )
        ]

    def _aligned(
        self, tile: Floats, weights: Floats | None, by_style: _Found, by_pixels: _Found
    ) -> Nearest:
        """Align a tile with the real tiles that are the most similar ones otherwise."""
        chosen = np.union1d(by_style.numbers, by_pixels.numbers)
        others = self._stack()[1][chosen].astype(np.float32)
        pixels = best_correlations(tile, others, weights)
        return Nearest(float(by_style.values.max()), float(pixels.max()))

    @classmethod
    def of(
        cls, embeddings: Floats, pictures: NDArray[np.uint8], unshifted: Floats | None = None
    ) -> RealTiles:
        """Return tiles whose values are known; the arrays may be files that are mapped into memory.

        Parameters
        ----------
        embeddings : array, float32, (tiles, dimension)
            Unit vectors.
        pictures : array, uint8, (tiles, SIDE, SIDE)
            See :func:`small_grey`.
        unshifted : array, float32, (tiles, SIDE² / 4), optional
            See :func:`coarse`.
        """
        real = cls()
        real._extend(embeddings, pictures)
        if unshifted is not None:
            real._stacked = embeddings, pictures, unshifted
        return real

    @property
    def pictures(self) -> NDArray[np.uint8]:
        """Small pictures of all tiles: uint8, (tiles, SIDE, SIDE)."""
        return self._stack()[1] if len(self) else np.zeros((0, SIDE, SIDE), np.uint8)

    def _stack(self) -> tuple[Floats, NDArray[np.uint8], Floats]:
        """Return embeddings, pictures, and coarse pictures of all tiles: (tiles, …)."""
        if self._stacked is None:
            if len({part.shape[1] for part in self._embeddings}) > 1:
                raise PixCellError(OTHER_MODEL)
            self._embeddings = [np.concatenate(self._embeddings)]
            self._pictures = [np.concatenate(self._pictures)]
            self._stacked = self._embeddings[0], self._pictures[0], coarse(self._pictures[0])
        return self._stacked

    def save(self, path: Path) -> None:
        """Write all tiles to a file."""

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                embeddings, pictures, _ = self._stack()
                np.savez(file, embeddings=embeddings, pictures=pictures)

        write_whole(path, write, private=True)

    @classmethod
    def load(cls, path: Path) -> RealTiles:
        """Read what :meth:`save` wrote.

        Raises
        ------
        PixCellError
            If the file does not exist or is damaged.
        """
        real = cls()
        try:
            check_regular(path)
            with np.load(path, allow_pickle=False) as file:
                if sum(part.file_size for part in file.zip.infolist()) > MOST_ARRAY_BYTES:
                    raise ValueError("it is too large")
                embeddings, pictures = file["embeddings"], file["pictures"]
            if len(embeddings) != len(pictures) or pictures.shape[1:] not in ((), (SIDE, SIDE)):
                raise ValueError(pictures.shape)
            if len(pictures) and (embeddings.dtype.kind != "f" or embeddings.ndim != 2):
                raise ValueError(embeddings.shape)
        except Exception as error:  # zip, its headers and arrays have their own
            raise PixCellError(
                f"The real tissue in {path.name} cannot be read. Prepare the dataset again."
            ) from error
        if len(pictures):
            real._extend(embeddings.astype(np.float32, copy=False), pictures)
        return real


def free_of_cells(labels: NDArray[Any], mpp: float) -> NDArray[np.bool_]:
    """Return True for the pixels at least ``MARGIN_UM`` away from the cells of a layout.

    An image made from the layout of real tissue shares its cells, but need not be a copy. Judged by
    the pixels between them, twins of real tissue made by the demo family are no more similar to it
    than any other tissue (benchmarks/quality.py).
    """
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(labels == 0) * mpp >= MARGIN_UM)


class _Found(NamedTuple):
    """The largest values of a row, in no order, and their columns."""

    values: Floats
    numbers: NDArray[np.intp]


class _Largest:
    """Keeps the largest values of each row of a matrix that is computed some columns at a time."""

    def __init__(self, rows: int, most: int) -> None:
        self._most = most
        self._values = np.zeros((rows, 0), np.float32)
        self._numbers = np.zeros((rows, 0), np.intp)

    def add(self, values: Floats, start: int) -> None:
        """Add columns, of which ``start`` precede the first."""
        most = min(self._most, values.shape[1])
        chosen = np.argpartition(values, -most, axis=1)[:, -most:]
        both = [self._values, np.take_along_axis(values, chosen, axis=1)]
        self._values = np.concatenate(both, axis=1)
        self._numbers = np.concatenate([self._numbers, chosen + start], axis=1)
        if self._values.shape[1] > self._most:
            kept = np.argpartition(self._values, -self._most, axis=1)[:, -self._most :]
            self._values = np.take_along_axis(self._values, kept, axis=1)
            self._numbers = np.take_along_axis(self._numbers, kept, axis=1)

    def found(self) -> Iterator[_Found]:
        """Iterate over the rows; values that were left out are not among them."""
        for values, numbers in zip(self._values, self._numbers, strict=True):
            counted = values != -np.inf  # also NaN, which an embedding may hold
            yield _Found(values[counted], numbers[counted])


def _largest(found: Sequence[Nearest]) -> Nearest:
    """Return the largest similarities of several tiles."""
    return Nearest(max(one.style for one in found), max(one.pixels for one in found))


def _cut(pixels: NDArray[Any], grid: Floats) -> list[NDArray[Any]]:
    """Cut a picture into the tiles of its embeddings, row by row."""
    return [
        tile
        for row in np.array_split(pixels, grid.shape[0])
        for tile in np.array_split(row, grid.shape[1], axis=1)
    ]

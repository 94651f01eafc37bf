"""Real tissue, and the similarity of synthetic images to it, which reveals copies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Nearest:
    """Similarity to the nearest real tiles."""

    style: float  # largest cosine of the embeddings
    pixels: float  # largest correlation at the best shift and symmetry


class RealTiles:
    """Real tissue as embeddings and small grey pictures, by tiles of one embedding.

    A rotated or shifted copy has nearly the embedding of its original. A tinted copy aligns with
    its original without a shift. So a tile is aligned with the ``COMPARED`` real tiles nearest by
    embedding, and with as many that correlate best without a shift.
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

    def _extend(self, embeddings: Floats, pictures: NDArray[Any]) -> None:
        self._embeddings.append(embeddings)
        self._pictures.append(pictures.astype(np.uint8))
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
        grid = as_grid(embedding)
        tiles = _cut(pixels, grid)
        parts = [None] * len(tiles) if counts is None else [*map(small_part, _cut(counts, grid))]
        values = unit(grid.reshape(-1, grid.shape[-1])).astype(np.float32)
        found = [
            self._nearest(small_grey(tile), value, part)
            for tile, value, part in zip(tiles, values, parts, strict=True)
        ]
        return Nearest(max(one.style for one in found), max(one.pixels for one in found))

    def closest(self) -> Nearest | None:
        """Return the similarity of real tiles to their nearest neighbours.

        At percentile ``CLOSE`` of up to ``SAMPLED`` tiles, so that a few duplicate tiles do not
        count; None if there are fewer than two tiles.
        """
        if self._closest is None and len(self) > 1:
            sample = np.linspace(0, len(self) - 1, min(SAMPLED, len(self))).round().astype(int)
            embeddings, pictures, _ = self._stack()
            found = [
                self._nearest(pictures[i].astype(np.float32), embeddings[i], left_out=i)
                for i in sample
            ]
            self._closest = Nearest(
                float(np.percentile([one.style for one in found], CLOSE)),
                float(np.percentile([one.pixels for one in found], CLOSE)),
            )
        return self._closest

    def _nearest(
        self,
        tile: Floats,
        value: Floats,
        weights: Floats | None = None,
        left_out: int | None = None,
    ) -> Nearest:
        if not len(self):
            raise PixCellError("There is no real tissue to compare with. Add a style with tissue.")
        embeddings, pictures, unshifted = self._stack()
        if value.shape != embeddings.shape[1:]:
            raise PixCellError(OTHER_MODEL)
        cosines = embeddings @ value
        aligned = (unshifted @ coarse(symmetries(tile)).T).max(axis=1)
        if left_out is not None:
            cosines[left_out] = aligned[left_out] = -np.inf
        most = min(COMPARED, len(self) - (left_out is not None))
        chosen = np.union1d(
            *(np.argpartition(-near, most - 1)[:most] for near in (cosines, aligned))
        )
        others = pictures[chosen].astype(np.float32)
        return Nearest(float(cosines.max()), float(best_correlations(tile, others, weights).max()))

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


def gather(folder: Path) -> RealTiles:
    """Read the tiles of all files that :meth:`RealTiles.save` wrote to a folder, in order."""
    whole = RealTiles()
    for path in sorted(folder.glob("*.npz")):
        one = RealTiles.load(path)
        whole._embeddings += one._embeddings
        whole._pictures += one._pictures
    return whole


def free_of_cells(labels: NDArray[Any], mpp: float) -> NDArray[np.bool_]:
    """Return True for the pixels at least ``MARGIN_UM`` away from the cells of a layout.

    An image made from the layout of real tissue shares its cells, but need not be a copy. Judged by
    the pixels between them, twins of real tissue made by the demo family are no more similar to it
    than any other tissue (benchmarks/quality.py).
    """
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(labels == 0) * mpp >= MARGIN_UM)


def _largest(values: Floats, count: int) -> NDArray[np.intp]:
    """Return the indices of the largest values."""
    return np.argpartition(-values, count - 1)[:count]


def _cut(pixels: NDArray[Any], grid: Floats) -> list[NDArray[Any]]:
    """Cut a picture into the tiles of its embeddings, row by row."""
    return [
        tile
        for row in np.array_split(pixels, grid.shape[0])
        for tile in np.array_split(row, grid.shape[1], axis=1)
    ]

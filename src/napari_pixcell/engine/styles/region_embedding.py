"""The embedding of a region: looked up in the cache, or computed band by band; imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.events import Embedding
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest
from napari_pixcell.engine.styles.cache import EmbeddingCache, EmbeddingKey, embedding_key
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.engine.tissue_colours import ClassCount, ColourCount, TissueColours
from napari_pixcell.slides.region import Region

MOST_COUNTED = 2048**2  # px of a region whose colours are all counted
FIELDS = 8  # fields of view down and across a larger one
MOST_SEGMENTED = 16  # tiles or fields of a region, 40 ms each


@dataclass(frozen=True, eq=False)
class CachedEmbedding:
    """What the cache holds for a region.

    Parameters
    ----------
    key : EmbeddingKey or None
        None if the embedding cannot be cached.
    values : array, float32, or None
        The embedding, if it is in the cache.
    pixels : array, uint8, or None
        The tissue, where it had to be read to tell.
    """

    key: EmbeddingKey | None = None
    values: NDArray[np.float32] | None = None
    pixels: NDArray[np.uint8] | None = None


def cached_embedding(tissue: Tissue, cache: EmbeddingCache) -> CachedEmbedding:
    """Look a region's embedding up in the cache.

    A slide in a file is looked up without reading it. Any other is identified by its pixels,
    unless the region is too large to be read at once.
    """
    slide, region, family, pixels = tissue.slide, tissue.region, tissue.family, None
    key = embedding_key(slide, region, family)
    if key is None and not tissue.large:
        pixels = tissue.read()
        key = embedding_key(slide, region, family, pixels)
    return CachedEmbedding(key, cache.get(key), pixels)


def embed_requests(
    tissue: Tissue, pixels: NDArray[np.uint8] | None = None
) -> Iterator[EmbedRequest]:
    """Iterate over the requests that embed a region, one for each band of it.

    ``pixels``, uint8 (height, width, 3), are all of the tissue, if it has been read.
    """
    for first, stop in tissue.bands():
        part = tissue.read(first, stop) if pixels is None else pixels
        yield EmbedRequest(tissue.family.name, PackedArray.pack(part))


def joined(parts: Sequence[Embedding], tissue: Tissue) -> Embedding:
    """Return the embedding of a region from those of its bands, top to bottom.

    Its ``encoder`` is empty if the weights changed between bands, so that it is not cached.
    """
    if len(parts) == 1:
        return parts[0]
    grids = [part.values.reshape(-1, tissue.cells[1], part.values.shape[-1]) for part in parts]
    encoders = {part.encoder for part in parts}
    return Embedding(np.concatenate(grids), encoders.pop() if len(encoders) == 1 else "")


def embed_region(
    tissue: Tissue, ask: Callable[[EmbedRequest], Embedding], cache: EmbeddingCache | None = None
) -> tuple[NDArray[np.float32], bool]:
    """Return the embedding of a region from the cache, or compute and cache it.

    Parameters
    ----------
    ask : callable
        Runs a request and returns its embedding.
    cache : EmbeddingCache, optional
        Without one, the embedding is computed and not stored.

    Returns
    -------
    values : array, float32
        (tokens, dimension) of one tile, or (rows, columns, dimension).
    cached : bool
        True if it came from the cache.
    """
    known = cached_embedding(tissue, cache) if cache is not None else CachedEmbedding()
    if known.values is not None:
        return known.values, True
    parts = [ask(request) for request in embed_requests(tissue, known.pixels)]
    embedding = joined(parts, tissue)
    if cache is not None:
        cache.keep(known.key, embedding)
    return embedding.values, False


def region_colours(tissue: Tissue, pixels: NDArray[np.uint8] | None = None) -> TissueColours:
    """Return the colours of a region's tissue, at the family's pixel size.

    All of its embeddings share them. Of a region above 2048² px, an even grid of fields of view is
    read, so that they are known at once.

    Parameters
    ----------
    tissue : Tissue
    pixels : array, uint8 (height, width, 3), optional
        All of the tissue, if it has been read.

    Raises
    ------
    PixCellError
        If it cannot be read.
    """
    from napari_pixcell.cells import segment_nuclei  # slow to import

    count, classes, family = ColourCount(), ClassCount(), tissue.family
    (height, width), side = tissue.size, family.tile
    tiles = min(FIELDS**2, -(-height // side) * -(-width // side))
    for index, field in enumerate(_fields(tissue, pixels)):
        count.add(field)
        if index % -(-tiles // MOST_SEGMENTED) == 0:
            classes.add(field, segment_nuclei(field, family.mpp) > 0)
    colours = count.colours()
    return replace(colours, classes=classes.means()) if colours.enough else colours


def _fields(tissue: Tissue, pixels: NDArray[np.uint8] | None) -> Iterator[NDArray[np.uint8]]:
    """Iterate over the tiles of a region, or over fields of view spread over a large one."""
    (height, width), family = tissue.size, tissue.family
    if height * width <= MOST_COUNTED:
        whole, side = tissue.cut(tissue.read() if pixels is None else pixels), family.tile
        for y, x in product(range(0, height, side), range(0, width, side)):
            yield whole[y : y + side, x : x + side]
        return
    region, side = tissue.region, tissue.side * family.mpp / tissue.slide.mpp
    for row, column in np.ndindex(FIELDS, FIELDS):
        x = region.x + (region.width - side) * column / (FIELDS - 1)
        y = region.y + (region.height - side) * row / (FIELDS - 1)
        yield tissue.slide.read(Region(x, y, side, side), family.mpp)

"""Blending of styles: interpolation of embeddings on the sphere. Imports no torch.

The meaning of an embedding lies in its direction. A straight line between two would pass too close
to the origin, where no tissue is. So directions are interpolated along the arc (slerp; Shoemake,
"Animating rotation with quaternion curves", 1985) and lengths linearly. More than two are blended
to their weighted mean on the sphere (Buss and Fillmore, "Spherical averages and applications to
spherical splines and interpolation", 2001). For two this equals slerp. Unlike repeated slerp, it
does not depend on their order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.canvas.plan import spread_over
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.words import counted

ROUNDS, CLOSE = 50, 1e-9  # of the spherical mean: most iterations, and step at which it converged


def as_grid(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the embeddings of one tile, (tokens, dimension), or a region as a grid.

    The grid is (rows, columns, dimension). Tokens are those of a square, row by row.

    Raises
    ------
    PixCellError
        If it has another shape, or values that are not finite.
    """
    shape, side = embedding.shape, math.isqrt(embedding.shape[0]) if embedding.ndim == 2 else 0
    if 0 in shape or not (embedding.ndim == 3 or (side and side**2 == shape[0])):
        raise PixCellError(
            f"A style of the shape {shape} cannot be used. Use the embedding of a tile or of a "
            "region, as “embed” writes it."
        )
    if embedding.dtype.kind != "f" or not np.isfinite(embedding).all():
        raise PixCellError("This style holds values that are not numbers. Embed its tissue again.")
    values = embedding.astype(np.float32, copy=False)
    return values.reshape(side, side, -1) if values.ndim == 2 else values


def for_family(grid: NDArray[np.float32], family: Family) -> PackedArray:
    """Pack embeddings, (rows, columns, dimension), for a request: one tile's as its tokens."""
    if grid.shape[:2] == (family.grid, family.grid):
        grid = grid.reshape(family.grid**2, -1)
    return PackedArray.pack(np.asarray(grid, np.float32))


def blend(
    embeddings: Sequence[NDArray[np.float32]],
    weights: Sequence[float],
    cells: tuple[int, int] | None = None,
) -> NDArray[np.float32]:
    """Blend embeddings by weights: float32, (rows, columns, dimension).

    A grid of another shape is extended by mirroring, as it is when used alone. Each end of a
    blend thus equals that style alone, with its values unchanged.

    Parameters
    ----------
    embeddings : list of array, float32, (tokens, dimension) or (rows, columns, dimension)
        All from the same encoder.
    weights : list of float
        One per embedding, none negative, not all 0. Their sum does not matter.
    cells : (rows, columns), optional
        Grid of the blend. By default that of the first embedding.

    Raises
    ------
    PixCellError
        If there is nothing to blend, or the encoders differ.
    """
    grids = [as_grid(np.asarray(one)) for one in embeddings]
    if not grids or len(grids) != len(weights):
        raise PixCellError(
            f"There are {counted(len(grids), 'style')} and {counted(len(weights), 'weight')}. Give "
            "each style one weight."
        )
    if not all(math.isfinite(w) and w >= 0 for w in weights) or not sum(weights):
        raise PixCellError("Weights of styles must be 0 or more, and at least one more than 0.")
    if len({grid.shape[-1] for grid in grids}) > 1:
        raise PixCellError(
            "These styles come from different encoders and cannot be blended. Embed their tissue "
            "with the same model."
        )
    shape = cells or grids[0].shape[:2]
    used = [(spread_over(g, shape), w) for g, w in zip(grids, weights, strict=True) if w > 0]
    if len(used) == 1:
        return used[0][0]
    parts = np.stack([grid for grid, _ in used]).astype(np.float64)
    shares = np.array([weight for _, weight in used], np.float64)
    shares /= shares.sum()
    lengths = np.linalg.norm(parts, axis=-1, keepdims=True)
    directions = parts / np.maximum(lengths, np.finfo(np.float64).tiny)
    mean = _slerp(directions, shares) if len(used) == 2 else _mean(directions, shares)
    length = np.tensordot(shares, lengths, 1)
    return (mean * length).astype(np.float32)


def _slerp(directions: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate between two unit vectors along the arc: (..., dimension)."""
    first, second = directions
    heavier = directions[int(shares[1] > shares[0])]
    angle = np.arccos(np.clip((first * second).sum(-1, keepdims=True), -1, 1))
    sine = np.sin(angle)
    safe = np.where(sine > CLOSE, sine, 1)
    arc = (np.sin(shares[0] * angle) * first + np.sin(shares[1] * angle) * second) / safe
    # If they are nearly equal, either will do. If opposite or of length 0, no arc is shortest.
    return np.asarray(np.where(sine > CLOSE, arc, heavier))


def _mean(directions: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the point on the sphere with the least weighted sum of squared arcs."""
    mean = _unit(np.tensordot(shares, directions, 1), directions[int(shares.argmax())])
    for _ in range(ROUNDS):
        cosine = np.clip((directions * mean).sum(-1, keepdims=True), -1, 1)
        angle, across = np.arccos(cosine), directions - cosine * mean
        size = np.linalg.norm(across, axis=-1, keepdims=True)
        step = np.tensordot(shares, across * (angle / np.maximum(size, CLOSE)), 1)
        far = np.linalg.norm(step, axis=-1, keepdims=True)
        if far.max() < CLOSE:
            break
        mean = _unit(np.cos(far) * mean + np.sin(far) * step / np.maximum(far, CLOSE), mean)
    return mean


def _unit(vectors: NDArray[np.float64], instead: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the vectors at length 1, or the others where their length is 0."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > CLOSE, vectors / np.maximum(length, CLOSE), instead)

"""Image pyramids, and resampling at exact positions."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

COARSEST = 1024  # px; an image whose sides are no longer needs no smaller level
BLOCK = 1024, 4096  # rows and columns of a smaller level computed at once
ROWS_AT_ONCE = 32  # output rows computed together, so that they stay in the processor's cache
EXACT = 1e-3  # px; edges this close to whole pixels lie on them: below half a grey level
NEAR = 0.005  # pixels whose size differs by no more are neither averaged nor enlarged
PARTS = 16  # of a pixel, in which it is divided where its size is only nearly right
OFF = 0.25  # px; pixels of nearly the right size are copied if none is further off


def resample(
    patch: NDArray[np.uint8], box: tuple[float, float, float, float], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resample a box of an image: area averages when shrinking, linear when enlarging.

    Whole blocks are averaged in integers. Pixels of nearly the right size (0.5 %) are copied if
    none is more than a quarter of a pixel off, and otherwise interpolated.

    Parameters
    ----------
    patch : (h, w, 3) uint8
    box : (top, left, bottom, right)
        In pixels of ``patch``, counted from its corner; may be fractional. Leave one pixel around
        it for interpolation.
    shape : (rows, columns)
        Shape of the result, which is uint8 too. It may share the memory of ``patch``.
    """
    top, left, bottom, right = box
    height, width, _ = patch.shape
    down = _blocks(height, top, bottom, shape[0])
    across = _blocks(width, left, right, shape[1])
    if down is not None and across is not None:
        (y, high), (x, wide) = down, across
        blocks = patch[y : y + high * shape[0], x : x + wide * shape[1]]
        return blocks if high == wide == 1 else block_means(blocks, high, wide)
    near = [abs((b - a) / n - 1) <= NEAR for a, b, n in zip(box[:2], box[2:], shape, strict=True)]
    return _shifted(patch, box, shape) if all(near) else _weighted(patch, box, shape)


def _blocks(count: int, start: float, stop: float, out: int) -> tuple[int, int] | None:
    """Return the first sample and the whole number of samples per output pixel, if it is one."""
    size, first = round((stop - start) / out), round(start)
    whole = abs(start - first) <= EXACT and abs(stop - first - size * out) <= EXACT
    inside = size > 0 and first >= 0 and first + size * out <= count
    return (first, size) if whole and inside else None


def block_means(image: NDArray[np.uint8], high: int, wide: int) -> NDArray[np.uint8]:
    """Return the means of blocks of pixels, half a grey level rounded to the even one.

    Parameters
    ----------
    image : (h, w, 3) uint8
        ``h`` is a multiple of ``high``, and ``w`` of ``wide``.
    high, wide : int
        Rows and columns of a block.
    """
    height, width, channels = image.shape
    rows, columns, size = height // high, width // wide, high * wide
    out = np.empty((rows, columns * channels), np.uint8)
    kind = np.uint16 if size * 255 + size // 2 < 1 << 16 else np.uint32
    count = min(rows, ROWS_AT_ONCE)
    lines = np.empty((count, width, channels), kind)
    sums = np.empty((count, columns * channels), kind)
    spare = np.empty_like(sums)
    for top in range(0, rows, count):
        stop = min(count, rows - top)
        band, line = image[top * high : (top + stop) * high], lines[:stop]
        line[...] = band[::high]
        for row in range(1, high):
            line += band[row::high]
        # One channel at a time: NumPy is slow on axes of three.
        flat, step = line.reshape(stop, width * channels), wide * channels
        for channel in range(channels):
            total = sums[:stop, channel::channels]
            first, *others = (flat[:, start::step] for start in range(channel, step, channels))
            np.add(first, others.pop() if others else 0, out=total)
            for other in others:
                total += other
        _divide(sums[:stop], size, spare[:stop])
        out[top : top + stop] = sums[:stop]
    return out.reshape(rows, columns, channels)


def _divide(sums: NDArray[Any], size: int, spare: NDArray[Any]) -> None:
    """Divide sums by a number and round, halves to the even number."""
    if size % 2 == 0:
        np.floor_divide(sums, size, out=spare)
        spare &= 1
        sums += spare  # exactly half is rounded up only from an odd number
    sums += (size - 1) // 2
    sums //= size


def _shifted(
    patch: NDArray[np.uint8], box: tuple[float, float, float, float], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resample a box whose pixels have nearly the size of the patch's, between two samples.

    If they have that very size, shares are exact. If not, a sixteenth of a pixel is exact enough,
    and integers take half the time.
    """
    height, width, channels = patch.shape
    above, below, down = _neighbours(height, box[0], box[2], shape[0])
    before, after, across = _neighbours(width, box[1], box[3], shape[1])
    exact = _same_size(box[0], box[2], shape[0]) and _same_size(box[1], box[3], shape[1])
    scale = 1 if exact else PARTS
    down, across = _scaled(down, scale), _scaled(across, scale)
    share = np.repeat(across, channels).reshape(-1, channels)  # NumPy is slow on axes of three
    moved_down, moved_across = bool(down.any()), bool(across.any())
    total = scale ** (moved_down + moved_across)
    out = np.empty((*shape, channels), np.uint8)
    spans = _runs(before, after)
    for top, bottom in _runs(above, below, most=ROWS_AT_ONCE):
        y, lines = below[top], patch[above[top] : above[top] + bottom - top]
        if moved_down:
            lines = _between(
                lines, patch[y : y + bottom - top], down[top:bottom, None, None], scale
            )
        for left, right in spans:
            x, part = after[left], lines[:, before[left] : before[left] + right - left]
            if moved_across:
                part = _between(part, lines[:, x : x + right - left], share[left:right], scale)
            if part.dtype == np.uint16:
                part = (part + total // 2) // total
            out[top:bottom, left:right] = part if part.dtype != np.float32 else np.rint(part)
    return out


def _scaled(share: NDArray[np.float32], scale: int) -> NDArray[Any]:
    return share if scale == 1 else np.rint(share * scale).astype(np.uint16)


def _between(
    first: NDArray[Any], second: NDArray[Any], share: NDArray[Any], scale: int
) -> NDArray[Any]:
    """Return values between those of two arrays, ``share / scale`` of the way, times ``scale``."""
    start = first.astype(share.dtype)
    out = second.astype(share.dtype)
    out -= start  # of 16 bits, negative numbers wrap around, and the sum wraps back
    out *= share
    start *= share.dtype.type(scale)
    out += start
    return out


def _same_size(start: float, stop: float, out: int) -> bool:
    return abs(stop - start - out) <= EXACT


def _neighbours(
    count: int, start: float, stop: float, out: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return the two samples around each output pixel's centre, and the share of the second."""
    step = (stop - start) / out
    centre = start + step * (np.arange(out) + 0.5) - 0.5
    offset = centre - np.arange(out)
    nearest = round((offset[0] + offset[-1]) / 2)
    most = EXACT if _same_size(start, stop, out) else OFF
    if max(abs(offset[0] - nearest), abs(offset[-1] - nearest)) <= most:
        first, share = np.arange(nearest, nearest + out), np.zeros(out, np.float32)
    else:
        first = np.floor(centre).astype(np.intp)
        share = (centre - first).astype(np.float32)
    return np.clip(first, 0, count - 1), np.clip(first + 1, 0, count - 1), share


def _runs(*indices: NDArray[np.intp], most: int | None = None) -> list[tuple[int, int]]:
    """Return the spans in which all of these indices follow one another, ``most`` at once."""
    jumps = np.logical_or.reduce([np.diff(index) != 1 for index in indices])
    count = len(indices[0])
    edges = {0, count, *(np.flatnonzero(jumps) + 1).tolist(), *range(0, count, most or count)}
    return list(pairwise(sorted(edges)))


def _weighted(
    patch: NDArray[np.uint8], box: tuple[float, float, float, float], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resample a box with any weights, by a sparse matrix for each axis."""
    top, left, bottom, right = box
    rows, columns = shape
    height, width, channels = patch.shape
    down = _weights(height, top, bottom, rows)
    across = _weights(width, left, right, columns)
    lines = down @ patch.reshape(height, -1).astype(np.float32)
    lines = lines.reshape(rows, width, channels).transpose(1, 0, 2).reshape(width, -1)
    out = (across @ lines).reshape(columns, rows, channels).transpose(1, 0, 2)
    return np.ascontiguousarray(np.clip(np.rint(out), 0, 255).astype(np.uint8))


def _weights(count: int, start: float, stop: float, out: int) -> csr_array:
    """Return the (out, count) matrix that resamples ``start``–``stop`` of ``count`` samples."""
    from scipy.sparse import csr_array  # a slow import, not needed at start-up

    step = (stop - start) / out
    if step >= 1:  # the share of each sample that lies inside each output pixel
        edges = start + step * np.arange(out + 1)
        first = np.floor(edges[:-1]).astype(int)
        index = first[:, None] + np.arange(int(np.ceil(step)) + 1)
        low = np.maximum(index, edges[:-1, None])
        high = np.minimum(index + 1, edges[1:, None])
        value = np.clip(high - low, 0, None) / step
    else:  # between the two nearest sample centres
        centre = start + step * (np.arange(out) + 0.5) - 0.5
        first = np.floor(centre).astype(int)
        index = first[:, None] + np.arange(2)
        second = centre - first
        value = np.stack([1 - second, second], axis=1)
    row = np.broadcast_to(np.arange(out)[:, None], index.shape)
    index = np.clip(index, 0, count - 1)
    triple = (value.astype(np.float32).ravel(), (row.ravel(), index.ravel()))
    return csr_array(triple, shape=(out, count))


def level_sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the (height, width) of an image and of its smaller levels."""
    sizes = [size]
    while max(sizes[-1]) > COARSEST and min(sizes[-1]) > 1:
        height, width = sizes[-1]
        sizes.append((height // 2, width // 2))
    return sizes


def pyramid(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return an image and its smaller levels, each averaging 2 × 2 px of the previous one.

    All are uint8, (height, width, 3). The image itself comes first, without a copy.
    """
    levels = [image]
    for height, width in level_sizes((image.shape[0], image.shape[1]))[1:]:
        out = np.empty((height, width, 3), np.uint8)
        halve(levels[-1], out)
        levels.append(out)
    return levels


def halve(source: Any, out: Any) -> None:
    """Write the 2 × 2 px means of one level into the next coarser one, block by block.

    Parameters
    ----------
    source : array-like, uint8, (height, width, 3)
    out : array-like, uint8, (height // 2, width // 2, 3)
        Either may be on disk.
    """
    height, width = out.shape[:2]
    for top in range(0, height, BLOCK[0]):
        bottom = min(top + BLOCK[0], height)
        for left in range(0, width, BLOCK[1]):
            right = min(left + BLOCK[1], width)
            part = np.asarray(source[2 * top : 2 * bottom, 2 * left : 2 * right])
            pairs = part[0::2].astype(np.uint16) + part[1::2]
            out[top:bottom, left:right] = (pairs[:, 0::2] + pairs[:, 1::2] + 2) // 4

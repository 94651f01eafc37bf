"""Similarity of two small grey pictures at their best shift, rotation and reflection.

Weighted normalised cross-correlation of the overlap over all shifts, in all eight symmetries
(after Padfield, *Masked object registration in the Fourier domain*, IEEE TIP 21, 2012).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # px of a small picture: 4 µm per px for a tile of 128 µm, less than a nucleus
SHIFT = SIDE // 4  # largest shift in px, each way
LEAST_SPREAD = 2.0  # grey levels; less is glass, and all glass looks the same
LEAST_WEIGHT = 0.15  # share of the weight that must lie in the overlap

_PADDED = SIDE + SHIFT  # 40, whose transform is fast
_LAGS = np.r_[0 : SHIFT + 1, -SHIFT:0]

Floats = NDArray[np.float32]


def _transform_to_lags() -> tuple[Floats, Floats, Floats]:
    """Return matrices that take a spectrum to the allowed shifts alone, as :func:`_at_lags` does.

    The first takes its rows, by cosines and then by sines, to shifts that are not negative. The
    others take the columns of both parts, each real and imaginary in turn, to all shifts. Only half
    of the columns are stored, because the sums are real.
    """
    angle = 2 * np.pi / _PADDED
    rows = np.outer(np.arange(SHIFT + 1), np.arange(_PADDED)) * angle
    by_rows = np.concatenate([np.cos(rows), np.sin(rows[1:])]) / _PADDED
    columns = np.exp(1j * np.outer(np.arange(_PADDED // 2 + 1), _LAGS) * angle) / _PADDED
    columns[1 : (_PADDED + 1) // 2] *= 2  # also for the other half
    cosines = np.stack([columns.real, -columns.imag], axis=1).reshape(-1, len(_LAGS))
    sines = np.stack([-columns.imag, -columns.real], axis=1).reshape(-1, len(_LAGS))
    return by_rows.astype(np.float32), cosines.astype(np.float32), sines.astype(np.float32)


_ROWS, _COSINES, _SINES = _transform_to_lags()


def small_grey(pixels: NDArray[np.uint8]) -> Floats:
    """Return the small grey picture of a tile: float32 (SIDE, SIDE), 0 to 255."""
    from PIL import Image

    grey = Image.fromarray(np.ascontiguousarray(pixels)).convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)


def small_part(mask: NDArray[np.bool_]) -> Floats:
    """Return the share of each px of a small picture that a mask covers: float32 (SIDE, SIDE)."""
    from PIL import Image

    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    covered = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    return covered / np.float32(255)


def best_correlations(one: Floats, others: Floats, weights: Floats | None = None) -> Floats:
    """Compute the correlation of a picture with others at their best shift and symmetry.

    Parameters
    ----------
    one : array, float32, (SIDE, SIDE)
    others : array, float32, (pictures, SIDE, SIDE)
    weights : array, float32, (SIDE, SIDE), optional
        Of each px of ``one``; equal by default, and if hardly any px would count.

    Returns
    -------
    array, float32, (pictures,)
        -1 to 1; 0 if an overlap shows only glass.
    """
    if weights is None or weights.mean() < LEAST_WEIGHT:
        weights = np.ones_like(one)
    one = one - np.average(one, weights=weights)
    turned = np.stack([symmetries(part) for part in (weights, weights * one, weights * one**2)])
    weight, first, second = _spectrum(turned)[:, :, None]  # each (8, 1, ...)
    level = others.mean(axis=(1, 2), keepdims=True)
    picture, square, whole = (
        _spectrum(part) for part in (others - level, (others - level) ** 2, np.ones_like(one))
    )
    total = np.maximum(_at_lags(weight, whole), 1e-6)
    mean = _at_lags(first, whole) / total
    spread = _at_lags(second, whole) / total - mean**2
    counts = (spread > LEAST_SPREAD**2) & (total >= LEAST_WEIGHT * SIDE**2)
    # In place, because these are large: (8, pictures, lags, lags).
    mean_other = _at_lags(weight, picture)
    mean_other /= total
    spread_other = _at_lags(weight, square)
    spread_other /= total
    spread_other -= mean_other**2
    product = _at_lags(first, picture)
    product /= total
    product -= np.multiply(mean, mean_other, out=mean_other)
    shown = counts & (spread_other > LEAST_SPREAD**2)
    spread_other *= spread
    scale = np.sqrt(np.maximum(spread_other, 1e-6, out=spread_other), out=spread_other)
    product /= scale
    product *= shown
    return np.asarray(product.max(axis=(0, 2, 3)), np.float32).clip(-1, 1)


def coarse(pictures: NDArray[Any]) -> Floats:
    """Return half-sized pictures as unit vectors, whose products are correlations.

    Parameters
    ----------
    pictures : array, (pictures, SIDE, SIDE)

    Returns
    -------
    array, float32, (pictures, SIDE² / 4)
    """
    half = SIDE // 2
    halved = pictures.reshape(-1, half, 2, half, 2).mean(axis=(2, 4), dtype=np.float32)
    vectors = halved.reshape(len(pictures), -1)
    vectors -= vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, half), np.float32)


def symmetries(picture: Floats) -> Floats:
    """Return the eight rotations and reflections of a picture: (8, height, width)."""
    turned = [np.rot90(picture, quarter) for quarter in range(4)]
    return np.stack(turned + [one[:, ::-1] for one in turned])


def _spectrum(pictures: Floats) -> NDArray[Any]:
    from scipy.fft import rfft2  # slow to import, and every process that makes pairs would

    return np.asarray(rfft2(pictures, (_PADDED, _PADDED)))


def _at_lags(weights: NDArray[Any], pictures: NDArray[Any]) -> Floats:
    """Return the sums of products of two pictures at all allowed shifts, from their spectra.

    This is the inverse Fourier transform of few of the rows and columns: as products of matrices it
    takes a fifth of the time of the whole transform.
    """
    parts = np.matmul(_ROWS, (np.conj(weights) * pictures).view(np.float32))
    even = parts[..., : SHIFT + 1, :] @ _COSINES
    odd = parts[..., SHIFT + 1 :, :] @ _SINES
    sums = np.empty((*even.shape[:-2], len(_LAGS), len(_LAGS)), np.float32)
    sums[..., 0, :] = even[..., 0, :]
    np.add(even[..., 1:, :], odd, out=sums[..., 1 : SHIFT + 1, :])
    np.subtract(even[..., :0:-1, :], odd[..., ::-1, :], out=sums[..., SHIFT + 1 :, :])
    return sums

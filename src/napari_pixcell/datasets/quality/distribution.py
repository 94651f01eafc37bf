"""How close a set of pictures is to a set of real tiles, from their features alone.

Two distributions always differ in a finite sample. So the real tiles are split into halves: the
pictures are compared with one half, and the other half with the same one. The second comparison is
the floor, what real tissue itself reaches at this number of samples. Averages over several splits.

The numbers of :data:`FEWEST`, :data:`ENOUGH` and :data:`PER_AXIS` come from a simulation with 256
features whose standard deviation falls as rank to the power of −0.6. Its pictures were drawn like
the real tiles, shifted by 0.6 standard deviations along six main axes, or 30 % less varied:

- With 10 samples, the shift is told from chance in 6 of 10 cases; with 25 in 8, with 50 in 9,
  with 100 always.
- The ratio of the Fréchet distance to its floor varies by ±0.4 around 1 with 50 samples of like
  distributions, and by ±0.15 with 100.
- In all 256 dimensions, pictures that vary less seem closer than real tissue until there are 100
  samples. Along one axis for each four samples they do not from 25 samples on.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST = 10  # samples on each side; with fewer, nothing can be told
ENOUGH = 50  # with fewer, figures are a hint
MOST = 2000  # samples on each side; more take long and change little
PER_AXIS = 4  # samples for each principal axis of a Fréchet distance
MOST_AXES = 64
NEIGHBOURS = 5  # Naeem et al., 2020
WORK = 1000  # samples over all splits
MOST_SPLITS = 10
BLOCK = 512  # rows of a block of distances


@dataclass(frozen=True)
class Closeness:
    """Figures of a set of samples compared with real ones.

    Parameters
    ----------
    frechet : float
        Fréchet distance, as :func:`frechet_distance`; 0 is best.
    precision : float
        Share of the samples within the reach of a real one, 0 to 1. The reach of a sample is the
        distance to its k-th neighbour within its own set. Kynkäänniemi et al., NeurIPS 2019.
    recall : float
        Share of the real samples within the reach of a sample, 0 to 1.
    density : float
        Mean number of real samples whose reach a sample is in, divided by k; 1 for the same
        distribution, and more in the midst of it. Naeem et al., ICML 2020.
    coverage : float
        Share of the real samples with a sample in their reach, 0 to 1.
    """

    frechet: float
    precision: float
    recall: float
    density: float
    coverage: float


@dataclass(frozen=True)
class Distribution:
    """Pictures compared with real tiles.

    Parameters
    ----------
    pictures, real : int
        Numbers of samples that there are.
    compared : int
        Number of samples on each side of a comparison.
    measured : Closeness
        Pictures compared with a half of the real tiles.
    floor : Closeness
        The other half of the real tiles compared with it.
    """

    pictures: int
    real: int
    compared: int
    measured: Closeness
    floor: Closeness

    @property
    def enough(self) -> bool:
        """Whether there are enough samples for the figures to be more than a hint."""
        return self.compared >= ENOUGH

    @property
    def ratio(self) -> float:
        """Fréchet distance as a multiple of its floor; infinite if that is 0."""
        return self.measured.frechet / self.floor.frechet if self.floor.frechet else np.inf


def compare(
    real: NDArray[Any],
    pictures: NDArray[Any],
    real_groups: NDArray[np.integer[Any]] | None = None,
    picture_groups: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
) -> Distribution | None:
    """Compare pictures with real tiles.

    Takes seconds for any number of samples: at most :data:`MOST` of each are compared at a time.

    Parameters
    ----------
    real : array, float, (tiles, features)
    pictures : array, float, (pictures, features)
    real_groups, picture_groups : array of integers, (tiles,) and (pictures,), optional
        The group of each sample, such as a slide. Both sides then hold the same number of samples
        of each group, so that the groups' shares do not count. Groups with too few samples for
        this are joined.
    seed : int
        Of the choice of samples.

    Returns
    -------
    Distribution or None
        None if there are too few samples: fewer than :data:`FEWEST` on a side.

    Raises
    ------
    ValueError
        If a feature is not finite, or the numbers of features differ.
    """
    real, pictures = _checked(real), _checked(pictures)
    if real.shape[1] != pictures.shape[1]:
        raise ValueError(f"{real.shape[1]} and {pictures.shape[1]} features cannot be compared")
    strata = _strata(len(real), len(pictures), real_groups, picture_groups)
    size = sum(min(len(tiles) // 2, len(own)) for tiles, own in strata)
    if size < FEWEST:
        return None
    size = min(size, MOST)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(int(np.clip(WORK // size, 1, MOST_SPLITS))):
        chosen = _split(strata, rng)
        if len(chosen) > size:
            chosen = chosen[rng.permutation(len(chosen))[:size]]
        first, second, own = real[chosen[:, 0]], real[chosen[:, 1]], pictures[chosen[:, 2]]
        _, axes = principal_axes(np.concatenate([first, second, own]), _axes_for(size))
        found.append([_closeness(first, other, axes) for other in (own, second)])
    measured, floor = (
        Closeness(*np.mean([astuple(pair[side]) for pair in found], axis=0).tolist())
        for side in (0, 1)
    )
    return Distribution(len(pictures), len(real), size, measured, floor)


def frechet_distance(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Compute the Fréchet distance of two Gaussians fitted to samples.

    ``|m₁ − m₂|² + tr(C₁ + C₂ − 2 (C₁C₂)^½)`` (Dowson and Landau, 1982; Heusel et al., NeurIPS
    2017). The eigenvalues of ``C₁C₂`` are the squared singular values of the product of the
    centred samples. So no root of a matrix is taken, and covariances without full rank are exact.
    With fewer samples than features the distance is too large; reduce the features first, see
    :func:`principal_axes`.

    Parameters
    ----------
    one, other : array, float, (samples, features)
        At least two samples each.

    Raises
    ------
    ValueError
        If a feature is not finite.
    """
    one, other = _checked(one), _checked(other)
    means = [samples.mean(axis=0) for samples in (one, other)]
    a, b = (_root(samples - mean) for samples, mean in zip((one, other), means, strict=True))
    apart = float(np.square(means[0] - means[1]).sum())
    spread = float(np.square(a).sum() + np.square(b).sum())
    shared = float(np.linalg.svd(a @ b.T, compute_uv=False).sum())
    return max(0.0, apart + spread - 2 * shared)


def principal_axes(samples: NDArray[Any], count: int) -> tuple[Floats, Floats]:
    """Return the mean and the main directions of samples.

    Parameters
    ----------
    samples : array, float, (samples, features)
    count : int
        Number of directions; fewer if there are fewer features or samples.

    Returns
    -------
    mean : array, (features,)
    axes : array, (count, features)
        Orthonormal, the direction of the largest variance first. Their signs are fixed. Of fewer
        samples than features, those without variance are 0.
    """
    from scipy.linalg import eigh

    mean = samples.mean(axis=0, dtype=np.float64)
    centred = np.asarray(samples, np.float64) - mean
    few = len(centred) < centred.shape[1]  # then the smaller matrix has the same eigenvalues
    squares = centred @ centred.T if few else centred.T @ centred
    last = len(squares) - 1
    _, vectors = eigh(squares, subset_by_index=(max(0, last - count + 1), last))
    axes = vectors.T[::-1]
    if few:
        axes = axes @ centred
        lengths = np.linalg.norm(axes, axis=1, keepdims=True)
        axes = axes / np.where(lengths > 1e-9 * np.sqrt(np.trace(squares)), lengths, np.inf)
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    return mean, axes * signs[:, None]


def _closeness(real: Floats, samples: Floats, axes: Floats) -> Closeness:
    """Compare samples with as many real ones; the Fréchet distance lies along axes."""
    count = len(real)
    # The reach of so few samples is random, and with more neighbours it spans the whole set.
    k = NEIGHBOURS if count >= ENOUGH else max(1, count // 10)
    reach, own_reach = _reach(real, k), _reach(samples, k)
    in_reach = np.zeros(count, np.int64)  # for each sample: real ones whose reach it is in
    recalled, covered = (np.zeros(count, bool) for _ in range(2))
    for start in range(0, count, BLOCK):
        rows = slice(start, start + BLOCK)
        apart = _squared_distances(real[rows], samples)
        within = apart <= reach[rows, None]
        in_reach += within.sum(axis=0)
        covered[rows] = within.any(axis=1)
        recalled[rows] = (apart <= own_reach).any(axis=1)
    return Closeness(
        frechet_distance(real @ axes.T, samples @ axes.T),
        float((in_reach > 0).mean()),
        float(recalled.mean()),
        float(in_reach.mean() / k),
        float(covered.mean()),
    )


def _reach(samples: Floats, k: int) -> Floats:
    """Return the squared distance of each sample to its k-th neighbour."""
    reach = np.empty(len(samples))
    for start in range(0, len(samples), BLOCK):
        apart = _squared_distances(samples[start : start + BLOCK], samples)
        rows = np.arange(len(apart))
        apart[rows, start + rows] = -1  # itself, which rounding could put behind a neighbour
        reach[start : start + BLOCK] = np.partition(apart, k, axis=1)[:, k]
    return reach


def _squared_distances(one: Floats, other: Floats) -> Floats:
    squares = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1)
    return np.asarray(np.maximum(squares - 2 * one @ other.T, 0))


def _root(centred: Floats) -> Floats:
    """Return a matrix R of at most as many rows as features with RᵀR = covariance."""
    count, features = centred.shape
    scaled = centred / np.sqrt(max(1, count - 1))
    return np.asarray(np.linalg.qr(scaled, mode="r")) if count > features else scaled


def _axes_for(size: int) -> int:
    return min(MOST_AXES, max(2, size // PER_AXIS))


Stratum = tuple[NDArray[np.intp], NDArray[np.intp]]  # numbers of real tiles and of pictures


def _strata(
    tiles: int,
    pictures: int,
    real_groups: NDArray[np.integer[Any]] | None,
    picture_groups: NDArray[np.integer[Any]] | None,
) -> list[Stratum]:
    """Return the groups with enough samples, and all others as one."""
    if real_groups is None or picture_groups is None:
        return [(np.arange(tiles), np.arange(pictures))]
    strata: list[Stratum] = []
    rest: list[Stratum] = []
    for group in np.intersect1d(real_groups, picture_groups):
        both = np.flatnonzero(real_groups == group), np.flatnonzero(picture_groups == group)
        large = len(both[0]) >= 2 * FEWEST and len(both[1]) >= FEWEST
        (strata if large else rest).append(both)
    if rest:
        strata.append((np.concatenate([r for r, _ in rest]), np.concatenate([p for _, p in rest])))
    return strata


def _split(strata: list[Stratum], rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw real tiles, other real tiles and pictures, as many of each group: (samples, 3)."""
    parts = []
    for tiles, own in strata:
        count = min(len(tiles) // 2, len(own))
        drawn = rng.permutation(tiles)[: 2 * count]
        pictures = rng.permutation(own)[:count]
        parts.append(np.stack([drawn[:count], drawn[count:], pictures], axis=1))
    return np.concatenate(parts)


def _checked(samples: NDArray[Any]) -> Floats:
    checked = np.asarray(samples, np.float64)
    if checked.ndim != 2 or not np.isfinite(checked).all():
        raise ValueError("the features are no finite numbers, (samples, features)")
    return checked

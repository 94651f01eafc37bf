"""Distances of distributions against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_pixcell.datasets.quality.distribution import (
    BLOCK,
    ENOUGH,
    FEWEST,
    compare,
    frechet_distance,
    principal_axes,
)

Floats = NDArray[np.float64]


def with_moments(mean: Floats, covariance: Floats, count: int = 64, seed: int = 0) -> Floats:
    """Return samples with exactly this mean and covariance."""
    drawn = np.random.default_rng(seed).normal(size=(count, len(mean)))
    drawn -= drawn.mean(axis=0)
    white = drawn @ np.linalg.inv(np.linalg.cholesky(np.cov(drawn.T))).T
    return np.asarray(white @ np.linalg.cholesky(covariance).T + mean)


def normal(count: int, features: int = 16, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=(count, features))


def test_the_frechet_distance_of_two_gaussians_is_that_of_the_closed_form() -> None:
    zero, unit = np.zeros(3), np.eye(3)
    near = with_moments(zero, unit)
    moved = with_moments(np.array([3.0, 4.0, 0.0]), unit, 100, 1)
    assert frechet_distance(near, moved) == pytest.approx(25)
    wide = with_moments(zero, np.diag([4.0, 9.0, 1.0]), 50, 2)  # Σ (σ₁ − σ₂)² if they commute
    assert frechet_distance(near, wide) == pytest.approx(1 + 4)
    one, other = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[5.0, -2.0], [-2.0, 1.0]])
    # In two dimensions, tr (AB)^½ = √(tr AB + 2 √det AB).
    root = np.sqrt(np.trace(one @ other) + 2 * np.sqrt(np.linalg.det(one @ other)))
    a, b = with_moments(np.zeros(2), one), with_moments(np.ones(2), other, 200, 3)
    expected = 2 + np.trace(one) + np.trace(other) - 2 * root
    assert frechet_distance(a, b) == pytest.approx(expected)
    assert frechet_distance(b, a) == pytest.approx(expected)


def test_the_frechet_distance_is_safe_without_full_rank() -> None:
    few = normal(5, 300)
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(few, few + 0.5) == pytest.approx(300 * 0.25)
    line = np.zeros((40, 6))
    line[:, 2] = np.linspace(-1, 1, 40)
    assert frechet_distance(line, 2 * line) == pytest.approx(line[:, 2].var(ddof=1))
    assert frechet_distance(np.ones((3, 4)), np.ones((2, 4))) == 0


def test_axes_are_those_of_the_largest_variance() -> None:
    for count in (400, 5):  # more and fewer samples than features
        samples = normal(count, 6) * (0.1, 9, 0.1, 0.1, 3, 0.1) + 7
        mean, axes = principal_axes(samples, 2)
        assert np.allclose(mean, samples.mean(axis=0))
        assert np.allclose(axes @ axes.T, np.eye(2))
        assert np.argmax(np.abs(axes), axis=1).tolist() == [1, 4]
        assert (axes[[0, 1], [1, 4]] > 0).all()
    axes = principal_axes(samples, 99)[1]
    assert axes.shape == (5, 6) and np.allclose(axes @ axes.T, np.diag([1, 1, 1, 1, 0]))
    assert not principal_axes(np.ones((3, 6)), 2)[1].any()


def test_pictures_like_the_real_tiles_reach_the_floor() -> None:
    result = compare(normal(2 * BLOCK + 400), normal(700, seed=1))
    assert result is not None and result.enough
    assert (result.pictures, result.real, result.compared) == (700, 2 * BLOCK + 400, 700)
    assert result.ratio == pytest.approx(1, abs=0.25)
    measured, floor = result.measured, result.floor
    assert measured.density == pytest.approx(1, abs=0.1)
    assert measured.coverage == pytest.approx(1 - 0.5**5, abs=0.03)  # Naeem et al., lemma 2
    assert measured.precision == pytest.approx(floor.precision, abs=0.05)
    assert measured.recall == pytest.approx(floor.recall, abs=0.05)


def test_each_defect_shows_in_its_figure() -> None:
    real = normal(400, 8)
    apart = compare(real, normal(200, 8, 1) + 50)
    assert apart is not None
    measured = apart.measured
    assert (measured.precision, measured.recall, measured.density) == (0, 0, 0)
    assert measured.coverage == 0 and measured.frechet == pytest.approx(50**2 * 8, rel=0.02)
    alike = compare(real, 0.3 * normal(200, 8, 1))  # all of them near the mean
    assert alike is not None and alike.ratio > 3
    assert alike.measured.precision == 1 and alike.measured.recall < 0.1
    assert alike.measured.density > 2
    repeated = compare(real, np.repeat(normal(1, 8, 1), 200, axis=0) / 10)
    assert repeated is not None and repeated.measured.coverage < 0.6
    assert repeated.measured.recall == 0


def test_the_same_tiles_twice_are_as_close_as_can_be() -> None:
    result = compare(np.ones((40, 3)), np.ones((40, 3)))
    assert result is not None and result.ratio == np.inf
    measured = result.measured
    assert (measured.frechet, measured.precision, measured.recall) == (0, 1, 1)


def test_too_few_samples_give_no_figures_and_few_are_marked() -> None:
    assert compare(normal(2 * FEWEST - 1), normal(100)) is None
    assert compare(normal(100), normal(FEWEST - 1)) is None
    assert compare(normal(0), normal(0)) is None
    few = compare(normal(2 * FEWEST), normal(FEWEST, seed=1))
    assert few is not None and few.compared == FEWEST and not few.enough
    many = compare(normal(2 * ENOUGH), normal(ENOUGH, seed=1))
    assert many is not None and many.enough


def test_shares_of_the_groups_do_not_count() -> None:
    """The real tiles are 9 : 1 of two slides, the pictures 1 : 1, each like its slide."""
    places = np.array([[0.0] * 8, [20.0] * 8])
    tiles, own = np.repeat([0, 1], (360, 40)), np.repeat([0, 1], (60, 60))
    real, pictures = normal(400, 8) + places[tiles], normal(120, 8, 1) + places[own]
    mixed, matched = compare(real, pictures), compare(real, pictures, tiles, own)
    assert mixed is not None and matched is not None
    assert matched.compared == 60 + 20
    assert matched.ratio < 2 < 10 < mixed.ratio, (matched.ratio, mixed.ratio)


def test_small_groups_are_joined_and_groups_of_one_side_left_out() -> None:
    groups = np.arange(100)
    joined = compare(normal(100), normal(60, seed=1), groups, groups[:60])
    assert joined is not None and joined.compared == 30
    assert compare(normal(100), normal(100), groups, groups + 100) is None


def test_other_features_are_refused() -> None:
    broken = normal(30)
    broken[3, 3] = np.nan
    for one, other in ((broken, normal(30)), (normal(30), broken), (normal(30), normal(30, 3))):
        with pytest.raises(ValueError, match="features"):
            compare(one, other)

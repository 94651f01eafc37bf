"""Embeddings between others; imports no torch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_pixcell.engine.canvas.plan import spread_over
from napari_pixcell.engine.styles.blending import as_grid, blend
from napari_pixcell.errors import PixCellError


def some(count: int, shape: tuple[int, ...] = (1, 1, 64), length: float = 1.0) -> list[np.ndarray]:
    random = np.random.default_rng(7)
    made = random.normal(size=(count, *shape))
    made *= length / np.linalg.norm(made, axis=-1, keepdims=True)
    return list(made.astype(np.float32))


def angle(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(float), b.astype(float)
    cosine = (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)
    return float(np.arccos(np.clip(cosine, -1, 1)))


def test_the_ends_are_the_styles_themselves_bit_by_bit() -> None:
    a, b = some(2, (4, 4, 64), 9.3)
    assert np.array_equal(blend([a, b], [1, 0]), a)
    assert np.array_equal(blend([a, b], [0, 3]), b)


def test_unit_vectors_stay_unit_vectors_and_angles_are_even() -> None:
    a, b = some(2)
    series = [blend([a, b], [1 - t, t]) for t in np.linspace(0, 1, 6)]
    assert np.allclose([np.linalg.norm(one) for one in series], 1, atol=1e-6)
    steps = [angle(x, y) for x, y in itertools.pairwise(series)]
    assert np.allclose(steps, angle(a, b) / 5, atol=1e-4)


def test_lengths_are_interpolated_linearly() -> None:
    a, b = some(1)[0] * 2, some(2)[1] * 6
    assert np.linalg.norm(blend([a, b], [3, 1])) == pytest.approx(3, abs=1e-5)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_order_of_styles_does_not_matter(count: int) -> None:
    styles, weights = some(count, (2, 3, 16)), [0.1, 0.5, 0.2, 0.7, 0.4][:count]
    first = blend(styles, weights)
    for order in list(itertools.permutations(range(count)))[1:12]:
        other = blend([styles[i] for i in order], [weights[i] for i in order])
        assert np.allclose(first, other, atol=1e-6)


def test_several_styles_blend_to_their_spherical_mean() -> None:
    styles, weights = some(4), np.array([0.4, 0.3, 0.2, 0.1])
    mean = blend(styles, weights)[0, 0].astype(float)
    pull = np.zeros(64)
    for style, weight in zip(styles, weights, strict=True):
        across = style[0, 0] - (style[0, 0] @ mean) * mean
        pull += weight * angle(style, mean) * across / np.linalg.norm(across)
    assert np.linalg.norm(pull) < 1e-5
    assert np.linalg.norm(mean) == pytest.approx(1, abs=1e-6)


def test_a_style_without_weight_changes_nothing() -> None:
    a, b, c = some(3)
    assert np.array_equal(blend([a, b, c], [1, 2, 0]), blend([a, b], [1, 2]))
    near = blend([a, b, c], [1, 2, 1e-7])
    assert angle(near, blend([a, b], [1, 2])) < 1e-4


def test_only_the_proportions_of_the_weights_matter() -> None:
    a, b = some(2)
    assert np.allclose(blend([a, b], [1, 3]), blend([a, b], [20, 60]), atol=1e-7)


def test_equal_opposite_and_zero_styles_blend_to_finite_values() -> None:
    a = some(1)[0]
    assert np.allclose(blend([a, a.copy()], [1, 1]), a, atol=1e-6)
    for others in ([-a], [-a, a], [np.zeros_like(a)], [np.zeros_like(a), -a]):
        assert np.isfinite(blend([a, *others], [2] + [1] * len(others))).all()


def test_a_grid_of_another_shape_is_extended_as_when_used_alone() -> None:
    tile, region = some(1, (4, 64))[0], some(1, (3, 5, 64))[0]
    assert blend([tile, region], [1, 1]).shape == (2, 2, 64)
    assert blend([region, tile], [1, 1]).shape == (3, 5, 64)
    assert np.array_equal(blend([tile, region], [0, 1], (7, 6)), spread_over(region, (7, 6)))
    mixed = blend([tile, region], [1, 1], (7, 6))
    last = blend([spread_over(as_grid(tile), (7, 6))[6:, 5:], region[0:1, 4:5]], [1, 1])
    assert np.allclose(mixed[6, 5], last[0, 0], atol=1e-6)


def test_styles_that_cannot_be_blended_are_refused() -> None:
    a, b = some(2)
    for embeddings, weights, words in (
        ([], [], "0 styles and 0 weights"),
        ([a, b], [1], "2 styles and 1 weight"),
        ([a, b], [0, 0], "at least one more than 0"),
        ([a, b], [1, -1], "0 or more"),
        ([a, b], [1, float("nan")], "0 or more"),
        ([a, b[..., :32]], [1, 1], "different encoders"),
        ([np.zeros((3, 8), np.float32)], [1], r"shape \(3, 8\)"),
        ([np.full((1, 8), np.nan, np.float32)], [1], "not numbers"),
        ([np.zeros((1, 8), int)], [1], "not numbers"),
    ):
        with pytest.raises(PixCellError, match=words):
            blend(embeddings, weights)

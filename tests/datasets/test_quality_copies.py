"""Real tiles found again in what copies them, turned, flipped, shifted and tinted."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_pixcell.datasets.quality import Nearest, RealTiles, copies, gather
from napari_pixcell.datasets.quality.alignment import (
    LEAST_WEIGHT,
    SHIFT,
    SIDE,
    best_correlations,
    coarse,
    small_grey,
    small_part,
    symmetries,
)
from napari_pixcell.datasets.quality.copies import COMPARED, ComparedPicture
from napari_pixcell.errors import PixCellError


def small(seed: int, side: int = SIDE) -> np.ndarray:
    field = gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), 1)
    return (128 + 60 * field / field.std()).clip(0, 255).astype(np.float32)


def tissue(seed: int, side: int = 256) -> np.ndarray:
    grey = np.kron(small(seed, side // 8), np.ones((8, 8)))[..., None]
    return (grey * (0.9, 0.7, 0.8)).astype(np.uint8)


def by_hand(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> float:
    """The same over every shift and symmetry with NumPy's own sums."""
    best = -1.0
    for turn in range(8):
        a, w = np.rot90(one, turn % 4), np.rot90(weights, turn % 4)
        if turn >= 4:
            a, w = a[:, ::-1], w[:, ::-1]
        for down in range(-SHIFT, SHIFT + 1):
            for across in range(-SHIFT, SHIFT + 1):
                here = tuple(slice(max(0, -s), SIDE - max(0, s)) for s in (down, across))
                there = tuple(slice(max(0, s), SIDE - max(0, -s)) for s in (down, across))
                p, q, part = a[here].ravel(), other[there].ravel(), w[here].ravel()
                if part.sum() < LEAST_WEIGHT * SIDE**2:
                    continue
                moments = np.cov(p, q, aweights=part, ddof=0)
                best = max(best, moments[0, 1] / np.sqrt(moments[0, 0] * moments[1, 1]))
    return best


def test_correlation_agrees_with_plain_sums():
    weights = np.random.default_rng(0).random((SIDE, SIDE)).astype(np.float32)
    weights[:, :9] = 0
    one, other = small(1), small(2)
    for part in (weights, np.ones_like(weights)):
        found = best_correlations(one, other[None], part)[0]
        assert found == pytest.approx(by_hand(one, other, part), abs=1e-4)


@pytest.mark.parametrize("turn", range(8))
def test_rotated_and_shifted_copies_correlate(turn):
    whole = small(3, SIDE + 8)
    real, copy = whole[:SIDE, :SIDE], whole[6 : 6 + SIDE, 3 : 3 + SIDE]
    copy = np.rot90(copy, turn % 4)
    copy = copy[:, ::-1] if turn >= 4 else copy
    others = np.stack([small(4), real, small(5)])
    found = best_correlations(0.5 * copy + 40, others)
    assert found[1] > 0.999
    assert max(found[0], found[2]) < 0.6


def test_a_tile_covered_by_cells_is_compared_whole():
    one, nothing = small(1), np.zeros((SIDE, SIDE), np.float32)
    assert best_correlations(one, one[None], nothing)[0] == pytest.approx(1, abs=1e-4)


def test_glass_is_not_a_copy_of_glass():
    glass = np.full((SIDE, SIDE), 240, np.float32)
    speck = glass.copy()
    speck[3, 3] = 250
    assert best_correlations(speck, speck[None])[0] == 0
    assert best_correlations(small(1), glass[None])[0] == 0


def real_tiles(count: int = 5) -> RealTiles:
    real = RealTiles()
    for seed in range(count):
        real.add(tissue(seed), np.eye(8, dtype=np.float32)[seed][None] + 1)
    return real


def test_a_copy_is_nearest_to_its_original():
    real = real_tiles()
    copied = real.nearest(tissue(2)[::-1], np.eye(8, dtype=np.float32)[2][None] + 1)
    other = real.nearest(tissue(9), np.eye(8, dtype=np.float32)[6][None] + 1)
    assert copied.pixels > 0.99 > 0.6 > other.pixels
    assert copied.style == pytest.approx(1)
    assert other.style < 0.99
    assert real.closest().pixels < 0.6


def test_a_tinted_copy_is_found_among_many_whose_embeddings_are_nearer():
    real = RealTiles()
    for seed in range(60):
        real.add(tissue(seed), np.eye(2, dtype=np.float32)[[int(seed == 7)]])
    assert real.nearest(np.rot90(tissue(7)), np.eye(2, dtype=np.float32)[[0]]).pixels > 0.99


def test_one_copied_tile_of_a_large_picture_is_found():
    real = real_tiles()
    picture = np.block([[[tissue(20)], [tissue(21)]], [[tissue(22)], [tissue(3)]]])
    values = np.ones((2, 2, 8), np.float32)
    assert real.nearest(picture, values).pixels > 0.99


def test_tiles_of_a_region_are_stored_separately(tmp_path):
    real = RealTiles()
    real.add(np.concatenate([tissue(1), tissue(2)], axis=1), np.ones((1, 2, 8), np.float32))
    assert len(real) == 2
    real.save(tmp_path / "real.npz")
    again = RealTiles.load(tmp_path / "real.npz")
    assert len(again) == 2
    assert again.nearest(tissue(2), np.ones((1, 8), np.float32)).pixels > 0.99


def test_a_single_tile_has_no_neighbour():
    assert real_tiles(1).closest() is None


def test_damaged_files_are_refused(tmp_path):
    (tmp_path / "real.npz").write_bytes(b"PK\x03\x04 torn")
    for name in ("real.npz", "none.npz"):
        with pytest.raises(PixCellError, match=r"cannot be read. Prepare the dataset again"):
            RealTiles.load(tmp_path / name)


def test_another_encoder_is_refused():
    with pytest.raises(PixCellError, match="Another model embedded the real tissue"):
        real_tiles().nearest(tissue(1), np.ones((1, 4), np.float32))


def test_tissue_embedded_by_two_models_is_refused() -> None:
    real = RealTiles()
    real.add(tissue(1), np.ones((1, 8), np.float32))
    real.add(tissue(2), np.ones((1, 9), np.float32))
    with pytest.raises(PixCellError, match=r"Another model embedded .* Prepare the dataset again"):
        real.nearest(tissue(1), np.ones((1, 8), np.float32))


def test_comparing_without_real_tissue_is_refused() -> None:
    tile = np.zeros((256, 256, 3), np.uint8)
    with pytest.raises(PixCellError, match=r"no real tissue to compare with\. Add a style"):
        RealTiles().nearest(tile, np.ones((1, 8), np.float32))


def many_tiles(count: int, dimension: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    embeddings = rng.normal(size=(count, dimension)).astype(np.float32)
    pictures = np.stack([small(seed) for seed in range(count)]).astype(np.uint8)
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True), pictures


def one_by_one(real: RealTiles, picture: ComparedPicture) -> Nearest:
    """The same, tile by tile and real tile by real tile."""
    found = []
    tiles = [picture.pixels[:256], picture.pixels[256:]][: len(picture.embedding)]
    masks = [None, None] if picture.counts is None else [picture.counts[:256], picture.counts[256:]]
    for tile, value, mask in zip(tiles, picture.embedding, masks, strict=False):
        grey, unit = small_grey(tile), value / np.linalg.norm(value)
        cosines = np.array([float(one @ unit) for one in real.embeddings])
        turned = coarse(symmetries(grey))
        aligned = np.array([float((turned @ one).max()) for one in coarse(real.pictures)])
        near = {*np.argsort(-cosines)[:COMPARED], *np.argsort(-aligned)[:COMPARED]}
        others = real.pictures[sorted(near)].astype(np.float32)
        part = None if mask is None else small_part(mask)
        found.append(Nearest(cosines.max(), best_correlations(grey, others, part).max()))
    return Nearest(max(one.style for one in found), max(one.pixels for one in found))


def test_pictures_compared_together_get_what_each_gets_alone(monkeypatch):
    real, rng = RealTiles.of(*many_tiles(90)), np.random.default_rng(2)
    pictures = [
        ComparedPicture(tissue(100), rng.normal(size=(1, 8)).astype(np.float32)),
        ComparedPicture(
            np.concatenate([tissue(101), tissue(5)]),
            rng.normal(size=(2, 8)).astype(np.float32),
            rng.random((512, 256)) < 0.5,
        ),
        ComparedPicture(tissue(7)[::-1], rng.normal(size=(1, 8)).astype(np.float32)),
    ]
    pictures[1] = pictures[1]._replace(embedding=pictures[1].embedding.reshape(2, 1, 8))
    wanted = [
        one_by_one(real, one._replace(embedding=one.embedding.reshape(-1, 8))) for one in pictures
    ]
    for most in (copies.SEARCH_BYTES, 1):  # all real tiles at once, and a few at a time
        monkeypatch.setattr(copies, "SEARCH_BYTES", most)
        together = real.nearest_each(pictures)
        alone = [real.nearest(*one) for one in pictures]
        for found in (together, alone):
            np.testing.assert_allclose(found_values(found), found_values(wanted), atol=1e-5)
        limit = RealTiles.of(*many_tiles(90)).closest()
        assert (limit.style, limit.pixels) == pytest.approx(closest_by_hand(real), abs=1e-5)
    assert together[2].pixels > 0.99


def found_values(found: list[Nearest]) -> list[tuple[float, float]]:
    return [(one.style, one.pixels) for one in found]


def closest_by_hand(real: RealTiles) -> tuple[float, float]:
    styles, pixels = [], []
    for number in np.linspace(0, len(real) - 1, copies.SAMPLED).round().astype(int):
        others = np.delete(np.arange(len(real)), number)
        rest = RealTiles.of(real.embeddings[others], real.pictures[others])
        tile = real.pictures[number]
        picture = np.kron(tile, np.ones((8, 8), np.uint8))[..., None].repeat(3, axis=2)
        found = rest.nearest(picture, real.embeddings[number][None])
        styles.append(found.style)
        pixels.append(found.pixels)
    return float(np.percentile(styles, copies.CLOSE)), float(np.percentile(pixels, copies.CLOSE))


def test_the_tiles_of_many_styles_are_mapped_from_files(tmp_path):
    folder = tmp_path / "real"
    folder.mkdir()
    for number in range(5):
        real = RealTiles()
        pixels = np.concatenate([tissue(2 * number), tissue(2 * number + 1)])
        real.add(pixels, np.eye(8, dtype=np.float32)[[number, number + 1]].reshape(2, 1, 8))
        real.save(folder / f"{number:06}.npz")
    held, mapped = gather(folder), gather(folder, most_held=4)
    assert len(held) == len(mapped) == 10
    assert np.array_equal(mapped.pictures, held.pictures)
    assert np.array_equal(mapped.embeddings, held.embeddings)
    picture = tissue(3)[::-1], np.eye(8, dtype=np.float32)[[7]]
    assert mapped.nearest(*picture) == held.nearest(*picture) and mapped.closest() == held.closest()
    written = (tmp_path / "stacked" / "pictures.bin").stat()
    assert written.st_mode & 0o077 == 0  # tissue is private
    gather(folder, most_held=4)
    assert (tmp_path / "stacked" / "pictures.bin").stat().st_ino == written.st_ino
    (folder / "000004.npz").unlink()
    assert len(gather(folder, most_held=3)) == 8  # written again
    other = RealTiles()
    other.add(tissue(1), np.ones((1, 9), np.float32))
    other.save(folder / "000009.npz")
    with pytest.raises(PixCellError, match="Another model embedded the real tissue"):
        gather(folder, most_held=3)

"""Which places of a slide are looked at, and how alike they are."""

from __future__ import annotations

import numpy as np
import pytest
from svs import damage, write_svs

from napari_pixcell.engine.events import Embedding
from napari_pixcell.engine.styles.cache import EmbeddingCache
from napari_pixcell.engine.styles.similarity import (
    MOST_TILES,
    SurveyGrid,
    alike,
    best_matches,
    lay_grid,
    overlap,
)
from napari_pixcell.engine.styles.survey import Survey, SurveyBatch
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.models.store import encoder_identity
from napari_pixcell.slides import ArraySlide, Region, open_slide

DEMO = get_family("demo")
GLASS, PINK = (244, 243, 245), (225, 150, 180)


def slide(height: int, width: int, glass: int = 0, mpp: float = 0.5) -> ArraySlide:
    """Pink, but for so many columns of glass on the left."""
    picture = np.full((height, width, 3), PINK, np.uint8)
    picture[:, :glass] = GLASS
    return ArraySlide([picture], mpp, "case 7")


def test_samples_are_a_tile_apart_and_on_tissue() -> None:
    grid = lay_grid(slide(1100, 1600, glass=520), DEMO)
    assert grid.tissue.shape == (4, 6)
    assert not grid.tissue[:, :2].any() and grid.tissue[:, 2:].all()
    places = [grid.tile(*cell) for cell in grid.cells]
    for place in places:
        assert place.x >= 0 and place.x + 256 <= 1600 and place.y + 256 <= 1100
        assert place.width == place.height == 256
    assert not any(overlap(a, b) for a in places for b in places if a is not b)


def test_a_large_slide_has_about_400_samples() -> None:
    whole = lay_grid(slide(1500, 1500, mpp=5), DEMO)  # 58 × 58 tiles
    half = lay_grid(slide(1500, 1500, glass=750, mpp=5), DEMO)
    for grid in (whole, half):
        assert 0.85 * MOST_TILES < grid.tissue.sum() <= MOST_TILES
    assert half.cell[0] < whole.cell[0]


def test_a_slide_of_one_tile_has_one_sample() -> None:
    grid = lay_grid(slide(256, 256, mpp=0.499), DEMO)
    assert grid.cells == [(0, 0)] and grid.tile(0, 0).x == 0


def test_glass_and_small_slides_are_refused() -> None:
    with pytest.raises(PixCellError, match="No tissue was found"):
        lay_grid(slide(600, 600, glass=600), DEMO)
    with pytest.raises(PixCellError, match="200 × 600 px, smaller than one tile"):
        lay_grid(slide(600, 200), DEMO)


def test_features_common_to_all_tissue_are_ignored() -> None:
    shared = np.full(8, 50.0)
    a, b = np.eye(8)[0], np.eye(8)[1]
    values = shared + np.stack([a, a, a, b, b, b])
    raw = values @ values[0] / np.linalg.norm(values, axis=1) / np.linalg.norm(values[0])
    assert raw.min() > 0.999
    found = alike(values, shared + np.stack([a + 0.1 * b, a - 0.1 * b]))
    np.testing.assert_allclose(found, [1, 1, 1, 0, 0, 0], atol=1e-6)


def test_uniform_tissue_has_no_similarity() -> None:
    assert alike(np.ones((5, 4)), np.ones((1, 4))).tolist() == [0] * 5


def test_embeddings_of_two_models_are_not_compared() -> None:
    with pytest.raises(PixCellError, match="Embed the region again"):
        alike(np.ones((5, 4)), np.ones((1, 8)))


def test_best_matches_are_neither_neighbours_nor_the_region_itself() -> None:
    grid = SurveyGrid((1280, 1280), 256, np.ones((5, 5), bool))
    heat = np.zeros((5, 5), np.float32)
    heat[2, 2], heat[0, 0], heat[0, 1], heat[1, 1], heat[4, 4] = 1, 0.9, 0.8, 0.7, 0.6
    heat[4, 0] = np.nan
    best = best_matches(grid, heat, grid.tile(2, 2))
    assert [place.region for place in best] == [grid.tile(0, 0), grid.tile(4, 4)]
    assert [place.percent for place in best] == ["90 %", "60 %"]
    assert len(best_matches(grid, heat, grid.tile(2, 2), count=1)) == 1
    assert best_matches(grid, heat, Region(1000, 1000, 100, 100))[0].similarity == 1


def answer(survey: Survey, batch: SurveyBatch) -> None:
    """Embed by mean colour."""
    pixels, side = batch.request.pixels.unpack(), 256
    rows, columns = pixels.shape[0] // side, pixels.shape[1] // side
    values = pixels.reshape(rows, side, columns, side, 3).mean(axis=(1, 3), dtype=np.float32)
    survey.add(batch, Embedding(values, encoder_identity(survey.family) or ""))


def test_families_with_larger_tiles_embed_whole_ones(pretend_installed) -> None:
    pretend_installed()
    family = get_family("pixcell-1024")
    survey = Survey(slide(1300, 1300), family)
    assert survey.total == 25
    batch = survey.following(1)
    assert batch is not None and len(batch.tiles) == 16
    assert batch.request.pixels.shape == (1024, 1024, 3)
    answer(survey, batch)
    batch = survey.following(1)
    assert batch is not None and len(batch.tiles) == 9
    assert batch.request.pixels.shape == (1024, 1024, 3)  # the last place is repeated
    answer(survey, batch)
    assert survey.following(1) is None and survey.done == 25


def test_unreadable_tiles_are_counted_and_the_others_stored(tmp_path) -> None:
    tissue = np.random.default_rng(2).integers(60, 200, (900, 1100, 3), np.uint8)
    path = write_svs(tmp_path / "damaged.svs", tissue, compression=7)
    damage(path, page=0, tile=5 + 2)  # of 240 px: row 1, column 2
    for asked in (1, 0):
        with open_slide(path) as damaged:
            survey = Survey(damaged, DEMO, EmbeddingCache())
            batches = 0
            while (batch := survey.following(100)) is not None:
                answer(survey, batch)
                batches += 1
            assert batches == asked
            assert survey.total == survey.done == 12
            assert 1 <= len(survey.unreadable) <= 4
            heat = survey.heat(np.ones(3, np.float32))
            assert np.isfinite(heat).sum() == 12 - len(survey.unreadable)


def test_weights_replaced_during_a_search_are_detected() -> None:
    survey = Survey(slide(600, 1100), DEMO)
    first, second = survey.following(2), survey.following(2)
    assert first is not None and second is not None
    answer(survey, first)
    with pytest.raises(PixCellError, match="Run it again"):
        survey.add(second, Embedding(np.zeros((2, 3), np.float32), "others"))

"""Decoded tiles take no more memory than the user allows."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pixcell.preferences import set_preference
from napari_pixcell.slides import open_slide
from napari_pixcell.slides.levels import CACHE, TileCache, cache_bytes


@pytest.fixture(autouse=True)
def usual_limit():
    limit = CACHE.limit
    yield
    CACHE.use_limit(limit)


def test_the_cache_stays_within_its_limit() -> None:
    cache = TileCache(limit=250)
    for i in range(5):
        cache.put((0, 0, i), np.zeros(100, np.uint8))
    assert cache.get((0, 0, 2)) is None
    assert cache.get((0, 0, 4)) is not None
    cache.use_limit(100)
    assert cache.get((0, 0, 3)) is None and cache.nbytes == 100


def test_the_limit_is_a_setting(monkeypatch) -> None:
    monkeypatch.delenv("PIXCELL_SLIDES_MB", raising=False)
    assert cache_bytes() == 256_000_000
    set_preference("slides cache MB", 40)
    assert cache_bytes() == 40_000_000
    monkeypatch.setenv("PIXCELL_SLIDES_MB", "1.5")
    assert cache_bytes() == 1_500_000
    monkeypatch.setenv("PIXCELL_SLIDES_MB", "much")
    assert cache_bytes() == 40_000_000
    set_preference("slides cache MB", -3)
    assert cache_bytes() == 256_000_000


def test_a_whole_slide_is_read_within_the_limit(cmu_slide, monkeypatch) -> None:
    monkeypatch.setenv("PIXCELL_SLIDES_MB", "1")
    with open_slide(cmu_slide) as slide:
        first = np.asarray(slide.levels[0])
        assert 0 < CACHE.nbytes <= 1_000_000
        np.testing.assert_array_equal(slide.levels[0][1000:1400], first[1000:1400])

"""Overviews of slides without levels: averaged in integers, and decoded in the background."""

from __future__ import annotations

import threading
from collections import Counter

import numpy as np
import pytest
import tifffile

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import open_slide
from napari_pixcell.slides.levels import CACHE, TiledLevel
from napari_pixcell.slides.overview import Overview, shrunk

PIXELS = np.random.default_rng(11).integers(0, 256, (1111, 1301, 3), np.uint8)


class Parent:
    """A level in tiles that counts how often each is decoded, and can hold them back."""

    def __init__(self, tile: tuple[int, int] = (240, 240)) -> None:
        self.decoded: Counter[tuple[int, int]] = Counter()
        self.go = threading.Event()
        self.go.set()
        self.tile = tile
        self.level = TiledLevel(PIXELS.shape[:2], tile, self.fetch)

    def fetch(self, row: int, column: int) -> np.ndarray:
        assert self.go.wait(20)
        self.decoded[row, column] += 1
        (high, wide) = self.tile
        return PIXELS[row * high : (row + 1) * high, column * wide : (column + 1) * wide]


def means() -> np.ndarray:
    padded = np.pad(PIXELS, ((0, 1), (0, 3), (0, 0)), constant_values=255)
    blocks = padded.reshape(278, 4, 326, 4, 3)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


@pytest.mark.parametrize("tile", [(240, 240), (256, 256), (50, 1301), (1, 1301), (1111, 1301)])
def test_each_tile_is_decoded_once_and_not_cached(tile) -> None:
    parent = Parent(tile)
    level = shrunk(parent.level)
    np.testing.assert_array_equal(level[:], means())
    assert set(parent.decoded.values()) == {1}
    assert all(parent.level.cached(index) is None for index in parent.decoded)


def test_tiles_of_computed_levels_are_cached_if_they_fit() -> None:
    parent = Parent()
    middle = shrunk(parent.level)
    coarse = shrunk(middle)
    coarse[:]
    assert middle.cached((0, 0)) is not None
    limit = CACHE.limit
    CACHE.use_limit(middle.size)  # half of it is for the view
    try:
        middle.forget()
        coarse.forget()
        coarse[:]
        assert middle.cached((0, 0)) is None
    finally:
        CACHE.use_limit(limit)


def test_an_overview_is_white_until_it_is_decoded_by_one_thread() -> None:
    parent = Parent()
    parent.go.clear()
    arrived = threading.Event()
    overview = Overview(shrunk(parent.level), arrived.set)
    pixels = overview.now()
    assert (pixels == 255).all() and overview.early and not overview.complete
    assert not pixels.flags.writeable
    for _ in range(3):
        overview.now()
    assert [thread.name for thread in threading.enumerate()].count("slide-overview") == 1
    parent.go.set()
    assert arrived.wait(20)
    np.testing.assert_array_equal(overview.whole(), means())
    np.testing.assert_array_equal(pixels, means())  # the array that was handed out


def test_whoever_waits_for_an_overview_gets_all_of_it() -> None:
    told = []
    overview = Overview(shrunk(Parent().level), lambda: told.append(1))
    np.testing.assert_array_equal(overview.whole(), means())
    assert overview.complete and not told  # nobody saw less


def test_an_overview_can_be_stopped_and_resumed() -> None:
    parent = Parent()
    parent.go.clear()
    overview = Overview(shrunk(parent.level), lambda: None)
    overview.now()
    (thread,) = (one for one in threading.enumerate() if one.name == "slide-overview")
    overview.stop()
    parent.go.set()
    thread.join(20)
    assert not thread.is_alive() and not overview.complete
    np.testing.assert_array_equal(overview.whole(), means())
    assert set(parent.decoded.values()) == {1}


def test_closing_the_slide_ends_the_decoding(tmp_path) -> None:
    path = tmp_path / "flat.tif"
    rows = np.zeros((300, 4500, 3), np.uint8)
    tifffile.imwrite(path, rows, tile=(256, 256), photometric="rgb", compression="zlib")
    slide = open_slide(path)
    stored = slide.levels[0]
    assert isinstance(stored, TiledLevel)
    begun, go, decode = threading.Event(), threading.Event(), stored.decode

    def slowly(row: int, column: int) -> np.ndarray:
        begun.set()
        assert go.wait(20)
        return decode(row, column)

    stored.decode = slowly
    overview = Overview(slide.levels[-1], lambda: None)
    overview.now()
    (thread,) = (one for one in threading.enumerate() if one.name == "slide-overview")
    assert begun.wait(20)
    slide.close()
    go.set()
    thread.join(20)
    assert not thread.is_alive() and not overview.complete
    with pytest.raises(PixCellError, match="was closed"):
        overview.whole()

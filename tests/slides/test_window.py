"""Progressive display: napari draws slides without waiting for slow tiles."""

from __future__ import annotations

import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from napari_pixcell.slides import ArraySlide, open_slide
from napari_pixcell.slides.levels import CACHE, Level, TiledLevel
from napari_pixcell.slides.reader import layer_data
from napari_pixcell.slides.window import DRAWING, SlideView, ViewLevel
from napari_pixcell.slides.write import write_pyramid

PIXELS = np.random.default_rng(3).integers(0, 250, (1024, 1280, 3), np.uint8)
BOX = np.s_[100:700, 200:900, :]


def drawn(level: Level, key) -> np.ndarray:
    """Read like napari's drawing, from a function of its module."""
    module = types.ModuleType(DRAWING)
    exec("def read(data, key): return data[key]", module.__dict__)
    return module.read(level, key)


class Slow:
    """Two levels whose tiles are decoded only when allowed."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.fine = TiledLevel((1024, 1280), (256, 256), self.fetch)
        self.coarse = ArraySlide([np.full((256, 320, 3), 99, np.uint8)], 0.5, "c").levels[0]
        self.view = SlideView([self.fine, self.coarse])
        self.told = threading.Event()
        self.asked: list[tuple[int, int]] = []

    def fetch(self, row: int, column: int) -> np.ndarray:
        self.asked.append((row, column))
        assert self.go.wait(20)
        return PIXELS[row * 256 : (row + 1) * 256, column * 256 : (column + 1) * 256]

    def listen(self) -> None:
        self.view.ready.connect(self.told.set)

    def settle(self) -> None:
        self.go.set()
        assert self.told.wait(20)
        for future in list(self.view._waiting.values()):
            future.result(20)


def test_undecoded_tiles_are_drawn_coarsely_then_sharp() -> None:
    slow = Slow()
    slow.listen()
    first = drawn(slow.view.levels[0], BOX)
    assert first.shape == (600, 700, 3) and (first == 99).all()
    assert slow.view.busy
    slow.settle()
    np.testing.assert_array_equal(drawn(slow.view.levels[0], BOX), PIXELS[BOX])
    assert not slow.view.busy


def test_fast_tiles_are_drawn_sharp_at_once() -> None:
    slow = Slow()
    slow.listen()
    slow.go.set()
    small = np.s_[0:20, 0:20, :]
    slow.fine[small]  # decoded already
    np.testing.assert_array_equal(drawn(slow.view.levels[0], small), PIXELS[small])
    assert not slow.told.is_set()


def test_other_readers_wait_for_the_true_pixels() -> None:
    slow = Slow()
    slow.listen()
    slow.go.set()
    level = slow.view.levels[0]
    np.testing.assert_array_equal(level[BOX], PIXELS[BOX])  # another plugin
    CACHE.drop(slow.fine._number)
    np.testing.assert_array_equal(np.asarray(level), PIXELS)  # napari's saving
    CACHE.drop(slow.fine._number)
    with ThreadPoolExecutor(1) as pool:  # napari's own drawing in a thread
        np.testing.assert_array_equal(pool.submit(drawn, level, BOX).result(), PIXELS[BOX])


def test_without_listeners_drawing_waits_too() -> None:
    slow = Slow()
    slow.go.set()
    np.testing.assert_array_equal(drawn(slow.view.levels[0], BOX), PIXELS[BOX])


def test_tiles_that_left_the_view_are_not_decoded() -> None:
    slow = Slow()
    slow.listen()
    drawn(slow.view.levels[0], np.s_[0:1024, 0:1280, :])
    drawn(slow.view.levels[0], np.s_[0:10, 0:10, :])
    slow.settle()
    assert len(set(slow.asked)) < 20
    assert (0, 0) in slow.asked


def test_drawing_ends_even_if_the_cache_is_too_small() -> None:
    slow = Slow()
    slow.listen()
    limit = CACHE.limit
    CACHE.use_limit(0)
    try:
        drawn(slow.view.levels[0], BOX)
        slow.settle()
        np.testing.assert_array_equal(drawn(slow.view.levels[0], BOX), PIXELS[BOX])
        slow.told.clear()
        np.testing.assert_array_equal(drawn(slow.view.levels[0], BOX), PIXELS[BOX])
        assert not slow.told.is_set() and len(slow.asked) == len(set(slow.asked))
    finally:
        CACHE.use_limit(limit)


@pytest.fixture
def pyramid(tmp_path):
    path = tmp_path / "p.ome.tif"
    write_pyramid(path, np.kron(PIXELS[::4, ::4], np.ones((8, 8, 1), np.uint8)), 0.5, lossless=True)
    with open_slide(path) as slide:
        yield slide


def test_napari_uses_the_levels_without_copies(pyramid, monkeypatch) -> None:
    """No dask graph, no copy of a level, and the real chunk size."""
    layers = pytest.importorskip("napari.layers")
    read: list[tuple[int, int]] = []
    fetch = TiledLevel.fetch

    def noting(self, index):
        read.append((self.index, self.tile[0]))
        return fetch(self, index)

    monkeypatch.setattr(TiledLevel, "fetch", noting)
    before = set(sys.modules)
    data, options, _ = layer_data(pyramid)
    layer = layers.Image(data, **options)
    assert all(isinstance(level, ViewLevel) for level in layer.data)
    assert layer.data[0].chunks == (256, 256, 3)
    assert {level for level, _ in read} == {len(pyramid.levels) - 1}  # only the coarsest
    assert not [name for name in set(sys.modules) - before if name.startswith("dask.array")]
    corners = np.array([[256, 512], [511, 767]])
    layer._data_level, layer.corner_pixels = 0, corners
    read.clear()
    layer.refresh()
    assert [level for level, _ in read] == [0]  # one tile, and nothing else
    np.testing.assert_array_equal(layer._slice.image.raw, pyramid.levels[0][256:512, 512:768])


def test_napari_draws_from_the_recognised_module(pyramid) -> None:
    layers = pytest.importorskip("napari.layers")
    data, options, _ = layer_data(pyramid)
    layer = layers.Image(data, **options)
    asked = []
    view = data[0].view
    view.ready.connect(lambda: None)
    now = view.now
    view.now = lambda *box: asked.append(box) or now(*box)
    layer._data_level, layer.corner_pixels = 0, np.array([[0, 0], [255, 255]])
    layer.refresh()
    assert asked == [(0, 0, 256, 0, 256)]
    layer.data[0][0:256, 0:256]
    assert len(asked) == 1

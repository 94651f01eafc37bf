"""Slide layers sharpen as their tiles are decoded, with or without the dock."""

from __future__ import annotations

import threading

import napari
import numpy as np
import pytest
import tifffile
from svs import damage, write_svs

from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.levels import TiledLevel
from napari_pixcell.slides.reader import layer_data
from napari_pixcell.slides.write import write_pyramid
from napari_pixcell.ui.layers.sharpening import view_of, watch

PIXELS = np.random.default_rng(3).integers(0, 250, (1100, 1300, 3), np.uint8)


def test_a_slowly_decoded_slide_sharpens_on_screen(qapp, qtbot, tmp_path, monkeypatch) -> None:
    path = tmp_path / "p.svs"
    write_pyramid(path, PIXELS, 0.5, lossless=True)
    slide = open_slide(path)
    viewer = napari.Viewer(show=False)  # it draws nothing on its own
    watch(viewer)
    watch(viewer)
    data, options, _ = layer_data(slide)
    layer = viewer.add_image(data, **options)
    go, decode = threading.Event(), TiledLevel.fetch

    def slowly(self, index):
        assert go.wait(20)
        return decode(self, index)

    monkeypatch.setattr(TiledLevel, "fetch", slowly)
    layer._data_level, layer.corner_pixels = 0, np.array([[0, 0], [511, 767]])
    layer.refresh()
    assert layer._slice.image.raw.shape == (512, 768, 3)
    assert (layer._slice.image.raw != PIXELS[:512, :768]).any()
    go.set()
    qtbot.waitUntil(lambda: (layer._slice.image.raw == PIXELS[:512, :768]).all(), timeout=10_000)
    assert len(data[0].view.ready) == 1
    viewer.layers.remove(layer)
    assert len(data[0].view.ready) == 0
    slide.close()
    viewer.close()


def test_a_slide_opened_by_napari_is_watched_without_the_dock(viewer, tmp_path) -> None:
    path = tmp_path / "p.svs"
    write_pyramid(path, PIXELS, 0.5)
    (layer,) = viewer.open(path, plugin="napari-pixcell")
    assert len(view_of(layer).ready) == 1
    viewer.layers.clear()
    layer.metadata["napari_pixcell"]["slide"].close()


def test_a_corrupt_tile_is_reported_in_the_header(studio, settle, qtbot, tmp_path) -> None:
    path = tmp_path / "bad.svs"
    write_svs(path, PIXELS, 7)
    damage(path, page=0, tile=0)
    studio.actions.open(path)
    settle(studio)
    assert not studio.header.corrupt.isVisible()
    studio.session.slides.current.read(Region(0, 0, 300, 300), 0.499)
    qtbot.waitUntil(studio.header.corrupt.isVisible, timeout=5000)
    assert studio.header.corrupt.text() == (
        "“bad.svs” has a corrupt tile, which is shown white. Copy the file again from its source."
    )
    studio.session.regions.add((150, 150))
    qtbot.waitUntil(lambda: "This region" in studio.header.corrupt.text(), timeout=5000)


@pytest.mark.parametrize("shape", [(300, 4500, 3), (600, 700, 3)])
def test_a_slide_without_levels_appears_when_it_is_decoded(
    viewer, qtbot, tmp_path, monkeypatch, shape
) -> None:
    """Opening it does not wait, whether its overview is computed or is the slide itself."""
    path = tmp_path / "flat.svs"
    pixels = np.random.default_rng(5).integers(0, 250, shape, np.uint8)
    tifffile.imwrite(path, pixels, tile=(256, 256), photometric="rgb", compression="zlib")
    go, fetch = threading.Event(), TiledLevel.fetch

    def slowly(self, index):
        assert go.wait(20)
        return fetch(self, index)

    monkeypatch.setattr(TiledLevel, "fetch", slowly)
    (layer,) = viewer.open(path, plugin="napari-pixcell")
    view = view_of(layer)
    assert layer.multiscale == (shape[1] > 4096)
    assert (np.asarray(layer._slice.image.raw) == 255).all()
    white = layer.thumbnail.copy()
    go.set()
    qtbot.waitUntil(lambda: view.overview.complete, timeout=10_000)
    expected = np.asarray(layer.metadata["napari_pixcell"]["slide"].levels[-1])
    qtbot.waitUntil(lambda: (layer._slice.thumbnail.raw == expected).all(), timeout=10_000)
    qtbot.waitUntil(lambda: (layer.thumbnail != white).any(), timeout=10_000)
    viewer.layers.clear()
    assert not view.watched
    layer.metadata["napari_pixcell"]["slide"].close()


def test_the_dock_opens_a_slow_slide_without_waiting(
    studio, viewer, qtbot, tmp_path, monkeypatch
) -> None:
    path = tmp_path / "flat.svs"
    tifffile.imwrite(path, PIXELS, tile=(256, 256), photometric="rgb", compression="zlib")
    go, fetch = threading.Event(), TiledLevel.fetch

    def slowly(self, index):
        assert go.wait(20)
        return fetch(self, index)

    monkeypatch.setattr(TiledLevel, "fetch", slowly)
    studio.actions.open(path)
    qtbot.waitUntil(lambda: studio.link.slide_layer is not None, timeout=10_000)
    layer = studio.link.slide_layer
    assert (np.asarray(layer._slice.image.raw) == 255).all()
    go.set()
    qtbot.waitUntil(lambda: (layer._slice.image.raw == PIXELS).all(), timeout=10_000)

"""Slide layers sharpen as their tiles are decoded, with or without the dock."""

from __future__ import annotations

import threading

import napari
import numpy as np
from svs import damage, write_svs

from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.levels import TiledLevel
from napari_pixcell.slides.reader import layer_data
from napari_pixcell.slides.write import write_pyramid
from napari_pixcell.ui.layers.sharpening import view_of, watch

PIXELS = np.random.default_rng(3).integers(0, 250, (1100, 1300, 3), np.uint8)


def test_a_slowly_decoded_slide_sharpens_on_screen(qapp, qtbot, tmp_path, monkeypatch) -> None:
    path = tmp_path / "p.ome.tif"
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
    path = tmp_path / "p.ome.tif"
    write_pyramid(path, PIXELS, 0.5)
    (layer,) = viewer.open(path, plugin="napari-pixcell")
    assert len(view_of(layer).ready) == 1
    viewer.layers.clear()
    layer.metadata["napari_pixcell"]["slide"].close()


def test_a_corrupt_tile_is_reported_in_the_slide_section(studio, viewer, qtbot, tmp_path) -> None:
    path = tmp_path / "bad.svs"
    write_svs(path, PIXELS, 7)
    damage(path, page=0, tile=0)
    studio.slide.open(path)
    qtbot.wait(60)
    assert not studio.slide.corrupt.isVisible()
    studio.session.slides.current.read(Region(0, 0, 300, 300), 0.499)
    qtbot.waitUntil(studio.slide.corrupt.isVisible, timeout=5000)
    assert studio.slide.corrupt.text() == (
        "“bad.svs” has a corrupt tile, which is shown white. Copy the file again from its source."
    )
    studio.session.regions.add((150, 150))
    qtbot.waitUntil(lambda: "This region" in studio.slide.corrupt.text(), timeout=5000)

"""Importing and saving layouts, by button and by drag and drop."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QFileDialog
from tifffile import imread, imwrite

from napari_pixcell.ui.demo import click
from napari_pixcell.ui.sections.layout import FILES


@pytest.fixture
def region(ready, settle):
    click(ready.region.add_button)
    settle(ready)
    return ready


def drop(studio, path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    studio.dropEvent(QDropEvent(QPointF(10, 10), Qt.DropAction.CopyAction, data, button, none))


def test_buttons_import_a_mask_and_save_a_layout(region, settle, tmp_path, monkeypatch) -> None:
    section = region.layout_
    assert section.import_button.isEnabled() and not section.export_button.isEnabled()
    labels = np.zeros((256, 256), np.uint16)
    labels[20:40, 30:50], labels[60:80, 30:50] = 1, 2
    imwrite(tmp_path / "mask.tif", labels)
    chosen = [(str(tmp_path / "mask.tif"), ""), ("", "")]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: chosen.pop(0))
    click(section.import_button)
    settle(region)
    assert section.note.text() == "Read 2 cells." and not section.state.text()
    click(section.messages.dismiss)
    settle(region)
    assert section.state.text().startswith("2 cells ·") and "mask.tif" in section.state.text()
    click(section.import_button)  # cancelled
    settle(region)
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "out.tif"), "")
    )
    click(section.export_button)
    settle(region)
    np.testing.assert_array_equal(imread(tmp_path / "out.tif"), labels)
    assert section.note.text() == "Wrote 2 cells to out.tif."


def test_touching_cells_of_a_mask_are_split_on_request(
    region, settle, tmp_path, monkeypatch
) -> None:
    y, x = np.indices((256, 256))
    discs = ((y - 20) ** 2 + (x - 20) ** 2 < 121) | ((y - 20) ** 2 + (x - 38) ** 2 < 121)
    imwrite(tmp_path / "mask.tif", discs.astype(np.uint8) * 255)
    for kind, cells in ((FILES.split(";;")[0], 1), (FILES.split(";;")[2], 2)):
        monkeypatch.setattr(
            QFileDialog,
            "getOpenFileName",
            lambda *_, kind=kind, **__: (str(tmp_path / "mask.tif"), kind),
        )
        click(region.layout_.import_button)
        settle(region)
        assert region.session.regions.active.cells == cells


def test_a_dropped_mask_becomes_a_layout_and_a_dropped_slide_opens(
    region, settle, tmp_path
) -> None:
    labels = np.zeros((256, 256), np.uint8)
    labels[20:40, 30:50] = 255
    imwrite(tmp_path / "mask.tif", labels)
    drop(region, tmp_path / "mask.tif")
    settle(region)
    assert region.session.regions.active.cells == 1
    before = region.session.slides.key
    colour = np.full((600, 600, 3), 200, np.uint8)
    imwrite(tmp_path / "slide.tif", colour, resolution=(20_000, 20_000), resolutionunit=3)
    drop(region, tmp_path / "slide.tif")
    settle(region)
    assert region.session.slides.key != before
    assert region.session.slides.current.short_name == "slide"


def test_a_file_without_cells_is_reported_in_the_layout_section(region, settle, tmp_path) -> None:
    (tmp_path / "cells.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    drop(region, tmp_path / "cells.geojson")
    settle(region)
    assert "cells.geojson" in region.layout_.problem.text()

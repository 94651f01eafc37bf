"""Files dropped on napari's canvas, chosen between the real readers of napari and the plugin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari._qt.dialogs import qt_reader_dialog
from napari.settings import get_settings
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QWidget
from tifffile import imwrite

from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.ui.dropping import asked_for, is_ours
from napari_pixcell.ui.leaving import outermost

NO_KEY = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def questions(monkeypatch) -> list[str]:
    """The first path of each question by napari which reader shall be used."""
    asked: list[str] = []
    monkeypatch.setattr(
        qt_reader_dialog, "handle_gui_reading", lambda paths, *_, **__: asked.append(paths[0])
    )
    monkeypatch.setattr(
        "napari._qt.qt_viewer.handle_gui_reading", qt_reader_dialog.handle_gui_reading
    )
    return asked


def drop(studio, *paths: Path, keys: Qt.KeyboardModifier = NO_KEY) -> None:
    """Drag files onto the canvas and drop them, as Qt does for a window system."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    canvas = outermost(studio).centralWidget()
    target = next(w for w in (canvas, *canvas.findChildren(QWidget)) if w.acceptDrops())
    QApplication.sendEvent(target, QDragEnterEvent(QPoint(5, 5), action, data, button, keys))
    QApplication.sendEvent(target, QDropEvent(QPointF(5, 5), action, data, button, keys))


def test_a_slide_dropped_on_the_canvas_is_opened_without_a_question(
    studio, viewer, questions, qtbot
) -> None:
    assert asked_for(SAMPLE_SLIDE)  # napari alone would ask
    drop(studio, SAMPLE_SLIDE)
    qtbot.waitUntil(lambda: studio.session.slides.current is not None, timeout=60_000)
    assert studio.session.slides.current.path == SAMPLE_SLIDE
    assert len(viewer.layers) == 1 and not questions


def test_other_tiffs_dropped_on_the_canvas_go_to_napari(
    studio, viewer, questions, tmp_path
) -> None:
    imwrite(tmp_path / "mask.tif", np.zeros((40, 40), np.uint16))
    imwrite(tmp_path / "stack.ome.tif", np.zeros((3, 40, 40), np.uint16))
    drop(studio, tmp_path / "mask.tif", tmp_path / "stack.ome.tif")
    assert [layer.data.shape for layer in viewer.layers] == [(40, 40), (3, 40, 40)]
    assert not questions and studio.session.slides.current is None


def test_with_shift_or_alt_napari_decides(studio, questions) -> None:
    drop(studio, SAMPLE_SLIDE, keys=Qt.KeyboardModifier.AltModifier)
    assert questions == [str(SAMPLE_SLIDE)]


def test_a_preference_of_the_user_is_kept(tmp_path) -> None:
    plugins = get_settings().plugins
    before = plugins.extension2reader
    try:
        plugins.extension2reader = {**before, "*.tif": "napari"}
        assert not asked_for(SAMPLE_SLIDE)
    finally:
        plugins.extension2reader = before


def test_what_is_dropped_on_a_closed_studio_is_up_to_napari(studio, viewer, questions) -> None:
    studio.close_session()
    drop(studio, SAMPLE_SLIDE)
    assert questions == [str(SAMPLE_SLIDE)] and not viewer.layers


def test_files_are_told_apart_by_their_content(tmp_path, cmu_slide) -> None:
    imwrite(tmp_path / "plain.tif", np.zeros((40, 40), np.float32))
    (tmp_path / "cut.svs").write_bytes(b"II*\0")
    (tmp_path / "folder.zarr").mkdir()
    assert is_ours(cmu_slide) and is_ours(tmp_path / "cut.svs")  # whose reader says what is wrong
    assert not is_ours(tmp_path / "plain.tif") and not is_ours(tmp_path / "folder.zarr")
    assert not asked_for(tmp_path / "picture.png") and not asked_for(tmp_path / "slide.mrxs")

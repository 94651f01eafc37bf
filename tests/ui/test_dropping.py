"""Files dropped on napari's canvas, chosen between the real readers of napari and the plugin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari._qt.dialogs import qt_reader_dialog
from napari.settings import get_settings
from ome_zarr_slides import served, write_ome_zarr
from qtpy.QtCore import QCoreApplication, QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QMessageBox, QWidget
from tifffile import imwrite

from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.ui.dropping import is_ours, is_undecided, is_zarr_address
from napari_pixcell.ui.leaving import outermost

TISSUE = np.random.default_rng(3).integers(120, 240, (300, 400, 3), np.uint8)
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
    drop_urls(studio, *(QUrl.fromLocalFile(str(path)) for path in paths), keys=keys)


def drop_urls(studio, *urls: QUrl, keys: Qt.KeyboardModifier = NO_KEY) -> None:
    data = QMimeData()
    data.setUrls(list(urls))
    action, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    canvas = outermost(studio).centralWidget()
    target = next(w for w in (canvas, *canvas.findChildren(QWidget)) if w.acceptDrops())
    QApplication.sendEvent(target, QDragEnterEvent(QPoint(5, 5), action, data, button, keys))
    QApplication.sendEvent(target, QDropEvent(QPointF(5, 5), action, data, button, keys))


def test_a_slide_dropped_on_the_canvas_is_opened_without_a_question(
    studio, viewer, questions, qtbot
) -> None:
    assert is_undecided(SAMPLE_SLIDE)  # napari alone would read it as a plain TIFF
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


def test_with_shift_or_alt_napari_decides(studio, questions, cmu_slide) -> None:
    drop(studio, cmu_slide, keys=Qt.KeyboardModifier.AltModifier)
    assert questions == [str(cmu_slide)]


def test_a_preference_of_the_user_is_kept(tmp_path) -> None:
    plugins = get_settings().plugins
    before = plugins.extension2reader
    try:
        plugins.extension2reader = {**before, "*.tif": "napari"}
        assert not is_undecided(SAMPLE_SLIDE)
    finally:
        plugins.extension2reader = before


def test_a_closed_studio_makes_napari_ask_about_slides_but_not_about_tiffs(
    studio, viewer, questions, tmp_path, cmu_slide
) -> None:
    studio.close_session()
    imwrite(tmp_path / "plain.tif", np.zeros((40, 40), np.uint8))
    drop(studio, tmp_path / "plain.tif")
    drop(studio, SAMPLE_SLIDE)
    assert len(viewer.layers) == 2 and not questions
    drop(studio, cmu_slide)  # of which napari's own reader claims the name, too
    assert questions == [str(cmu_slide)] and len(viewer.layers) == 2


def test_an_ome_zarr_dropped_on_the_canvas_is_opened_without_a_question(
    studio, viewer, questions, qtbot, tmp_path
) -> None:
    path = write_ome_zarr(tmp_path / "a.ome.zarr", TISSUE)
    drop(studio, path)
    qtbot.waitUntil(lambda: studio.session.slides.current is not None, timeout=60_000)
    assert studio.session.slides.current.path == path and studio.session.slides.ready
    grey = write_ome_zarr(tmp_path / "grey.ome.zarr", TISSUE[..., :1], levels=1)
    drop(studio, grey)  # napari reads it
    assert [layer.name for layer in viewer.layers] == ["a.ome.zarr", "grey.ome"]
    assert not questions


def test_an_address_is_read_only_after_a_question(studio, questions, qtbot, tmp_path) -> None:
    pytest.importorskip("aiohttp")
    write_ome_zarr(tmp_path / "a.ome.zarr", TISSUE)
    with served(tmp_path) as (address, asked):
        url = f"{address}/a.ome.zarr"
        for answer in ("Cancel", "Read from"):
            drop_urls(studio, QUrl(url))
            [box] = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox)]
            assert box.isVisible() and "a.ome.zarr" in box.text() and not asked
            box.button(QMessageBox.StandardButton.Cancel).setText("Cancel")
            [button] = [one for one in box.buttons() if one.text().startswith(answer)]
            button.click()
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        qtbot.waitUntil(lambda: studio.session.slides.current is not None, timeout=60_000)
        slide = studio.session.slides.current
        assert (slide.name, slide.path) == ("a.ome.zarr", None) and not questions
        studio.close_session()
    studio.actions.open_address("file:///a.zarr")
    assert "is not an address" in studio.session.notices.problems["slide"]


def test_only_addresses_of_zarrs_are_taken() -> None:
    assert is_zarr_address("https://example.org/a/b.OME.zarr/")
    for text in ("https://example.org/a.tif", "file:///a.zarr", "ftp://x/a.zarr", "a.zarr"):
        assert not is_zarr_address(text)


def test_files_are_told_apart_by_their_content(tmp_path, cmu_slide) -> None:
    imwrite(tmp_path / "plain.tif", np.zeros((40, 40), np.float32))
    (tmp_path / "cut.svs").write_bytes(b"II*\0")
    (tmp_path / "folder.zarr").mkdir()
    assert is_ours(cmu_slide) and is_ours(tmp_path / "cut.svs")  # whose reader says what is wrong
    assert not is_ours(tmp_path / "plain.tif") and not is_ours(tmp_path / "folder.zarr")
    for name in ("picture.png", "slide.mrxs"):
        assert not is_undecided(tmp_path / name)

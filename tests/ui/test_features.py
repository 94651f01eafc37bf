"""Files of features in the window: dropped or opened, on the slide or in a list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from feature_files import features_of, places, write_trident
from fitting import texts_beyond_the_edge, truncated_texts
from pictures import tissue
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QInputDialog, QWidget

from napari_pixcell.engine.styles.features import checking
from napari_pixcell.engine.styles.features.writing import write_features
from napari_pixcell.engine.styles.similarity import Match
from napari_pixcell.models.families import get_family
from napari_pixcell.slides import ArraySlide, Region
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.feature_list import NONE, PatchModel
from napari_pixcell.ui.layers.features import CHOSEN
from napari_pixcell.ui.layers.slide import role
from napari_pixcell.ui.leaving import outermost
from napari_pixcell.ui.widgets import ShortLabel

VALUES = features_of(9, 128).reshape(3, 3, 128)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write features of the first 768 px of a slide of 800 px."""

    def write(name: str = "case 7", shape: tuple[int, int] = (800, 800)) -> Path:
        path = tmp_path / f"{name}.h5"
        write_features(path, VALUES, Region(0, 0, 768, 768), (shape, 0.5), get_family("demo"))
        return path

    return write


@pytest.fixture
def opened(ready, write, settle):
    """The studio with a region and the features of its slide."""
    ready.session.regions.add((400, 400))
    settle(ready)
    ready.session.features.open(write())
    settle(ready)
    return ready


def drop(target: QWidget, path: Path) -> None:
    """Drag a file onto a widget and drop it, as Qt does for a window system."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    action, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    key = Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(target, QDragEnterEvent(QPoint(5, 5), action, data, left, key))
    QApplication.sendEvent(target, QDropEvent(QPointF(5, 5), action, data, left, key))


def canvas(studio) -> QWidget:
    centre = outermost(studio).centralWidget()
    return next(w for w in (centre, *centre.findChildren(QWidget)) if w.acceptDrops())


def listed(studio):
    """Return the open list of patches."""
    found = studio.style_.features._list
    assert found is not None and found.isVisible()
    return found


@pytest.mark.parametrize("target", ["dock", "canvas", "section"])
def test_a_dropped_file_becomes_a_map_over_its_slide(ready, write, settle, target: str) -> None:
    ready.session.regions.add((400, 400))
    settle(ready)
    widgets = {"dock": ready, "canvas": canvas(ready), "section": ready.style_}
    drop(widgets[target], write())
    settle(ready)
    layer, slide = ready.link.find("features"), ready.link.slide_layer
    assert layer.data.shape == (4, 4) and np.isfinite(layer.data).sum() == 9
    corner = layer.data_to_world((2.5, 2.5))
    np.testing.assert_allclose(corner, slide.data_to_world((767.5, 767.5)), atol=1e-9)
    assert [role(one) for one in ready.viewer.layers] == ["", "features", "regions"]
    panel = ready.style_.features
    assert panel.isVisible() and panel.name.whole == "case 7.h5 · 9 patches"
    assert panel.state.text() == "Click a patch on the slide, and the active region imitates it."
    assert panel._list is None


def test_other_files_of_hdf5_are_left_to_napari(ready, tmp_path, monkeypatch) -> None:
    import h5py

    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.zeros(3)
    monkeypatch.setattr(checking, "GLANCE_S", 600)  # however busy this machine is
    asked: list[object] = []
    monkeypatch.setattr(ready.viewer.window._qt_viewer, "_qt_open", lambda *a, **_: asked.append(a))
    drop(canvas(ready), tmp_path / "other.h5")
    assert asked and ready.session.features.opening is None


def test_the_chosen_patch_glows_and_is_the_style(opened, client, settle) -> None:
    client.requests.clear()
    opened.session.features.use_at(300, 600)
    settle(opened)
    layer = opened.link.find("features")
    assert np.argwhere(layer.data == CHOSEN).tolist() == [[2, 1]]
    assert opened.style_.choice.currentText() == "Patch 7" and not client.requests
    assert opened.style_.state.text() == "✓ embedded (1 tile)"


def test_the_map_can_be_hidden_deleted_shown_again_and_closed(opened, settle) -> None:
    panel, link = opened.style_.features, opened.link
    click(panel.map_box)
    settle(opened)
    assert not link.find("features").visible
    click(panel.pick_button)
    settle(opened)
    layer = link.find("features")
    assert layer.visible and opened.viewer.layers.selection.active is layer
    opened.viewer.layers.remove(layer)
    settle(opened)
    assert not panel.map_box.isChecked() and panel.isVisible()
    click(panel.map_box)
    settle(opened)
    assert link.find("features") is not None
    click(panel.close_button)
    settle(opened)
    assert link.find("features") is None and not panel.isVisible()


def test_another_slide_or_model_takes_the_map_away_and_says_why(
    opened, settle, pretend_installed
) -> None:
    opened.link.add_slide(ArraySlide([tissue(600)], 0.5, "case 8"))
    settle(opened)
    panel = opened.style_.features
    assert opened.link.find("features") is None
    assert panel.state.text().startswith("The patches do not fit this slide.")
    assert not panel.map_box.isEnabled() and panel.list_button.isEnabled()
    opened.viewer.layers.selection.active = opened.viewer.layers["case 7"]
    settle(opened)
    assert opened.link.find("features") is not None
    pretend_installed()
    opened.session.settings.use_family("pixcell-256")
    settle(opened)
    assert opened.link.find("features") is None and "UNI2-h" in panel.state.text()
    assert not panel.list_button.isEnabled()


def test_find_similar_asks_the_file_and_not_the_worker(opened, client, settle) -> None:
    panel = opened.style_.features
    assert not panel.find_button.isEnabled()
    client.requests.clear()
    opened.session.features.use(4)
    settle(opened)
    click(panel.find_button)
    settle(opened)
    assert panel.state.text() == "The patches are hidden. “Pick” shows them again."
    assert not opened.link.find("features").visible  # one map at a time
    assert opened.link.find("similar").name == "Similar tissue · patch 4"
    found = opened.region.similar
    assert found.state.text() in ("Most similar to patch 4", "Nothing else here resembles patch 4")
    click(found.find_button)
    settle(opened)
    assert opened.link.find("similar").name == "Similar tissue · Region 1" and not client.requests


def test_without_a_slide_a_list_opens_by_itself(studio, write, settle, monkeypatch) -> None:
    drop(studio, write())
    settle(studio)
    window = listed(studio)
    assert window.model_.rowCount() == 9 and window.patch == 0
    assert "open its slide to see it there" in window.about.text()
    window.filter.setText("300, 600")
    assert window.patch == 7
    index = window.model_.index(0, 1)
    assert [window.model_.data(index.siblingAtColumn(i)) for i in range(3)] == ["7", "256", "512"]
    click(window.use_button)
    settle(studio)
    assert window.note.text() == "“Patch 7” can be selected as a style now."
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, text, **__: (f"My {text}", True))
    click(window.save_button)
    settle(studio)
    assert window.note.text() == "Saved as “My Patch 7 2”, for any region of any slide."
    window.filter.setText("none")
    assert window.none.isVisible() and window.none.text() == NONE
    assert not window.use_button.isEnabled() and not window.model_.rowCount()
    studio.link.add_slide(ArraySlide([tissue(800)], 0.5, "case 7"))
    settle(studio)
    assert studio.link.find("features") is not None
    studio.session.features.close()
    settle(studio)
    assert not window.isVisible()


def test_the_file_is_chosen_in_either_menu(ready, write, settle, monkeypatch) -> None:
    path = str(write())
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (path, ""))
    menu = ready.style_.menu()
    next(a for a in menu.actions() if a.text() == "Add styles from features…").trigger()
    settle(ready)
    assert ready.session.features.current is not None
    ready.session.features.close()
    ready.header.menu.features_action.trigger()
    settle(ready)
    assert ready.session.features.current is not None


def test_opening_shows_that_it_is_busy(ready, write, settle) -> None:
    ready.session.features.open(write())
    ready.refresh()
    panel = ready.style_.features
    assert panel.bar.isVisible() and panel.name.whole == "Opening case 7.h5…"
    settle(ready)
    assert not panel.bar.isVisible()


def test_a_list_of_200_000_patches_makes_no_texts_until_they_are_drawn(monkeypatch) -> None:
    made: list[int] = []

    class Many:
        file = type("File", (), {"coords": places(400, 500).astype(float)})

        @staticmethod
        def matching(_text: str) -> np.ndarray:
            return np.arange(200_000)

    model = PatchModel()
    monkeypatch.setattr(PatchModel, "data", lambda *_: made.append(1))
    model.show(Many(), "")  # type: ignore[arg-type]
    assert model.rowCount() == 200_000 and not made


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_panel_and_the_list_are_not_cut_off(opened, viewer, settle, theme: str) -> None:
    viewer.theme = theme
    opened.window().resizeDocks([opened.parent()], [320], Qt.Orientation.Horizontal)
    opened.style_.features.open_list()
    opened.session.similar.find()
    settle(opened)
    match = Match(Region(0, 0, 256, 256), 1.0), np.zeros((256, 256, 3), np.uint8)
    opened.region.similar._fill([match] * 6)
    settle(opened)
    assert len(opened.region.similar.thumbnails) == 6
    panel, window = opened.style_.features, listed(opened)
    opened.tabs.bring(panel)
    settle(opened)
    assert opened.width() <= 324 and opened.minimumWidth() == 320
    page = opened.tabs.pages[0]
    assert page.widget().minimumSizeHint().width() <= page.viewport().width()
    shortened = [one.text() for one in panel.findChildren(ShortLabel)]
    for root in (panel, window):
        found = [*truncated_texts(root), *texts_beyond_the_edge(root)]
        assert not [line for line in found if not any(repr(text) in line for text in shortened)]


def test_without_the_encoder_the_section_says_what_to_do(
    ready, settle, pretend_installed, tmp_path
) -> None:
    pretend_installed()
    encoder = get_family("pixcell-256").part("encoder")
    for file in encoder.files:
        (tmp_path / "pretended" / encoder.hub_id / file).unlink()
    ready.session.settings.use_family("pixcell-256")
    ready.session.regions.add((400, 400))
    settle(ready)
    assert ready.style_.state.text() == (
        "The encoder of PixCell-256 is missing. Get it in the model manager, or add styles from a "
        "file of features."
    )
    assert not ready.style_.embed_button.isEnabled()
    assert not ready.footer.messages.action.isVisible()
    stated = {"patch_size_level0": 256, "level0_width": 800, "level0_height": 800}
    values = features_of(9)
    path = write_trident(tmp_path / "case 7.h5", values, places(3, 3, 256), **stated)
    ready.session.features.open(path)
    settle(ready)
    ready.session.features.use(4)
    settle(ready)
    assert not ready.session.generator.why_not() and not ready.style_.embed_button.isVisible()

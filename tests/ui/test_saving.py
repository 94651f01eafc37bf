"""Sessions in the window are closed, opened, dropped and offered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest
from pictures import tissue
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from scripted import ScriptedClient
from tifffile import imwrite

from napari_pixcell.ui.demo import click
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.layers.slide import role


@pytest.fixture(autouse=True)
def saving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_SESSIONS", "1")


@pytest.fixture
def slide_file(tmp_path: Path) -> Path:
    """A slide of 800 × 800 px at 0.5 µm/px, in a file."""
    path = tmp_path / "case 7.tif"
    per_cm = 1e4 / 0.5
    imwrite(path, tissue(800), resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")
    return path


class Windows:
    """One window with the studio at a time, since OpenGL in Xvfb fails with two."""

    def __init__(self) -> None:
        self.studio: PixCellStudio | None = None

    def open(self) -> PixCellStudio:
        self.close()
        viewer = napari.Viewer(show=True)
        self.client = ScriptedClient()
        self.studio = PixCellStudio(viewer, self.client)
        viewer.window.add_dock_widget(self.studio, name="PixCell studio")
        return self.studio

    def close(self) -> None:
        """Close the window as napari does, layer by layer. The user deletes nothing."""
        if self.studio is not None:
            studio, self.studio = self.studio, None
            studio.viewer.close()
            studio.let_go()
            studio.session.saver._thread.shutdown(wait=True)


@pytest.fixture
def windows(shared_window: Any) -> Iterator[Windows]:
    shared_window.close()
    windows = Windows()
    yield windows
    windows.close()


@pytest.fixture
def worked(windows: Windows, slide_file: Path, settle: Any, qtbot: Any) -> PixCellStudio:
    """A window with a slide, a region, its layout and its variants."""
    studio = windows.open()
    studio.actions.open(slide_file)
    settle(studio)
    work_on(studio, windows.client, settle, qtbot)
    return studio


def work_on(studio: PixCellStudio, client: ScriptedClient, settle: Any, qtbot: Any) -> None:
    session = studio.session
    click(studio.region.add_button)
    settle(studio)
    session.layouts.new()
    layer = studio.link.find("layout", 1)
    layer.paint((100, 100), 1)
    layer.paint((150, 150), 2)
    settle(studio)
    studio.link.area.paint(1)
    studio.link.find("area", 1).paint((10, 10), 1)
    session.settings.count = 2
    qtbot.waitUntil(lambda: session.regions.active.cells == 2, timeout=5000)
    session.generator.generate()
    settle(studio)
    client.play()
    settle(studio)


def drop(studio: PixCellStudio, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    action, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    studio.dropEvent(QDropEvent(QPointF(5, 5), action, data, Qt.MouseButton.LeftButton, none))


def layers_of(studio: PixCellStudio) -> list[tuple[str, Any, Any]]:
    def box(layer: Any) -> Any:
        return np.round([*layer.scale, *layer.translate], 6).tolist()

    return [(layer.name, box(layer), layer.visible) for layer in studio.viewer.layers]


def test_a_dropped_session_restores_the_closed_window(windows, worked, slide_file, settle) -> None:
    before, labels = layers_of(worked), worked.session.regions.active.layout.copy()
    folder = slide_file.with_name("case 7.pixcell")
    other = windows.open()
    drop(other, folder)
    settle(other)
    assert layers_of(other) == before
    np.testing.assert_array_equal(other.link.find("layout", 1).data, labels)
    assert "1 region, 2 variants" in other.footer.note.text()
    assert len(other.session.gallery.results) == 2
    assert [role(layer) for layer in other.viewer.layers].count("area") == 1
    assert other.footer.generate_button.isEnabled()


def test_a_slide_offers_its_previous_session(windows, worked, slide_file, settle, qtbot) -> None:
    worked.session.generator.generate()  # waits while the window is closed
    settle(worked)
    other = windows.open()
    other.actions.open(slide_file)
    qtbot.waitUntil(lambda: not other.footer.action.isHidden(), timeout=5000)
    assert other.footer.note.text().startswith("Your work of today ")
    assert other.footer.action.text() == "Open session"
    click(other.footer.action)
    settle(other)
    assert len(other.session.gallery.results) == 2
    assert "1 job waited when this session was saved." in other.footer.note.text()
    assert other.session.queue.jobs == []
    assert other.footer.action.text() == "Resume jobs"
    click(other.footer.action)
    settle(other)
    assert len(other.session.queue.jobs) == 1
    assert "case 7.pixcell" in other.session.saver.where()


def test_napari_opens_a_session_folder_in_the_studio(windows, worked, slide_file, settle) -> None:
    windows.close()
    viewer = napari.Viewer(show=True)
    folder = slide_file.with_name("case 7.pixcell")
    assert viewer.open(str(folder), plugin="napari-pixcell") == []
    other = viewer.window.dock_widgets["PixCell studio (napari-pixcell)"]
    settle(other)
    assert [role(layer) for layer in viewer.layers][:2] == ["", "regions"]
    assert len(other.session.gallery.results) == 2
    other.close_session()
    viewer.close()


def test_the_studio_asks_for_a_missing_slide(
    windows, worked, slide_file, settle, monkeypatch
) -> None:
    other = windows.open()
    moved = slide_file.rename(slide_file.with_name("renamed.tif"))
    other.take(slide_file.with_name("case 7.pixcell"))
    settle(other)
    assert other.footer.action.text() == "Locate slide…"
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getOpenFileName", lambda *_: (str(moved), ""))
    click(other.footer.action)
    settle(other)
    assert len(other.session.regions.current) == 1
    assert not other.footer.problem.isVisible()


def test_a_reopened_dock_restores_its_session(windows, worked, slide_file, settle, qtbot) -> None:
    viewer, before = worked.viewer, layers_of(worked)
    viewer.window.remove_dock_widget(viewer.window.dock_widgets["PixCell studio"])
    qtbot.waitUntil(lambda: worked.session.saver.closed, timeout=5000)
    worked.session.saver._thread.shutdown(wait=True)
    assert [layer.name for layer in viewer.layers] == [name for name, *_ in before]
    windows.studio = other = PixCellStudio(viewer, ScriptedClient())
    viewer.window.add_dock_widget(other, name="PixCell studio again")
    qtbot.waitUntil(lambda: not other.footer.action.isHidden(), timeout=5000)
    click(other.footer.action)
    settle(other)
    assert sorted(layers_of(other)) == sorted(before)
    layer = other.link.find("layout", 1)
    layer.paint((200, 200), 9)
    qtbot.waitUntil(lambda: other.session.regions.active.cells == 3, timeout=5000)

"""A napari window with the dock, and a scripted worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import napari
import pytest
from qtpy.QtCore import QSettings

from napari_pixcell.slides import ArraySlide
from napari_pixcell.ui.dock import PixCellStudio
from pictures import tissue
from scripted import ScriptedClient


@pytest.fixture(autouse=True)
def own_qt_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = str(tmp_path_factory.mktemp("qt"))
    # The native format is what a QSettings with a name uses; it is a file under Linux too.
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, folder)


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


@pytest.fixture
def viewer(qapp: Any) -> Iterator[napari.Viewer]:
    viewer = napari.Viewer(show=True)
    yield viewer
    viewer.close()


@pytest.fixture
def studio(viewer: napari.Viewer, client: ScriptedClient) -> Iterator[PixCellStudio]:
    studio = PixCellStudio(viewer, client)
    viewer.window.add_dock_widget(studio, name="PixCell studio")
    yield studio
    studio.close_session()


@pytest.fixture
def ready(studio: PixCellStudio) -> PixCellStudio:
    """With a slide of 800 × 800 px at 0.5 µm/px."""
    studio.link.add_slide(ArraySlide([tissue(800)], 0.5, "case 7"))
    return studio


@pytest.fixture
def settle(qtbot: Any) -> Callable[..., None]:
    """Wait until nothing is under way and the dock shows it."""

    def settle(studio: PixCellStudio) -> None:
        qtbot.waitUntil(lambda: not studio.session.background.busy, timeout=60_000)
        qtbot.wait(60)

    return settle

"""Fixtures: a napari window with the studio, and a scripted worker."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import napari
import pytest
from napari._vispy.canvas import VispyCanvas
from pictures import tissue
from qtpy.QtCore import QCoreApplication, QEvent, QSettings, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget
from scripted import ScriptedClient
from settling import works

from napari_pixcell.slides import ArraySlide
from napari_pixcell.ui import dock
from napari_pixcell.ui.dock import NARROWEST, PixCellStudio
from napari_pixcell.ui.docked import Docked
from napari_pixcell.ui.layers.sharpening import watch
from napari_pixcell.ui.results.panel import ResultsPanel
from napari_pixcell.ui.viewers import camera_of
from napari_pixcell.worker.client import WorkerClient

SIZE = 1000, 600  # small, since the CPU renders every pixel
PUMP_MS = 10
SHORT_MS = 60


@pytest.fixture(autouse=True)
def own_qt_settings(own_folders: Iterator[Path]) -> None:
    # The native format is what a QSettings with a name uses; it is a file under Linux too.
    folder = str(next(own_folders))
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, folder)


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


class SharedWindow:
    """A napari window that all tests share, each as if it were new.

    Opening and closing a window takes longer than most tests.
    """

    def __init__(self) -> None:
        self._viewer: napari.Viewer | None = None

    def take(self) -> napari.Viewer:
        """Return an empty window."""
        if self._viewer is None:
            self._viewer = napari.Viewer(show=True)
            self._theme = self._viewer.theme
            self._viewer.window.resize(*SIZE)
            watch(self._viewer)  # the first slide does so too, for good
            QApplication.processEvents()
            self._fresh = traces(self._viewer)
        # napari collects garbage whenever layers are removed. Exclude from that what lives on:
        # imports, and what the window and its libraries keep of each test.
        gc.collect()
        gc.freeze()
        return self._viewer

    def empty(self) -> None:
        """Close docks and layers as a user does, and check that nothing of them is left."""
        viewer = self._viewer
        for widget in list(viewer.window.dock_widgets.values()):
            if isinstance(widget, PixCellStudio):
                widget.close_session()
        viewer.layers.clear()
        for widget in list(viewer.window.dock_widgets.values()):
            # Qt gives the width of the last dock to the next one, and so less or more canvas.
            widget.window().resizeDocks([widget.parent()], [NARROWEST], Qt.Orientation.Horizontal)
            viewer.window.remove_dock_widget(widget)
            widget.deleteLater()
        for window in QApplication.topLevelWidgets():
            if window.isVisible() and window is not viewer.window._qt_window:
                window.close()
        viewer.theme, viewer.status = self._theme, "Ready"
        viewer.window.resize(*SIZE)
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        left = traces(viewer)
        if left != self._fresh:
            self.close()
        assert left == self._fresh

    def close(self) -> None:
        """Close the window, so that the next test opens another."""
        if self._viewer is not None:
            self._viewer.close()
            self._viewer = None


def traces(viewer: napari.Viewer) -> dict[str, list[str]]:
    """Return the contents of a window, and the functions of the package that it would call."""
    groups = (
        viewer.layers.events,
        viewer.layers.selection.events,
        camera_of(viewer).events,
        viewer.dims.events,
        viewer.events,
    )
    callbacks = [
        getattr(callback[0](), callback[1], None) if isinstance(callback, tuple) else callback
        for group in groups
        for emitter in group.emitters.values()
        for callback in emitter.callbacks
    ]
    for mouse in ("drag", "move", "wheel", "double_click"):
        callbacks += getattr(viewer, f"mouse_{mouse}_callbacks")
    return {
        "layers": [layer.name for layer in viewer.layers],
        "docks": list(viewer.window.dock_widgets),
        "keys": [str(key) for key in viewer.keymap],
        "listeners": [
            callback.__qualname__
            for callback in callbacks
            if getattr(callback, "__module__", "").startswith("napari_pixcell")
        ],
    }


@pytest.fixture(scope="session", autouse=True)
def own_context() -> Iterator[None]:
    """Make napari free a layer's buffers in the OpenGL context of its canvas.

    By default it frees them in the current context, after which Mesa may crash.
    """
    name = "_clean_and_update_scenegraph"  # of napari 0.7 and later
    name = name if hasattr(VispyCanvas, name) else "_remove_layer"
    clean = getattr(VispyCanvas, name)

    def clean_there(canvas: VispyCanvas, *event: Any) -> None:
        canvas.native.makeCurrent()
        clean(canvas, *event)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VispyCanvas, name, clean_there)
        yield


@pytest.fixture(scope="session")
def shared_window(own_context: None, qapp: Any) -> Iterator[SharedWindow]:
    window = SharedWindow()
    yield window
    window.close()


@pytest.fixture
def viewer(shared_window: SharedWindow) -> Iterator[napari.Viewer]:
    yield shared_window.take()
    shared_window.empty()


@pytest.fixture
def studio(viewer: napari.Viewer, client: ScriptedClient) -> PixCellStudio:
    studio = PixCellStudio(viewer, client)
    studio._pump.setInterval(PUMP_MS)
    viewer.window.add_dock_widget(studio, name="PixCell studio")
    return studio


@pytest.fixture
def ready(studio: PixCellStudio) -> PixCellStudio:
    """The studio with a slide of 800 × 800 px at 0.5 µm/px."""
    studio.link.add_slide(ArraySlide([tissue(800)], 0.5, "case 7"))
    return studio


@pytest.fixture
def until_idle(qtbot: Any) -> Callable[..., None]:
    """Wait until nothing is under way and no short timer of a dock is due."""

    def until_idle(dock: Docked, busy: Callable[[], bool]) -> None:
        def idle() -> bool:
            return not busy() and not any(
                timer.isActive() and timer.isSingleShot() and timer.interval() <= SHORT_MS
                for timer in dock.findChildren(QTimer)
            )

        dock._pump.setInterval(PUMP_MS)
        for _ in range(2):  # a refresh may start more work
            qtbot.waitUntil(idle, timeout=60_000)
            qtbot.wait(5)

    return until_idle


@pytest.fixture
def settle(until_idle: Callable[..., None]) -> Callable[[PixCellStudio], None]:
    """Wait until the session is idle and the dock is up to date."""
    return lambda studio: until_idle(studio, lambda: works(studio.session))


def studio_of(widget: QWidget) -> PixCellStudio:
    """Return the studio of a control in its dock, in that of the results or in a dialog."""
    above: QWidget | None = widget
    while above is not None and not isinstance(above, PixCellStudio | ResultsPanel):
        above = above.parentWidget()
    studios = [one for one in QApplication.allWidgets() if isinstance(one, PixCellStudio)]
    return next(one for one in studios if above in (one, one.results))


@pytest.fixture
def press(settle: Callable[..., None], qtbot: Any) -> Callable[[QWidget], None]:
    """Click a control, and wait until the dock shows the outcome."""

    def press(widget: QWidget) -> None:
        dock = studio_of(widget)
        settle(dock)
        dock.tabs.bring(widget)
        QApplication.processEvents()
        assert widget.isEnabled(), widget.toolTip()
        button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QTest.mouseClick(widget, button, none, widget.rect().center())
        qtbot.wait(2 * PUMP_MS)  # the dock has looked at its session once
        settle(dock)

    return press


@pytest.fixture(scope="session")
def folder_of_worker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worker")


@pytest.fixture
def one_worker(
    running_worker: WorkerClient, folder_of_worker: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Serve the dock by the worker that tests share; give the folder of its weights.

    The places of weights and settings stay those of the first test. Each test finds them empty.
    """
    monkeypatch.setattr(dock, "WorkerClient", lambda: running_worker)
    monkeypatch.setattr(running_worker, "close", lambda: None)
    for variable in ("PIXCELL_CONFIG_DIR", "PIXCELL_WEIGHTS"):
        folder = folder_of_worker / variable
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        monkeypatch.setenv(variable, str(folder))
    return folder

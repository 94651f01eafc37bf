"""A hand on mouse and keyboard: events of the window system, as a person's (xdotool, XTest).

Nothing is called in the program itself. Each act waits until its last event has arrived in the
program, so that what follows also shows when nothing has happened.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, QPoint
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QPushButton, QTabBar, QWidget

from napari_pixcell.ui.layers.layout_tools import LayoutTools

PROGRAMS = "openbox", "xdotool"
PATIENCE_MS = 60_000
LEFT, MIDDLE, RIGHT, WHEEL_UP, WHEEL_DOWN = 1, 2, 3, 4, 5
STEPS = 6  # of the mouse along each line of a drag


def missing() -> list[str]:
    """Return the programs that are needed and not installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


# Without the usual bindings, of which Alt-click moves a window.
SETTINGS = '<openbox_config xmlns="http://openbox.org/3.4/rc"><keyboard/><mouse/></openbox_config>'


@contextmanager
def window_manager(folder: Path) -> Iterator[None]:
    """Run a window manager on the display of the tests, with its settings in a folder."""
    settings = folder / "openbox.xml"
    settings.write_text(SETTINGS)
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(["openbox", "--config-file", str(settings)], **silent)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def at(tools: LayoutTools, *points: tuple[float, float]) -> list[tuple[float, ...]]:
    """Return the world points of places (y, x) in the layout of the active region."""
    assert tools.layer is not None
    return [tuple(tools.layer.data_to_world(point)) for point in points]


def cross(docked: QWidget) -> QWidget:
    """Return the button that closes the dock of a widget."""
    title = docked.parentWidget().titleBarWidget()
    return next(b for b in title.findChildren(QPushButton) if "Close" in b.objectName())


class _Arrivals(QObject):
    """Counts the events that come from the window system, and follows the mouse."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[QEvent.Type, int] = {}  # by their types
        self.mouse = QPoint(-1, -1)  # on the screen, as the program knows it

    def eventFilter(self, _watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.spontaneous():
            self.counts[event.type()] = self.counts.get(event.type(), 0) + 1
            if isinstance(event, QMouseEvent):
                self.mouse = event.globalPosition().toPoint()
        return False


def _move(place: QPoint) -> list[str]:
    return ["mousemove", str(place.x()), str(place.y())]


def _key(act: str, key: str) -> list[str]:
    return [act, key] if key else []


class Hand:
    """Moves the mouse over a window of napari, clicks, drags, scrolls and types."""

    def __init__(self, viewer: Viewer, qtbot: Any) -> None:
        self.viewer, self._qtbot = viewer, qtbot
        self._arrivals = _Arrivals()
        self._pressed: QPoint | None = None  # the last place
        application = QApplication.instance()
        assert application is not None
        application.installEventFilter(self._arrivals)

    def lift(self) -> None:
        """Stop listening."""
        application = QApplication.instance()
        if application is not None:
            application.removeEventFilter(self._arrivals)

    # -- places ------------------------------------------------------------------------------

    def place_of(self, target: Any) -> QPoint:
        """Return the place on the screen of a widget's centre, or of a world point (y, x)."""
        if isinstance(target, QPoint):
            return target
        if isinstance(target, QWidget):
            assert target.isVisible(), f"{target.objectName()} is not visible"
            place = target.mapToGlobal(target.rect().center())
            top = QApplication.widgetAt(place)
            shown = top is not None and (top is target or target.isAncestorOf(top))
            assert shown, f"{target.objectName() or target.toolTip()} is not in view"
            return place
        canvas = self.viewer.window._qt_viewer.canvas.native
        camera = self.viewer.scene.camera
        y, x = (float(value) for value in target)
        across = (x - camera.center[-1]) * camera.zoom + canvas.width() / 2
        down = (y - camera.center[-2]) * camera.zoom + canvas.height() / 2
        return canvas.mapToGlobal(QPoint(round(across), round(down)))

    def tab(self, bar: QTabBar, index: int) -> QPoint:
        """Return the place of a tab."""
        return bar.mapToGlobal(bar.tabRect(index).center())

    # -- acts --------------------------------------------------------------------------------

    def move(self, target: Any) -> None:
        """Move the mouse over something."""
        self._run(_move(self.place_of(target)))

    def click(self, target: Any, button: int = LEFT, held: str = "", times: int = 1) -> None:
        """Click on something, with a key held down if one is named."""
        place = self.place_of(target)
        self._press_anew(place)
        press = ["click", "--repeat", str(times), "--delay", "20", str(button)]
        self._expect(QEvent.Type.MouseButtonRelease)
        self._run([*_key("keydown", held), *_move(place), *press, *_key("keyup", held)])
        self._wait(QEvent.Type.MouseButtonRelease)

    def double_click(self, target: Any) -> None:
        """Click twice in quick succession."""
        press = ["click", "--repeat", "2", "--delay", "30", "1"]
        place = self.place_of(target)
        self._press_anew(place)
        self._expect(QEvent.Type.MouseButtonRelease, 2)
        self._run([*_move(place), *press])
        self._wait(QEvent.Type.MouseButtonRelease)

    def drag(self, *path: Any, held: str = "") -> None:
        """Press at the first place, move through the others, and release at the last.

        A busy program is sent only the last of the moves that it missed. So each place waits until
        the program knows that the mouse is there.
        """
        places = [self.place_of(target) for target in path]
        self._press_anew(places[0])
        self._expect(QEvent.Type.MouseButtonPress)
        self._run([*_key("keydown", held), *_move(places[0]), "mousedown", "1"])
        try:
            self._wait(QEvent.Type.MouseButtonPress)
            for first, second in pairwise(places):
                steps = (first + (second - first) * step / STEPS for step in range(1, STEPS + 1))
                self._run([word for place in steps for word in (*_move(place), "sleep", "0.01")])
                self._wait_at(second)
        finally:
            self._expect(QEvent.Type.MouseButtonRelease)
            self._run(["mouseup", "1", *_key("keyup", held)])
        self._wait(QEvent.Type.MouseButtonRelease)

    def wheel(self, target: Any, notches: int) -> None:
        """Turn the wheel over something: upwards if positive."""
        button = WHEEL_UP if notches > 0 else WHEEL_DOWN
        turn = ["click", "--repeat", str(abs(notches)), "--delay", "10", str(button)]
        self._expect(QEvent.Type.Wheel)
        self._run([*_move(self.place_of(target)), *turn])
        self._wait(QEvent.Type.Wheel)

    def press(self, *keys: str) -> None:
        """Press keys one after another, such as "ctrl+z"; where the focus is."""
        for key in keys:
            self._expect(QEvent.Type.KeyRelease)
            self._run(["key", key])
            self._wait(QEvent.Type.KeyRelease)

    def type(self, text: str) -> None:
        """Type a text."""
        self._expect(QEvent.Type.KeyRelease, len(text))
        self._run(["type", "--delay", "5", text])
        self._wait(QEvent.Type.KeyRelease)

    @contextmanager
    def holding(self, key: str) -> Iterator[None]:
        """Hold a key down."""
        self._expect(QEvent.Type.KeyPress)
        self._run(["keydown", key])
        self._wait(QEvent.Type.KeyPress)
        yield
        self._expect(QEvent.Type.KeyRelease)
        self._run(["keyup", key])
        self._wait(QEvent.Type.KeyRelease)

    def choose(self, box: QWidget, row: int) -> None:
        """Choose an entry of a combo box by opening it with the mouse and pressing keys."""
        self.click(box)
        self.press("Home", *["Down"] * row, "Return")

    # -- waiting -----------------------------------------------------------------------------

    def _press_anew(self, place: QPoint) -> None:
        """Wait if Qt would take a press for the second one of a double click."""
        before, self._pressed = self._pressed, place
        if before is None:
            return
        hints = QApplication.styleHints()
        if (place - before).manhattanLength() <= 2 * hints.mouseDoubleClickDistance():
            self._qtbot.wait(hints.mouseDoubleClickInterval() + 50)

    def _wait_at(self, place: QPoint) -> None:
        self._qtbot.waitUntil(lambda: self._arrivals.mouse == place, timeout=PATIENCE_MS)

    def _expect(self, kind: QEvent.Type, more: int = 1) -> None:
        self._wanted = self._arrivals.counts.get(kind, 0) + more

    def _wait(self, kind: QEvent.Type) -> None:
        def arrived() -> bool:
            return self._arrivals.counts.get(kind, 0) >= self._wanted

        self._qtbot.waitUntil(arrived, timeout=PATIENCE_MS)

    def _run(self, act: Sequence[str]) -> None:
        process = subprocess.Popen(["xdotool", *act], env=os.environ)
        while process.poll() is None:  # the window must answer meanwhile
            self._qtbot.wait(2)
        assert process.returncode == 0, act

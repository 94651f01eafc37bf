"""Asks what becomes of the runs that were started here, when the dock or napari is closed."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_pixcell.studio.datasets.outside import OutsideRuns
from napari_pixcell.ui.language import tr

LEAVE, STOP, STAY = "Leave it running", "Stop it", "Keep the window open"
WINDOW, DOCK = "this window", "this dock. Open PixCell studio again to follow it"


class WindowGuard(QObject):
    """Asks before napari's window is closed, and after the dock was, while runs are live.

    Only runs that were started in this window count: others belong to other windows.
    """

    def __init__(self, runs: OutsideRuns) -> None:
        super().__init__()
        self._runs = runs
        self._window: QWidget | None = None

    def watch(self, window: QWidget) -> None:
        """Ask before this window is closed."""
        if window is not self._window:
            self.end()
            self._window = window
            window.installEventFilter(self)

    def end(self) -> None:
        if self._window is not None and isalive(self._window):
            self._window.removeEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        closing = event is not None and event.type() == QEvent.Type.Close
        if event is None or not closing or not self._runs.own:
            return False
        assert self._window is not None
        box = _question(self._window, self._runs, WINDOW)
        stay = box.addButton(tr(STAY), QMessageBox.ButtonRole.RejectRole)
        box.exec()
        if box.clickedButton() is stay:
            event.ignore()
            return True
        _act(box, self._runs)()
        return False

    @property
    def window(self) -> QWidget | None:
        """The window, unless it is closed."""
        window = self._window
        return window if window is not None and isalive(window) and window.isVisible() else None

    def ask_after_dock(self) -> None:
        """Ask, now that the dock is closed and napari is not, without holding napari up."""
        window = self.window
        if window is None or not self._runs.own:
            return
        box = _question(window, self._runs, DOCK)
        box.finished.connect(_act(box, self._runs))
        box.open()


def outermost(widget: QWidget) -> QWidget:
    """Return the main window that a widget is in, also if its dock floats."""
    window = widget.window() or widget
    parent = window.parentWidget()
    return window if parent is None else outermost(parent)


def _question(window: QWidget, runs: OutsideRuns, without: str) -> QMessageBox:
    names = [f"“{state.name}” ({state.pairs})" for state in runs.own]
    many = len(names) > 1
    said = f"{', '.join(names)} {'are' if many else 'is'} still being made."
    goes_on = f"{'They continue' if many else 'It continues'} without {without}."
    title, text = tr("Datasets are being made"), tr(f"{said} {goes_on}")
    box = QMessageBox(QMessageBox.Icon.Question, title, text, parent=window)
    box.addButton(tr(LEAVE), QMessageBox.ButtonRole.AcceptRole)
    box.addButton(tr(STOP), QMessageBox.ButtonRole.DestructiveRole)
    return box


def _act(box: QMessageBox, runs: OutsideRuns) -> Callable[..., None]:
    def act(*_: object) -> None:
        clicked = box.clickedButton()
        if clicked is not None and clicked.text() == tr(STOP):
            runs.stop_own()
        box.deleteLater()

    return act

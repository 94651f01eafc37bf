"""The base of both dock widgets: refresh on change, and release once closed."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from typing import Any, TypeVar

from napari.viewer import Viewer
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QWidget

from napari_pixcell.ui.arrange import single_shot
from napari_pixcell.ui.language import use_language, wanted_language

PLUGIN = "napari-pixcell"
PUMP_MS = 40

Found = TypeVar("Found", bound=QWidget)

_open: set[Release] = set()


class Release:
    """Calls functions once, when a dock closes, Qt destroys it or Python exits.

    The functions must not hold the dock, since its Python object may be gone before Qt destroys it.
    """

    def __init__(self, *acts: Callable[[], Any]) -> None:
        self._acts = acts
        _open.add(self)

    def __call__(self, *_: Any) -> None:
        if self in _open:
            _open.discard(self)
            for act in self._acts:
                act()


class Docked(QWidget):
    """A widget in a dock of napari; :meth:`let_go` is called when the dock is closed.

    A closed dock gets no closeEvent (napari #8071): napari removes its widget for good.
    """

    def __init__(self) -> None:
        super().__init__()
        self._docked = False
        self._moved = single_shot(self, 0, self._maybe_closed)
        use_language(wanted_language())

    def run(self, pump: Callable[[], Any], *release: Callable[[], Any]) -> None:
        """Start to pump events and to serve :meth:`refresh_soon`.

        Parameters
        ----------
        pump : callable
            Called every ``PUMP_MS``.
        *release : callable
            Called once when the dock is gone; see :class:`Release`.
        """
        self._soon = single_shot(self, 0, self.refresh)
        self._pump = QTimer(self)
        self._pump.setInterval(PUMP_MS)
        self._pump.timeout.connect(pump)
        self._pump.start()
        self._release = Release(*release)
        self.destroyed.connect(self._release)

    def refresh(self) -> None:
        raise NotImplementedError

    def refresh_soon(self) -> None:
        """Refresh once when control returns to the event loop."""
        if not self._soon.isActive():  # a restart would delay the refresh
            self._soon.start()

    def let_go(self) -> None:
        if isalive(self._pump):  # napari may have closed the window
            self._pump.stop()
            self._soon.stop()
        self._release()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.ParentChange:
            self._moved.start()

    def _maybe_closed(self) -> None:
        if self.parent() is not None:
            self._docked = True
        elif self._docked:
            self._docked = False
            self.leave()

    def leave(self) -> None:
        """Called once the user has closed the dock."""
        self.let_go()


def find_or_open(viewer: Viewer, kind: type[Found], title: str, **options: Any) -> Found:
    """Return the dock widget of a class, opened under its title if needed."""
    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, kind):
            return widget
    _, opened = viewer.window.add_plugin_dock_widget(PLUGIN, title, **options)
    assert isinstance(opened, kind)
    return opened


@atexit.register
def _release_all() -> None:
    for release in list(_open):
        release()

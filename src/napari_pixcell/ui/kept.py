"""Sessions that go on after their dock was closed, until a dock takes them over or all is done."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from napari.utils.notifications import show_info
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QWidget

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.viewers import itself

PUMP_MS = 40
GOES_ON = "PixCell continues in the background. Open PixCell studio again to see its results."
DONE = "PixCell is done. Open PixCell studio to see its results."
CAME_BACK = "Your work continued while the dock was closed."

_kept: list[KeptSession] = []


class KeptSession(QObject):
    """A session whose dock was closed while it was busy.

    Parameters
    ----------
    session : Session
    end : callable
        Closes it for good; also called by others when Python exits.
    viewer : napari.viewer.Viewer
    window : QWidget
        Napari's window, with which it ends.
    """

    def __init__(
        self, session: Session, end: Callable[[], Any], viewer: Viewer, window: QWidget
    ) -> None:
        super().__init__(window)
        self.session, self.end = session, end
        self.viewer = weakref.ref(itself(viewer))
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._pump)
        self._timer.start(PUMP_MS)
        self.destroyed.connect(end)
        _kept.append(self)
        show_info(GOES_ON)

    def _pump(self) -> None:
        self.session.pump()
        if not self.session.busy:
            self.let_go()
            self.end()
            show_info(DONE)

    def let_go(self) -> None:
        """Stop looking after the session."""
        _kept.remove(self)
        self._timer.stop()
        self.destroyed.disconnect(self.end)
        self.deleteLater()


def take_kept(viewer: Viewer) -> KeptSession | None:
    """Return the session that went on in a viewer, for a dock to look after."""
    for kept in _kept:
        if kept.viewer() is itself(viewer):
            kept.let_go()
            return kept
    return None

"""A widget that notices when its dock is closed."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QWidget


class Docked(QWidget):
    """What napari shows in a dock; :meth:`let_go` is called once the dock is closed.

    A closed dock gets no closeEvent (napari #8071): napari takes its widget out, for good.
    """

    def __init__(self) -> None:
        super().__init__()
        self._docked = False

    def let_go(self) -> None:
        """End what must not outlive the dock."""
        raise NotImplementedError

    def changeEvent(self, event: QEvent | None) -> None:
        """Notice that the dock was closed."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.ParentChange:
            QTimer.singleShot(0, self._maybe_closed)

    def _maybe_closed(self) -> None:
        if self.parent() is not None:
            self._docked = True
        elif self._docked:
            self.let_go()

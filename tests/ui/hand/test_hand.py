"""The hand of these tests: what it does arrives, however busy the window is."""

from __future__ import annotations

import time

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QWidget


class Busy(QWidget):
    """Takes longer for each move of the mouse than the mouse needs for several."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, Qt.WindowType.Window | Qt.WindowType.FramelessWindowHint)
        self.setGeometry(100, 100, 300, 300)
        self.acts: list[str] = []
        self.places: list[tuple[int, int]] = []

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        self.acts.append("press")

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        self.acts.append("double")

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        time.sleep(0.1)
        if event is not None:
            self.places.append((event.pos().x(), event.pos().y()))


def test_a_drag_passes_all_its_places_and_is_no_double_click(ready, hand, qtbot) -> None:
    busy = Busy(ready.viewer.window._qt_window)
    busy.show()
    qtbot.waitExposed(busy)
    ring = (50, 50), (150, 50), (150, 150), (50, 150), (50, 50)
    places = [busy.mapToGlobal(QPoint(*place)) for place in ring]
    hand.drag(*places)
    hand.drag(*places)
    hand.click(places[0])
    busy.close()
    passed = [place for place in busy.places if place in ring]
    assert passed == [*ring[1:], *ring[1:]]
    assert busy.acts == ["press", "press", "press"]

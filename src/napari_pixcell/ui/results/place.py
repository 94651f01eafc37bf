"""The dock of the results panel: under the canvas, or wherever the user has moved it."""

from __future__ import annotations

from napari.settings import get_settings
from napari.viewer import Viewer
from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

NAME = "PixCell results"


class ResultsPlace:
    """Shows a panel in a dock, again after the user has closed it, and removes it in the end."""

    def __init__(self, viewer: Viewer, panel: QWidget) -> None:
        self._viewer, self._panel = viewer, panel
        self.ever_shown = False
        self._main: QMainWindow | None = None
        self._corner = Qt.DockWidgetArea.BottomDockWidgetArea

    @property
    def _dock(self) -> QDockWidget | None:
        parent = self._panel.parentWidget() if isalive(self._panel) else None
        return parent if isinstance(parent, QDockWidget) else None

    def show(self) -> None:
        """Bring the panel into view."""
        dock, self.ever_shown = self._dock, True
        if dock is None:
            moved = NAME in get_settings().application.plugin_widget_positions
            area = None if moved else "bottom"
            dock = self._viewer.window.add_dock_widget(self._panel, name=NAME, area=area)
            self._keep_columns_whole(dock)
        dock.show()
        dock.raise_()

    def _keep_columns_whole(self, dock: QDockWidget) -> None:
        """Let the docks at the sides reach down to the bottom: nothing in them moves."""
        window = dock.parentWidget()
        if isinstance(window, QMainWindow) and self._main is None:
            self._main, right = window, Qt.Corner.BottomRightCorner
            self._corner = window.corner(right)
            window.setCorner(right, Qt.DockWidgetArea.RightDockWidgetArea)

    def close(self) -> None:
        """Remove the dock, and give the corner of the window back."""
        dock, window = self._dock, self._main
        if window is not None and isalive(window):
            window.setCorner(Qt.Corner.BottomRightCorner, self._corner)
            open_still = hasattr(self._viewer.window, "_qt_window")  # napari deletes it on closing
            if dock is not None and open_still:
                self._viewer.window.remove_dock_widget(dock)
        if isalive(self._panel):
            self._panel.deleteLater()

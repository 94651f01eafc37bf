"""The base of the lists that show thumbnails."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QAbstractItemView, QFrame, QListView


class ThumbnailView(QListView):
    """A list of thumbnails in rows, which draws only the visible ones.

    Parameters
    ----------
    name : str
        As read by screen readers.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(name)
        self.setStyleSheet("QListView { background: transparent; padding: 0; }")

    def selected_rows(self) -> list[int]:
        """Return the selected rows from the top."""
        return sorted(index.row() for index in self.selectedIndexes())

    def redraw(self) -> None:
        """Draw all visible thumbnails again."""
        self.viewport().update()

    def changeEvent(self, event: QEvent | None) -> None:  # of the theme, for example
        super().changeEvent(event)
        self.redraw()

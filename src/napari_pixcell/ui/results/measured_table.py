"""The table of measured pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QEvent, QModelIndex, Qt, Signal
from qtpy.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_pixcell.studio.measures import Measured, Measures

NONE = "–"
MOST_ROWS = 5  # that are seen without scrolling


def _share(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:.1f} %"


def _score(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:.0f}"


# Header, what it means, and how it is shown.
COLUMNS: tuple[tuple[str, str, Callable[[Measured], str]], ...] = (
    ("Picture", "What was measured", lambda row: row.name),
    ("Positive", "Nuclei from 1+ on, of all nuclei", lambda row: _share(row.scores.percent)),
    (
        "H-score",
        "Percent of 1+, twice that of 2+, three times that of 3+: 0 to 300",
        lambda row: _score(row.scores.h_score),
    ),
    ("Nuclei", "How many there are", lambda row: f"{row.scores.nuclei:,}"),
    ("Brown area", "Of the tissue, from 1+ on", lambda row: f"{row.scores.area_percent:.1f} %"),
    ("Tissue", "Its area", lambda row: f"{row.staining.tissue_mm2:.3f} mm²"),
    ("1+", "Weakly positive nuclei", lambda row: f"{row.scores.classes[1]:,}"),
    ("2+", "Moderately positive nuclei", lambda row: f"{row.scores.classes[2]:,}"),
    ("3+", "Strongly positive nuclei", lambda row: f"{row.scores.classes[3]:,}"),
    ("Thresholds", "DAB optical density of 1+, 2+ and 3+", lambda row: str(row.thresholds)),
    ("Nuclei from", "The layout, or found in the picture", lambda row: row.nuclei_from),
)


class MeasuredModel(QAbstractTableModel):
    """The rows of :class:`~napari_pixcell.studio.measures.Measures` for Qt."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Measured] = []

    def take(self, rows: list[Measured]) -> None:
        """Show other rows; the same ones with other thresholds keep their selection."""
        if [row.number for row in rows] != [row.number for row in self.rows]:
            self.beginResetModel()
            self.rows = list(rows)
            self.endResetModel()
        elif any(new is not old for new, old in zip(rows, self.rows, strict=True)):
            self.rows = list(rows)
            last = self.index(len(rows) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Count the rows."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Count the columns."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give a cell's text, its place, or what is odd about it."""
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            text = COLUMNS[index.column()][2](row)
            return f"⚠ {text}" if row.staining.warning and not index.column() else text
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.staining.warning or f"{row.name}, nuclei of {row.nuclei_from}"
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Give a column's name, and what it means."""
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return COLUMNS[section][0]
            if role == Qt.ItemDataRole.ToolTipRole:
                return COLUMNS[section][1]
        return None


class MeasuredTable(QTableView):
    """A table whose selected rows are copied with Ctrl+C and removed with Delete.

    Parameters
    ----------
    measures : Measures
        What it shows.
    """

    removing = Signal()

    def __init__(self, measures: Measures) -> None:
        super().__init__()
        self.measures = measures
        self.rows = MeasuredModel()
        self.setModel(self.rows)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setWordWrap(False)
        self.setCornerButtonEnabled(False)
        self.setAccessibleName("Measured pictures")
        self.setToolTip("Click a row to colour its nuclei; Ctrl+C copies, Delete removes")
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setHighlightSections(False)
        self.selectionModel().currentRowChanged.connect(self._chosen)

    @property
    def selected(self) -> list[Measured]:
        """The rows that are selected, from the top."""
        places = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [self.rows.rows[place] for place in places]

    def refresh(self) -> None:
        """Show the session's state."""
        rows, chosen = self.measures.rows, self.measures.chosen
        if len(rows) != len(self.rows.rows):
            self.rows.take(rows)
            self.resizeColumnsToContents()
            self.setColumnWidth(0, min(self.columnWidth(0), 120))
        else:
            self.rows.take(rows)
        if chosen in rows and self.currentIndex().row() != rows.index(chosen):
            self.selectRow(rows.index(chosen))
        shown = min(max(1, len(rows)), MOST_ROWS)
        bar = self.horizontalScrollBar().sizeHint().height()
        height = self.horizontalHeader().sizeHint().height() + 22 * shown + bar + 4
        if height != self.height():
            self.setFixedHeight(height)

    def copy(self) -> None:
        """Put the selected rows, or all, on the clipboard, as spreadsheets take them."""
        QGuiApplication.clipboard().setText(
            self.measures.as_text(self.selected or self.measures.rows)
        )

    def remove(self) -> None:
        """Take the selected rows out."""
        self.measures.remove(*self.selected)

    def event(self, event: QEvent | None) -> bool:
        """Keep Ctrl+C and Delete from napari's own shortcuts."""
        overriding = event is not None and event.type() == QEvent.Type.ShortcutOverride
        if overriding and isinstance(event, QKeyEvent) and _is_ours(event):
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Copy or remove."""
        if event is None:
            return
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.key() == Qt.Key.Key_Delete:
            self.remove()
        else:
            super().keyPressEvent(event)

    def _chosen(self, now: QModelIndex, _before: QModelIndex) -> None:
        rows = self.measures.rows
        if now.isValid() and now.row() < len(rows) and rows[now.row()] is not self.measures.chosen:
            self.measures.choose(rows[now.row()])


def _is_ours(event: QKeyEvent) -> bool:
    return event.matches(QKeySequence.StandardKey.Copy) or event.key() == Qt.Key.Key_Delete

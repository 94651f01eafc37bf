"""The table of IHC measurements."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QEvent, QModelIndex, Qt
from qtpy.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_pixcell.studio.measures import Measured, Measures
from napari_pixcell.ui.language import tr

NONE = "–"
POSITIVE = "Nuclei of class 1+ or higher, as a share of all"
H_SCORE = "Percentage of 1+, plus 2 × that of 2+, plus 3 × that of 3+: 0 to 300"
BROWN = "Share of the tissue area at 1+ or higher"
SOURCE = "Source of the nuclei: the layout, or a segmentation of the image"
MOST_ROWS = 5  # visible without scrolling
IN_VIEW = 4  # columns in view at any width: the first one is elided to make room for the others
NUCLEI, CLASSES = 3, (6, 7, 8)  # columns with numbers of nuclei
NARROWEST = 64  # px of the first column


def _share(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:.1f} %"


def _score(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:.0f}"


# Header, meaning and text of each column.
COLUMNS: tuple[tuple[str, str, Callable[[Measured], str]], ...] = (
    ("Image", "Measured image", lambda row: row.name),
    ("Positive", POSITIVE, lambda row: _share(row.scores.percent)),
    ("H-score", H_SCORE, lambda row: _score(row.scores.h_score)),
    ("Nuclei", "Number of nuclei", lambda row: f"{row.scores.nuclei:,}"),
    ("Brown area", BROWN, lambda row: f"{row.scores.area_percent:.1f} %"),
    ("Tissue", "Tissue area", lambda row: f"{row.staining.tissue_mm2:.3f} mm²"),
    ("1+", "Weakly positive nuclei", lambda row: f"{row.scores.classes[1]:,}"),
    ("2+", "Moderately positive nuclei", lambda row: f"{row.scores.classes[2]:,}"),
    ("3+", "Strongly positive nuclei", lambda row: f"{row.scores.classes[3]:,}"),
    ("Thresholds", "DAB optical density of 1+, 2+ and 3+", lambda row: str(row.thresholds)),
    ("Nuclei from", SOURCE, lambda row: row.nuclei_from),
)


class MeasuredModel(QAbstractTableModel):
    """Qt model of :class:`~napari_pixcell.studio.measures.Measures`."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Measured] = []

    def show(self, rows: list[Measured]) -> None:
        """Show rows; the selection stays if only their thresholds changed."""
        if [row.number for row in rows] != [row.number for row in self.rows]:
            self.beginResetModel()
            self.rows = list(rows)
            self.endResetModel()
        elif any(new is not old for new, old in zip(rows, self.rows, strict=True)):
            self.rows = list(rows)
            last = self.index(len(rows) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            text = COLUMNS[index.column()][2](row)
            return f"⚠ {text}" if row.staining.warning and not index.column() else text
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tr(_about(row))
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return tr(COLUMNS[section][0])
            if role == Qt.ItemDataRole.ToolTipRole:
                return tr(COLUMNS[section][1])
        return None


class MeasuredTable(QTableView):
    """The measurements. Ctrl+C copies the selected rows, Delete removes them."""

    def __init__(self, measures: Measures) -> None:
        super().__init__()
        self.measures = measures
        self.rows = MeasuredModel()
        self.setModel(self.rows)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names differ at their ends
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setCornerButtonEnabled(False)
        self.setAccessibleName(tr("IHC measurements"))
        self.setToolTip(
            tr("Click a row to colour its nuclei. Ctrl+C copies and Delete removes rows.")
        )
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setHighlightSections(False)
        self.selectionModel().currentRowChanged.connect(self._chosen)
        self.clicked.connect(self._clicked)

    @property
    def selected(self) -> list[Measured]:
        """The selected rows, from the top."""
        selected = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [self.rows.rows[row] for row in selected]

    def refresh(self) -> None:
        rows, chosen = self.measures.rows, self.measures.chosen
        resized = len(rows) != len(self.rows.rows)
        self.rows.show(rows)
        if resized:
            self._fit()
        if chosen in rows and self.currentIndex().row() != rows.index(chosen):
            self.selectRow(rows.index(chosen))
        shown = min(max(1, len(rows)), MOST_ROWS)
        bar = self.horizontalScrollBar().sizeHint().height()
        height = self.horizontalHeader().sizeHint().height() + 22 * shown + bar + 4
        if height != self.height():
            self.setFixedHeight(height)

    def _fit(self) -> None:
        """Size the columns to their contents, the first one to the width that is left."""
        self.resizeColumnsToContents()
        for column in CLASSES:  # their numbers change with the thresholds
            self.setColumnWidth(column, max(self.columnWidth(column), self.columnWidth(NUCLEI)))
        others = sum(self.columnWidth(column) for column in range(1, IN_VIEW))
        left = max(NARROWEST, self.viewport().width() - others)
        self.setColumnWidth(0, min(self.columnWidth(0), left))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        if event is not None and event.size().width() != event.oldSize().width():
            self._fit()

    def copy(self) -> None:
        """Copy the selected rows, or all, in a format that spreadsheets accept."""
        text = self.measures.as_text(self.selected or self.measures.rows)
        QGuiApplication.clipboard().setText(text)

    def remove(self) -> None:
        self.measures.remove(*self.selected)

    def event(self, event: QEvent | None) -> bool:  # keeps keys from napari's shortcuts
        overriding = event is not None and event.type() == QEvent.Type.ShortcutOverride
        if overriding and isinstance(event, QKeyEvent) and _is_ours(event):
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
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
            self.measures.show(rows[now.row()])

    def _clicked(self, at: QModelIndex) -> None:
        """Show the picture of the chosen row again, if another one is shown meanwhile."""
        rows = self.measures.rows
        if at.row() < len(rows) and rows[at.row()] is self.measures.chosen:
            self.measures.show(rows[at.row()])


def _about(row: Measured) -> str:
    """Return all columns of a row, for its tooltip, with a warning first."""
    values = [f"{title}: {text(row)}" for title, _meaning, text in COLUMNS]
    return "\n".join([row.staining.warning, *values] if row.staining.warning else values)


def _is_ours(event: QKeyEvent) -> bool:
    return bool(event.matches(QKeySequence.StandardKey.Copy) or event.key() == Qt.Key.Key_Delete)

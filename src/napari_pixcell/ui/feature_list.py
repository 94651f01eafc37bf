"""A window with all patches of a file of features, to find one by its row or position."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtWidgets import QAbstractItemView, QDialog, QHeaderView, QLineEdit, QTableView, QWidget

from napari_pixcell.studio.session import Session
from napari_pixcell.studio.styles.features import OpenFeatures
from napari_pixcell.ui.arrange import column, row
from napari_pixcell.ui.dialogs import ask_name
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.widgets import AMBER, GREEN, PRIMARY, Text, allow, button

COLUMNS = "Row", "x (px)", "y (px)"
FILTER = "Row, or position: x, y"
NONE = "No patch matches. Enter a row such as 1234, or a position such as 5120, 2048."
SIZE = 380, 480


class PatchModel(QAbstractTableModel):
    """Qt model of some rows of a file of features; texts are made as they are drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._coords: NDArray[np.float64] = np.zeros((0, 2))

    def show(self, features: OpenFeatures | None, text: str) -> None:
        """Show the patches that match a text."""
        self.beginResetModel()
        self.rows = features.matching(text) if features is not None else np.zeros(0, np.int64)
        self._coords = features.file.coords if features is not None else np.zeros((0, 2))
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        patch = self.rows[index.row()]
        return f"{patch if not index.column() else self._coords[patch, index.column() - 1]:.0f}"

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        across = orientation == Qt.Orientation.Horizontal
        return COLUMNS[section] if across and role == Qt.ItemDataRole.DisplayRole else None


class FeatureList(QDialog):
    """A list of the patches of the open file, a filter, and buttons for the chosen one."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.session, self.features = session, session.features
        self.setWindowTitle(tr("Styles from features"))
        self.resize(*SIZE)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(tr(FILTER))
        self.filter.setAccessibleName(tr("Find a patch by its row or position"))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(lambda _: self._fill())
        self.model_ = PatchModel()
        self.table = QTableView()
        self.table.setModel(self.model_)
        self.table.setAccessibleName(tr("Patches"))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.doubleClicked.connect(lambda _: self._use())
        self.table.selectionModel().selectionChanged.connect(lambda *_: self.refresh())
        self.about, self.none = Text(), Text(NONE)
        self.problem, self.note = Text(colour=AMBER), Text(colour=GREEN)
        tip = "Make the patch a style, and let the active region imitate it (double click)"
        self.use_button = button("Use as style", tip, self._use, "use patch")
        self.use_button.setStyleSheet(PRIMARY)
        self.save_button = button("Save…", "Save the style of the patch by name", self._save)
        self.close_button = button("Close", "Close the list; the file stays open", self.close)
        buttons = row(self.use_button, self.save_button)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        texts = self.none, self.problem, self.note
        outer = column(self, self.about, self.filter, self.table, *texts, buttons, spacing=6)
        outer.setContentsMargins(9, 9, 9, 9)
        outer.setStretchFactor(self.table, 1)
        self._shown: OpenFeatures | None = None
        session.changed.connect(self.refresh)
        self.finished.connect(self._let_go)
        self.destroyed.connect(self._let_go)
        self.refresh()

    def _let_go(self, _: Any = None) -> None:
        self.session.changed.disconnect(self.refresh, missing_ok=True)

    @property
    def patch(self) -> int | None:
        """The row of the selected patch."""
        chosen = self.table.selectionModel().selectedRows()
        return int(self.model_.rows[chosen[0].row()]) if chosen else None

    def _fill(self) -> None:
        self.model_.show(self.features.current, self.filter.text())
        if len(self.model_.rows):
            self.table.selectRow(0)
        self.refresh()

    def _use(self) -> None:
        if self.patch is not None and not self.features.why_not():
            self.features.use(self.patch)

    def _save(self) -> None:
        patch = self.patch
        if patch is not None:
            name = self.features.suggested_name(patch)
            ask_name(self, "Save style", name, lambda text: self.features.save(patch, text))

    def refresh(self) -> None:
        opened, notices = self.features.current, self.session.notices
        if opened is not self._shown:
            self._shown = opened
            self._fill()
        if opened is None:
            self.close()
            return
        self.about.say(f"“{opened.name}”. {self.features.why_no_map()}".strip())
        self.none.setVisible(not len(self.model_.rows))
        self.problem.say(notices.problems.get("style", ""))
        self.note.say(notices.notes.get("style", ""))
        unchosen = "" if self.patch is not None else "Select a patch first"
        for made in (self.use_button, self.save_button):
            allow(made, self.features.why_not() or unchosen)

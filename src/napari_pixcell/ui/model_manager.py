"""The model manager: which models there are, what they need, and how to get them."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QSpinBox,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_pixcell.models.catalogue import Family, WeightSet
from napari_pixcell.preferences import idle_minutes
from napari_pixcell.studio.model_manager import Row
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.widgets import AMBER, GREEN, Text, allow, button, row

COLUMNS = ("Model", "State", "Size", "Access", "On this machine")
NAME = Qt.ItemDataRole.UserRole


class ModelManager(QDialog):
    """A window beside napari's: a table of families, and what can be done with the chosen one.

    Parameters
    ----------
    session : Session
        Whose shelf it shows.
    parent : QWidget
        The dock.
    """

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.session, self.shelf = session, session.shelf
        self.setWindowTitle("PixCell models")
        self.resize(940, 680)
        self.table = QTreeWidget()
        self.table.setHeaderLabels(COLUMNS)
        self.table.setRootIsDecorated(False)
        self.table.setUniformRowHeights(True)
        self.table.setStyleSheet("QTreeWidget::item { padding: 4px; }")
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.currentItemChanged.connect(lambda *_: self._choose())
        self.title = QLabel()
        self.title.setStyleSheet("font-weight: bold;")
        self.about = Text()
        self.licence = QPlainTextEdit()
        self.licence.setReadOnly(True)
        self.use_button = button("Use", "Choose this model in the dock", self._use)
        self.get_button = button("Get…", "See size and licence first", self._ask)
        self.export_button = button(
            "Export…", "Copy the files to a folder, for a machine without internet", self._export
        )
        self.remove_button = button("Remove", "Delete the files from this machine", self._remove)
        self.locate_button = button(
            "Locate folder…", "Look for weights in a folder of your own first", self._locate
        )
        self.import_button = button(
            "Import a folder…", "Take over what another machine has exported", self._import
        )
        self.offer = Text()
        self.agree_button = button("I agree: download", "Starts the download", self._get)
        self.refuse_button = button("Not now", "Downloads nothing", self._put_offer_away)
        self.offering = QWidget()
        stack = QVBoxLayout(self.offering)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.addWidget(self.offer)
        line = row(self.agree_button, self.refuse_button)
        line.addStretch(1)
        stack.addLayout(line)
        self.bar = QProgressBar()
        self.state = Text()
        self.cancel_button = button("Cancel", "What has come so far is kept", self.shelf.cancel)
        self.problem, self.note = Text(colour=AMBER), Text(colour=GREEN)
        buttons = row(self.use_button, self.get_button, self.export_button, self.remove_button)
        buttons.addStretch(1)
        buttons.addWidget(self.locate_button)
        buttons.addWidget(self.import_button)
        self.idle = QSpinBox()
        self.idle.setRange(0, 600)
        self.idle.setSuffix(" minutes without work")
        self.idle.setSpecialValueText("never by itself")
        self.idle.setToolTip(
            "When a model that is loaded gives its memory back by itself; “Free memory” in the "
            "dock does it at once"
        )
        self.idle.setValue(round(idle_minutes()))
        self.idle.valueChanged.connect(self.shelf.unload_after)
        idle = row(QLabel("Give the memory back after"), self.idle)
        idle.addStretch(1)
        outer = QVBoxLayout(self)
        outer.addWidget(self.table, 4)
        outer.addWidget(self.title)
        outer.addWidget(self.about)
        outer.addWidget(self.licence, 2)
        outer.addLayout(buttons)
        outer.addWidget(self.offering)
        progress = QHBoxLayout()
        progress.addWidget(self.bar, 1)
        progress.addWidget(self.cancel_button)
        outer.addLayout(progress)
        for words in (self.state, self.problem, self.note):
            outer.addWidget(words)
        outer.addLayout(idle)
        self._rows: dict[str, Row] = {}
        self.shelf.changed.connect(self.refresh)
        self.finished.connect(self._let_go)
        self.offering.hide()
        self._fill()
        self.refresh()

    def _let_go(self, _result: int = 0) -> None:
        self.shelf.changed.disconnect(self.refresh, missing_ok=True)

    def refresh(self) -> None:
        shelf = self.shelf
        if not shelf.busy:
            self._fill()
        progress = shelf.progress
        for widget in (self.bar, self.cancel_button, self.state):
            widget.setVisible(progress is not None)
        if progress is not None:
            done, total, message = progress
            self.bar.setRange(0, 1000 if total else 0)
            self.bar.setValue(round(1000 * done / total) if total else 0)
            amount = f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB" if total else "Working…"
            self.state.say(f"{amount} · {message}" if message else amount)
        self.problem.say(shelf.problem)
        self.note.say(shelf.note)
        self._enable()

    @property
    def chosen(self) -> Row | None:
        """The family that the table has selected."""
        item = self.table.currentItem()
        return self._rows.get(item.data(0, NAME)) if item is not None else None

    def choose(self, name: str) -> None:
        """Select a family in the table."""
        for index in range(self.table.topLevelItemCount()):
            item = self.table.topLevelItem(index)
            if item is not None and item.data(0, NAME) == name:
                self.table.setCurrentItem(item)

    def _fill(self) -> None:
        before = self.chosen
        name = before.family.name if before is not None else self.session.settings.family
        rows = self.shelf.rows()
        self._rows = {one.family.name: one for one in rows}
        self.table.blockSignals(True)
        self.table.clear()
        for one in rows:
            access = "ask for access" if one.gated else "free to get"
            if one.installed:
                access = ""
            item = QTreeWidgetItem([one.family.title, one.state, one.size, access, one.verdict])
            item.setData(0, NAME, one.family.name)
            self.table.addTopLevelItem(item)
        header = self.table.header()
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.blockSignals(False)
        self.choose(name)
        self._choose()

    def _choose(self) -> None:
        one = self.chosen
        self._put_offer_away()
        if one is None:
            return
        family = one.family
        self.title.setText(family.title)
        self.about.say(f"{_tiles(family)}{family.notice}.")
        self.licence.setPlainText(self.shelf.licence(family.name))
        self._enable()

    def _enable(self) -> None:
        one, busy = self.chosen, self.shelf.busy
        here, bundled = one is not None and one.installed, one is not None and one.family.bundled
        # Cellpose is chosen where it works: in the Layout section.
        working = "Something else is under way" if busy else ""
        none = "" if one is not None else "Choose a model first"
        missing = none or ("" if here else "It is not installed")
        tied = missing or ("It comes with the plugin" if bundled else "") or working
        cells = one is not None and not isinstance(one.family, Family)
        allow(self.use_button, missing or ("Choose it in the Layout section" if cells else ""))
        allow(self.get_button, none or ("It is installed" if here else "") or working)
        allow(self.export_button, tied)
        allow(self.remove_button, tied)
        for made in (self.locate_button, self.import_button, self.agree_button):
            allow(made, working)

    def _ask(self) -> None:
        if self.chosen is not None:
            self.offer.say(self.shelf.offer(self.chosen.family.name))
            self.offering.show()

    def _put_offer_away(self) -> None:
        self.offering.hide()

    def _get(self) -> None:
        if self.chosen is not None:
            self._put_offer_away()
            self.shelf.get(self.chosen.family.name)

    def _use(self) -> None:
        if self.chosen is not None:
            self.session.settings.use_family(self.chosen.family.name)
            self.close()

    def _remove(self) -> None:
        if self.chosen is not None:
            self.shelf.remove(self.chosen.family.name)

    def _export(self) -> None:
        folder = self._ask_folder("Copy the model to a folder")
        if folder is not None and self.chosen is not None:
            self.shelf.export(self.chosen.family.name, folder)

    def _import(self) -> None:
        folder = self._ask_folder("Import a folder of weights")
        if folder is not None:
            self.shelf.import_(folder)

    def _locate(self) -> None:
        folder = self._ask_folder("Where the weights are")
        if folder is not None:
            self.shelf.locate(folder)

    def _ask_folder(self, title: str) -> Path | None:
        path = QFileDialog.getExistingDirectory(self, title)
        return Path(path) if path else None


def _tiles(weights: WeightSet) -> str:
    """Say what a family makes; Cellpose makes no tiles."""
    if not isinstance(weights, Family):
        return ""
    cells = "takes a layout of cells" if weights.takes_layout else "takes no layout of cells"
    return (
        f"Tiles of {weights.tile} px at {weights.mpp:g} µm/px, {weights.grid**2} embedding"
        f"{'s' if weights.grid > 1 else ''} a tile, {cells}. "
    )

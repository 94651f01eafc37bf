"""The model manager: a window that lists, downloads, moves and removes models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from napari_pixcell.models.catalogue import Family, WeightSet
from napari_pixcell.preferences import idle_minutes
from napari_pixcell.studio.model_manager import ModelRow
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import column, row
from napari_pixcell.ui.dialogs import ask_folder
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.widgets import AMBER, GREEN, Text, allow, button, number
from napari_pixcell.words import counted, file_size

COLUMNS = ("Model", "State", "Size", "Access", "On this machine")
NAME = Qt.ItemDataRole.UserRole


class ModelManager(QDialog):
    """A window with a table of families and buttons for the selected one."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.session, self.shelf = session, session.models.manager
        self.setWindowTitle(tr("PixCell models"))
        self.resize(940, 680)
        self.table = QTreeWidget()
        self.table.setHeaderLabels(COLUMNS)
        self.table.setAccessibleName(tr("Models"))
        self.table.setRootIsDecorated(False)
        self.table.setUniformRowHeights(True)
        self.table.setStyleSheet("QTreeWidget::item { padding: 4px; }")
        self.table.setSelectionMode(QTreeWidget.SelectionMode.SingleSelection)
        self.table.currentItemChanged.connect(lambda *_: self._choose())
        self.title = QLabel()
        self.title.setStyleSheet("font-weight: bold;")
        self.about = Text()
        self.licence = QPlainTextEdit()
        self.licence.setReadOnly(True)
        self.offering, self.offer = QWidget(), Text()
        shelf, family, folder = self.shelf, self._with_family, self._with_folder
        self.use_button = button("Use", "Use this model in the studio", family(self._use))
        self.get_button = button("Download…", "Show size and licence first", family(self._ask))
        tip = "Copy the files to a folder, for a machine without internet access"
        self.export_button = button("Export…", tip, folder("Export model to folder", self._export))
        delete = "Delete the files from this machine"
        self.remove_button = button("Remove", delete, family(shelf.remove))
        tip = "Check this installation against published figures, on this machine"
        self.verify_button = button("Verify…", tip, self.verify)
        self.locate_button = button(
            "Locate weights…",
            "Search a folder of your own for weights first",
            folder("Locate folder of weights", shelf.locate),
        )
        self.import_button = button(
            "Import folder…",
            "Import a folder that was exported on another machine",
            folder("Import folder of weights", shelf.import_),
        )
        tip = "Accept the licence and start the download"
        self.agree_button = button("Agree and download", tip, family(shelf.get))
        self.refuse_button = button("Not now", "Close without a download", self.offering.hide)
        answers = row(self.agree_button, self.refuse_button)
        answers.addStretch(1)
        column(self.offering, self.offer, answers)
        self.bar = QProgressBar()
        self.state = Text()
        self.cancel_button = button("Cancel", "Stop; a later download resumes", self.shelf.cancel)
        self.problem, self.note = Text(colour=AMBER), Text(colour=GREEN)
        buttons = row(self.use_button, self.get_button, self.verify_button)
        buttons.addWidget(self.export_button)
        buttons.addWidget(self.remove_button)
        buttons.addStretch(1)
        buttons.addWidget(self.locate_button)
        buttons.addWidget(self.import_button)
        tip = "Unload the model after this time; “Memory and preferences…” unloads it at once"
        unit, minutes = " minutes without a request", round(idle_minutes())
        self.idle = number(0, 600, tip, unit=unit, value=minutes)
        self.idle.setSpecialValueText(tr("never"))
        self.idle.setAccessibleName(tr("Unload model after"))
        self.idle.valueChanged.connect(shelf.unload_after)
        idle = row(QLabel(tr("Unload model after")), self.idle)
        idle.addStretch(1)
        progress = row(self.bar, self.cancel_button, stretch=0)
        texts = (self.state, self.problem, self.note)
        chosen = (self.title, self.about, self.licence, buttons, self.offering, progress)
        outer = column(self, self.table, *chosen, *texts, idle, spacing=6)
        outer.setContentsMargins(9, 9, 9, 9)
        outer.setStretchFactor(self.table, 4)
        outer.setStretchFactor(self.licence, 2)
        self._rows: dict[str, ModelRow] = {}
        shelf.changed.connect(self.refresh)
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
            amount = f"{file_size(done)} of {file_size(total)}" if total else "Working…"
            self.state.say(f"{amount} · {message}" if message else amount)
        self.problem.say(shelf.problem)
        self.note.say(shelf.note)
        self._enable()

    @property
    def chosen(self) -> ModelRow | None:
        item = self.table.currentItem()
        return self._rows.get(item.data(0, NAME)) if item is not None else None

    def choose(self, name: str) -> None:
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
            access = "on request" if one.gated else "open"
            access = "" if one.installed else access
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
        self.offering.hide()
        if self.chosen is not None:
            family = self.chosen.family
            self.title.setText(family.title)
            self.about.say(f"{_tiles(family)}{family.notice}.")
            self.licence.setPlainText(self.shelf.licence(family.name))
            self._enable()

    def _enable(self) -> None:
        one, busy = self.chosen, self.shelf.busy
        here, bundled = one is not None and one.installed, one is not None and one.family.bundled
        working = "Another task is running" if busy else ""
        none = "" if one is not None else "Select a model first"
        missing = none or ("" if here else "Not installed")
        fixed = missing or ("Part of the plugin" if bundled else "") or working
        cells = one is not None and not isinstance(one.family, Family)  # Cellpose
        usable = one is not None and one.usable
        unusable = none or ("" if usable else "Not installed")
        allow(self.use_button, unusable or ("Select it in the Layout section" if cells else ""))
        allow(self.verify_button, missing or ("There are no figures for Cellpose" if cells else ""))
        allow(self.get_button, none or ("Already installed" if here else "") or working)
        allow(self.export_button, fixed)
        allow(self.remove_button, fixed)
        for made in (self.locate_button, self.import_button, self.agree_button):
            allow(made, working)

    def _with_family(self, act: Callable[[str], Any]) -> Callable[[], None]:
        """Return a callback that passes the name of the selected family to ``act``."""

        def call() -> None:
            if self.chosen is not None:
                self.offering.hide()
                act(self.chosen.family.name)

        return call

    def _with_folder(self, title: str, act: Callable[[Path], Any]) -> Callable[[], None]:
        """Return a callback that asks for a folder and passes it to ``act``."""

        def call() -> None:
            ask_folder(self, title, act)

        return call

    def verify(self) -> None:
        """Open the checks of the selected family."""
        from napari_pixcell.ui.verification import VerificationDialog

        if self.chosen is not None and isinstance(self.chosen.family, Family):
            self.verification = VerificationDialog(self.session, self.chosen.family, self)
            self.verification.show()

    def _ask(self, name: str) -> None:
        self.offer.say(self.shelf.offer(name))
        self.offering.show()

    def _use(self, name: str) -> None:
        self.session.settings.use_family(name)
        self.close()

    def _export(self, folder: Path) -> None:
        if self.chosen is not None:
            self.shelf.export(self.chosen.family.name, folder)


def _tiles(weights: WeightSet) -> str:
    """Return tile size, embeddings and layout support of a family; Cellpose has none."""
    if not isinstance(weights, Family):
        return ""
    layouts = "supports layouts" if weights.takes_layout else "does not support layouts"
    return (
        f"Tiles of {weights.tile} px at {weights.mpp:g} µm/px, "
        f"{counted(weights.grid**2, 'embedding')} per tile, {layouts}. "
    )

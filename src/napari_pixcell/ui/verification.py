"""The dialog that checks an installed family against published figures on this machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from napari_pixcell.models.catalogue import Family
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.verifying import SECTION
from napari_pixcell.ui.arrange import column, row
from napari_pixcell.ui.dialogs import ask_folder, ask_target
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.messages import Messages
from napari_pixcell.ui.widgets import AMBER, GREEN, RED, Bar, Text, allow, button, readable

if TYPE_CHECKING:
    from napari_pixcell.verification.report import CheckRow

ABOUT = (
    "Checks this installation of {} against published figures: decoding, embeddings, guidance, "
    "layouts, time and memory. It takes some minutes."
)
COLUMNS = ("Check", "Measured", "Published", "Verdict")
OWN = "Its own figure"  # in place of “Published” where a family has none
VERDICT = 3  # column
COLOURS = {"PASS": GREEN, "WARN": AMBER, "FAIL": RED}


class VerificationDialog(QDialog):
    """Asks for the sample data, shows the progress, and the table with what each row means."""

    def __init__(self, session: Session, family: Family, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr(f"Verify {family.title}"))
        self.resize(760, 560)
        self.session, self.family = session, family
        verification = session.verification
        self.about = Text(ABOUT.format(family.title))
        self.offer = Text(verification.offer(family.name))
        words = "Agree and verify" if self.offer.text() else "Verify"
        agree = partial(verification.start, family.name, agreed=True)
        self.start_button = button(words, "Run all checks on this machine", agree)
        tip = "Use a copy of the sample data, on a machine without internet access"
        self.folder_button = button("Use a folder…", tip, self.choose)
        self.cancel_button = button("Cancel", "Stop the checks", verification.cancel)
        self.bar = Bar()
        self.table = QTreeWidget()
        self.table.setHeaderLabels(COLUMNS)
        self.table.setRootIsDecorated(False)
        self.table.setWordWrap(True)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setAccessibleName(tr("Checks"))
        self.table.currentItemChanged.connect(lambda *_: self._explain())
        self.meaning = Text(lines=3)
        self.messages = Messages(session, SECTION)
        tip = "Save the table as JSON, to attach it to a report"
        self.save_button = button("Save report…", tip, self.save)
        self._shown: object = None
        acts = row(self.start_button, self.folder_button, self.cancel_button, self.save_button)
        acts.addStretch(1)
        parts = (self.about, self.offer, acts, self.bar, self.table, self.meaning, self.messages)
        stack = column(self, *parts, spacing=8)
        stack.setContentsMargins(12, 12, 12, 12)
        stack.setStretch(4, 1)
        session.changed.connect(self.refresh)
        self.finished.connect(lambda _: session.changed.disconnect(self.refresh))
        self.refresh()

    def choose(self) -> None:
        """Ask for a folder with the sample data, and verify with it."""

        def chosen(folder: Path) -> None:
            self.session.verification.start(self.family.name, folder)

        ask_folder(self, "Folder of the sample data", chosen)

    def save(self) -> None:
        name = f"verification-{self.family.name}.json"
        save = self.session.verification.save
        ask_target(self, "Save report", name, "JSON (*.json)", save)

    def refresh(self) -> None:
        verification = self.session.verification
        job, report = verification.job, verification.report
        busy = "A check is under way" if job is not None else ""
        allow(self.start_button, busy)
        allow(self.folder_button, busy)
        allow(self.cancel_button, "" if job is not None else "Nothing runs")
        allow(self.save_button, "" if report is not None else "Verify first")
        self.bar.setVisible(job is not None)
        if job is not None:
            self.bar.advance(job.done, job.total)
        self.messages.show_message(state=verification.busy)
        mine = report if report is not None and report.family == self.family.name else None
        if mine is not self._shown:
            self._shown = mine
            self._fill(list(mine.rows) if mine is not None else [])
            if mine is not None and mine.own_figures:
                self.table.setHeaderLabels((*COLUMNS[:2], OWN, COLUMNS[3]))

    def _fill(self, rows: list[CheckRow]) -> None:
        self.table.clear()
        for one in rows:
            item = QTreeWidgetItem([one.title, one.measured, one.figure or "–", one.verdict])
            item.setData(0, Qt.ItemDataRole.UserRole, one)
            colour = COLOURS.get(one.verdict)
            if colour:
                item.setForeground(VERDICT, QBrush(QColor(readable(self.table, colour))))
            self.table.addTopLevelItem(item)
        header = self.table.header()
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        wrong = [i for i, one in enumerate(rows) if one.verdict in ("FAIL", "WARN")]
        if rows:
            self.table.setCurrentItem(self.table.topLevelItem(wrong[0] if wrong else 0))

    def _explain(self) -> None:
        item = self.table.currentItem()
        one = item.data(0, Qt.ItemDataRole.UserRole) if item is not None else None
        self.meaning.say(" ".join(filter(None, (one.meaning, one.advice))) if one else "")

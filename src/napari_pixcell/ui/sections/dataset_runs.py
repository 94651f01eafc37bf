"""The runs beside the window: a row for each, with what can be done about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices, QShowEvent
from qtpy.QtWidgets import QWidget

from napari_pixcell.studio.datasets.outside import OutsideRuns
from napari_pixcell.ui.arrange import column, row, show_all
from napari_pixcell.ui.widgets import AMBER, Bar, Text, allow, button

if TYPE_CHECKING:
    from napari_pixcell.datasets.runs import RunState

CONTINUES = "It continues when this window is closed. Cancel it here to stop it."
CONTINUE = "They continue when this window is closed. Cancel them here to stop them."
ELSEWHERE = "Another window or user started it. Cancel it there"


class RunRows(QWidget):
    """The runs that this window follows."""

    def __init__(self, runs: OutsideRuns) -> None:
        super().__init__()
        self._runs = runs
        self.rows: dict[Path, RunRow] = {}
        self.continues = Text(small=True)
        self._stack = column(None, spacing=4)
        column(self, self._stack, self.continues, spacing=3)

    def refresh(self) -> None:
        states = {state.folder: state for state in self._runs.states}
        for folder in [folder for folder in self.rows if folder not in states]:
            gone = self.rows.pop(folder)
            self._stack.removeWidget(gone)
            gone.hide()
            gone.deleteLater()
        for index, (folder, state) in enumerate(states.items()):
            shown = self.rows.get(folder) or RunRow(self._runs, state)
            self.rows[folder] = shown
            if self._stack.indexOf(shown) != index:
                self._stack.insertWidget(index, shown)
            shown.refresh(state)
        live = len(self._runs.live)
        self.continues.say("" if not live else CONTINUES if live == 1 else CONTINUE)
        self.setVisible(bool(states))


class RunRow(QWidget):
    """A run: its progress, and the buttons that fit its state."""

    def __init__(self, runs: OutsideRuns, state: RunState) -> None:
        super().__init__()
        self._runs, self.state = runs, state
        self.words, self.notices = Text(small=True), Text(small=True)
        for text in (self.words, self.notices):
            text.setMinimumWidth(10)  # a long word is cut rather than the dock widened
        self.bar = Bar()
        tip = "Stop making this dataset. Complete pairs are kept"
        self.cancel_button = button("Cancel", tip, lambda: runs.cancel(self.state))
        tip = "Make the missing pairs, with as many processes as before"
        self.resume_button = button("Resume", tip, lambda: runs.resume_as_before(self.state))
        tip = "Open Dask's dashboard in the browser"
        self.dashboard_button = button("Dashboard", tip, self.open_dashboard)
        tip = "Remove this line. The dataset stays as it is"
        self.dismiss_button = button("Dismiss", tip, lambda: runs.dismiss(self.state))
        buttons = (
            *(self.cancel_button, self.resume_button, self.dashboard_button),
            self.dismiss_button,
        )
        column(self, self.words, self.bar, self.notices, row(*buttons), spacing=2)

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self.refresh(self.state)  # the colours of the theme are known now

    def open_dashboard(self) -> None:
        QDesktopServices.openUrl(QUrl(self.state.dashboard))

    def refresh(self, state: RunState) -> None:
        self.state = state
        cancelling = state.folder in self._runs.cancelling
        sentence = f"cancelling, {state.pairs}" if cancelling else state.sentence()
        self.words.say(f"{state.name}: {sentence}")
        self.words.tint(AMBER if state.stage in ("died", "failed") else "")
        who = f"\n{state.owner.words}" if state.live and state.owner is not None else ""
        self.setToolTip(f"{state.folder}{who}")
        self.notices.say("" if not state.notices or not state.live else state.notices[-1])
        self.notices.setToolTip("\n".join(state.notices[-10:]))
        self.bar.setVisible(state.live)
        if state.live:
            self.bar.advance(state.done, state.total)
        self.cancel_button.setVisible(state.live)
        foreign = state.stage == "running" and state.head is None
        allow(self.cancel_button, ELSEWHERE if foreign else "Cancelling" if cancelling else "")
        self.resume_button.setVisible(state.stage in ("died", "cancelled", "failed"))
        allow(self.resume_button, "It is being started" if self._runs.busy else "")
        self.dashboard_button.setVisible(state.live and bool(state.dashboard))
        show_all(not state.live, self.dismiss_button)

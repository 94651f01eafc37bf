"""The place in which a part of the dock speaks: its problem, its note, or else its state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import column, row
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.widgets import AMBER, GREEN, PADDING, Text, button, tool_button


class Messages(QWidget):
    """The problem or the note of a section, or else its state, with one button.

    It is at least ``lines`` high whatever it says, so that nothing below it moves.

    Parameters
    ----------
    session : Session
    key : str
        Name under which the session reports problems and notes.
    lines : int
        Lines of text that it has room for; longer messages make it grow.
    """

    def __init__(self, session: Session, key: str, lines: int = 2) -> None:
        super().__init__()
        self.session, self.key, self._lines = session, key, lines
        self.problem = Text(colour=AMBER)
        self.problem.setObjectName(f"problem-{key}")
        self.note = Text(colour=GREEN)
        self.state = Text()
        self.action = button("", "", lambda: self._act(), f"action-{key}")
        self.action.hide()
        self.dismiss = tool_button("✕", "Dismiss this message", lambda: self._put_away())
        self.dismiss.hide()
        self._act: Callable[[], Any] = _nothing
        self._put_away: Callable[[], Any] = _nothing
        self._texts = column(None, self.problem, self.note, self.state)
        line = row(self._texts, self.action, self.dismiss, stretch=0)
        for made in (self.action, self.dismiss):
            line.setAlignment(made, Qt.AlignmentFlag.AlignTop)
        stack = column(self, line)
        stack.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)

    def add(self, text: Text) -> None:
        """Add a text of another kind below the others."""
        self._texts.addWidget(text)

    def problem_now(self) -> str:
        return self.session.notices.problems.get(self.key, "")

    def note_now(self) -> str:
        return self.session.notices.notes.get(self.key, "")

    def show_message(
        self,
        problem: str | None = None,
        note: str | None = None,
        action: str = "",
        act: Callable[[], Any] | None = None,
        *,
        state: str = "",
        dismiss: Callable[[], Any] | None = None,
    ) -> None:
        """Show a problem and a note, the session's own by default, or else a state.

        Parameters
        ----------
        problem, note : str, optional
            Shown in place of the session's.
        action : str
            Text of the button, which is shown only beside a problem or a note.
        act : callable, optional
            What the button does.
        state : str
            Shown while there is neither a problem nor a note.
        dismiss : callable, optional
            Puts the message away; without it, it stays until its cause is gone.
        """
        self.problem.say(self.problem_now() if problem is None else problem)
        self.note.say(self.note_now() if note is None else note)
        spoken = bool(self.problem.text() or self.note.text())
        self.state.say("" if spoken else state)
        self._act, self._put_away = act or _nothing, dismiss or _nothing
        self.action.setText(tr(action))
        self.action.setVisible(bool(spoken and action))
        self.dismiss.setVisible(bool(spoken and dismiss is not None))

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        kinds = QEvent.Type.StyleChange, QEvent.Type.FontChange
        if event is not None and event.type() in kinds:
            self._keep_room()

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._keep_room()

    def _keep_room(self) -> None:
        height = self._lines * self.fontMetrics().lineSpacing() + PADDING
        if height != self.minimumHeight():
            self.setMinimumHeight(height)


def _nothing() -> None:
    pass

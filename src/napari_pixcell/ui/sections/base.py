"""What the sections of the dock have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from qtpy.QtCore import QSettings, Qt
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import column, fold, row
from napari_pixcell.ui.widgets import AMBER, GREEN, Text

HEADER = (
    "QToolButton { border: none; font-weight: bold; text-align: left; padding: 3px;"
    " background-color: rgba(128, 128, 128, 45); }"
)


class Section(QWidget):
    """A part of the dock: a header that folds it, its content, and the messages about it.

    Parameters
    ----------
    session : Session
        The session shown.
    key : str
        Name under which the session reports problems and notes of this section.
    title : str
        Header text.
    opened : bool
        Whether the section is unfolded until the user folds it.
    """

    def __init__(self, session: Session, key: str, title: str, opened: bool = True) -> None:
        super().__init__()
        self.session, self.key = session, key
        self.header = QToolButton()
        self.header.setText(title)
        self.header.setToolTip("Fold or unfold this section")
        self.header.setCheckable(True)
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.header.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.header.setStyleSheet(HEADER)
        self.problem = Text(colour=AMBER)
        self.problem.setObjectName(f"problem-{key}")
        self.note = Text(colour=GREEN)
        self.action = QPushButton()
        self.action.hide()
        self.action.clicked.connect(lambda *_: self._act())
        self._act: Callable[[], Any] = lambda: None
        self.content = QVBoxLayout()
        self.content.setSpacing(4)
        body = QWidget()
        self.foot = column(body, self.content, self.problem, self.note, self.action, spacing=4)
        self.foot.setContentsMargins(6, 4, 4, 4)
        column(self, self.header, body, spacing=0)
        stored = QSettings("napari-pixcell", "studio")
        fold(self.header, body, bool(stored.value(f"open/{key}", opened, bool)))
        self.header.toggled.connect(self._remember)

    def refresh(self) -> None:
        raise NotImplementedError

    def add(self, *widgets: QWidget, stretch: int | Iterable[int] = ()) -> QHBoxLayout:
        """Add a row of widgets; those at ``stretch`` share the spare width."""
        line = row(*widgets, stretch=stretch)
        self.content.addLayout(line)
        return line

    def stack(self, *widgets: QWidget) -> None:
        """Add widgets below each other."""
        for widget in widgets:
            self.content.addWidget(widget)

    def problem_now(self) -> str:
        return self.session.notices.problems.get(self.key, "")

    def note_now(self) -> str:
        return self.session.notices.notes.get(self.key, "")

    def report(
        self,
        problem: str | None = None,
        note: str | None = None,
        action: str = "",
        act: Callable[[], Any] | None = None,
    ) -> None:
        """Show a problem and a note, the session's own by default, with one remedy.

        Parameters
        ----------
        problem, note : str, optional
            Shown in place of the session's.
        action : str
            Text of the button; it is shown only beside a problem or a note.
        act : callable, optional
            What the button does.
        """
        self.problem.say(self.problem_now() if problem is None else problem)
        self.note.say(self.note_now() if note is None else note)
        self._act = act or (lambda: None)
        self.action.setText(action)
        self.action.setVisible(bool((self.problem.text() or self.note.text()) and action))

    def _remember(self, opened: bool) -> None:
        QSettings("napari-pixcell", "studio").setValue(f"open/{self.key}", opened)

"""What the sections of the dock have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from qtpy.QtCore import QSettings, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import column, fold, row
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.messages import Messages
from napari_pixcell.ui.widgets import Text

HEADER = (
    "QToolButton { border: none; font-weight: bold; text-align: left; padding: 3px;"
    " background-color: rgba(128, 128, 128, 45); }"
)
ARROW = 34  # px of the arrow and the padding of a header


class Section(QWidget):
    """A part of a tab: a header that folds it, its content, and the messages about it.

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
    lines : int
        Lines of text that its messages have room for.
    """

    def __init__(
        self, session: Session, key: str, title: str, opened: bool = True, lines: int = 2
    ) -> None:
        super().__init__()
        self.session, self.key, self.title = session, key, title
        self._summary = ""
        self.header = QToolButton()
        self.header.setText(tr(title))
        self.header.setToolTip(tr("Fold or unfold this section"))
        self.header.setCheckable(True)
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.header.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.header.setStyleSheet(HEADER)
        self.messages = Messages(session, key, lines)
        self.content = QVBoxLayout()
        self.content.setSpacing(4)
        body = QWidget()
        self.foot = column(body, self.content, self.messages, spacing=4)
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

    def summarise(self, summary: str) -> None:
        """Set what the header says of the content while it is folded away."""
        if summary != self._summary:
            self._summary = summary
            self._name()

    # -- messages ------------------------------------------------------------------------

    @property
    def problem(self) -> Text:
        return self.messages.problem

    @property
    def note(self) -> Text:
        return self.messages.note

    @property
    def state(self) -> Text:
        return self.messages.state

    @property
    def action(self) -> QPushButton:
        return self.messages.action

    def problem_now(self) -> str:
        return self.messages.problem_now()

    def note_now(self) -> str:
        return self.messages.note_now()

    def report(
        self,
        problem: str | None = None,
        note: str | None = None,
        action: str = "",
        act: Callable[[], Any] | None = None,
        *,
        state: str = "",
    ) -> None:
        """Show a message in the section; see :meth:`Messages.show_message`.

        A note of the session can be put away, since it hides the state.
        """
        away = None
        if note is None and self.note_now():
            away = partial(self.session.notices.say, self.key, "")
        self.messages.show_message(problem, note, action, act, state=state, dismiss=away)

    # -- header --------------------------------------------------------------------------

    def _remember(self, opened: bool) -> None:
        QSettings("napari-pixcell", "studio").setValue(f"open/{self.key}", opened)
        self._name()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._name()

    def _name(self) -> None:
        """Name the header, with a summary of what is folded away if there is room."""
        text = tr(self.title)
        if not self.header.isChecked() and self._summary:
            font, end = self.header.fontMetrics(), Qt.TextElideMode.ElideRight
            text = font.elidedText(
                f"{text}   {tr(self._summary)}", end, self.header.width() - ARROW
            )
        self.header.setText(text)

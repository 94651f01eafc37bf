"""The “Session” menu: open, save as, and automatic saving."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton, QWidget

from napari_pixcell.studio.saving.folder import SUFFIX
from napari_pixcell.studio.session import Session


class SessionMenu(QPushButton):
    """A button with a menu. Its tooltip says where the session is saved."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.setText("Session")
        self.setObjectName("session")
        self.setAccessibleName("Session: open, save as")
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        self.open_action = menu.addAction("Open session…", self.choose)
        self.earlier_action = menu.addAction("Open previous session of this slide", self.earlier)
        self.save_action = menu.addAction("Save session as…", self.save_as)
        menu.addSeparator()
        self.this_action = menu.addAction("Save work on this slide automatically")
        self.this_action.setCheckable(True)
        self.this_action.triggered.connect(session.saver.switch)
        self.drop_action = menu.addAction("Discard restored jobs", session.queue.drop_put_off)
        menu.aboutToShow.connect(self.refresh)
        self.setMenu(menu)

    def refresh(self) -> None:
        session = self.session
        book = session.saver.book()
        there = session.slides.current is not None and book is not None
        self.save_action.setEnabled(there)
        self.this_action.setEnabled(there)
        self.this_action.setChecked(
            session.saver.on and not (book.off if book is not None else False)
        )
        self.earlier_action.setVisible(book is not None and book.offer is not None)
        self.drop_action.setVisible(bool(session.queue.put_off))

    def event(self, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.ToolTip:
            self.setToolTip(self.session.saver.where())
        return bool(super().event(event))

    def choose(self) -> None:
        """Ask for the folder of a session and open it."""
        path = QFileDialog.getExistingDirectory(
            self, f"Open session (folder ending in {SUFFIX})", self._near()
        )
        if path:
            self.session.restoring.open(Path(path))

    def earlier(self) -> None:
        """Open the session that was found beside the slide."""
        book = self.session.saver.book()
        if book is not None and book.offer is not None:
            self.session.restoring.open(book.offer.path)

    def save_as(self) -> None:
        """Ask for another folder and save the session there."""
        path, _ = QFileDialog.getSaveFileName(
            self, "Save session as", self._near(), f"Sessions (*{SUFFIX})"
        )
        if path:
            self.session.saver.save_as(Path(path))

    def _near(self) -> str:
        slide = self.session.slides.current
        return str(Path(slide.path).parent) if slide is not None and slide.path else ""


def ask_for_slide(parent: QWidget, session: Session, files: str) -> None:
    """Ask for the missing slide of a session that is being opened."""
    opening = session.restoring.slide_lost
    if opening is None:
        return
    near = str(opening.folder.path.parent)
    title = f"Where is “{opening.mark.name}”?"
    path, _ = QFileDialog.getOpenFileName(parent, title, near, files)
    if path:
        session.restoring.slide_moved_to(Path(path))

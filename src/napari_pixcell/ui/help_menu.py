"""Entries in napari's Help menu: the keys and “About”."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QDialog, QLabel, QVBoxLayout, QWidget

from napari_pixcell.ui.key_table import key_list

KEYS, ABOUT = "PixCell keys", "About PixCell studio"


def extend(viewer: Viewer, about: str) -> Callable[[], None]:
    """Add the entries to the Help menu of a viewer.

    Parameters
    ----------
    viewer : Viewer
    about : str
        Text of “About”.

    Returns
    -------
    callable
        Removes the entries.
    """
    menu = viewer.window.help_menu

    def add(title: str, words: str) -> QAction:
        entry = menu.addAction(title)
        entry.triggered.connect(lambda *_: show_words(menu.window(), title, words))
        return entry

    entries = [add(KEYS, key_list()), add(ABOUT, about)]

    def end() -> None:
        with contextlib.suppress(RuntimeError):  # the window may already be gone
            for entry in entries:
                menu.removeAction(entry)

    return end


def show_words(parent: QWidget, title: str, words: str) -> QDialog:
    """Open a small window with a text that can be copied."""
    window = QDialog(parent)
    window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    window.setWindowTitle(title)
    text = QLabel(words)
    text.setWordWrap("\n" not in words)
    text.setStyleSheet("font-family: monospace;" if "\n" in words else "")
    text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    stack = QVBoxLayout(window)
    stack.addWidget(text)
    window.resize(460, window.sizeHint().height())
    window.show()
    return window

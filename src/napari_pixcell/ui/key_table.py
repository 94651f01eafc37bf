"""The keys of the studio and of the review in one table, and the Help menu that shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QDialog, QLabel, QVBoxLayout, QWidget

from napari_pixcell.ui.language import tr
from napari_pixcell.ui.layers.layer_keys import TOOL_KEYS
from napari_pixcell.ui.sections.tools import TOOLS

KEYS, ABOUT = "PixCell keys", "About PixCell studio"  # entries of the Help menu

DIGITS = "1234567890"


class Key(NamedTuple):
    """A key, as people read it, and its action."""

    shown: str
    words: str
    keys: str = ""  # names in napari, separated by blanks, if the studio binds it


TABLE = (
    Key("R", "Add region", "R"),
    Key("G", "Generate variants", "G"),
    Key("Esc", "Cancel what runs; else return from a layout's tool to Select", "Escape"),
    Key("1 – 9", "Show this variant of the region's newest job", " ".join(DIGITS[:-1])),
    Key("0", "Hide all variants of the region", "0"),
    Key("H", "Show the original tissue while held", "H"),
    Key("S", "Star or unstar the visible variant", "S"),
)
NATIVE = (
    Key("[ ]", "Shrink or enlarge the brush (while painting)"),
    Key("V", "Show or hide the selected layer"),
)
FIRST_OF_LAYOUT = "{} (this and the next eleven: while a layout is selected)"


def tool_title(tool: str) -> str:
    """Return a tool in the words of the toolbar: “Split: cut cells in two”."""
    name, tip, _help = TOOLS[tool]
    return f"{name}: {tip[0].lower()}{tip[1:]}"


TOOL_ROWS = [Key(key, tool_title(tool)) for tool, key in TOOL_KEYS.items()]
ON_LAYOUT = (
    TOOL_ROWS[0]._replace(words=FIRST_OF_LAYOUT.format(TOOL_ROWS[0].words)),
    *TOOL_ROWS[1:],
    Key("X", "Show cells as outlines or filled"),
    Key("Z", "Hide or show cells"),
    Key("Del", "Delete the selected cell"),
    Key("Q", "Next class of new or selected cells, if the model knows classes (Shift+Q: back)"),
    Key("Shift-click", "Merge a cell with the selected one (also Alt-click)"),
    Key("Ctrl-click", "Delete any cell"),
)
IN_REVIEW = (
    Key("A", "Accept pair (this and the next six: in the thumbnails of “Review pairs”)"),
    Key("D", "Reject pair"),
    Key("N", "Clear decision"),
    Key("U", "Undo the last decision (also Ctrl+Z; Ctrl+Y to redo)"),
    Key("M", "Show or hide mask outlines"),
    Key("P", "Colour the outlines by agreement, or all alike"),
    Key("Enter", "Show pair in the viewer"),
)
NOTE = (
    "While a tool other than Select is active, 1 – 7 choose napari's own tools. A variant that is "
    "shown returns to Select."
)


def key_list() -> str:
    """Return all keys with their actions, as a table in Qt's HTML."""
    rows = "".join(
        f"<tr><td><b>{key.shown}</b>&nbsp;&nbsp;</td><td>{tr(key.words)}</td></tr>"
        for key in (*TABLE, *NATIVE, *ON_LAYOUT, *IN_REVIEW)
    )
    return f"<table>{rows}</table><p>{tr(NOTE)}</p>"


def extend_help(viewer: Viewer, about: str) -> Callable[[], None]:
    """Add the keys and the text of “About” to the Help menu; return what removes them."""
    menu = viewer.window.help_menu

    def add(title: str, words: str) -> QAction:
        entry = menu.addAction(tr(title))
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
    window.setWindowTitle(tr(title))
    text = QLabel(words)
    text.setWordWrap("\n" not in words)
    text.setStyleSheet("font-family: monospace;" if "\n" in words else "")
    text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    stack = QVBoxLayout(window)
    stack.addWidget(text)
    window.resize(460, window.sizeHint().height())
    window.show()
    return window

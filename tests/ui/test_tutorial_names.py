"""Controls that the tutorials name in bold exist in the window, also outside the numbered steps."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from doc_tools import DOCS
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QAbstractButton, QComboBox, QTabBar, QWidget

from napari_pixcell.ui.dock import PixCellStudio

PAGES = ("first-variant", "layout-by-hand", "virtual-stain", "dataset-to-cellpose")
BOLD = re.compile(r"\*\*([^*]+)\*\*")
MENU = (
    "Plugins → PixCell studio → PixCell studio (PixCell studio)"  # walked by hand/test_tutorials.py
)


def plain(text: str) -> str:
    return " ".join(text.replace("&&", "\0").replace("&", "").replace("\0", "&").split())


def texts(root: QWidget) -> set[str]:
    """Return the texts of all controls below a widget, hidden ones included."""
    found = {button.text() for button in root.findChildren(QAbstractButton)}
    found |= {action.text() for action in root.findChildren(QAction)}
    for box in root.findChildren(QComboBox):
        found |= {box.itemText(index) for index in range(box.count())}
    for bar in root.findChildren(QTabBar):
        found |= {bar.tabText(index) for index in range(bar.count())}
    return {plain(text) for text in found}


def named(page: str) -> set[str]:
    """Return the controls that a page names: bold words that are not a sentence."""
    text = (DOCS / "tutorials" / f"{page}.md").read_text("utf-8")
    return {name for name in BOLD.findall(text) if not name.endswith(".")} - {MENU}


@pytest.fixture
def known(
    studio: PixCellStudio, ready: PixCellStudio, client, press: Callable[[QWidget], None], settle
) -> set[str]:
    """The texts of the window at each step from a slide to variants and stains."""
    footer, found = studio.footer, set()

    def look() -> None:
        settle(studio)
        found.update(texts(studio.viewer.window._qt_window))

    look()
    press(footer.guide_button)
    look()
    press(footer.guide_button)
    look()
    press(studio.stain.boxes["demo-ki67"])
    look()
    press(footer.generate_button)
    client.play()
    look()
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_control_that_a_tutorial_names_exists(known: set[str], page: str) -> None:
    names = named(page)
    assert len(names) > 4
    assert sorted(names - known) == []

"""Whether words have the room that they need, for tests of what the window shows."""

from __future__ import annotations

from collections.abc import Iterator

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QComboBox,
    QLabel,
    QPushButton,
    QStyle,
    QStyleOptionButton,
    QStyleOptionComboBox,
    QWidget,
)


def seen(root: QWidget) -> Iterator[QWidget]:
    """Give what is there that has words, wherever it is scrolled to."""
    for kind in (QLabel, QAbstractButton, QComboBox):
        for made in root.findChildren(kind):
            if made.isVisible() and words(made):
                yield made


def words(made: QWidget) -> str:
    return made.currentText() if isinstance(made, QComboBox) else made.text()


def room(made: QWidget) -> int:
    """Give the px that a widget has for its words."""
    if isinstance(made, QLabel):
        return made.contentsRect().width()
    if isinstance(made, QCheckBox):
        option = QStyleOptionButton()
        made.initStyleOption(option)
        box = QStyle.SubElement.SE_CheckBoxContents
        return made.style().subElementRect(box, option, made).width()
    if isinstance(made, QPushButton):
        option = QStyleOptionButton()
        made.initStyleOption(option)
        box = QStyle.SubElement.SE_PushButtonContents
        edge = 0 if made.isEnabled() else 2  # napari's, within which a word may still stand
        return made.style().subElementRect(box, option, made).width() + edge
    if isinstance(made, QComboBox):
        option = QStyleOptionComboBox()
        made.initStyleOption(option)
        control, field = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxEditField
        return made.style().subControlRect(control, option, field, made).width()
    if made.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonTextBesideIcon:
        return made.width() - 20
    return made.width() - 2


def needed(made: QWidget) -> int:
    """Give the px that its words need, or its longest one where they wrap."""
    if isinstance(made, QLabel) and "<" in made.text():
        return made.minimumSizeHint().width()
    wraps = isinstance(made, QLabel) and made.wordWrap()
    if isinstance(made, QComboBox):
        return made.fontMetrics().horizontalAdvance(made.currentText())
    parts = made.text().split() if wraps else made.text().splitlines()
    return max(made.fontMetrics().horizontalAdvance(word.replace("&", "")) for word in parts)


def cut_off(root: QWidget) -> list[str]:
    checked = list(seen(root))
    cut = [
        f"{words(made)!r}: {needed(made)} px in {room(made)}"
        for made in checked
        if needed(made) > room(made)
    ]
    cut += [
        f"{words(made)!r}: {made.heightForWidth(made.width())} px in {made.height()}"
        for made in checked
        if made.hasHeightForWidth() and made.heightForWidth(made.width()) > made.height()
    ]
    return cut


def beyond_the_edge(root: QWidget) -> list[str]:
    edges = [(made, made.mapTo(root, made.rect().topRight()).x()) for made in seen(root)]
    return [f"{words(made)!r} ends at {x}" for made, x in edges if x > root.width()]

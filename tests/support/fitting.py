"""Checks that texts in the window fit into their widgets."""

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


def text_widgets(root: QWidget) -> Iterator[QWidget]:
    """Iterate over the visible widgets with a text, scrolled into view or not."""
    for kind in (QLabel, QAbstractButton, QComboBox):
        for widget in root.findChildren(kind):
            if widget.isVisible() and text_of(widget):
                yield widget


def text_of(widget: QWidget) -> str:
    return widget.currentText() if isinstance(widget, QComboBox) else widget.text()


def available_width(widget: QWidget) -> int:
    """Return the width for a widget's text, in px."""
    if isinstance(widget, QLabel):
        return widget.contentsRect().width()
    if isinstance(widget, QCheckBox):
        option = QStyleOptionButton()
        widget.initStyleOption(option)
        box = QStyle.SubElement.SE_CheckBoxContents
        return widget.style().subElementRect(box, option, widget).width()
    if isinstance(widget, QPushButton):
        option = QStyleOptionButton()
        widget.initStyleOption(option)
        box = QStyle.SubElement.SE_PushButtonContents
        edge = 0 if widget.isEnabled() else 2  # napari's border, which text may overlap
        return widget.style().subElementRect(box, option, widget).width() + edge
    if isinstance(widget, QComboBox):
        option = QStyleOptionComboBox()
        widget.initStyleOption(option)
        control, field = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxEditField
        return widget.style().subControlRect(control, option, field, widget).width()
    if widget.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonTextBesideIcon:
        return widget.width() - 20
    return widget.width() - 2


def needed_width(widget: QWidget) -> int:
    """Return the width that a text needs, in px: of its longest word if it wraps."""
    if isinstance(widget, QLabel) and "<" in widget.text():
        return widget.minimumSizeHint().width()
    wraps = isinstance(widget, QLabel) and widget.wordWrap()
    if isinstance(widget, QComboBox):
        return widget.fontMetrics().horizontalAdvance(widget.currentText())
    parts = widget.text().split() if wraps else widget.text().splitlines()
    return max(widget.fontMetrics().horizontalAdvance(word.replace("&", "")) for word in parts)


def truncated_texts(root: QWidget) -> list[str]:
    checked = list(text_widgets(root))
    cut = [
        f"{text_of(widget)!r}: {needed_width(widget)} px in {available_width(widget)}"
        for widget in checked
        if needed_width(widget) > available_width(widget)
    ]
    cut += [
        f"{text_of(widget)!r}: {widget.heightForWidth(widget.width())} px in {widget.height()}"
        for widget in checked
        if widget.hasHeightForWidth() and widget.heightForWidth(widget.width()) > widget.height()
    ]
    return cut


def texts_beyond_the_edge(root: QWidget) -> list[str]:
    edges = [
        (widget, widget.mapTo(root, widget.rect().topRight()).x()) for widget in text_widgets(root)
    ]
    return [f"{text_of(widget)!r} ends at {x}" for widget, x in edges if x > root.width()]

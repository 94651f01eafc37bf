"""Nothing in the dock is cut off on a small laptop, in either theme."""

from __future__ import annotations

from collections.abc import Iterator

import napari
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QPalette
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

from napari_pixcell.engine.events import Failure
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.parts import AMBER, ON_LIGHT, More

NARROW = 320
SCREEN = 1366, 768


@pytest.fixture
def full(ready: PixCellStudio, viewer: napari.Viewer, client, qtbot, settle):
    """Everything unfolded that the dock can show of two regions, at its least width."""
    viewer.window.resize(*SCREEN)
    session = ready.session
    for place in ((200, 200), (500, 500)):
        session.add_region(place)
        settle(ready)
    ready.layout_.finding.segment_button.click()
    settle(ready)
    for _ in range(4):
        session.generate()
    settle(ready)
    client.waiting.pop(0)[1](Failure("There is not enough memory on the device."))
    settle(ready)
    client.play()
    settle(ready)
    session.gallery.star(session.gallery.results)
    ready.style_.blend_button.click()
    settle(ready)
    session.settings.start_from, session.settings.only_part = "tissue", True
    session.settings.use_preset("balanced")
    session.settings.seed, session.settings.count = 2**32 - 1, 100
    session.grids.queue(session.grid_sweep(), *session._asked(session.active), None, False)
    ready.layout_.tools.buttons["stamp"].click()
    for section in ready.sections:
        section.header.setChecked(True)
    for folded in ready.findChildren(More):
        folded.button.setChecked(True)
    settle(ready)
    ready.window().resizeDocks([ready.parent()], [NARROW], Qt.Orientation.Horizontal)
    settle(ready)
    return ready


def seen(studio: PixCellStudio) -> Iterator[QWidget]:
    """Give what has words, wherever the dock is scrolled to."""
    for kind in (QLabel, QAbstractButton, QComboBox):
        for made in studio.findChildren(kind):
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


def cut_off(studio: PixCellStudio) -> list[str]:
    checked = list(seen(studio))
    assert len(checked) > 100
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


def beyond_the_edge(studio: PixCellStudio) -> list[str]:
    edges = [(made, made.mapTo(studio, made.rect().topRight()).x()) for made in seen(studio)]
    return [f"{words(made)!r} ends at {x}" for made, x in edges if x > studio.width()]


def test_no_words_are_cut_off(full: PixCellStudio, viewer: napari.Viewer, settle) -> None:
    for theme in ("dark", "light"):
        viewer.theme = theme
        settle(full)
        failed = next(row for row in full.generate.queue.rows.values() if row.job.problem)
        for made in (full.slide.banner, failed.state):
            amber = made.palette().color(QPalette.ColorRole.WindowText).name()
            assert amber == (AMBER if theme == "dark" else ON_LIGHT[AMBER])
        assert full.minimumWidth() == NARROW and full.width() <= NARROW + 4
        assert not cut_off(full)
        assert not beyond_the_edge(full)
        column, view = full.scroll.widget(), full.scroll.viewport()
        assert column.minimumSizeHint().width() <= view.width()
        generate = full.generate
        for field in (generate.seed, generate.count, generate.guidance, generate.steps):
            line = field.lineEdit()
            wide = line.fontMetrics().horizontalAdvance(line.text())
            assert wide + 4 <= line.width(), line.text()

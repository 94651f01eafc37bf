"""Nothing in the dock is cut off on a small laptop, in either theme."""

from __future__ import annotations

import napari
import pytest
from fitting import text_widgets, texts_beyond_the_edge, truncated_texts
from qtpy.QtCore import Qt
from qtpy.QtGui import QPalette

from napari_pixcell.engine.events import Failure
from napari_pixcell.ui.arrange import More
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.widgets import AMBER, ON_LIGHT

NARROW = 320
SCREEN = 1366, 768


@pytest.fixture
def full(ready: PixCellStudio, viewer: napari.Viewer, client, settle, press):
    """Return a dock at its least width, with two regions and everything unfolded."""
    viewer.window.resize(*SCREEN)
    session = ready.session
    for place in ((200, 200), (500, 500)):
        session.regions.add(place)
        settle(ready)
    press(ready.layout_.segmentation.segment_button)
    for _ in range(4):
        session.generator.generate()
    settle(ready)
    client.waiting.pop(0)[1](Failure("There is not enough memory on the device."))
    settle(ready)
    client.play()
    settle(ready)
    session.gallery.star(session.gallery.results)
    press(ready.style_.blend_button)
    session.settings.start_from, session.settings.only_part = "tissue", True
    session.settings.use_preset("balanced")
    session.settings.seed, session.settings.count = 2**32 - 1, 100
    sweep = session.generator.grid_sweep()
    captured = session.generator.capture(session.regions.active)
    session.grids.add(
        sweep,
        captured.request,
        captured.target,
        captured.layout,
        start=captured.start,
        previews=False,
    )
    ready.layout_.tools.buttons["stamp"].click()
    for section in ready.sections:
        section.header.setChecked(True)
    for folded in ready.findChildren(More):
        folded.button.setChecked(True)
    settle(ready)
    ready.window().resizeDocks([ready.parent()], [NARROW], Qt.Orientation.Horizontal)
    settle(ready)
    return ready


def test_no_words_are_cut_off(full: PixCellStudio, viewer: napari.Viewer, settle) -> None:
    for theme in ("dark", "light"):
        viewer.theme = theme
        settle(full)
        failed = next(row for row in full.results.queue.rows.values() if row.job.problem)
        for made in (full.slide.banner, failed.state):
            amber = made.palette().color(QPalette.ColorRole.WindowText).name()
            assert amber == (AMBER if theme == "dark" else ON_LIGHT[AMBER])
        assert full.minimumWidth() == NARROW and full.width() <= NARROW + 4
        assert len(list(text_widgets(full))) > 100
        assert not truncated_texts(full)
        assert not texts_beyond_the_edge(full)
        column, view = full.scroll.widget(), full.scroll.viewport()
        assert column.minimumSizeHint().width() <= view.width()
        generate = full.generate
        for field in (generate.seed, generate.count, generate.guidance, generate.steps):
            line = field.lineEdit()
            wide = line.fontMetrics().horizontalAdvance(line.text())
            assert wide + 4 <= line.width(), line.text()

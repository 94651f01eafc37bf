"""Nothing in the window is cut off on a small laptop, in either theme."""

from __future__ import annotations

from collections.abc import Iterator

import napari
import pytest
from fitting import text_of, text_widgets, texts_beyond_the_edge, truncated_texts
from qtpy.QtCore import Qt
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QWidget

from napari_pixcell.engine.events import Failure
from napari_pixcell.ui.arrange import Folds
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.shell.header import Header
from napari_pixcell.ui.widgets import AMBER, ON_LIGHT, ShortLabel

NARROW = 320
SCREEN = 1366, 768


@pytest.fixture
def full(ready: PixCellStudio, viewer: napari.Viewer, client, settle, press):
    """Return a dock at its least width, with two regions and all sections unfolded."""
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
    ready.style_.blending.button.setChecked(True)
    narrow(ready)
    settle(ready)
    return ready


def narrow(studio: PixCellStudio) -> None:
    studio.window().resizeDocks([studio.parent()], [NARROW], Qt.Orientation.Horizontal)


def unfolded(studio: PixCellStudio, settle) -> Iterator[str]:
    """Unfold the first part of each row of folded parts, then the second of each, and so on."""
    rows = studio.findChildren(Folds)
    for place in range(max(len(row.folds) for row in rows)):
        for row in rows:
            row.folds[min(place, len(row.folds) - 1)].button.setChecked(True)
        settle(studio)
        yield f"part {place + 1} of each row"


def cut(root: QWidget) -> list[str]:
    """Return the texts that do not fit, without those that are shortened on purpose.

    These are the names of the slide and of the model, whose tooltips are whole.
    """
    shortened = [text_of(one) for one in root.findChildren(ShortLabel)]
    for header in root.findChildren(Header):
        model = header.model.currentText()
        assert header.model.toolTip().startswith(model)
        shortened.append(model)
    found = [*truncated_texts(root), *texts_beyond_the_edge(root)]
    return [line for line in found if not any(line.startswith(f"{text!r}") for text in shortened)]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_no_words_are_cut_off(full: PixCellStudio, viewer, settle, theme: str) -> None:
    viewer.theme = theme
    settle(full)
    failed = next(row for row in full.results.queue.rows.values() if row.job.problem)
    for made in (full.footer.problem, failed.state):
        amber = made.palette().color(QPalette.ColorRole.WindowText).name()
        assert amber == (AMBER if theme == "dark" else ON_LIGHT[AMBER])
    found, seen = {}, set()
    for index, page in enumerate(full.tabs.pages):
        full.tabs.setCurrentIndex(index)
        settle(full)
        for words in unfolded(full, settle):
            assert full.width() <= NARROW + 4
            seen |= {id(one) for one in text_widgets(full)}
            if lines := cut(full):
                found[full.tabs.tabText(index), words] = lines
            column = page.widget().minimumSizeHint().width()
            if column > page.viewport().width():
                found[full.tabs.tabText(index), words, "column"] = column, page.viewport().width()
    assert not found, str(found)
    assert full.minimumWidth() == NARROW and len(seen) > 100
    bar = full.tabs.tabBar()
    for index in range(bar.count()):
        words = bar.fontMetrics().horizontalAdvance(bar.tabText(index).replace("&&", "&"))
        assert words <= bar.tabRect(index).width(), bar.tabText(index)
    assert bar.tabRect(bar.count() - 1).right() <= full.width()
    assert full.header.name.whole == "case 7"
    assert full.results.isVisible() and len(list(text_widgets(full.results))) > 10
    assert not cut(full.results)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_numbers_fit_their_fields(full: PixCellStudio, viewer, settle, theme: str) -> None:
    viewer.theme = theme
    generate = full.generate
    full.tabs.bring(generate.seed)
    generate.more.button.setChecked(True)
    settle(full)
    for field in (generate.seed, generate.count, generate.guidance, generate.steps):
        line = field.lineEdit()
        wide = line.fontMetrics().horizontalAdvance(line.text())
        assert line.isVisible() and wide + 4 <= line.width(), line.text()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_welcome_page_is_not_cut_off(studio, viewer, settle, theme: str) -> None:
    viewer.window.resize(*SCREEN)
    viewer.theme = theme
    narrow(studio)
    settle(studio)
    assert studio.width() <= NARROW + 4
    assert {"Try the sample", "Open a slide…"} <= {text_of(one) for one in text_widgets(studio)}
    assert not cut(studio)

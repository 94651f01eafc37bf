"""The frame of the window: welcome page, header, footer, tabs and the dock of the results."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import tissue
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QDockWidget,
    QInputDialog,
    QLabel,
    QScrollBar,
    QWidget,
)
from scripted import ScriptedClient
from tifffile import imwrite

from napari_pixcell.slides import ArraySlide
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import Folds, More, column
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.messages import Messages
from napari_pixcell.ui.results.place import NAME
from napari_pixcell.ui.shell.preferences import open_preferences
from napari_pixcell.ui.widgets import FIELDS, ShortLabel

CORNER = Qt.Corner.BottomRightCorner
BOTTOM, RIGHT = Qt.DockWidgetArea.BottomDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A slide file with a saved session of one region."""
    monkeypatch.setenv("PIXCELL_SESSIONS", "1")
    path, per_cm = tmp_path / "case 7.tif", 1e4 / 0.5
    imwrite(path, tissue(800), resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")
    session = Session(ScriptedClient())
    session.saver.start()
    session.slides.open(path, lambda slide: session.slides.set(slide, str(path)))
    session.wait(20, until=lambda: session.slides.ready)
    session.saver.flush()
    session.regions.add((400, 400))
    session.wait(20)
    session.saver.flush()
    session.close()
    session.saver._thread.shutdown(wait=True)
    return path


def test_at_most_eight_controls_are_shown_at_the_start(studio: Any, settle: Any) -> None:
    settle(studio)
    shown = [
        widget
        for kind in (QAbstractButton, *FIELDS)
        for widget in studio.findChildren(kind)
        if widget.isVisible() and not isinstance(widget, QScrollBar)
    ]
    assert {studio.welcome.sample_button, studio.footer.guide_button} <= set(shown)
    assert len(shown) <= 8
    assert not studio.place.ever_shown and not studio.results.isVisible()


def test_the_welcome_page_lists_sessions_and_opens_one(saved: Path, studio: Any, settle) -> None:
    settle(studio)
    (row,) = studio.welcome.rows
    slide, contents = row.text().splitlines()
    assert slide == "case 7.tif" and contents.startswith("today ")
    assert contents.endswith(": 1 region, 0 variants")
    assert studio.welcome.title.text() == "Saved sessions" and studio.welcome.title.isVisible()
    click(row)
    settle(studio)
    assert len(studio.session.regions.current) == 1
    assert not studio.welcome.isVisible() and studio.tabs.isVisible()
    assert studio.header.name.whole == "case 7.tif"


def test_the_sample_is_opened_by_one_click(studio: Any, settle) -> None:
    settle(studio)
    assert not studio.welcome.title.isVisible()  # no sessions
    click(studio.welcome.sample_button)
    settle(studio)
    assert studio.session.slides.ready and studio.footer.guide_button.text() == "Add a region here"


def test_the_chip_tells_that_the_model_is_a_demo(ready: Any, settle) -> None:
    settle(ready)
    header = ready.header
    assert header.chip.isVisible() and header.chip.text() == "DEMO"
    assert header.chip.toolTip() == ready.session.settings.model.notice
    ready.session.settings.use_family("pixcell-256")
    settle(ready)
    assert not header.chip.isVisible()
    assert header.model.toolTip().startswith(f"{ready.session.settings.model.title}\n")


def test_the_pencil_corrects_the_pixel_size(ready: Any, settle, monkeypatch) -> None:
    settle(ready)
    asked: list[float] = []

    def answer(_parent: Any, _title: str, _label: str, value: float, *_: Any, **__: Any) -> Any:
        asked.append(value)
        return 0.25, True

    monkeypatch.setattr(QInputDialog, "getDouble", answer)
    assert ready.header.mpp_button.text() == "0.5 µm/px ✎"
    click(ready.header.mpp_button)
    settle(ready)
    assert asked == [0.5] and ready.session.slides.current.mpp == 0.25
    assert ready.header.mpp_button.text() == "0.25 µm/px ✎"


def test_the_footer_goes_from_a_slide_to_variants_and_never_moves(
    ready: Any, client: Any, settle, press
) -> None:
    settle(ready)
    footer = ready.footer

    def place() -> tuple[int, int]:
        return footer.height(), footer.guide_button.mapTo(ready, QPoint(0, 0)).y()

    before, steps = place(), []
    for _ in range(2):
        steps.append(footer.guide_button.text())
        press(footer.guide_button)
        assert footer.height() == before[0]
    assert steps == ["Add a region here", "Find the cells"]
    assert footer.generate_button.text() == "Generate 4 variants"
    press(footer.generate_button)
    ready.session.generator.generate()
    settle(ready)
    assert footer.height() == before[0] and footer.bar.isVisible()
    assert footer.cancel_button.isVisible() and "1 waiting" in footer.state.text()
    client.play()
    settle(ready)
    for index in range(ready.tabs.count()):
        ready.tabs.setCurrentIndex(index)
        settle(ready)
        assert footer.isVisible() and footer.height() == before[0]


def test_a_folded_section_tells_what_is_in_it(ready: Any, settle, press) -> None:
    ready.session.settings.count = 3
    press(ready.region.add_button)
    for section in (ready.region, ready.style_, ready.layout_, ready.generate):
        assert section.header.text() == section.title
        section.header.setChecked(False)
        settle(ready)
        title, _, told = section.header.text().partition("   ")
        assert title == section.title and told
    assert ready.region.header.text() == "1  Region   Region 1, 1 in all"
    assert ready.style_.header.text() == "2  Style   Region 1"
    assert ready.layout_.header.text().startswith("3  Layout   No layout: ")
    assert ready.generate.header.text().startswith("4  Settings   3 variants, ")
    ready.region.header.setChecked(True)
    assert ready.region.header.text() == "1  Region"


def test_the_preferences_free_memory_and_lead_to_napari_s(ready: Any, client: Any, settle) -> None:
    dialog = open_preferences(ready.session, ready)
    assert dialog.isVisible() and "File → Preferences" in dialog.elsewhere.text()
    click(dialog.free_button)
    settle(ready)
    assert client.restarted
    assert ready.footer.note.text().startswith("Memory was released.")
    click(ready.footer.messages.dismiss)
    settle(ready)
    assert not ready.footer.note.isVisible()
    dialog.close()


def test_a_short_label_keeps_both_ends_and_tells_the_whole(qtbot: Any) -> None:
    label = ShortLabel()
    qtbot.addWidget(label)
    name = "S2026-00417 block B, level 3, rescanned at 40 times.svs"
    label.resize(120, 20)
    label.show()
    label.say(name, "12 × 9 mm")
    assert label.text() != name and "…" in label.text()
    assert label.text()[:2] == "S2" and label.text().endswith("svs")
    assert label.whole == label.accessibleName() == name
    assert label.toolTip() == f"{name}\n12 × 9 mm"
    label.resize(900, 20)
    assert label.text() == name
    assert label.minimumSizeHint().width() <= 900


def test_one_of_several_folded_parts_is_open_at_a_time(qtbot: Any) -> None:
    parts = [More(title) for title in ("one", "two", "three")]
    for part in parts:
        part.stack(QLabel("inside"))
    row = Folds(*parts)
    qtbot.addWidget(row)
    row.show()
    for part in (*parts, parts[0]):
        click(part.button)
        assert [one.body.isVisible() for one in parts] == [one is part for one in parts]
    click(parts[0].button)
    assert not any(one.body.isVisible() for one in parts)


def test_nothing_below_messages_moves(qtbot: Any, client: ScriptedClient) -> None:
    session, told, below = Session(client), [], QLabel("below")
    messages, window = Messages(session, "style", lines=2), QWidget()
    qtbot.addWidget(window)
    column(window, messages, below).addStretch(1)
    window.resize(600, 200)
    window.show()

    def show(**options: Any) -> int:
        messages.show_message(**options)
        qtbot.wait(20)
        return below.y()

    place = show()
    assert show(state="Ready") == place > 0
    assert messages.state.isVisible() and not messages.action.isVisible()
    session.notices.note("style", "Saved.")
    away = partial(told.append, "away")
    assert show(action="Undo", state="Ready", dismiss=away) == place
    assert messages.note.text() == "Saved." and not messages.state.isVisible()
    assert messages.action.isVisible()
    click(messages.dismiss)
    assert told == ["away"]
    session.notices.say("style", "It failed.")
    assert show(action="Retry", act=partial(told.append, "again"), state="Ready") == place
    assert messages.problem.isVisible() and not messages.note.isVisible()
    assert not messages.dismiss.isVisible()
    click(messages.action)
    assert told == ["away", "again"]
    session.close()


def dock_of(studio: Any) -> QDockWidget:
    found = studio.results.parentWidget()
    assert isinstance(found, QDockWidget)
    return found


def test_the_results_come_with_the_first_region_and_give_the_corner_back(
    ready: Any, viewer: Any, settle, press
) -> None:
    settle(ready)
    main = viewer.window._qt_window
    corner = main.corner(CORNER)
    assert NAME not in viewer.window.dock_widgets and not ready.results.isVisible()
    press(ready.region.add_button)
    assert ready.results.isVisible()
    assert main.dockWidgetArea(dock_of(ready)) == BOTTOM
    assert main.corner(CORNER) == RIGHT  # the studio reaches down to the bottom
    ready.close_session()
    assert main.corner(CORNER) == corner
    assert NAME not in viewer.window.dock_widgets


def test_results_that_were_closed_come_back_with_a_new_job(
    ready: Any, viewer: Any, client: Any, settle, press
) -> None:
    press(ready.region.add_button)
    viewer.window.remove_dock_widget(dock_of(ready))
    settle(ready)
    press(ready.layout_.segmentation.segment_button)
    assert not ready.results.isVisible()  # nothing new to be seen
    press(ready.footer.generate_button)
    assert ready.results.isVisible()
    dock_of(ready).hide()
    client.play()
    settle(ready)
    assert not ready.results.isVisible()  # as the user wants it
    press(ready.footer.generate_button)
    assert ready.results.isVisible() and dock_of(ready).isVisible()
    client.play()
    settle(ready)
    assert len(ready.session.gallery.results) == 8


def test_the_model_is_chosen_in_the_header(studio: Any, settle) -> None:
    settle(studio)
    assert not studio.header.model.isVisible() and not studio.header.mpp_button.isVisible()
    studio.link.add_slide(ArraySlide([np.full((900, 900, 3), 200, np.uint8)], 0.5, "case 8"))
    settle(studio)
    model: QComboBox = studio.header.model
    assert model.isVisible() and model.currentData() == studio.session.settings.family
    model.setCurrentIndex(model.findData("pixcell-256"))
    model.activated.emit(model.currentIndex())
    settle(studio)
    assert studio.session.settings.family == "pixcell-256"
    assert studio.footer.guide_button.text() == f"Get {studio.session.settings.model.title}…"
    assert studio.footer.action.text() == "Get model…" and studio.footer.action.isVisible()

"""The Dataset section, used through its widgets."""

from __future__ import annotations

from pathlib import Path

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.events import Evaluated, Finished, Progress
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.results.sheet_window import SheetWindow


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "user"))
    monkeypatch.setenv("PIXCELL_SESSIONS", "0")


def press(qtbot, widget) -> None:
    assert widget.isEnabled(), widget.toolTip()
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def choose(combo, value: str) -> None:
    combo.setCurrentIndex(combo.findData(value))


def test_the_outlook_shows_what_is_missing_or_the_number_of_pairs(ready, qtbot, settle) -> None:
    section = ready.dataset
    ready.tabs.bring(section.form)
    settle(ready)
    assert section.outlook.text() == "Add a region first."
    assert not section.make_button.isEnabled()
    assert "Add a region first" in section.make_button.toolTip()
    ready.session.regions.add((400, 400))
    settle(ready)
    assert "No region has cells" in section.outlook.text()
    form = section.form
    choose(form["layouts"], "invented")
    form["invented"].setValue(12)
    form["seeds"].setValue(3)
    form["candidates"].setValue(2)  # of which one is kept
    settle(ready)
    assert section.outlook.text().startswith("36 pairs · ")
    assert section.make_button.isEnabled() and form["invented"].isVisible()
    assert ready.session.datasets.choice.candidates == 2
    assert not form["variations"].isVisible() and not form["places"].isVisible()


def test_actions_on_a_dataset_are_disabled_until_there_is_one(ready, settle) -> None:
    section = ready.dataset
    ready.tabs.bring(section.form)
    settle(ready)
    for made in (section.report_button, section.convert_button, section.sheet_button):
        assert not made.isEnabled() and "a dataset first" in made.toolTip()
    names = [action.text() for action in section.convert_button.menu().actions()]
    assert names[:3] == ["Cellpose", "StarDist", "COCO"] and section.hold_out.text() in names


@pytest.mark.usefixtures("one_worker")
def test_three_clicks_make_a_dataset(viewer, qtbot, tmp_path, monkeypatch) -> None:
    studio = PixCellStudio(viewer)
    viewer.window.add_dock_widget(studio, name="PixCell studio")
    folder = str(tmp_path / "data"), ""  # need not exist
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: folder)
    session, section = studio.session, studio.dataset
    try:
        studio.actions.open(SAMPLE_SLIDE)
        qtbot.waitUntil(lambda: session.slides.ready, timeout=60_000)
        studio.tabs.bring(section.form)
        session.settings.steps = 2
        choice = session.datasets.choice
        choice.styles, choice.places, choice.layouts = "slide", 2, "found"
        choice.pairing = "matched"
        qtbot.waitUntil(lambda: section.make_button.isEnabled(), timeout=20_000)
        press(qtbot, section.make_button)
        qtbot.waitUntil(lambda: "dataset" in session.notices.notes, timeout=300_000)
        assert not session.notices.problems
        assert session.notices.notes["dataset"].startswith("2 pairs are in “data”")
        rows = list(Dataset(tmp_path / "data").rows())
        assert len(rows) == 2 and all(row["scores"]["dice"] > 0 for row in rows)
        qtbot.waitUntil(lambda: section.sheet_button.isEnabled(), timeout=5_000)
        press(qtbot, section.sheet_button)
        shown = [SheetWindow]
        qtbot.waitUntil(
            lambda: any(type(w) in shown for w in QApplication.topLevelWidgets()), timeout=20_000
        )
    finally:
        studio.close_session()


def test_one_click_and_a_folder_answer_whether_the_pairs_help(
    ready, client, qtbot, settle, tmp_path, monkeypatch
) -> None:
    section, opened = ready.dataset, []
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path))
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    ready.tabs.bring(section.form)
    settle(ready)
    assert "a dataset first" in section.evaluate_button.toolTip()
    ready.session.datasets.finished = tmp_path / "data"
    section.refresh()
    press(qtbot, section.evaluate_button)
    settle(ready)
    ((request, tell),) = client.evaluations
    assert (request.folder, request.real) == (str(tmp_path / "data"), str(tmp_path))
    tell(Progress(20, 4000, "Training 1 of 25"))
    settle(ready)
    assert "Training 1 of 25" in section.progress.text() and section.stop_button.isVisible()
    assert not section.evaluate_button.isEnabled()
    press(qtbot, section.stop_button)
    tell(Finished(cancelled=True))
    settle(ready)
    assert "Start it again to resume" in section.note.text() and not section.action.isVisible()
    press(qtbot, section.evaluate_button)
    settle(ready)
    tell = client.evaluations[1][1]
    tell(
        Evaluated(
            "help",
            "The pairs help: AJI +0.041.",
            "It took 46 s.",
            str(tmp_path / "evaluation.html"),
        )
    )
    tell(Finished())
    settle(ready)
    assert section.note.text() == "The pairs help: AJI +0.041. It took 46 s."
    assert section.action.text() == "Open the page" and not section.stop_button.isVisible()
    press(qtbot, section.action)
    assert opened == [str(tmp_path / "evaluation.html")]

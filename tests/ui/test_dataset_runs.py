"""Where a dataset is made, and the runs beside the window, used through the Dataset section."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from logged_run import running, until
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_pixcell.datasets.runs.listing import RunList
from napari_pixcell.studio.datasets import outside
from napari_pixcell.studio.datasets.place import CLUSTER, PROCESSES
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.leaving import LEAVE, STAY, STOP

WORDS = "data: 12 of 300 pairs, 2 workers, 3.1 pairs/s, 2 min left"


def press(qtbot, widget) -> None:
    assert widget.isEnabled(), widget.toolTip()
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOKS_EVERY", "LOOKS_SELDOM"):
        monkeypatch.setattr(outside, name, 0.05)


@pytest.fixture
def section(ready: PixCellStudio, settle: Callable[..., None]) -> Any:
    ready.tabs.bring(ready.dataset.form)
    settle(ready)
    return ready.dataset


def test_the_place_is_one_line_with_what_it_needs(
    ready, section, qtbot, settle, tmp_path, monkeypatch
) -> None:
    panel, place = section.place, ready.session.datasets.outside.place
    assert panel.where.currentData() == "here" and not panel.meaning.isVisible()
    assert not panel.processes.isVisible() and not panel.cluster.isVisible()
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho A\necho B\necho C\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    panel.where.setCurrentIndex(panel.where.findData(PROCESSES))
    qtbot.waitUntil(panel.gpus.isVisible, timeout=60_000)
    settle(ready)
    assert not panel.processes.isVisible()
    assert panel.gpus.placeholderText() == "1,2"
    assert panel.meaning.text().startswith("2 processes on GPUs 1, 2; GPU 0 stays with this")
    panel.gpus.setText("7")
    settle(ready)
    assert panel.meaning.text() == "“7” are no GPUs of this machine. Use some of: 0, 1, 2."
    assert "no GPUs of this machine" in section.resume_button.toolTip()
    panel.where.setCurrentIndex(panel.where.findData(CLUSTER))
    settle(ready)
    assert panel.cluster.isVisible() and not section.resume_button.isEnabled()
    file = tmp_path / "cluster.toml"
    file.write_text('kind = "local"')
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(file), ""))
    press(qtbot, panel.choose_button)
    settle(ready)
    assert place.cluster == panel.cluster.text() == str(file)
    assert panel.meaning.text().startswith("Nodes must see the folder")
    assert section.resume_button.isEnabled()


def test_a_run_shows_its_progress_and_is_cancelled_by_a_click(
    ready, section, qtbot, settle, tmp_path, monkeypatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    folder = tmp_path / "data"
    with running(folder) as process:
        qtbot.waitUntil(lambda: folder in section.runs.rows, timeout=60_000)
        row = section.runs.rows[folder]
        assert row.words.text() == WORDS and row.bar.value() == 12
        assert row.notices.text().startswith("Pairs 6 to 7 are retried")
        assert section.runs.continues.text().startswith("It continues when this window is closed.")
        assert not row.resume_button.isVisible() and not row.dismiss_button.isVisible()
        press(qtbot, row.dashboard_button)
        assert opened == ["http://127.0.0.1:8787/status"]
        press(qtbot, row.cancel_button)
        assert process.wait() == 0
        qtbot.waitUntil(lambda: row.resume_button.isVisible(), timeout=60_000)
    assert row.words.text() == "data: cancelled, no pairs yet"
    assert not row.cancel_button.isVisible() and not section.runs.continues.isVisible()
    press(qtbot, row.dismiss_button)
    settle(ready)
    assert section.runs.rows == {} and not section.runs.isVisible()


def test_closing_asks_what_becomes_of_a_run_that_was_started_here(
    ready, section, viewer, qtbot, settle, tmp_path
) -> None:
    folder, runs = tmp_path / "data", ready.session.datasets.outside
    answers, asked = [STAY, LEAVE], []

    def answer() -> None:
        (box,) = viewer.window._qt_window.findChildren(QMessageBox)
        asked.append(box.text())
        wanted = answers.pop(0)
        qtbot.mouseClick(
            next(button for button in box.buttons() if button.text() == wanted),
            Qt.MouseButton.LeftButton,
        )

    with running(folder) as process:
        qtbot.waitUntil(lambda: bool(runs.live), timeout=60_000)
        runs._begun(runs.live[0])
        QTimer.singleShot(0, answer)
        assert not viewer.window._qt_window.close()  # the window stays
        assert asked == [
            "“data” (12 of 300 pairs) is still being made. It continues without this window."
        ]
        viewer.window.remove_dock_widget(ready)
        answers[:] = [STOP]
        qtbot.waitUntil(
            lambda: bool(viewer.window._qt_window.findChildren(QMessageBox)), timeout=20_000
        )
        answer()
        assert asked[1].endswith("without this dock. Open PixCell studio again to follow it.")
        assert process.wait() == 0
    assert until(folder, lambda state: not state.live).stage == "cancelled"
    assert RunList().look() == []

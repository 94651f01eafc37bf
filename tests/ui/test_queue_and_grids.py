"""The rows of the queue, grids and live previews in the real window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from qtpy.QtCore import Qt

from napari_pixcell.engine.events import Failure, Progress
from napari_pixcell.ui.results.panel import QUEUE_PX
from napari_pixcell.ui.results.sheet_window import SheetWindow


def queue_three(studio, settle):
    session = studio.session
    session.regions.add((400, 400))
    settle(studio)
    session.settings.count = 2
    for seed in (10, 20, 30):
        session.settings.seed = seed
        session.generator.generate()
    settle(studio)
    return list(session.queue.jobs)


def click(qtbot, widget) -> None:
    assert widget.isVisible() and widget.isEnabled()
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def test_each_row_shows_its_job_and_acts_on_it_alone(ready, client, qtbot, settle, press) -> None:
    first, second, third = queue_three(ready, settle)
    shown = ready.results.queue
    assert shown.isVisible() and list(shown.rows) == [first.number, second.number, third.number]
    client.waiting[0][1](Progress(10, 40, "Variant 1 of 2"))
    settle(ready)
    row = shown.rows[first.number]
    assert row.what.whole == "Region 1 · 2 variants, seed 10, 20 steps"
    assert row.state.text().startswith("1 of 2")
    assert ready.footer.bar.value() == 250
    assert shown.title.text() == "2 waiting"
    click(qtbot, shown.rows[third.number].front)
    assert ready.session.queue.jobs == [first, third, second]
    assert not shown.rows[second.number].again.isVisible()
    press(shown.rows[second.number].stop)
    assert shown.rows[second.number].state.text() == "cancelled"
    assert [job.state for job in (first, third)] == ["running", "waiting"]
    press(shown.cancel_waiting)
    assert third.state == "cancelled" and first.state == "running"
    assert shown.title.text() == "2 cancelled"
    press(ready.footer.cancel_button)
    assert first.state == "cancelled"
    click(qtbot, shown.clear)
    qtbot.wait(60)
    assert not shown.isVisible() and not ready.session.notices.problems


def test_a_failed_job_is_retried(ready, client, settle, press) -> None:
    first, *_ = queue_three(ready, settle)
    client.waiting.pop(0)[1](Failure("There is not enough memory on the device."))
    settle(ready)
    row = ready.results.queue.rows[first.number]
    assert row.state.text() == "There is not enough memory on the device."
    press(row.again)
    assert [job.request.seed for job in ready.session.queue.jobs] == [20, 30, 10]
    assert not ready.footer.problem.isVisible()


def test_many_jobs_scroll_and_do_not_widen_the_dock(ready, client, settle, press) -> None:
    queue_three(ready, settle)
    panel = ready.results
    width, height = ready.minimumSizeHint().width(), panel.height()
    ready.session.regions.rename(1, "A very long name of a region, as pathologists give them " * 3)
    for _ in range(30):
        ready.session.generator.generate()
    settle(ready)
    queue = panel.queue
    assert len(queue.rows) == 33 and queue.scroll.verticalScrollBar().maximum() > 0
    assert queue.width() == QUEUE_PX and panel.height() == height
    assert ready.minimumSizeHint().width() <= max(width, 330)
    press(queue.cancel_all)
    assert not ready.session.queue.jobs


def test_a_grid_is_generated_shown_and_saved(
    ready, client, qtbot, settle, tmp_path: Path, press
) -> None:
    session, grid = ready.session, ready.generate.grid
    session.regions.add((400, 400))
    settle(ready)
    click(qtbot, grid.button)
    grid.form["grid_seeds"].setValue(2)
    qtbot.keyClicks(grid.form["grid_guidance"], "1, many")
    qtbot.wait(60)
    assert "not a list of numbers" in grid.outlook.text() and not grid.generate_button.isEnabled()
    grid.form["grid_guidance"].clear()
    qtbot.keyClicks(grid.form["grid_guidance"], "1, 3")
    qtbot.wait(60)
    assert grid.outlook.text() == "4 images, generated as one job"
    assert not grid.form["grid_layout"].isVisible()  # there is no layout
    press(grid.generate_button)
    assert not grid.show_sheet.isEnabled()
    while client.waiting:
        client.play()
        settle(ready)
    assert grid.show_sheet.text() == "Show sheet (4 of 4)"
    press(grid.show_sheet)
    (window,) = ready.window().findChildren(SheetWindow)
    assert window.isVisible() and window.windowTitle() == "Synthetic · Region 1, grid of 4 pictures"
    window.save(tmp_path / "sheet")
    settle(ready)
    assert window.state.text() == "Saved sheet.png"
    with Image.open(tmp_path / "sheet.png") as saved:
        assert np.asarray(saved).shape == window.sheet.shape
    window.close()


def test_a_live_picture_follows_the_brush(ready, viewer, client, qtbot, settle, press) -> None:
    session = ready.session
    session.regions.add((400, 400))
    settle(ready)
    session.layouts.new()
    settle(ready)
    layer = ready.link.find("layout", 1)
    layer.paint((30, 30), 5)
    qtbot.wait(300)
    settle(ready)
    qtbot.mouseClick(
        ready.generate.live,
        Qt.MouseButton.LeftButton,
        pos=ready.generate.live.rect().center() - ready.generate.live.rect().center() / 2,
    )
    qtbot.waitUntil(lambda: len(client.waiting) == 1, timeout=10_000)
    client.play()
    settle(ready)
    layer.paint((90, 90), 6)
    qtbot.waitUntil(lambda: len(client.waiting) == 1, timeout=10_000)
    drawn = client.waiting[0][0].layout.unpack()
    assert set(np.unique(drawn)) == {0, 5, 6}
    client.play()
    settle(ready)
    assert ready.link.find("preview") is not None and not session.gallery.results
    press(ready.generate.keep_live)
    (result,) = session.gallery.results
    assert result.shown and ready.link.find("preview").data is result.image
    ready.generate.live.setChecked(False)
    layer.paint((150, 90), 7)
    qtbot.wait(500)
    assert not client.waiting


def test_previews_can_be_switched_off(ready, client, qtbot, settle) -> None:
    ready.session.regions.add((400, 400))
    settle(ready)
    ready.generate.more.button.setChecked(True)
    ready.generate.previews.setChecked(False)
    ready.session.generator.generate()
    settle(ready)
    assert client.previews == [False]

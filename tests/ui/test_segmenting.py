"""Segmenting nuclei by each method in a real window."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog
from tiny_cellpose import discs

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.events import Failure, Finished, Progress, SegmentedLayout
from napari_pixcell.slides import ArraySlide
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.dock import PixCellStudio

HEAVY = ("torch", "cellpose", "segment_anything", "cv2")


def choose(studio: PixCellStudio, index: int) -> None:
    """Choose a method as a user does."""
    studio.layout_.segmentation.method.setCurrentIndex(index)
    studio.layout_.segmentation.method.activated.emit(index)


@pytest.fixture
def own_model(monkeypatch: pytest.MonkeyPatch, tiny_cellpose: Path) -> Path:
    """Answer the file dialog with a model file."""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(tiny_cellpose), ""))
    return tiny_cellpose


@pytest.fixture
def region(ready: PixCellStudio, press) -> PixCellStudio:
    press(ready.region.add_button)
    return ready


def test_missing_weights_are_offered_for_download(region, qtbot) -> None:
    section = region.layout_
    assert (
        section.segmentation.segment_button.isEnabled()
        and section.segmentation.method.currentText() == "Built-in"
    )
    assert not section.segmentation.thresholds.diameter.isEnabled()
    choose(region, 1)
    qtbot.wait(60)
    assert not section.segmentation.segment_button.isEnabled()
    assert "Cellpose's weights are not installed. Get them" in section.problem.text()
    assert section.action.text() == "Get weights…" and section.action.isVisible()
    click(section.action)
    manager = region.actions.manager
    assert manager.isVisible() and manager.chosen.family.name == "cellpose"
    assert manager.get_button.isEnabled() and not manager.use_button.isEnabled()
    manager.close()
    choose(region, 0)
    qtbot.wait(60)
    assert section.segmentation.segment_button.isEnabled() and not section.problem.isVisible()


def test_newly_installed_weights_enable_the_button(region, qtbot, tmp_path, monkeypatch) -> None:
    choose(region, 1)
    qtbot.wait(60)
    (tmp_path / "cpsam_v2").touch()
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    region.session.models.check()
    qtbot.wait(60)
    assert region.layout_.segmentation.segment_button.isEnabled()


def test_a_missing_model_file_can_be_replaced(region, qtbot, own_model) -> None:
    region.session.settings.segment_model = "/nowhere/mine"
    region.session.settings.segment_method = "cellpose"
    qtbot.wait(60)
    section = region.layout_
    assert "There is no Cellpose model file mine" in section.problem.text()
    click(section.action)
    qtbot.wait(60)
    assert (
        section.segmentation.method.currentText() == "tiny"
        and section.segmentation.segment_button.isEnabled()
    )


def test_cancelling_the_file_dialog_changes_nothing(region, qtbot, monkeypatch) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: ("", ""))
    choose(region, 2)
    qtbot.wait(60)
    assert region.layout_.segmentation.method.currentText() == "Built-in"
    assert region.session.settings.segment_method == "builtin"


def test_progress_is_shown_and_can_be_cancelled(region, client, qtbot, own_model) -> None:
    choose(region, 2)
    section = region.layout_
    section.segmentation.thresholds.diameter.setValue(9)
    click(section.segmentation.segment_button)
    qtbot.waitUntil(lambda: bool(client.segmenting), timeout=10_000)
    request, tell = client.segmenting[0]
    assert request.how.model == str(own_model) and request.how.diameter == 9
    assert request.pixels.shape == (256, 256, 3) and request.mpp == 0.5
    assert not section.segmentation.segment_button.isEnabled()
    tell(Progress(1, 4, "Tile 2 of 4"))
    qtbot.wait(100)
    assert section.state.text().startswith("Tile 2 of 4")
    assert (section.segmentation.bar.value(), section.segmentation.bar.maximum()) == (
        1,
        4,
    ) and section.segmentation.bar.isVisible()
    click(section.segmentation.cancel_button)
    qtbot.waitUntil(lambda: not region.session.busy, timeout=10_000)
    qtbot.wait(60)
    assert region.session.regions.active.layout is None and not section.problem.isVisible()
    assert (
        not section.segmentation.progress.isVisible()
        and section.segmentation.segment_button.isEnabled()
    )


def test_a_long_file_name_does_not_widen_the_dock(region, qtbot, tmp_path, monkeypatch) -> None:
    before = region.minimumWidth()
    path = tmp_path / f"{'a very long name ' * 12}"
    path.touch()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(path), ""))
    choose(region, 2)
    qtbot.wait(100)
    region._fit()
    column = region.tabs.page(0).widget()
    assert region.minimumWidth() == before
    assert column.minimumSizeHint().width() <= before


def test_cells_arrive_on_the_region_that_was_segmented(region, client, qtbot, own_model) -> None:
    session = region.session
    first = session.regions.active
    choose(region, 2)
    click(region.layout_.segmentation.segment_button)
    qtbot.waitUntil(lambda: bool(client.segmenting), timeout=10_000)
    session.regions.add((200, 200))
    second = session.regions.active
    labels = np.zeros((256, 256), np.int32)
    labels[5:20, 5:20] = 1
    _, tell = client.segmenting[0]
    source = LayoutSource("cellpose", "tiny", "00", "terms")
    tell(SegmentedLayout(labels, source))
    tell(Finished())
    qtbot.waitUntil(lambda: not session.busy, timeout=10_000)
    assert session.regions.active is second and second.layout is None
    np.testing.assert_array_equal(first.layout, labels)
    assert first.layout_origin == "segmented by Cellpose" and first.layout_source == source


def test_only_what_the_user_paints_counts_as_edited(region, qtbot) -> None:
    session, section = region.session, region.layout_
    for _ in range(2):
        click(section.segmentation.segment_button)
        qtbot.waitUntil(lambda: not session.busy, timeout=20_000)
        qtbot.wait(600)
        assert session.regions.active.layout_source == LayoutSource("builtin")
    region.link.find("layout", session.regions.active.number).paint((40, 40), 500)
    qtbot.waitUntil(lambda: session.regions.active.layout_source.edited, timeout=5_000)


def test_painted_cells_that_a_segmentation_replaces_can_be_brought_back(region, press) -> None:
    session, section = region.session, region.layout_
    painted = np.zeros((256, 256), np.int32)
    painted[5:20, 5:20], painted[30:40, 30:40] = 1, 2
    number = session.regions.active.number
    session.layouts.set(number, painted, "painted", LayoutSource("painted"))
    press(section.segmentation.segment_button)
    assert session.regions.active.layout_source == LayoutSource("builtin")
    assert section.problem.text() == "2 painted cells were replaced."
    assert section.action.text() == "Undo" and section.action.isVisible()
    press(section.action)
    np.testing.assert_array_equal(session.regions.active.layout, painted)
    assert not section.problem.text() and not section.action.isVisible()
    section.segmentation.keep.setChecked(True)
    press(section.segmentation.segment_button)
    assert not section.problem.text()


def test_nothing_in_the_section_moves_while_cells_are_segmented(
    region, client, press, settle, own_model
) -> None:
    section = region.layout_

    def places() -> list[int]:
        shown = section.tools.undo, section.import_button, section.inventing, section.seen
        return [widget.mapTo(section, widget.rect().topLeft()).y() for widget in shown]

    settle(region)
    before = places()
    choose(region, 2)
    settle(region)
    assert places() == before
    click(section.segmentation.segment_button)
    settle(region)
    assert client.segmenting and section.segmentation.progress.isVisible()
    assert places() == before
    client.segmenting[0][1](Finished())
    settle(region)
    choose(region, 0)
    for widget in (section.segmentation.segment_button, *section.tools.buttons.values()):
        press(widget)
        assert places() == before


def test_a_failure_is_shown_in_the_section(region, client, qtbot, own_model) -> None:
    choose(region, 2)
    click(region.layout_.segmentation.segment_button)
    qtbot.waitUntil(lambda: bool(client.segmenting), timeout=10_000)
    client.segmenting[0][1](Failure("mine is no model of Cellpose 4; choose another."))
    qtbot.waitUntil(lambda: not region.session.busy, timeout=10_000)
    qtbot.wait(60)
    assert region.layout_.problem.text() == "mine is no model of Cellpose 4; choose another."


@pytest.mark.usefixtures("one_worker")
def test_cellpose_runs_from_the_dock_in_the_real_worker(viewer, qtbot, own_model, tmp_path) -> None:
    before = {name for name in HEAVY if name in sys.modules}
    _, studio = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
    session = studio.session
    image, truth = (np.tile(one, (4, 4, 1)[: one.ndim]) for one in discs(4))
    studio.link.add_slide(ArraySlide([image], 0.5, "discs"))
    click(studio.region.add_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=120_000)
    choose(studio, 2)
    click(studio.layout_.segmentation.segment_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=120_000)
    assert not session.notices.problems
    item = session.regions.active
    place = item.region
    rows, columns = (slice(int(at), int(at) + 256) for at in (place.y, place.x))
    there = truth[rows, columns] > 0
    assert item.cells > 0
    assert ((item.layout > 0) & there).sum() > 0.7 * ((item.layout > 0) | there).sum()

    studio.generate.count.setValue(1)
    studio.generate.steps.setValue(1)
    click(studio.footer.generate_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=120_000)
    session.exporter.write_pairs(tmp_path / "out")
    qtbot.waitUntil(lambda: not session.exporter.busy, timeout=60_000)
    (result,) = session.gallery.results
    source = result.record.request.source.layout
    assert (source.method, source.model, len(source.sha256)) == ("cellpose", "tiny", 64)
    readme = (tmp_path / "out/README.txt").read_text()
    assert "Cells segmented by Cellpose tiny: The user's own Cellpose model" in readme
    assert {name for name in HEAVY if name in sys.modules} == before
    studio.close_session()

"""The dock widget “Review pairs”: keys, filters, reading and storing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest
from drawn_dataset import SIDE, judge, make_dataset
from fitting import (
    available_width,
    needed_width,
    text_widgets,
    texts_beyond_the_edge,
    truncated_texts,
)
from napari.layers import Image, Labels
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QComboBox

from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.decisions import read_decisions
from napari_pixcell.datasets.store.parsing import pair_names
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.datasets.store.rows import append_rows, read_rows
from napari_pixcell.studio.review.open_dataset import PARTIAL, PLACED, WRONG, OpenDataset
from napari_pixcell.studio.review.review import Review
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.key_table import ON_LAYOUT, TABLE, key_list
from napari_pixcell.ui.review.dock import ReviewPairs, open_review

CONTROL = Qt.KeyboardModifier.ControlModifier
BLANK = "\u00a0"  # without a line break


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("made") / "data", styles=4, layouts=3).folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


@pytest.fixture
def rest(until_idle: Callable[..., None]) -> Callable[[ReviewPairs], None]:
    """Wait until the review is idle, decisions are stored and its dock is up to date."""

    def busy(review: Review) -> bool:
        return review.busy or (review.unsaved > 0 and not review.cannot_save)

    return lambda dock: until_idle(dock, lambda: busy(dock.review))


@pytest.fixture
def dock(viewer: napari.Viewer) -> Iterator[ReviewPairs]:
    viewer.window.resize(1366, 768)
    dock = open_review(viewer)
    yield dock
    dock.close_review()


@pytest.fixture
def open_dock(dock: ReviewPairs, folder: Path, rest: Any) -> ReviewPairs:
    dock.open(folder)
    rest(dock)
    return dock


def numbers(dock: ReviewPairs) -> list[int]:
    model = dock.grid.model_
    return [int(model.index(row).data().split(" ")[0]) for row in range(model.rowCount())]


def press(dock: ReviewPairs, *keys: str, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
    for key in keys:
        QTest.keyClick(dock.grid, getattr(Qt.Key, f"Key_{key}"), modifier)


def choose(combo: QComboBox, words: str) -> None:
    row = next(row for row in range(combo.count()) if combo.itemText(row).startswith(words))
    combo.setCurrentIndex(row)
    combo.activated.emit(row)


def test_keys_decide_and_move_to_the_next_pair(
    open_dock: ReviewPairs, folder: Path, rest: Any
) -> None:
    dock = open_dock
    press(dock, "A", "D", "Right", "A")
    rest(dock)
    assert read_decisions(folder) == {0: "accepted", 1: "rejected", 3: "accepted"}
    assert dock.counts.text() == "12 pairs, 10 pass the checks, 2 accepted, 1 rejected"
    assert dock.counts.toolTip().startswith("9 pairs are used")
    assert dock.grid.currentIndex().row() == 4
    press(dock, "U")
    assert dock.grid.currentIndex().row() == 3
    press(dock, "Z", modifier=CONTROL)
    press(dock, "Y", modifier=CONTROL)
    rest(dock)
    assert read_decisions(folder) == {0: "accepted", 1: "rejected"}
    press(dock, "Home", "N")  # the accepted pair
    press(dock, "M")
    rest(dock)
    assert not dock.outlined.isChecked() and read_decisions(folder) == {1: "rejected"}
    press(dock, "A", modifier=CONTROL)
    press(dock, "D")
    rest(dock)
    assert len(read_decisions(folder)) == 12 and len(dock.grid.chosen()) == 12
    press(dock, "U")
    rest(dock)
    assert read_decisions(folder) == {1: "rejected"}


def test_the_keys_of_review_and_studio_differ() -> None:
    ours = set("ADNUMP")
    studios = {key for entry in TABLE for key in entry.keys.split()}
    layouts = {entry.shown for entry in ON_LAYOUT} - {"P"}  # napari's own key on label layers
    assert not ours & (studios | layouts)
    assert "Accept pair" in key_list()


def test_pairs_are_filtered_and_sorted(open_dock: ReviewPairs, rest: Any) -> None:
    dock, filters = open_dock, open_dock.filters
    assert filters.show_.itemText(0) == "All pairs (12)"
    choose(filters.show_, "Flagged by a check (2)")
    rest(dock)
    assert numbers(dock) == [4, 9]
    assert "overlap with its mask 0.30, expected at least 0.50" in dock.detail.flags.text()
    choose(filters.show_, "Does not follow its mask (2)")
    choose(filters.style_, "Style 1")
    assert numbers(dock) == [9]
    choose(filters.show_, "Rejected (0)")
    rest(dock)
    assert not numbers(dock) and dock.none.text().startswith("No pair matches")
    assert dock.accept_button.toolTip().startswith("No pair is listed: show all pairs")
    choose(filters.show_, "All pairs")
    choose(filters.style_, "All styles")
    choose(filters.sort, "Overlap with its mask")
    assert numbers(dock)[:3] == [4, 9, 0]
    filters.direction.click()
    rest(dock)
    assert numbers(dock)[:2] == [11, 10] and filters.direction.text() == "Highest first"
    assert dock.grid.model_.index(0).data() == "11 · 0.61"
    entries = [filters.sort.itemText(row) for row in range(filters.sort.count())]
    assert entries == [
        "Number",
        "Number of cells",
        "Overlap with its mask",
        "Similarity to its style",
    ]


def test_only_visible_pairs_are_read_of_ten_thousand(
    dock: ReviewPairs, folder: Path, rest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = list(read_rows(folder / "manifest.jsonl"))
    dataset = Dataset(folder)
    dataset.describe(plan=Plan(4, 3, seeds=834).to_dict())
    many = []
    for at in range(12, 10_000):
        row = rows[at % 12]
        names = pair_names(at, "png", row["image"].startswith("apart"))
        for name, first in zip(names, (row["image"], row["mask"]), strict=True):
            os.link(folder / first, folder / name)
        files = dict(zip(names, row["files"].values(), strict=True))
        many.append(row | {"index": at, "image": names[0], "mask": names[1], "files": files})
    append_rows(folder / "manifest.jsonl", many)
    read: list[int] = []
    picture = OpenDataset.picture

    def counted(self: OpenDataset, key: Any) -> np.ndarray:
        read.append(key.position)
        return picture(self, key)

    monkeypatch.setattr(OpenDataset, "picture", counted)
    dock.open(folder)
    rest(dock)
    grid = dock.grid
    assert grid.model_.rowCount() == 10_000
    sight = len(grid.rows_in_sight())
    some = 2 * sight + 3  # with the screen below, and the larger picture and the next two
    assert 6 <= sight <= 30 and set(grid.rows_in_sight()) <= set(read)
    assert len(read) <= some
    bar = grid.verticalScrollBar()
    for part in range(1, 51):
        bar.setValue(bar.maximum() * part // 50)
    rest(dock)
    assert grid.rows_in_sight().stop == 10_000 and set(grid.rows_in_sight()) <= set(read)
    assert len(read) <= 2 * some + 2  # and what was begun when the scroll went on
    press(dock, "End", "A")
    rest(dock)
    assert read_decisions(folder) == {9999: "accepted"}


def test_a_closed_dock_can_be_opened_again(
    open_dock: ReviewPairs, viewer: napari.Viewer, folder: Path, qtbot: Any, rest: Any
) -> None:
    assert open_review(viewer) is open_dock
    open_dock.grid.decide("rejected")
    viewer.window.remove_dock_widget(open_dock.parent())
    qtbot.waitUntil(lambda: read_decisions(folder) == {0: "rejected"})
    again = open_review(viewer, folder)
    rest(again)
    assert again is not open_dock
    choose(again.filters.show_, "Rejected (1)")
    said = again.grid.model_.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert said == "Pair 0 · Style 0 · 3 cells · rejected"
    assert again.grid.accessibleName() and again.filters.sort.accessibleName()
    again.close_review()


def test_disabled_controls_say_why(
    dock: ReviewPairs, folder: Path, tmp_path: Path, rest: Any
) -> None:
    first = [dock.accept_button, dock.reject_button, dock.clear_button, dock.show_button]
    for made in (*first, dock.outlined, dock.filters.show_, dock.filters.sort):
        assert not made.isEnabled() and made.toolTip().startswith("Open a dataset first")
    assert dock.redo_button.toolTip().startswith("No decision to redo")
    dock.open(tmp_path)
    rest(dock)
    assert dock.problem.text().startswith("There is no dataset in")
    (folder / "manifest.jsonl").unlink()
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(folder))])
    left, plain = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    dock.dropEvent(QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, mime, left, plain))
    rest(dock)
    assert dock.name.text() == "Drawn" and not dock.problem.text()
    assert dock.none.text().startswith("No pairs yet")
    assert dock.accept_button.toolTip().startswith("The dataset has no pairs yet")


def test_decisions_that_could_not_be_stored_are_retried(
    open_dock: ReviewPairs, folder: Path, qtbot: Any, rest: Any
) -> None:
    dock = open_dock
    (folder / "decisions.jsonl").mkdir()
    press(dock, "A")
    qtbot.waitUntil(dock.again_button.isVisible)
    assert dock.problem.text().startswith("1 decision could not be stored in data")
    (folder / "decisions.jsonl").rmdir()
    dock.again_button.click()
    rest(dock)
    assert not dock.again_button.isVisible() and not dock.problem.text()
    lines = (folder / "decisions.jsonl").read_text().splitlines()
    assert [json.loads(line)["decision"] for line in lines] == ["accepted"]


def test_a_pair_without_its_files_is_reported(dock: ReviewPairs, folder: Path, rest: Any) -> None:
    (folder / "images" / "000001.png").unlink()
    with (folder / "manifest.jsonl").open("a") as file:
        file.write("{}\n")
    dock.open(folder)
    rest(dock)
    assert dock.problem.text().startswith("Skipped 1 row of manifest.jsonl")
    press(dock, "Right", "Return")
    rest(dock)
    assert dock.problem.text().startswith("Pair 1 cannot be read. Restore its files")
    for widget in (dock.detail.view, dock.grid.viewport()):
        assert not widget.grab().isNull()


def test_a_pair_is_shown_in_the_viewer_beside_the_slide(
    ready: PixCellStudio, viewer: napari.Viewer, folder: Path, rest: Any
) -> None:
    ready.session.datasets.finished = folder  # the newest, which the button opens
    ready.dataset.review_button.click()
    (dock,) = (w for w in viewer.window.dock_widgets.values() if isinstance(w, ReviewPairs))
    rest(dock)
    assert dock.name.text() == "Drawn" and dock.isVisible()
    press(dock, "R", "G")  # keys of the studio do nothing here
    assert not ready.session.regions.current and not dock.review.unsaved
    slide = ready.session.slides.current
    for _ in range(2):  # the second replaces the first
        press(dock, "Right", "Return")
        rest(dock)
    image, cells = viewer.layers[-2:]
    assert isinstance(image, Image) and isinstance(cells, Labels)
    assert len(viewer.layers) == 3 and ready.session.slides.current is slide
    assert image.name == "Synthetic · Drawn · pair 2"
    assert cells.name == "Synthetic cells · Drawn · pair 2"
    for layer in (image, cells):
        assert np.allclose(layer.scale, 0.5) and str(layer.units[-1]) == "micrometer"
        assert layer.extent.world[1][-1] < 0  # left of the slide
    assert cells.data.max() == 4
    dock.close_review()


def distance(widget: Any, colour: tuple[int, int, int]) -> np.ndarray:
    """Return how far the pixels of a widget are from a colour: (height, width)."""
    image = widget.grab().toImage()
    pixels = [
        [image.pixelColor(x, y).getRgb()[:3] for x in range(image.width())]
        for y in range(image.height())
    ]
    return np.linalg.norm(np.array(pixels, float) - colour, axis=2)


def test_nuclei_are_shown_in_the_colours_of_their_agreement(
    dock: ReviewPairs, viewer: napari.Viewer, folder: Path, rest: Any
) -> None:
    extra = np.zeros((SIDE, SIDE), np.uint8)
    extra[40:46, 2:9] = 1
    judge(folder, 2, 2, 4, extra)  # of four nuclei
    detail = dock.detail
    assert detail.judged.toolTip().startswith("Open a dataset first")
    dock.open(folder)
    rest(dock)
    assert detail.legend.text() == "–"  # of an earlier version
    press(dock, "Right", "Right")
    rest(dock)
    legend = detail.legend.text()
    for colour, words in ((PLACED, "2 placed"), (PARTIAL, "1 partial"), (WRONG, "1 missing,")):
        assert f"color: rgb{colour}" in legend and words in legend.replace(BLANK, " ")
    view = detail.view
    scale = min(view.width(), view.height()) / SIDE
    left, top = (view.width() - SIDE * scale) / 2, (view.height() - SIDE * scale) / 2
    red = np.argwhere(distance(view, WRONG) < 60) - (top, left)
    red = red[(red[:, 0] > 36 * scale) & (red[:, 1] < 12 * scale)]  # the extra one alone
    assert np.abs(red.min(axis=0) - (40 * scale, 2 * scale)).max() < 2
    assert np.abs(red.max(axis=0) + 1 - (46 * scale, 9 * scale)).max() < 2
    press(dock, "Return")
    rest(dock)
    _, cells, found = viewer.layers[-3:]
    assert found.name == "Synthetic extra nuclei · Drawn · pair 2"
    assert np.array_equal(found.data, extra) and np.allclose(found.extent.world, cells.extent.world)
    for layer, label, colour in ((cells, 1, PLACED), (cells, 2, PARTIAL), (cells, 4, WRONG)):
        assert np.allclose(layer.get_color(label)[:3], np.array(colour) / 255)
    assert np.allclose(found.get_color(1)[:3], np.array(WRONG) / 255)
    press(dock, "P", "Return")
    rest(dock)
    assert not detail.judged.isChecked()
    assert detail.legend.text().replace(BLANK, " ") == "2 placed, 1 partial, 1 missing, 1 extra"
    assert viewer.layers[-1].name == "Synthetic cells · Drawn · pair 2"
    detail.judged.click()
    assert dock.review.judged
    press(dock, "M")
    rest(dock)
    assert detail.judged.toolTip().startswith("Show the outlines first (M)")


def test_no_text_is_cut_off_in_either_theme(
    open_dock: ReviewPairs, viewer: napari.Viewer, rest: Any
) -> None:
    dock = open_dock
    judge(dock.review.opened.folder, 4, 1, 2, np.tri(SIDE, dtype=np.uint8))
    dock.open(dock.review.opened.folder)
    rest(dock)
    press(dock, "Down", "Right", "D")  # pair 4, which is flagged
    dock.review.go(4)
    window = dock.window()
    for theme in ("dark", "light"):
        viewer.theme = theme
        for width in (320, 700):
            window.resizeDocks([dock.parent()], [width], Qt.Orientation.Horizontal)
            rest(dock)
            assert abs(dock.width() - width) < 8
            assert len(list(text_widgets(dock))) > 12
            assert not truncated_texts(dock) and not texts_beyond_the_edge(dock)
            assert dock.detail.view.height() >= 96 and len(dock.grid.rows_in_sight()) >= 6
            combo = dock.filters.show_
            for row in range(combo.count()):
                combo.setCurrentIndex(row)
                assert needed_width(combo) <= available_width(combo), combo.currentText()
            dock.refresh()

"""The steps of the tutorials, walked in the real window with the demo family.

A hand presses every control that a numbered step names in bold, in the order of the page, so a
button with another name fails the test. Keys are in code. What is done beside that, such as
a stroke on the canvas, is in the walk of the page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest
from blocks import run_page
from doc_tools import DOCS
from hand import Hand
from qtpy.QtCore import QPoint
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QAbstractButton, QFileDialog, QMenu, QMenuBar, QPushButton, QWidget

from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.sections.base import Section

TUTORIALS = DOCS / "tutorials"
STEP = re.compile(r"^\d+\. (.*(?:\n {3,}\S.*)*)", re.MULTILINE)
TOKEN = re.compile(r"\*\*(?P<control>[^*]+)\*\*|section \*(?P<section>[^*]+)\*|`(?P<key>[A-Z0-9])`")
STEPS = 4  # denoising steps, so that the walk is quick
PATIENCE_MS = 300_000
Gesture = Callable[[], None]


def steps_of(page: str) -> list[list[tuple[str, str]]]:
    """Return the controls, sections and keys of each numbered step: (kind, name)."""
    text = (TUTORIALS / f"{page}.md").read_text("utf-8")
    return [
        [(found.lastgroup, found[found.lastgroup]) for found in TOKEN.finditer(step)]
        for step in STEP.findall(text)
    ]


def plain(text: str) -> str:
    """Return the text of a control as it is read: without mnemonics and line breaks."""
    return " ".join(text.replace("&&", "\0").replace("&", "").replace("\0", "&").split())


class Walk:
    """Presses controls by their names, in the window of a viewer.

    Attributes
    ----------
    gestures : dict of str to callable
        What follows a press on the control of this name.
    steps : int
        Denoising steps.
    """

    def __init__(self, viewer: napari.Viewer, hand: Hand, qtbot: Any) -> None:
        self.viewer, self.hand, self._qtbot = viewer, hand, qtbot
        self.steps = STEPS
        self.gestures: dict[str, Gesture] = {}
        self._section = ""  # in which the controls of a step are, if it names one
        self._menu: QMenu | None = None  # whose entry the next name is

    @property
    def studio(self) -> PixCellStudio:
        (found,) = self.viewer.window._qt_window.findChildren(PixCellStudio)
        return found

    def follow(self, page: str) -> None:
        """Walk all steps of a page."""
        steps = steps_of(page)
        assert steps
        for number, step in enumerate(steps, start=1):
            assert any(kind != "section" for kind, _ in step), f"{page}, step {number} is empty"
            self._section = ""
            for kind, name in step:
                where = f"{page}, step {number}: {name}"
                if kind == "section":
                    self._section = name
                    continue
                self.press(name, where) if kind == "control" else self.key(name)
                gesture = self.gestures.get(name)
                if gesture is not None:
                    gesture()
                    self.rest()
                assert not self.studio.session.notices.problems, where

    def key(self, name: str) -> None:
        """Press a key, over the canvas."""
        self.hand.move(tuple(self.viewer.scene.camera.center[-2:]))
        self.viewer.window._qt_viewer.canvas.native.setFocus()
        self.hand.press(name.lower())
        self.rest()

    def press(self, name: str, where: str) -> None:
        """Press the control of a name: an entry of a menu, a tab or a button."""
        if " → " in name:
            self._choose(name.split(" → "), where)
        elif not (self._menu_entry(name) or self._tab(name)):
            self._button(name, where)
        self.rest()

    def _choose(self, path: list[str], where: str) -> None:
        """Choose an entry of napari's menus."""
        bar = self.viewer.window._qt_window.findChild(QMenuBar)
        actions: list[QAction] = bar.actions()
        for title in path:
            named = [action for action in actions if plain(action.text()) == title]
            assert named, f"{where}: no menu entry among {[plain(a.text()) for a in actions]}"
            menu = named[0].menu()
            if menu is not None:
                menu.aboutToShow.emit()
                actions = menu.actions()
        named[0].trigger()

    def _menu_entry(self, name: str) -> bool:
        """Choose an entry of the menu of the button that was pressed last."""
        menu, self._menu = self._menu, None
        if menu is None:
            return False
        (action,) = [one for one in menu.actions() if plain(one.text()) == name]
        assert action.isEnabled()
        action.trigger()
        return True

    def _tab(self, name: str) -> bool:
        bar = self.studio.tabs.tabBar()
        titles = [plain(bar.tabText(index)) for index in range(bar.count())]
        if name not in titles:
            return False
        self.hand.click(self.hand.tab(bar, titles.index(name)))
        return True

    def _button(self, name: str, where: str) -> None:
        root: QWidget = self.viewer.window._qt_window
        if self._section:
            (root,) = (
                one
                for one in root.findChildren(Section)
                if plain(one.title) == self._section and one.isVisible()
            )
        shown = root.findChildren(QAbstractButton)
        titled = [one for one in shown if plain(one.text()) == name and one.isVisible()]
        assert titled, f"{where}: no visible control of this name"
        (button,) = titled
        assert button.isEnabled(), f"{where}: {button.toolTip()}"
        self._bring(button)
        menu = button.menu() if isinstance(button, QPushButton) else None
        if menu is None:
            self.hand.click(button)
        else:  # it would wait in a loop of its own
            menu.aboutToShow.emit()
            self._menu = menu

    def _bring(self, widget: QWidget) -> None:
        """Scroll a control of the dock into view, by the wheel over its column."""
        for page in self.studio.tabs.pages:
            if page.isAncestorOf(widget):
                view = page.viewport()
                for _ in range(60):
                    top = widget.mapTo(view, QPoint(0, 0)).y()
                    if top >= 0 and top + widget.height() <= view.height():
                        break
                    self.hand.wheel(view, 1 if top < 0 else -1)
                    self._qtbot.wait(20)

    def rest(self) -> None:
        """Wait until nothing is running, and the dock shows it."""
        self._qtbot.wait(50)
        session = self.studio.session

        def idle() -> bool:
            return not session.busy and not session.background.busy

        for _ in range(2):
            self._qtbot.waitUntil(idle, timeout=PATIENCE_MS)
            self._qtbot.wait(80)
        if session.slides.current is not None:
            session.settings.steps = self.steps


@pytest.fixture
def walk(viewer: napari.Viewer, hand: Hand, one_worker: Path, qtbot: Any) -> Iterator[Walk]:
    walk = Walk(viewer, hand, qtbot)
    yield walk
    walk.rest()


def answer(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Answer the next questions for a file or folder."""
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(path))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))


def world(walk: Walk, *points: tuple[float, float]) -> list[tuple[float, ...]]:
    """Return points (y, x) of the region, in px of the layout, in world coordinates."""
    studio = walk.studio
    item = studio.session.regions.active
    mpp = studio.session.slides.current.mpp
    layer, scale = studio.link.slide_layer, studio.session.settings.model.mpp / mpp
    return [
        tuple(layer.data_to_world((item.region.y + y * scale, item.region.x + x * scale)))
        for y, x in points
    ]


def cells(walk: Walk) -> list[int]:
    return [int(n) for n in np.unique(walk.studio.session.regions.active.layout) if n]


def test_the_first_variant(walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, tmp_path)
    walk.follow("first-variant")
    gallery = walk.studio.session.gallery
    assert len(gallery.results) == 4 and [r.starred for r in gallery.results].count(True) == 1
    (row,) = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert (tmp_path / row["image"]).is_file() and (tmp_path / row["mask"]).is_file()
    assert walk.studio.session.regions.active.cells > 10
    (printed,) = run_page(TUTORIALS / "first-variant.md", tmp_path, apart=True)
    assert "same pixels: yes" in printed or "same pixels: nearly" in printed, printed


def test_a_layout_by_hand(walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cells.geojson"
    answer(monkeypatch, path)
    counts: list[int] = []

    def then(act: Gesture) -> Gesture:
        def gesture() -> None:
            act()
            walk.rest()
            counts.append(len(cells(walk)))

        return gesture

    def strokes() -> None:
        for y in (40, 100, 160):
            walk.hand.drag(*world(walk, (y, 40), (y + 2, 52)))
            walk.rest()

    turns = np.linspace(0, 2 * np.pi, 25)
    ring = [(128 + 26 * np.sin(turn), 170 - 26 * np.cos(turn)) for turn in turns]
    walk.gestures = {
        "Brush": then(strokes),
        "Outline": then(lambda: walk.hand.drag(*world(walk, *ring))),
        "Stamp": then(lambda: walk.hand.click(*world(walk, (220, 220)))),
        "Select": then(lambda: walk.hand.click(*world(walk, (41, 46)))),
        "Delete": then(lambda: None),
        "Undo": then(lambda: None),
        "Split": then(lambda: walk.hand.drag(*world(walk, (90, 170), (166, 170)))),
    }
    walk.follow("layout-by-hand")
    assert counts == [3, 4, 5, 5, 4, 5, 6]
    stored = json.loads(path.read_text("utf-8"))
    assert len(stored["features"] if isinstance(stored, dict) else stored) == 6
    results = walk.studio.session.gallery.results
    assert len(results) == 4
    assert all(len(np.unique(result.record.request.layout.view())) == 7 for result in results)


def test_a_virtual_stain(walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ki67.csv"
    answer(monkeypatch, path)
    walk.follow("virtual-stain")
    (row,) = walk.studio.session.measures.rows
    assert row.scores.nuclei > 10 and 0 <= row.scores.percent <= 100
    model = walk.studio.measure.table.model()
    assert model.data(model.index(0, 1)) == f"{row.scores.percent:.1f} %"
    assert len(path.read_text("utf-8").splitlines()) == 2


def test_a_dataset_for_cellpose(
    walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {"Generate dataset…": tmp_path / "pairs", "Cellpose": tmp_path / "for-cellpose"}
    press = walk.press

    def answered(name: str, where: str) -> None:
        if name in folders:
            answer(monkeypatch, folders[name])
        press(name, where)

    monkeypatch.setattr(walk, "press", answered)
    (tmp_path / "for-cellpose").mkdir()
    walk.steps = 12  # with fewer, the pair would be flagged and set apart
    walk.follow("dataset-to-cellpose")
    rows = (tmp_path / "pairs" / "manifest.jsonl").read_text("utf-8").splitlines()
    assert rows and len(list((tmp_path / "for-cellpose").rglob("*_masks.tif"))) == len(rows)


def test_a_control_that_does_not_exist_is_noticed(walk: Walk) -> None:
    walk._choose(["Plugins", "PixCell studio", "PixCell studio (PixCell studio)"], "test")
    walk.rest()
    with pytest.raises(AssertionError, match="Try a sample: no visible control of this name"):
        walk.press("Try a sample", "Try a sample")

"""Fixtures of the hand tests: a window manager, and a hand over the real window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest
from hand import Hand, missing, window_manager
from pictures import tissue
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QWidget
from skimage.draw import disk
from tifffile import imwrite

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.layers.layout_tools import LayoutTools

MOST_TURNS = 40  # of the wheel
LARGE = 1366, 768  # a small laptop's screen


@pytest.fixture(scope="session")
def manager(shared_window: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A window manager, which gives the window the focus that keys need."""
    if missing():
        pytest.skip(f"not installed: {', '.join(missing())}")
    shared_window.close()  # the next one is opened under the window manager
    with window_manager(tmp_path_factory.mktemp("openbox")):
        yield
        shared_window.close()


@pytest.fixture
def hand(manager: None, viewer: napari.Viewer, qtbot: Any) -> Iterator[Hand]:
    window = viewer.window._qt_window
    window.resize(*LARGE)
    window.move(0, 0)
    window.raise_()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=60_000)
    found = Hand(viewer, qtbot)
    yield found
    found.lift()


@pytest.fixture
def reach(hand: Hand, settle: Callable[..., None]) -> Callable[[PixCellStudio, QWidget], None]:
    """Bring a control of the studio into view, by its tab and the wheel."""

    def reach(studio: PixCellStudio, widget: QWidget) -> None:
        tabs = studio.tabs
        for index, page in enumerate(tabs.pages):
            if not page.isAncestorOf(widget):
                continue
            if tabs.currentIndex() != index:
                hand.click(hand.tab(tabs.tabBar(), index))
                settle(studio)
            for _ in range(MOST_TURNS):
                view = page.viewport()
                top = widget.mapTo(view, QPoint(0, 0)).y()
                if top >= 0 and top + widget.height() <= view.height():
                    break
                hand.wheel(view, 1 if top < 0 else -1)
                settle(studio)

    return reach


@pytest.fixture
def press_on(
    hand: Hand, reach: Callable[..., None], settle: Callable[..., None]
) -> Callable[..., None]:
    """Click a control of the studio, and wait until the dock shows the outcome."""

    def press_on(studio: PixCellStudio, widget: QWidget, **how: Any) -> None:
        settle(studio)
        reach(studio, widget)
        hand.click(widget, **how)
        settle(studio)

    return press_on


@pytest.fixture
def paint_cells(settle: Callable[..., None]) -> Callable[..., None]:
    """Replace the layout of the active region by round cells, by their centres (y, x)."""

    def paint_cells(studio: PixCellStudio, *centres: tuple[float, float]) -> None:
        labels = np.zeros((256, 256), np.int32)
        for label, centre in enumerate(centres, start=1):
            labels[disk(centre, 14)] = label
        number = studio.session.regions.active.number
        studio.session.layouts.set(number, labels, "test", LayoutSource("painted"))
        settle(studio)

    return paint_cells


@pytest.fixture
def with_cells(
    press_on: Callable[..., None], paint_cells: Callable[..., None], settle: Callable[..., None]
) -> Callable[..., LayoutTools]:
    """Add a region of round cells by hand, bring it into view, and return the tools."""

    def with_cells(studio: PixCellStudio, *centres: tuple[float, float]) -> LayoutTools:
        press_on(studio, studio.region.add_button)
        paint_cells(studio, *centres)
        studio.link.go_to(studio.session.regions.active.region)
        settle(studio)
        return studio.link.tools

    return with_cells


@pytest.fixture
def slide_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A slide of 800 × 800 px at 0.5 µm/px, beside which sessions are saved."""
    monkeypatch.setenv("PIXCELL_SESSIONS", "1")
    path = tmp_path / "case 7.tif"
    per_cm = 1e4 / 0.5
    imwrite(path, tissue(800), resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")
    return path

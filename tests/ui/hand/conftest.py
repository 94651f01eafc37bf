"""Fixtures of the hand tests: a window manager, and a hand over the real window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import napari
import pytest
from hand import Hand, missing, window_manager
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QWidget

from napari_pixcell.ui.dock import PixCellStudio

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

"""A newcomer's path, in a window of 1366 × 768: few clicks, everything in view, nothing jumps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hand import Hand
from qtpy.QtCore import QPoint, QRect
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QScrollBar,
    QWidget,
)

from napari_pixcell.engine.events import Progress
from napari_pixcell.ui.dock import PixCellStudio

CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)


def controls(*roots: QWidget) -> list[QWidget]:
    """Return all controls that are visible on the screen, hidden by nothing."""
    found = [one for root in roots for one in root.findChildren(QWidget)]
    return [
        one
        for one in found
        if isinstance(one, CONTROLS) and one.isVisible() and not isinstance(one, QScrollBar)
    ]


def places(*roots: QWidget) -> dict[QWidget, QRect]:
    """Return where all visible controls are on the screen."""
    return {c: QRect(c.mapToGlobal(QPoint(0, 0)), c.size()) for c in controls(*roots)}


def moved(before: dict[QWidget, QRect], after: dict[QWidget, QRect]) -> list[str]:
    """Return the controls that are elsewhere now."""
    return [
        f"{c.objectName() or c.toolTip()}: {before[c].getRect()} → {after[c].getRect()}"
        for c in before.keys() & after.keys()
        if before[c] != after[c]
    ]


def test_at_the_start_few_controls_are_visible(studio: PixCellStudio, hand: Hand, settle) -> None:
    settle(studio)
    found = controls(studio)
    assert len(found) <= 8, [c.objectName() for c in found]
    assert studio.footer.guide_button in found and studio.welcome.sample_button in found
    assert not studio.results.isVisible() and not studio.tabs.isVisible()


@pytest.fixture
def blue(hand: Hand, settle: Callable[..., None]) -> Callable[[PixCellStudio], str]:
    """Click the blue button, wherever it leads, and return what it said."""

    def blue(studio: PixCellStudio) -> str:
        settle(studio)
        footer = studio.footer
        shown = footer.guide_button if footer.guide_button.isVisible() else footer.generate_button
        words = shown.text()
        hand.click(shown)
        settle(studio)
        return words

    return blue


def test_four_clicks_from_a_slide_to_variants_and_two_to_a_pair(
    ready, client, hand: Hand, blue, settle, tmp_path: Path, monkeypatch
) -> None:
    said = [blue(ready) for _ in range(3)]
    assert said == ["Add a region here", "Find the cells", "Generate 4 variants"]
    client.play()
    settle(ready)
    session, strip = ready.session, ready.results.strip
    assert len(session.gallery.results) == 4
    for result in session.gallery.results:  # in view without scrolling
        index = strip.model_.index(strip.model_.row_of(result.number))
        box = strip.visualRect(index)
        assert strip.viewport().rect().contains(box)
        middle = strip.viewport().mapToGlobal(box.center())
        assert (
            strip.isAncestorOf(QApplication.widgetAt(middle))
            and min(box.width(), box.height()) >= 96
        )
    canvas = ready.viewer.canvas.size
    region, zoom = session.regions.active.region, ready.viewer.scene.camera.zoom
    assert 0.35 < region.height * session.slides.current.mpp * zoom / min(canvas) < 0.75
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    hand.click(ready.results.export_button)  # the other click is the folder's
    settle(ready)
    assert len(list((tmp_path / "masks").iterdir())) == 4
    assert ready.results.messages.note.text().startswith("Wrote 4 images and 4 masks")


def test_nothing_moves_before_during_and_after_a_job(
    ready, client, hand: Hand, blue, settle
) -> None:
    blue(ready)
    blue(ready)
    for index in range(3):
        hand.click(hand.tab(ready.tabs.tabBar(), index))
        settle(ready)
        before = places(ready)
        canvas = tuple(ready.viewer.canvas.size)
        blue(ready)
        states = [places(ready)]
        client.waiting[0][1](Progress(3, 80, "Variant 1 of 4"))
        settle(ready)
        states.append(places(ready))
        blue(ready)  # another one waits
        states.append(places(ready))
        client.play()
        settle(ready)
        states.append(places(ready))
        for state in states:
            assert len(before.keys() & state.keys()) > 10
            assert not moved(before, state)
        assert tuple(ready.viewer.canvas.size) == canvas
        ready.session.gallery.discard(*ready.session.gallery.results)
        settle(ready)


def test_cancel_is_beside_the_progress_and_queued_jobs_are_in_view(
    ready, client, hand: Hand, blue, settle
) -> None:
    blue(ready)
    blue(ready)
    for _ in range(3):
        blue(ready)
    assert "2 waiting" in ready.footer.state.text()
    queue = ready.results.queue
    assert len(queue.rows) == 3
    for row in list(queue.rows.values())[:2]:
        hand.place_of(row.stop)  # fails if it is not in view
    hand.click(ready.footer.cancel_button)
    settle(ready)
    assert len(ready.session.queue.jobs) == 2

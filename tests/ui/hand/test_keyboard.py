"""The studio is used with the keyboard alone."""

from __future__ import annotations

from hand import Hand
from qtpy.QtWidgets import QApplication, QWidget

from napari_pixcell.ui.dock import PixCellStudio

MOST_TABS = 120


def tab_to(hand: Hand, widget: QWidget) -> None:
    """Press Tab until a widget has the focus."""
    for _ in range(MOST_TABS):
        if QApplication.focusWidget() is widget:
            return
        hand.press("Tab")
    raise AssertionError(f"Tab does not reach {widget.objectName() or widget.toolTip()}")


def test_from_a_slide_to_variants_with_the_keyboard(
    ready: PixCellStudio, client, hand: Hand, settle
) -> None:
    settle(ready)
    session, footer = ready.session, ready.footer
    ready.header.model.setFocus()
    tab_to(hand, footer.guide_button)
    hand.press("space")
    settle(ready)
    assert session.regions.active is not None
    assert footer.guide_button.hasFocus()  # it is the next step
    hand.press("space")
    settle(ready)
    assert session.regions.active.cells > 0
    assert footer.generate_button.hasFocus()
    hand.press("space")
    settle(ready)
    client.play()
    settle(ready)
    assert len(session.gallery.results) == 4
    strip = ready.results.strip
    tab_to(hand, strip)
    hand.press("End", "Left", "Return")  # the third of four
    settle(ready)
    shown = [result for result in session.gallery.results if result.shown]
    assert shown == [session.gallery.results[2]]
    hand.press("s")
    settle(ready)
    assert shown[0].starred


def test_tabs_and_folds_follow_the_keyboard(ready: PixCellStudio, hand: Hand, settle) -> None:
    settle(ready)
    ready.header.model.setFocus()
    bar = ready.tabs.tabBar()
    tab_to(hand, bar)
    hand.press("Right")
    assert ready.tabs.currentIndex() == 1
    hand.press("Left")
    assert ready.tabs.currentIndex() == 0
    tab_to(hand, ready.generate.start.button)
    hand.press("space")
    settle(ready)
    assert ready.generate.start.body.isVisible()
    page, button = ready.tabs.page(0), ready.generate.start.button
    top = button.mapTo(page.viewport(), button.rect().topLeft()).y()
    assert 0 <= top < page.viewport().height()  # what has the focus is in view

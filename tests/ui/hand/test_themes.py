"""The window in both themes, as it is drawn: what must be seen stands out from its surroundings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hand import Hand
from numpy.typing import NDArray
from PIL import Image
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QWidget

LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3


@pytest.fixture
def screenshot(viewer, tmp_path: Path, qtbot):
    """Return a function that gives the pixels of the whole window, (height, width, 3)."""

    def take() -> NDArray[np.uint8]:
        path = tmp_path / "window.png"
        qtbot.wait(50)
        window = viewer.window._qt_window
        assert window.screen().grabWindow(0).save(str(path))
        return np.asarray(Image.open(path).convert("RGB"))

    return take


def luminance(colours: NDArray) -> NDArray:
    """Return the relative luminance of sRGB colours, (…, 3), as WCAG defines it."""
    part = np.asarray(colours, float) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast(picture: NDArray[np.uint8], widget: QWidget) -> float:
    """Return the contrast between the text of a widget and its background, on the screen."""
    corner = widget.mapToGlobal(QPoint(0, 0))
    y, x = corner.y(), corner.x()
    drawn = picture[y : y + widget.height(), x : x + widget.width()].reshape(-1, 3)
    light = np.sort(luminance(drawn))
    background = np.median(light)
    farthest = light[[len(light) // 500, -1 - len(light) // 500]]  # without single pixels
    text = farthest[np.argmax(np.abs(farthest - background))]
    low, high = sorted((background, text))
    return float((high + 0.05) / (low + 0.05))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_texts_stand_out_in_the_picture_of_the_window(
    theme, studio, viewer, client, hand: Hand, press_on, settle, screenshot, qtbot
) -> None:
    from pictures import tissue

    from napari_pixcell.slides import ArraySlide

    viewer.theme = theme
    settle(studio)
    first = screenshot()
    welcome = studio.welcome.sample_button, studio.footer.guide_button
    assert all(contrast(first, one) >= LEAST_CONTRAST for one in welcome)
    studio.link.add_slide(ArraySlide([tissue(800)], 0.5, "case 7"))
    settle(studio)
    for _ in range(2):
        press_on(studio, studio.footer.guide_button)
    press_on(studio, studio.footer.generate_button)
    client.play()
    settle(studio)
    hand.move(studio.results.strip)  # no button is highlighted
    seen = {
        0: (studio.region.add_button, studio.region.header, studio.layout_.tools.buttons["paint"]),
        1: (studio.stain.header, studio.measure.tissue_button, studio.stain.train_button),
        2: (studio.export.export_button, studio.dataset.make_button),
    }
    for index, widgets in seen.items():
        hand.click(hand.tab(studio.tabs.tabBar(), index))
        settle(studio)
        hand.move(studio.results.strip)
        picture = screenshot()
        always = (
            *(studio.header.name, studio.header.chip, studio.footer.generate_button),
            *(studio.results.count, studio.results.export_button, studio.results.swipe),
        )
        faint = {
            one.objectName() or one.toolTip(): round(contrast(picture, one), 1)
            for one in (*always, *widgets)
            if contrast(picture, one) < LEAST_CONTRAST
        }
        assert not faint
    # The variant over the region, and the thumbnails, are tissue: neither black nor empty.
    strip = studio.results.strip
    corner = strip.mapToGlobal(QPoint(0, 0))
    drawn = picture[corner.y() : corner.y() + strip.height(), corner.x() : corner.x() + 600]
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 200

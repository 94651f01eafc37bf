"""Frames and names of regions, as they are rendered, on light, dark and mid-tone tissue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from mouse import drag
from numpy.typing import NDArray
from pictures import tissue
from scipy import ndimage

from napari_pixcell.slides import ArraySlide
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.layers import region_marks
from napari_pixcell.ui.layers.region_marks import FRAME_PX

TEXT_CONTRAST, LINE_CONTRAST = 4.5, 3.0  # of WCAG
SIDE = 800  # px of the slides, at 0.5 µm/px
SLIDES = {
    "black": np.full((SIDE, SIDE, 3), 4, np.uint8),
    "white": np.full((SIDE, SIDE, 3), 252, np.uint8),
    "mid-tone": np.full((SIDE, SIDE, 3), 118, np.uint8),
    "H&E": tissue(SIDE),
    "nuclei and glass": np.random.default_rng(0).choice([20, 240], (SIDE, SIDE, 1)).repeat(3, 2),
}
ON_SLIDES = pytest.mark.parametrize("name", SLIDES)


def luminance(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Return WCAG's relative luminance of sRGB colours."""
    share = pixels[..., :3] / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a: Any, b: Any) -> Any:
    """Return WCAG's contrast between luminances."""
    return (np.maximum(a, b) + 0.05) / (np.minimum(a, b) + 0.05)


def rendered(studio: PixCellStudio) -> NDArray[np.float64]:
    """Return the luminance of the canvas, pixel by pixel."""
    return luminance(studio.viewer.screenshot(canvas_only=True, flash=False))


def corner(studio: PixCellStudio) -> tuple[int, int]:
    """Return the row and column of the upper left corner of the first region on the canvas."""
    camera, (height, width) = studio.viewer.scene.camera, studio.viewer.canvas.size
    y, x = studio.link.find("regions").data[0].min(axis=0)[-2:]
    row = (y - camera.center[-2]) * camera.zoom + height / 2
    return round(row), round((x - camera.center[-1]) * camera.zoom + width / 2)


@pytest.fixture
def open_on(studio: PixCellStudio, settle: Callable[..., None]) -> Callable[..., PixCellStudio]:
    """Return a function that opens a slide with two regions, of which the second is active."""

    def open_on(pixels: NDArray[np.uint8]) -> PixCellStudio:
        studio.link.add_slide(ArraySlide([pixels.astype(np.uint8)], 0.5, "case 7"))
        for x in (300, 600):
            studio.session.regions.add((x, 400))
        first = studio.session.regions.current[0]
        studio.session.regions.rename(first.number, "Region A")
        settle(studio)
        camera = studio.viewer.scene.camera
        camera.center, camera.zoom = (200.0, 200.0), 0.8
        return studio

    return open_on


@pytest.fixture
def letters(open_on: Callable[..., PixCellStudio]) -> NDArray[np.bool_]:
    """The pixels of the name of the first region, found on black."""
    studio = open_on(SLIDES["black"])
    row, column = corner(studio)
    mask = rendered(studio) > 0.7
    mask[row - 4 :], mask[: row - 30] = False, False
    mask[:, : column - 4], mask[:, column + 104 :] = False, False
    studio.viewer.layers.clear()
    assert mask.sum() > 150
    return mask


@ON_SLIDES
def test_a_name_stands_out_from_its_surroundings(letters, open_on, name: str) -> None:
    light = rendered(open_on(SLIDES[name]))
    around = ndimage.binary_dilation(letters, iterations=2)
    around &= ~ndimage.binary_dilation(letters, np.ones((3, 3)))
    weakest = contrast(np.percentile(light[letters], 20), np.percentile(light[around], 80))
    assert weakest >= TEXT_CONTRAST


@ON_SLIDES
def test_frames_show_on_any_tissue(open_on, name: str) -> None:
    studio = open_on(SLIDES[name])
    light, (row, column) = rendered(studio), corner(studio)
    rows = slice(row + 10, row + 40)
    lines = light[rows, column - int(FRAME_PX[-1]) : column]
    assert (contrast(lines.max(axis=1), lines.min(axis=1)) >= LINE_CONTRAST).all()
    beside = np.median(light[rows, column - 14 : column - 6])
    assert contrast(lines, beside).max(axis=1).min() >= LINE_CONTRAST


def test_the_frame_of_the_active_region_has_a_colour(open_on) -> None:
    studio = open_on(SLIDES["mid-tone"])
    one, other = studio.session.regions.current
    coloured = []
    for item in (one, other):
        studio.session.regions.activate(item.number)
        picture = studio.viewer.screenshot(canvas_only=True, flash=False)
        row, column = corner(studio)
        strip = picture[row + 10, column - 4 : column, :3].astype(int)
        coloured.append(bool((np.ptp(strip, axis=1) > 100).any()))
    assert coloured == [True, False]


def test_frames_are_as_wide_at_any_zoom_and_follow_their_boxes(open_on) -> None:
    studio = open_on(SLIDES["mid-tone"])

    def width() -> int:
        studio.viewer.scene.camera.center = studio.link.find("regions").data[0][0]
        light, (row, column) = rendered(studio), corner(studio)
        cut = light[row + 8, column - 12 : column]
        return int((contrast(cut, np.median(light[row + 8, :column])) > 1.5).sum())

    studio.viewer.scene.camera.zoom = 1.0
    before = width()
    studio.viewer.scene.camera.zoom = 4.0
    assert abs(width() - before) <= 1 and before >= 3
    boxes = studio.link.find("regions")
    boxes.data = [boxes.data[0] + 11.0, boxes.data[1]]  # as while one drags it
    assert abs(width() - before) <= 1


def test_a_frame_follows_its_box_while_it_is_dragged(open_on) -> None:
    studio = open_on(SLIDES["mid-tone"])
    layer = studio.link.find("regions")
    studio.viewer.layers.selection.active = layer
    centre = layer.data[1].mean(axis=0)[-2:]
    places = []

    def moved(_event: object = None) -> None:
        row, column = corner(studio)
        at = layer.data[1].min(axis=0) - layer.data[0].min(axis=0)
        row, column = (np.array((row, column)) + at * studio.viewer.scene.camera.zoom).round()
        strip = rendered(studio)[int(row) + 10, int(column) - 4 : int(column)]
        places.append((float(at[1]), float(contrast(strip.max(), strip.min()))))

    layer.mouse_drag_callbacks.append(lambda *_: _each_move(moved))
    drag(layer, *(tuple(np.add(centre, (0, x))) for x in (0, 6, 12)))
    layer.mouse_drag_callbacks.pop()
    assert len({at for at, _ in places}) > 1
    assert min(seen for _, seen in places) >= LINE_CONTRAST


def _each_move(act: Callable[[], None]) -> Iterator[None]:
    """Act at every step of a drag, after napari's own callback."""
    while True:
        yield
        act()


def test_the_names_go_with_the_text_of_their_layer(letters, open_on) -> None:
    studio = open_on(SLIDES["black"])
    layer = studio.link.find("regions")
    layer.text.visible = False
    assert (rendered(studio)[letters] < 0.1).all()
    layer.text.visible, layer.visible = True, False
    assert (rendered(studio)[letters] < 0.1).all()
    layer.visible = True
    assert np.median(rendered(studio)[letters]) > 0.7


def test_a_closed_studio_leaves_frames_and_names_to_napari(open_on) -> None:
    studio = open_on(SLIDES["black"])
    layer = studio.link.find("regions")
    assert (layer.edge_color[:, 3] == 0).all()
    studio.close_session()
    assert (layer.edge_color[:, 3] == 1).all()
    assert (rendered(studio) > 0.3).sum() > 500  # edges and text


def test_nothing_is_drawn_once_napari_has_closed_its_window(open_on, monkeypatch) -> None:
    studio = open_on(SLIDES["black"])
    layer = studio.link.find("regions")
    monkeypatch.setattr(region_marks, "isalive", lambda _canvas: False)
    studio.close_session()
    assert (layer.edge_color[:, 3] == 0).all()  # a change would draw on a canvas that is gone

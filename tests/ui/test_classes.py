"""Classes of cells in the window: the swatches, the colours of the layout, keys, undo."""

from __future__ import annotations

import numpy as np
import pytest
from fitting import text_of
from mouse import drag, send
from own_classes import write_own_classes
from qtpy.QtCore import QPoint, Qt
from skimage.draw import disk

from napari_pixcell.cells import condition_image
from napari_pixcell.cells.class_map import COLOURS, make_palette
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.studio.cells.classes import HOW
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.layers.class_colours import ClassColormap
from napari_pixcell.ui.sections.classes import NO_CLASS

RED, BLUE, WHITE = [1, 32 / 255, 32 / 255, 1], [32 / 255, 96 / 255, 1, 1], [1, 1, 1, 1]


@pytest.fixture
def marked(ready, settle):
    """A studio with a model that knows two classes, and three cells, of which one has a class."""
    ready.session.settings.use_family(write_own_classes())
    click(ready.region.add_button)
    settle(ready)
    labels = np.zeros((256, 256), np.int32)
    for label, centre in enumerate(((50, 50), (50, 150), (150, 50)), start=1):
        labels[disk(centre, 10)] = label
    ready.session.layouts.set(1, labels, "test", LayoutSource("painted"), {1: "stroma"})
    settle(ready)
    return ready


def picker(studio):
    return studio.layout_.tools.classes


def classes(studio) -> dict[int, str]:
    return studio.session.regions.active.classes


def colour(studio, label: int) -> list[float]:
    return studio.link.tools.layer.colormap.map(label)


def checked(studio) -> list[str]:
    return [name for name, made in picker(studio).buttons.items() if made.isChecked()]


def at(studio, *points: tuple[float, float]) -> list[tuple[float, float]]:
    return [tuple(studio.link.tools.layer.data_to_world(point)) for point in points]


def select(studio, point: tuple[float, float]) -> None:
    (where,) = at(studio, point)
    layer = studio.link.tools.layer
    send(layer, "mouse_press", where)
    send(layer, "mouse_release", where)


def test_only_a_model_with_classes_shows_them(ready, settle) -> None:
    click(ready.region.add_button)
    settle(ready)
    assert not picker(ready).isVisible()
    ready.session.layouts.new()
    settle(ready)
    layer = ready.link.tools.layer
    usual = layer.colormap.colors.copy()
    ready.session.settings.use_family(write_own_classes())
    settle(ready)
    assert picker(ready).isVisible() and isinstance(layer.colormap, ClassColormap)
    assert [text_of(made) for made in picker(ready).buttons.values()] == [
        *("tumour", "stroma", NO_CLASS)
    ]
    assert checked(ready) == ["tumour"]
    ready.session.settings.use_family("demo")
    settle(ready)
    assert not picker(ready).isVisible()
    np.testing.assert_allclose(layer.colormap.colors, usual)


def test_painted_outlined_and_stamped_cells_have_the_picked_class(marked, settle) -> None:
    tools, layer = marked.link.tools, marked.link.tools.layer
    click(marked.layout_.tools.buttons["paint"])
    click(picker(marked).buttons["tumour"])
    drag(layer, *at(marked, (200, 50), (200, 60)))
    click(picker(marked).buttons["stroma"])
    drag(layer, *at(marked, (200, 100), (200, 110)))
    click(marked.layout_.tools.buttons["outline"])
    turns = np.linspace(0, 2 * np.pi, 25)
    drag(layer, *at(marked, *((200 + 16 * np.sin(t), 150 - 16 * np.cos(t)) for t in turns)))
    click(marked.layout_.tools.buttons["stamp"])
    settle(marked)
    click(picker(marked).buttons["tumour"])
    select(marked, (200, 220))
    settle(marked)
    assert classes(marked) == {1: "stroma", 4: "tumour", 5: "stroma", 6: "stroma", 7: "tumour"}
    np.testing.assert_allclose(colour(marked, 4), RED, atol=1e-6)
    np.testing.assert_allclose(colour(marked, 5), BLUE, atol=1e-6)
    np.testing.assert_allclose(colour(marked, 2), WHITE)
    assert tools.layer.data.max() == 7


def test_a_stroke_is_shown_in_the_picked_colour_while_it_is_drawn(marked, settle) -> None:
    layer = marked.link.tools.layer
    click(marked.layout_.tools.buttons["paint"])
    for name, expected in (("tumour", RED), ("stroma", BLUE), ("", WHITE)):
        click(picker(marked).buttons[name])
        np.testing.assert_allclose(layer.colormap.map(layer.selected_label), expected, atol=1e-6)


def test_parts_of_a_cell_that_is_cut_keep_its_class(marked, settle) -> None:
    click(marked.layout_.tools.buttons["split"])
    drag(marked.link.tools.layer, *at(marked, (50, 30), (50, 70)))
    drag(marked.link.tools.layer, *at(marked, (50, 130), (50, 170)))
    settle(marked)
    assert marked.link.tools.layer.data.max() == 5
    assert classes(marked) == {1: "stroma", 4: "stroma"}


def test_the_selected_cell_shows_its_class_and_is_given_another(marked, settle) -> None:
    tools, panel = marked.link.tools, marked.layout_.tools
    click(panel.buttons["select"])
    select(marked, (50, 50))
    settle(marked)
    assert checked(marked) == ["stroma"] and "Pick its class below" in panel.help.text()
    click(picker(marked).buttons["tumour"])
    settle(marked)
    assert classes(marked) == {1: "tumour"} and tools.selection.label == 1
    np.testing.assert_allclose(colour(marked, 1), RED, atol=1e-6)
    drawn, rim = tools.layer._slice.image.view, (50, 41)
    assert drawn[rim] == tools.layer.colormap._data_to_texture(tools.layer.data)[rim] != drawn[0, 0]
    select(marked, (50, 150))
    settle(marked)
    assert checked(marked) == [""]
    click(panel.buttons["paint"])  # new cells have the class that was picked last
    settle(marked)
    assert checked(marked) == ["tumour"]


def test_classes_and_strokes_are_undone_and_redone_in_turn(marked, settle) -> None:
    tools, panel = marked.link.tools, marked.layout_.tools
    click(panel.buttons["paint"])
    drag(tools.layer, *at(marked, (200, 50), (200, 60)))  # cell 4
    click(panel.buttons["select"])
    select(marked, (200, 55))
    click(picker(marked).buttons["stroma"])
    click(panel.buttons["erase"])
    drag(tools.layer, *at(marked, (50, 50), (50, 52)))
    settle(marked)
    erased = tools.layer.data.copy()
    click(panel.undo)
    assert tools.layer.data[50, 50] == 1 and classes(marked)[4] == "stroma"
    click(panel.undo)
    assert classes(marked)[4] == "tumour"
    np.testing.assert_allclose(colour(marked, 4), RED, atol=1e-6)
    click(panel.undo)
    assert tools.layer.data.max() == 3 and classes(marked)[1] == "stroma"
    for _ in range(3):
        click(panel.redo)
    settle(marked)
    np.testing.assert_array_equal(tools.layer.data, erased)
    assert classes(marked)[4] == "stroma" and not panel.redo.isEnabled()


def test_all_cells_without_a_class_are_given_the_picked_one(marked, settle) -> None:
    made = picker(marked)
    assert made.state.text() == f"2 cells have no class and are drawn white. {HOW}"
    click(made.buttons["tumour"])
    click(made.fill_button)
    settle(marked)
    assert classes(marked) == {1: "stroma", 2: "tumour", 3: "tumour"}
    assert made.buttons["tumour"].toolTip().startswith("tumour (2 cells): the class of new cells")
    assert made.state.text() == "3 cells, all with a class." and not made.fill_button.isEnabled()
    click(marked.layout_.tools.undo)
    settle(marked)
    assert classes(marked) == {1: "stroma"}


def test_nothing_moves_when_a_cell_is_selected_or_given_a_class(marked, settle) -> None:
    def places() -> list[QPoint]:
        panel = marked.layout_.tools
        parts = (*panel.buttons.values(), panel.undo, *picker(marked).buttons.values())
        return [
            one.mapTo(marked.layout_, QPoint(0, 0)) for one in (*parts, marked.layout_.seen.button)
        ]

    click(marked.layout_.tools.buttons["select"])
    settle(marked)
    before = places()
    select(marked, (50, 150))
    settle(marked)
    assert places() == before
    click(picker(marked).buttons["tumour"])
    settle(marked)
    assert places() == before
    click(picker(marked).fill_button)
    settle(marked)
    assert places() == before


def test_the_model_input_shows_the_classes(marked, settle, qtbot) -> None:
    section = marked.layout_
    assert "in the colours of their classes" in section.condition.toolTip()
    section.seen.button.setChecked(True)
    click(section.condition)
    settle(marked)
    item = marked.session.regions.active
    shown = marked.link.find("condition").data
    expected = condition_image(item.layout, True, marked.session.classes.map_of(item))
    np.testing.assert_array_equal(shown, expected)
    assert tuple(shown[50, 50]) == (32, 96, 255) and tuple(shown[50, 150]) == (255, 255, 255)
    marked.session.classes.set(1, [2], "tumour")
    red = (255, 32, 32)
    qtbot.waitUntil(lambda: tuple(marked.link.find("condition").data[50, 150]) == red)


def test_the_layout_beside_its_variants_has_the_colours_of_the_classes(
    marked, settle, client
) -> None:
    marked.session.generator.generate()
    settle(marked)
    client.play()
    settle(marked)
    (cell,) = [one for one in marked.results.strip.model_.cells if one.kind == "layout"]
    image = cell.picture.toImage()
    side = image.width() / 256
    found = [image.pixelColor(round(x * side), round(50 * side)).name() for x in (50, 150, 100)]
    assert found == ["#2060ff", "#ffffff", "#000000"]


def test_the_key_q_goes_through_the_classes(marked, settle) -> None:
    tools, layer = marked.link.tools, marked.link.tools.layer
    click(marked.layout_.tools.buttons["paint"])
    forth, back = (layer.keymap[key] for key in _keys(layer, "Q", "Shift+Q"))
    seen = []
    for _ in range(3):
        forth(layer)
        seen.append(tools.shown_class)
    assert seen == ["stroma", "", "tumour"]
    back(layer)
    assert tools.shown_class == ""


def _keys(layer, *names: str) -> list:
    return [next(key for key in layer.keymap if str(key) == name) for name in names]


def test_many_classes_with_long_names_fit_a_narrow_dock(marked, viewer, settle) -> None:
    names = [f"{number} lymphocytes of the tumour stroma" for number in range(len(COLOURS))]
    marked.session.settings.use_family(write_own_classes("many", make_palette([*names, ""])))
    marked.window().resizeDocks([marked.parent()], [320], Qt.Orientation.Horizontal)
    settle(marked)
    made = picker(marked)
    assert marked.minimumWidth() == 320 and len(made.buttons) == len(COLOURS) + 1
    for name, one in made.buttons.items():
        assert one.fontMetrics().horizontalAdvance(one.text()) + 14 <= one.width()
        assert one.toolTip().startswith(name or NO_CLASS)
    assert made.buttons[names[0]].text().endswith("…")


def test_cells_are_invented_with_the_picked_class_or_those_of_a_template(marked, settle) -> None:
    panel = marked.layout_.inventing
    panel.button.setChecked(True)
    settle(marked)
    assert panel.classes_row.isVisible() and panel.classes.currentText().endswith("(tumour)")
    marked.session.invention.change(density=3000.0)
    click(panel.invent_button)
    settle(marked)
    assert set(classes(marked).values()) == {"tumour"}
    marked.session.invention.measure_like(1)
    settle(marked)
    assert panel.classes.currentText() == "tumour 100%"
    panel.classes.setCurrentIndex(0)
    panel.classes.activated.emit(0)
    settle(marked)
    assert marked.session.invention.recipe.classes == ()

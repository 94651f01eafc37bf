"""Classes of cells: given, changed, filled in, invented, saved and sent, without a window."""

from __future__ import annotations

import numpy as np
import pytest
from own_classes import PALETTE, write_own_classes
from scripted import ScriptedClient
from skimage.draw import disk

from napari_pixcell.cells.class_map import ClassMap
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.studio.cells.classes import HOW
from napari_pixcell.studio.session import Session


@pytest.fixture
def marked(session: Session) -> Session:
    """A session with a model that knows two classes, and a layout of three cells."""
    session.settings.use_family(write_own_classes())
    session.regions.add((400, 400))
    session.wait()
    labels = np.zeros((256, 256), np.int32)
    for label, centre in enumerate(((50, 50), (50, 150), (150, 50)), start=1):
        labels[disk(centre, 10)] = label
    session.layouts.set(1, labels, "test", LayoutSource("painted"), {1: "tumour"})
    session.wait()
    return session


def active(session: Session):
    item = session.regions.active
    assert item is not None
    return item


def test_a_model_without_classes_gives_none(session: Session) -> None:
    classes = session.classes
    assert classes.palette == () and classes.picked == ""
    session.regions.add((400, 400))
    session.wait()
    session.layouts.new()
    item = active(session)
    classes.add(item, 1)
    assert item.classes == {} and classes.sentence(item) == "" and classes.map_of(item) is None


def test_new_cells_have_the_picked_class_or_that_of_the_cell_they_were_cut_from(
    marked: Session,
) -> None:
    classes, item = marked.classes, active(marked)
    assert classes.palette == PALETTE and classes.picked == "tumour"
    classes.pick("stroma")
    classes.add(item, 4)
    classes.add(item, 5, parent=1)
    classes.add(item, 6, parent=2)
    assert item.classes == {1: "tumour", 4: "stroma", 5: "tumour"}
    classes.pick("")
    assert classes.picked == ""
    marked.settings.use_family("demo")
    assert classes.picked == ""
    marked.settings.use_family(write_own_classes("other", (("gland", "#20d020"),)))
    assert classes.picked == "gland"


def test_another_class_is_recorded_for_undo_and_applied_again(marked: Session) -> None:
    classes, item, changes = marked.classes, active(marked), []
    classes.recorded.connect(changes.append)
    classes.set(1, [1, 2], "stroma")
    assert item.classes == {1: "stroma", 2: "stroma"}
    (change,) = changes
    classes.apply(1, change.before)
    assert item.classes == {1: "tumour"}
    classes.apply(1, change.after)
    assert item.classes == {1: "stroma", 2: "stroma"}
    classes.set(1, [1], "stroma")
    assert len(changes) == 1  # it had that class
    classes.set(9, [1], "tumour")  # no such region
    assert len(changes) == 1


def test_an_edit_of_classes_marks_an_imported_layout_as_edited(marked: Session) -> None:
    item = active(marked)
    marked.layouts.set(1, item.layout.copy(), "imported", LayoutSource("imported"), {1: "tumour"})
    marked.classes.set(1, [2], "tumour")
    assert item.layout_source == LayoutSource("imported", edited=True)


def test_cells_without_a_class_are_counted_and_filled_in(marked: Session) -> None:
    classes, item = marked.classes, active(marked)
    assert classes.sentence(item) == f"2 cells have no class and are drawn white. {HOW}"
    classes.pick("")
    assert classes.why_not_fill(item) == "Pick a class first"
    classes.fill(1)
    assert item.classes == {1: "tumour"}
    classes.pick("stroma")
    assert classes.why_not_fill(item) == ""
    classes.fill(1)
    assert item.classes == {1: "tumour", 2: "stroma", 3: "stroma"}
    assert classes.sentence(item) == "3 cells, all with a class."
    assert classes.why_not_fill(item) == "All cells have a class"
    assert classes.why_not_fill(None) == "There are no cells"


def test_a_class_that_the_model_lacks_is_named_and_replaced(marked: Session) -> None:
    classes, item = marked.classes, active(marked)
    marked.layouts.set(1, item.layout.copy(), "x", None, {1: "Tumor", 2: "tumour", 3: "tumour"})
    words = f"1 cell has the class “Tumor”, which the model lacks. {HOW}"
    assert classes.sentence(item) == words
    assert classes.known(item) == {2: "tumour", 3: "tumour"} and classes.of(item, 1) == ""
    assert classes.map_of(item) == ClassMap(PALETTE, ((2, 3), (), ()))
    marked.generator.generate()
    marked.wait()
    assert "cells of the class “Tumor” (1)" in " ".join(marked.notices.problems.values())
    classes.fill(1)
    assert set(item.classes.values()) == {"tumour"}


def test_without_a_class_for_the_rest_cells_are_drawn_like_the_first(marked: Session) -> None:
    marked.settings.use_family(write_own_classes("strict", PALETTE[:2]))
    item = active(marked)
    words = "2 cells have no class and are drawn as the first class."
    assert marked.classes.sentence(item) == f"{words} {HOW}"


def test_invented_cells_have_the_picked_class_or_the_proportions_of_the_template(
    marked: Session,
) -> None:
    invention, item = marked.invention, active(marked)
    invention.change(density=2000.0)
    marked.classes.pick("stroma")
    invention.invent()
    marked.wait()
    assert item.cells > 10 and set(item.classes.values()) == {"stroma"}
    assert item.layout_source.recipe["classes"] == [["stroma", 1.0]]
    assert invention.recipe.classes == ()  # the next one has the class that is picked then
    half = dict.fromkeys(list(item.classes)[: item.cells // 2], "tumour")
    marked.classes.apply(1, half)
    invention.measure_like(1)
    marked.wait()
    rest = item.cells - len(half)
    assert dict(invention.recipe.classes) == {"tumour": float(len(half)), "stroma": float(rest)}
    invention.invent()
    marked.wait()
    assert set(item.classes.values()) == {"tumour", "stroma"}
    invention.change(classes=())
    invention.invent()
    marked.wait()
    assert set(item.classes.values()) == {"stroma"}


def test_cells_added_by_a_variation_have_the_picked_class(marked: Session) -> None:
    item = active(marked)
    item.classes[4] = "tumour"  # of a stroke that was undone
    marked.classes.pick("stroma")
    marked.invention.vary(jitter_um=0, drop=0, add=2)
    marked.wait()
    added = int(item.layout.max()) - 3
    assert added > 0
    assert item.classes == {1: "tumour"} | {4 + n: "stroma" for n in range(added)}


def test_the_request_holds_the_classes(marked: Session, client: ScriptedClient) -> None:
    marked.classes.set(1, [2], "stroma")
    marked.generator.generate()
    marked.wait(until=lambda: bool(client.waiting))
    ((request, _),) = client.waiting
    assert request.classes == ClassMap(PALETTE, ((1,), (2,), ()))


def test_a_dataset_of_layouts_has_their_classes(marked: Session) -> None:
    datasets = marked.datasets
    datasets.choice.styles = datasets.choice.layouts = "regions"
    (layout,) = datasets._wanted().recipe().layouts
    assert layout["classes"] == {"1": "tumour"}

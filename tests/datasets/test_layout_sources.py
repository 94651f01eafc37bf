"""Layouts of a recipe from files and folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_pixcell.cells import write_labels
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.recipe.layout_sources import LayoutSources
from napari_pixcell.datasets.store.inputs import write_layout
from napari_pixcell.datasets.store.parsing import layout_row
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import families


def layouts(*parts: dict[str, object]) -> list[np.ndarray]:
    def segment(pixels: np.ndarray) -> tuple[np.ndarray, LayoutSource]:
        raise AssertionError("no layout is segmented")

    sources = LayoutSources(parts, families()["demo"], (), segment)
    return [layout.labels for layout in sources]


def test_an_empty_tile_is_left_out(tmp_path: Path) -> None:
    side = families()["demo"].tile
    labels = np.zeros((2 * side, 2 * side), np.int32)
    labels[10:20, 10:20], labels[side + 5 : side + 9, side + 5 : side + 9] = 1, 2
    write_labels(tmp_path / "a.tif", labels, families()["demo"].mpp)
    file = {"from": "file", "path": str(tmp_path / "a.tif")}
    assert [np.unique(one).tolist() for one in layouts(file)] == [[0, 1], [0, 2]]
    assert len(layouts({"from": "vary", "layout": file, "jitter_um": 1, "count": 2})) == 4


def test_classes_follow_their_cells_into_tiles_and_variations(tmp_path: Path) -> None:
    family = families()["demo"]
    side = family.tile
    labels = np.zeros((side, 2 * side), np.int32)
    labels[10:20, 10:20], labels[50:60, side + 50 : side + 60] = 1, 2
    write_labels(tmp_path / "a.tif", labels, family.mpp, {1: "tumour", 2: "stroma"})
    file = {"from": "file", "path": str(tmp_path / "a.tif")}
    parts = (file, {"from": "vary", "layout": file, "jitter_um": 1})
    found = list(LayoutSources(parts, family, (), lambda pixels: (pixels, None)))
    expected = [{1: "tumour"}, {2: "stroma"}]
    assert [one.classes for one in found] == expected * 2
    for one in found[:2]:
        row = json.loads(json.dumps(write_layout(tmp_path, one, family.mpp)))
        assert layout_row(row)["classes"] == one.classes
    with pytest.raises(ValueError, match="its classes are no names of labels"):
        layout_row(row | {"classes": {"one": "tumour"}})


def test_empty_and_hidden_files_of_a_folder_are_left_out(tmp_path: Path) -> None:
    side, mpp = families()["demo"].tile, families()["demo"].mpp
    cells = np.zeros((side, side), np.int32)
    write_labels(tmp_path / "empty.tif", cells, mpp)
    folder = {"from": "folder", "path": str(tmp_path)}
    with pytest.raises(PixCellError, match="has no cells in a whole tile"):
        layouts(folder)
    cells[5:9, 5:9] = 1
    (tmp_path / ".trash").mkdir()
    for name in ("one.tif", ".hidden.tif", ".trash/two.tif"):
        write_labels(tmp_path / name, cells, mpp)
    assert len(layouts(folder)) == 1

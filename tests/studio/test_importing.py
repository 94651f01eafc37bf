"""Cells of other tools in a session: onto one region, or onto the slide and all of its regions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from tifffile import imread, imwrite

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.cells.reading.limits import holds_cells
from napari_pixcell.slides import Region


def geojson(path: Path, *boxes: tuple[float, float, float, float], name: str = "Tumor") -> Path:
    """Write rectangles as QuPath would: (x, y, width, height) in level-0 px."""
    features = [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(shapely.box(x, y, x + w, y + h)),
            "properties": {"objectType": "cell", "classification": {"name": name}},
        }
        for x, y, w, h in boxes
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def draw(session, x: float, y: float, width: float = 256, height: float = 256):
    item = session.regions.draw(Region(x, y, width, height))
    session.wait(20)
    return item


def test_cells_of_the_slide_appear_in_each_region(session, tmp_path) -> None:
    first = draw(session, 100, 100)
    path = geojson(tmp_path / "cells.geojson", (120, 130, 10, 12), (420, 440, 14, 10))
    session.layout_files.read(path)
    assert session.layout_files.reading == "cells.geojson"
    session.wait(20)
    assert not session.layout_files.reading and session.notices.notes["layout"] == (
        "1 of 2 cells on the slide lie in this region."
    )
    assert (first.layout[30:42, 20:30] > 0).all() and np.count_nonzero(first.layout) == 120
    assert first.cells == 1 and list(first.classes.values()) == ["Tumor"]
    assert first.layout_origin == "imported from cells.geojson"
    second = draw(session, 400, 400)
    assert (second.layout[40:50, 20:34] > 0).all() and second.cells == 1
    session.regions.move(second.number, Region(410, 400, 256, 256))
    session.wait(20)
    assert (second.layout[40:50, 10:24] > 0).all() and second.cells == 1
    session.regions.move(second.number, Region(500, 500, 256, 256))
    session.wait(20)
    assert second.layout is None
    session.regions.move(second.number, Region(400, 400, 256, 256))
    session.wait(20)
    assert second.cells == 1
    third = draw(session, 0, 500)
    assert third.layout is None and "layout" not in session.notices.problems


def test_cells_that_lie_elsewhere_are_located(session, tmp_path) -> None:
    item = draw(session, 100, 100)
    path = geojson(tmp_path / "cells.geojson", (500, 540, 10, 12), (520, 540, 14, 10))
    session.layout_files.read(path)
    session.wait(20)
    elsewhere = session.layout_files.elsewhere
    assert elsewhere.sentence == (
        "None of the 2 cells is in this region. They are near x 505, y 546."
    )
    assert not elsewhere.relative and "layout" not in session.notices.notes
    there = draw(session, 450, 450)
    assert there.cells == 2 and session.layout_files.elsewhere is None
    session.regions.activate(item.number)
    assert session.layout_files.elsewhere is not None


def test_cells_that_count_from_the_region_s_corner_are_recognised(session, tmp_path) -> None:
    item = draw(session, 300, 300)
    path = geojson(tmp_path / "cells.geojson", (20, 30, 10, 12), (40, 60, 14, 10))
    session.layout_files.read(path)
    session.wait(20)
    assert session.layout_files.elsewhere.relative
    session.layout_files.read(path, on_region=True)
    session.wait(20)
    assert item.cells == 2 and session.layout_files.elsewhere is None


def test_edited_cells_of_the_slide_move_with_their_region(session, tmp_path) -> None:
    item = draw(session, 100, 100)
    session.layout_files.read(geojson(tmp_path / "cells.json", (120, 130, 10, 12)))
    session.wait(20)
    item.layout[200:210, 200:210] = 9
    session.layouts.edited(item.number)
    before = item.layout.copy()
    session.regions.move(item.number, Region(150, 100, 256, 256))
    session.wait(20)
    np.testing.assert_array_equal(item.layout, before)


def test_an_import_replaces_the_layout_and_can_be_undone(session, tmp_path) -> None:
    item = draw(session, 100, 100)
    painted = np.zeros((256, 256), np.int32)
    painted[5:9, 5:9] = 3
    session.layouts.set(item.number, painted, "painted", LayoutSource("painted"))
    imwrite(tmp_path / "mask.tif", np.pad(np.full((20, 30), 7, np.uint16), ((6, 230), (6, 220))))
    session.layout_files.read(tmp_path / "mask.tif")
    session.wait(20)
    assert np.count_nonzero(item.layout) == 600 and item.layout_source.method == "imported"
    session.layouts.undo(item.number)
    np.testing.assert_array_equal(item.layout, painted)
    assert item.layout_origin == "painted"
    session.layouts.redo(item.number)
    assert np.count_nonzero(item.layout) == 600


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"{]", "bad.json"), (b"", "empty"), (b'{"type": "FeatureCollection"', "bad.json")],
)
def test_a_damaged_file_leaves_the_layout_unchanged(session, tmp_path, content, words) -> None:
    item = draw(session, 100, 100)
    painted = np.zeros((256, 256), np.int32)
    painted[5:9, 5:9] = 3
    session.layouts.set(item.number, painted, "painted", LayoutSource("painted"))
    (tmp_path / "bad.json").write_bytes(content)
    session.layout_files.read(tmp_path / "bad.json")
    session.wait(20)
    assert (
        words in session.notices.problems["layout"]
        and ". Export" in session.notices.problems["layout"]
    )
    assert item.layout is painted and not session.layout_files.reading


def test_cells_beside_the_slide_are_refused(session, tmp_path) -> None:
    item = draw(session, 100, 100)
    session.layout_files.read(geojson(tmp_path / "far.geojson", (90_000, 90_000, 10, 10)))
    session.wait(20)
    assert "belong to another slide" in session.notices.problems["layout"] and item.layout is None


def test_outlines_can_be_relative_to_the_region(session, tmp_path) -> None:
    item = draw(session, 100, 100)
    path = geojson(tmp_path / "cells.geojson", (20, 30, 10, 12))
    session.layout_files.read(path, on_region=True)
    session.wait(20)
    assert (item.layout[30:42, 20:30] > 0).all() and not session.layout_files.slide_cells


def test_an_import_needs_a_region(session, tmp_path) -> None:
    session.layout_files.read(tmp_path / "any.geojson")
    assert session.notices.problems["layout"].startswith("Cells need a region. Add one first")


@pytest.mark.parametrize("name", ["out.geojson", "out.geojson.gz", "out.tif", "out_seg.npy"])
def test_an_exported_layout_can_be_imported(session, tmp_path, name) -> None:
    item = draw(session, 100, 120)
    labels = np.zeros((256, 256), np.int32)
    labels[20:40, 30:44], labels[100:120, 50:99] = 1, 2
    session.layouts.set(
        item.number, labels, "painted", LayoutSource("painted"), {1: "Tumor", 2: "Stroma"}
    )
    session.layout_files.write(tmp_path / name)
    session.wait(20)
    assert session.notices.notes["layout"].startswith("Wrote 2 cells to out")
    session.layouts.set(item.number, None)
    session.layout_files.read(tmp_path / name)
    session.wait(20)
    np.testing.assert_array_equal(item.layout, labels)
    if name.endswith(("geojson", "gz", "tif")):
        assert item.classes == {1: "Tumor", 2: "Stroma"}


def test_an_export_needs_a_known_suffix(session, tmp_path) -> None:
    item = draw(session, 100, 120)
    session.layouts.set(item.number, np.ones((256, 256), np.int32), "painted")
    session.layout_files.write(tmp_path / "out.xyz")
    assert (
        "The format of out.xyz is unknown. Name it name.geojson"
        in session.notices.problems["layout"]
    )


def test_an_export_replaces_no_file_beside_the_chosen_one(session, tmp_path) -> None:
    """The dialog asked only for out_seg.npy."""
    item = draw(session, 100, 120)
    session.layouts.set(item.number, np.ones((256, 256), np.int32), "painted")
    (tmp_path / "out_masks.tif").write_text("mine")
    session.layout_files.write(tmp_path / "out_seg.npy")
    session.wait(20)
    words = session.notices.problems["layout"]
    assert words == "out_masks.tif, which belongs to out_seg.npy, exists. Choose another name."
    assert (tmp_path / "out_masks.tif").read_text() == "mine"
    assert not (tmp_path / "out_seg.npy").exists()


def test_dropped_files_of_cells_are_told_from_slides(tmp_path, cmu_slide, shared_data) -> None:
    imwrite(tmp_path / "mask.tif", np.zeros((8, 8), np.uint16))
    imwrite(tmp_path / "colour.tif", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "cells.geojson").write_text("{}")
    mask = shared_data / "cellbindb_demo" / "mouse_HE_512" / "pred_MEDIAR.tif"
    assert imread(mask).ndim == 2
    for path in (tmp_path / "mask.tif", tmp_path / "cells.geojson", mask):
        assert holds_cells(path)
    for path in (
        tmp_path / "colour.tif",
        cmu_slide,
        mask.with_name("image.tif"),
        tmp_path / "no.tif",
    ):
        assert not holds_cells(path)


def test_a_region_that_grows_gets_the_cells_of_its_new_part(session, tmp_path) -> None:
    first = draw(session, 100, 100)
    session.layout_files.read(
        geojson(tmp_path / "cells.geojson", (120, 130, 10, 12), (420, 440, 14, 10))
    )
    session.wait(20)
    assert first.cells == 1
    session.regions.move(first.number, Region(0, 0, 500, 500))
    session.wait(20)
    assert first.cells == 2 and first.layout.shape == first.size


def test_a_region_removed_during_the_import_is_no_error(session, tmp_path) -> None:
    first, second = draw(session, 100, 100), draw(session, 400, 400)
    session.layout_files.read(geojson(tmp_path / "cells.geojson", (420, 440, 14, 10)))
    session.wait(20)
    session.layout_files.cut(second)
    session.regions.remove(second.number)
    session.wait(20)
    assert "layout" not in session.notices.problems and [
        item.number for item in session.regions.current
    ] == [1]
    assert first.layout is None


def test_a_region_resized_during_the_import_is_reported(session, tmp_path) -> None:
    item = draw(session, 100, 100)
    imwrite(tmp_path / "mask.tif", np.ones((256, 256), np.uint16))
    session.layout_files.read(tmp_path / "mask.tif")
    item.size = (300, 256)
    session.wait(20)
    assert "resized during the import. Import the cells again" in session.notices.problems["layout"]
    assert item.layout is None

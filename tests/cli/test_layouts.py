"""Layouts from other tools and back, on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_layouts import SAMPLE_CELLS, SAMPLE_COUNT, sample
from tifffile import imread, imwrite

from napari_pixcell.cells import SlideCells, read_cells
from napari_pixcell.slides import Region
from napari_pixcell.slides.samples import SAMPLE_MASK, SAMPLE_SLIDE

PLACE = ("--slide", SAMPLE_SLIDE, "--region", "752,576,256,256")
WITHIN = (slice(64, 192), slice(48, 208))  # where the sample cells lie in that region


@pytest.mark.parametrize("name", ["qupath.geojson.gz", "hovernet.json", "cellvit.json"])
def test_cells_of_a_slide_are_imported_into_a_region(run, tmp_path: Path, name: str) -> None:
    out = tmp_path / "labels.tif"
    result = run("layout", "import", SAMPLE_CELLS / name, *PLACE, "--out", out)
    assert result["code"] == 0
    assert result["cells"] == SAMPLE_COUNT
    assert sum(result["classes"].values()) == SAMPLE_COUNT
    assert result["report"] == f"Read {SAMPLE_COUNT} cells."
    np.testing.assert_array_equal(imread(out)[WITHIN], sample())
    file = read_cells(out)
    assert (file.mpp, len(file.classes)) == (0.5, SAMPLE_COUNT)


def test_a_mask_of_the_whole_slide_is_cropped_to_the_region(run, tmp_path: Path) -> None:
    out = tmp_path / "labels.tif"
    result = run("layout", "import", SAMPLE_MASK, *PLACE, "--out", out)
    mask = imread(SAMPLE_MASK)[576:832, 752:1008]
    np.testing.assert_array_equal(imread(out) > 0, mask > 0)
    assert result["cells"] == len(np.unique(mask)) - 1
    assert result["dropped"]["outside of the region"] == imread(SAMPLE_MASK).max() - result["cells"]


def test_rois_can_start_at_the_corner_of_the_region(run, tmp_path: Path) -> None:
    out = tmp_path / "labels.tif"
    arguments = ("layout", "import", SAMPLE_CELLS / "imagej.zip", *PLACE, "--out", out)
    assert "lie in this region" in run(*arguments)["error"]
    assert not out.exists()
    assert run(*arguments, "--counted-from", "region")["cells"] == SAMPLE_COUNT
    np.testing.assert_array_equal(imread(out)[:128, :160], sample())


def test_an_export_lies_on_its_region(run, tmp_path: Path) -> None:
    mask = imread(SAMPLE_MASK)[576:832, 752:1008]
    imwrite(tmp_path / "m.tif", mask)
    result = run("layout", "export", tmp_path / "m.tif", tmp_path / "a.geojson", *PLACE)
    assert result["written"] == [str(tmp_path / "a.geojson")]
    cells = SlideCells(read_cells(tmp_path / "a.geojson").outlines)
    labels, _, report = cells.layout(Region(752, 576, 256, 256), (256, 256))
    np.testing.assert_array_equal(labels > 0, mask > 0)
    assert result["cells"] == report.read == len(np.unique(mask)) - 1


@pytest.mark.parametrize(
    "names", [["a.geojson.gz"], ["a_seg.npy", "a_masks.tif"], ["a.tif"], ["a.ome.tif"]]
)
def test_every_export_format_can_be_read(run, tmp_path: Path, names: list[str]) -> None:
    result = run("layout", "export", SAMPLE_CELLS / "labels.tif", tmp_path / names[0])
    assert result["written"] == [str(tmp_path / name) for name in names]
    for name in names:
        assert read_cells(tmp_path / name).report.read == SAMPLE_COUNT


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("labels.tif", "a.xml"), r"The format of a.xml is unknown"),
        (("labels.tif", "a.geojson", *PLACE), "is 160 × 128 px but the region has 256 × 256 px"),
        (("labels.tif", "a.geojson", *PLACE[:2]), "needs both --slide and --region"),
        (("coco.json", "a.geojson"), "has outlines, not labels"),
    ],
)
def test_an_impossible_export_is_refused(run, tmp_path, arguments, sentence) -> None:
    labels, out, *place = arguments
    result = run("layout", "export", SAMPLE_CELLS / labels, tmp_path / out, *place)
    assert result["code"] == 1 and sentence in result["error"]
    assert not (tmp_path / out).exists()


def test_a_pixel_size_out_of_range_is_refused(run, tmp_path: Path) -> None:
    arguments = (SAMPLE_CELLS / "qupath.geojson", *PLACE, "--out", tmp_path / "a.tif")
    assert "Choose 0.01 to 50 µm" in run("layout", "import", *arguments, "--cells-mpp", 0)["error"]


def test_generate_reads_cells_of_a_slide_as_its_layout(run, tmp_path: Path) -> None:
    layout = tmp_path / "labels.tif"
    run("layout", "import", SAMPLE_CELLS / "qupath.geojson", *PLACE, "--out", layout)
    options = ("--count", 1, "--steps", 1, "--out")
    for name, file in (("a", SAMPLE_CELLS / "qupath.geojson"), ("b", layout)):
        out = tmp_path / name
        result = run("generate", *PLACE[1:], "--layout", file, *options, out)
        np.testing.assert_array_equal(imread(out / result["masks"][0]), imread(layout))


def test_classes_survive_a_round_trip_through_geojson(run, tmp_path: Path) -> None:
    first, second = tmp_path / "a.tif", tmp_path / "b.tif"
    found = run("layout", "import", SAMPLE_CELLS / "qupath.geojson", *PLACE, "--out", first)
    run("layout", "export", first, tmp_path / "a.geojson", *PLACE)
    back = run("layout", "import", tmp_path / "a.geojson", *PLACE, "--out", second)
    assert back["classes"] == found["classes"] and len(found["classes"]) > 1
    before, after = read_cells(first), read_cells(second)
    for label, name in before.classes.items():
        (there,) = np.unique(after.labels[before.labels == label])
        assert after.classes[int(there)] == name


def test_a_variation_is_reproducible_and_keeps_classes(run, tmp_path: Path) -> None:
    layout, out = tmp_path / "a.tif", tmp_path / "b.tif"
    run("layout", "import", SAMPLE_CELLS / "qupath.geojson", *PLACE, "--out", layout)
    options = ("--jitter", 1, "--drop", 0.25, "--add", 0.5, "--seed", 3, "--out")
    result = run("layout", "vary", layout, *options, out)
    assert (result["dropped"], result["added"], result["cells"]) == (6, 11, 27)
    assert result["note"] == "6 cells dropped, 11 added."
    before, after = read_cells(layout), read_cells(out)
    assert after.mpp == 0.5 and len(after.classes) == 16
    assert after.classes.items() <= before.classes.items()
    run("layout", "vary", layout, *options, tmp_path / "c.tif")
    np.testing.assert_array_equal(imread(tmp_path / "c.tif"), after.labels)
    assert not np.array_equal(before.labels, after.labels)


def test_a_variation_without_room_is_reported(run, tmp_path: Path) -> None:
    labels = np.zeros((100, 100), np.uint16)
    for i in range(25):
        y, x = 20 * (i // 5), 20 * (i % 5)
        labels[y + 1 : y + 19, x + 1 : x + 19] = i + 1
    imwrite(tmp_path / "full.tif", labels)
    out = ("--out", tmp_path / "b.tif")
    result = run("layout", "vary", tmp_path / "full.tif", *out, "--add", 1, "--drop", 0)
    assert (result["added"], result["wanted"]) == (0, 25)
    assert result["note"].endswith(
        "0 of 25 added; there is no room for the rest. Add fewer cells, or drop more."
    )
    outlines = run("layout", "vary", SAMPLE_CELLS / "coco.json", "--out", tmp_path / "c.tif")
    assert "coco.json has outlines, not labels. Convert it first" in outlines["error"]
    wrong = run("layout", "vary", tmp_path / "full.tif", "--out", tmp_path / "c.tif", "--drop", 2)
    assert wrong["code"] == 1 and "The share of cells to drop is 200 %" in wrong["error"]
    assert not (tmp_path / "c.tif").exists()


def test_files_that_exist_are_replaced_only_on_request(run, tmp_path: Path) -> None:
    labels, cells = tmp_path / "labels.tif", tmp_path / "cells_seg.npy"
    labels.write_bytes((SAMPLE_CELLS / "labels.tif").read_bytes())
    masks = tmp_path / "cells_masks.tif"  # written beside cells_seg.npy
    commands = {
        ("layout", "import", SAMPLE_CELLS / "qupath.geojson", *PLACE, "--out", labels): labels,
        ("layout", "import", labels, *PLACE, "--out", labels): labels,
        ("layout", "export", labels, labels): labels,
        ("layout", "export", labels, cells): masks,
        ("layout", "vary", labels, "--out", labels): labels,
        ("layout", "invent", "--size", "64x64", "--out", labels): labels,
    }
    for command, target in commands.items():
        masks.write_text("mine")
        before = target.read_bytes()
        result = run(*command)
        assert result["code"] == 1
        assert f"{target.name} exists. Choose another name, or add --force" in result["error"]
        assert target.read_bytes() == before
    assert not cells.exists()
    for command in commands:
        if command[1] != "import" or command[2] != labels:
            assert run(*command, "--force")["code"] == 0


def test_a_file_that_cannot_be_written_leaves_nothing(run, tmp_path: Path) -> None:
    for name in ("a.tif", "a.geojson", "a_seg.npy", "a.geojson.gz"):
        out = tmp_path / "missing" / name
        result = run("layout", "export", SAMPLE_CELLS / "labels.tif", out)
        assert f"{name} cannot be written: No such file or directory" in result["error"]
    (tmp_path / "folder.tif").mkdir()
    result = run("layout", "export", SAMPLE_CELLS / "labels.tif", tmp_path / "folder.tif")
    assert "folder.tif is a folder. Add the name of a file" in result["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder.tif"]

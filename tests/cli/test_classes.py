"""A family with classes of cells on the command line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from drawn_layouts import SAMPLE_CELLS

from napari_pixcell.cells import read_cells
from napari_pixcell.cells.class_map import make_palette
from napari_pixcell.datasets import read_record
from napari_pixcell.models.catalogue import DEMO, DEMO_FOLDER
from napari_pixcell.models.own_families import WEIGHTS, write_own_family
from napari_pixcell.slides.samples import SAMPLE_SLIDE

PLACE = ("--slide", SAMPLE_SLIDE, "--region", "752,576,256,256")
QUPATH = SAMPLE_CELLS / "qupath.geojson"


def register(names: list[str]) -> None:
    """Register the demo family as one with classes."""
    parts = {"controlnet": DEMO_FOLDER / "controlnet" / WEIGHTS}
    write_own_family("classed", DEMO, {}, parts, "CC BY 4.0", make_palette(names))


@pytest.fixture
def classes(run, tmp_path: Path) -> dict[str, int]:
    """The classes of the sample cells, which the family knows."""
    found = run("layout", "import", QUPATH, *PLACE, "--out", tmp_path / "labels.tif")["classes"]
    register(sorted(found))
    return found


def test_generate_draws_the_classes_of_its_layout(
    run, tmp_path: Path, classes: dict[str, int]
) -> None:
    options = ("--family", "classed", "--count", 1, "--steps", 1, "--out")
    made = {}
    for name, file in (("geojson", QUPATH), ("labels", tmp_path / "labels.tif")):
        out = tmp_path / name
        result = run("generate", *PLACE[1:], "--layout", file, *options, out)
        record = read_record(out / result["images"][0])
        drawn = record.request.classes
        assert [name for name, _ in drawn.palette] == sorted(classes)
        assert Counter(drawn.names.values()) == classes
        assert read_cells(out / result["masks"][0]).classes == drawn.names
        made[name] = record.sha256
    assert made["geojson"] == made["labels"]
    # The colours of the classes reach the network.
    swapped = tmp_path / "swapped"
    register(sorted(classes, reverse=True))
    result = run("generate", *PLACE[1:], "--layout", QUPATH, *options, swapped)
    assert read_record(swapped / result["images"][0]).sha256 != made["geojson"]


def test_a_record_with_classes_is_reproduced(run, tmp_path: Path, classes: dict[str, int]) -> None:
    options = ("--family", "classed", "--count", 1, "--steps", 1, "--out")
    made = run("generate", *PLACE[1:], "--layout", QUPATH, *options, tmp_path / "made")
    image = tmp_path / "made" / made["images"][0]
    again = run("rerun", image, "--out", tmp_path / "again")
    assert again["code"] == 0
    (picture,) = (tmp_path / "again").rglob("*.png")
    assert read_record(picture).sha256 == read_record(image).sha256


def test_a_layout_with_unknown_classes_is_refused(run, tmp_path: Path) -> None:
    register(["vessel"])
    options = ("--family", "classed", "--steps", 1, "--out", tmp_path / "made")
    result = run("generate", *PLACE[1:], "--layout", QUPATH, *options)
    assert result["code"] == 1
    assert (
        "which this model does not know. Rename the class, or use one of: vessel."
        in (result["error"])
    )

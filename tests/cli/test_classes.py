"""A family with classes of cells on the command line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from drawn_layouts import SAMPLE_CELLS
from own_classes import write_own_classes

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


SMALL = ("layout", "invent", "--size", "400x400", "--density", 4000, "--out")


def test_invented_cells_have_classes_in_their_shares(run, tmp_path: Path) -> None:
    out = tmp_path / "a.tif"
    result = run(*SMALL, out, "--class-shares", "small dark=0.3, large pale=0.5")
    cells, classes = read_cells(out), result["classes"]
    assert Counter(cells.classes.values()) == classes and result["cells"] > 100
    assert set(classes) == {"small dark", "large pale"}
    parts = {name: count / result["cells"] for name, count in classes.items()}
    assert parts == pytest.approx({"small dark": 0.3, "large pale": 0.5}, abs=0.1)
    plain = run(*SMALL, tmp_path / "plain.tif")
    assert plain["classes"] == {} and not read_cells(tmp_path / "plain.tif").classes
    assert (read_cells(tmp_path / "plain.tif").labels == cells.labels).all()
    like = run(*SMALL, tmp_path / "like.tif", "--like", out)
    shares = dict(like["recipe"]["classes"])
    assert shares == classes | {"": result["cells"] - sum(classes.values())}


def test_invented_cells_have_all_classes_of_a_family(run, tmp_path: Path) -> None:
    family = ("--family", write_own_classes())
    result = run(*SMALL, tmp_path / "a.tif", *family)
    assert result["recipe"]["classes"] == [["tumour", 0.5], ["stroma", 0.5]]
    assert sum(result["classes"].values()) == result["cells"]
    chosen = run(*SMALL, tmp_path / "b.tif", *family, "--class-shares", "tumour=0.9,stroma")
    assert dict(chosen["recipe"]["classes"]) == pytest.approx({"tumour": 0.9, "stroma": 0.1})


@pytest.mark.parametrize(
    ("classes", "family", "sentence"),
    [
        ("tumour=lots", None, "share of the class “tumour” is “lots”, not a number. Write tumour="),
        ("tumour=1.5", None, "share of the class “tumour” is 1.5. Choose one from 0 to 1."),
        ("tumour=nan", None, "share of the class “tumour” is nan. Choose one from 0 to 1."),
        ("tumour=0.8,stroma=0.7", None, "add up to 1.5. They are parts of all cells"),
        ("tumour=0.1,tumour", None, "The class “tumour” is there twice. Name each class once."),
        ("tumour=0.5,=0.5", None, "A class in “tumour=0.5,=0.5” has no name. Write tumour="),
        ("tumour=1,stroma", None, "The other classes leave no cells for “stroma”."),
        ("vessel=0.5", "marked", "Marked knows no class “vessel”. Choose from: tumour, stroma."),
        ("tumour=0.5", "demo", "knows no classes of cells. Leave out --family, or choose"),
        (None, "demo", "knows no classes of cells. Leave out --family, or choose"),
    ],
)
def test_classes_that_cannot_be_invented_are_refused(
    run, tmp_path: Path, classes: str | None, family: str | None, sentence: str
) -> None:
    write_own_classes()
    options = {"--class-shares": classes, "--family": family}
    given = [word for pair in options.items() if pair[1] for word in pair]
    result = run(*SMALL, tmp_path / "a.tif", *given)
    assert result["code"] == 1 and sentence in result["error"]
    assert not (tmp_path / "a.tif").exists()

"""Classes of cells, from the layouts of a recipe to masks, records and other formats."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from drawn_engine import DrawnEngine
from drawn_layouts import SAMPLE_CELLS, SAMPLE_COUNT
from marked_cells import LARGE, SMALL, field
from PIL import Image

from napari_pixcell.cells import read_cells, write_labels
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets import read_record
from napari_pixcell.datasets.export import PairWriter
from napari_pixcell.datasets.formats.converting import convert
from napari_pixcell.datasets.recipe.layout_sources import LayoutSources
from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.recipe import KEY, DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.checks import Checks
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO, DEMO_FOLDER
from napari_pixcell.models.families import get_family
from napari_pixcell.models.own_families import WEIGHTS, write_own_family
from napari_pixcell.slides.samples import SAMPLE_SLIDE

PALETTE = ((LARGE, "#ff2020"), (SMALL, "#2060ff"))
SHARES = {SMALL: 0.5, LARGE: 0.5}
# Nothing is set apart, so that all pairs are converted.
LENIENT = Checks(
    **{one.name: None for one in fields(Checks) if one.name != "segmenter"}  # type: ignore[arg-type]
)


def write_family() -> None:
    """Register the demo family as one with classes."""
    parts = {"controlnet": DEMO_FOLDER / "controlnet" / WEIGHTS}
    write_own_family("classed", DEMO, {}, parts, "CC BY 4.0", PALETTE)


def recipe(folder: Path, family: str = "classed") -> DatasetRecipe:
    """Return a recipe of one style, and of layouts of every kind that has classes."""
    image, labels, classes = field(1)
    Image.fromarray(image).save(folder / "style.png")
    write_labels(folder / "cells.tif", labels, DEMO.mpp, classes)
    named = {str(label): name for label, name in classes.items() if label > 8}
    value = {
        KEY: 1,
        "name": "Classes",
        "family": family,
        "styles": [{"from": "picture", "path": str(folder / "style.png"), "mpp": 0.5}],
        "layouts": [
            {"from": "file", "path": str(folder / "cells.tif")},
            {"from": "labels", "labels": PackedArray.pack(labels).to_dict(), "classes": named},
            {"from": "invent", "recipe": {"density": 2000, "classes": SHARES}},
            {"from": "style", "classes": SHARES},
        ],
        "steps": 2,
        "checks": LENIENT.to_dict(),
    }
    return DatasetRecipe.from_dict(json.loads(json.dumps(value)))


def make(folder: Path, wanted: DatasetRecipe, run: Callable[..., Any]) -> Dataset:
    make_dataset(DatasetRequest(str(folder), wanted, None), run, lambda _: None)
    return Dataset(folder)


@dataclass(frozen=True)
class Classed:
    """A dataset of a family with classes, and the engine that made it."""

    folder: Path
    dataset: Dataset
    engine: Engine


@pytest.fixture(scope="module")
def classed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Classed]:
    folder = tmp_path_factory.mktemp("classed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXCELL_CONFIG_DIR", str(folder / "config"))
        patch.setenv("PIXCELL_DATA_DIR", str(folder / "user"))
        write_family()
        engine = Engine(torch.device("cpu"))
        yield Classed(folder, make(folder / "made", recipe(folder), engine.run), engine)


@pytest.fixture(autouse=True)
def own_family(classed: Classed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_CONFIG_DIR", str(classed.folder / "config"))


def test_layouts_carry_the_classes_of_their_source(classed: Classed) -> None:
    layouts = [classed.dataset.layout(row) for row in classed.dataset.layout_rows()]
    _, labels, classes = field(1)
    assert layouts[0].classes == classes
    assert layouts[1].classes == {label: classes[label] for label in classes if label > 8}
    for drawn in layouts[2:]:  # invented, and segmented in the tissue of the style
        assert {*drawn.classes} == {*np.unique(drawn.labels).tolist()} - {0}
        assert {*drawn.classes.values()} == {SMALL, LARGE}
    assert np.array_equal(layouts[0].labels, labels)


def test_masks_and_rows_of_pairs_carry_them_as_well(classed: Classed) -> None:
    layouts = [classed.dataset.layout(row) for row in classed.dataset.layout_rows()]
    rows = list(classed.dataset.rows())
    assert len(rows) == 4
    for row in rows:
        layout = layouts[row["layout"]]
        assert row["classes"] == Counter(layout.classes.values())
        mask = read_cells(classed.dataset.folder / row["mask"])
        assert mask.classes == layout.classes
        assert np.array_equal(mask.labels, layout.labels)


def test_the_condition_is_a_class_map_and_a_record_reproduces_its_pixels(classed: Classed) -> None:
    for row in classed.dataset.rows():
        record = read_record(classed.dataset.folder / row["image"])
        assert record.request.classes.palette == PALETTE
        names = record.request.classes.names
        assert Counter(names.values()) == row["classes"]
        made = classed.engine.reproduce(record)
        assert np.array_equal(np.asarray(made), classed.dataset.image(row))


def test_a_family_without_classes_keeps_them_beside_its_pictures(
    classed: Classed, tmp_path: Path
) -> None:
    made = make(tmp_path / "made", recipe(tmp_path, "demo"), DrawnEngine().run)
    (row, *_) = made.rows()
    assert row["classes"] == Counter(field(1)[2].values())
    assert read_record(made.folder / row["image"]).request.classes is None


def test_classes_at_random_are_the_same_every_time(classed: Classed, tmp_path: Path) -> None:
    _, labels, _ = field(1)
    write_labels(tmp_path / "plain.tif", labels, DEMO.mpp, {3: LARGE})
    part = {"from": "file", "path": str(tmp_path / "plain.tif"), "classes": SHARES}

    def layouts() -> list[dict[int, str]]:
        sources = LayoutSources((part,), get_family("classed"), (), lambda pixels: (pixels, None))
        return [one.classes for one in sources]

    (first,), (second,) = layouts(), layouts()
    assert first == second and len(first) == 64 and first[3] == LARGE
    assert min(Counter(first.values()).values()) > 16


def test_a_class_that_the_model_does_not_know_is_refused_before_anything_is_made(
    classed: Classed, tmp_path: Path
) -> None:
    labels = np.zeros((256, 256), np.uint16)
    labels[10:20, 10:20] = 1
    write_labels(tmp_path / "odd.tif", labels, DEMO.mpp, {1: "vessel"})
    part = {"from": "file", "path": str(tmp_path / "odd.tif"), "name": "Odd"}
    made = LayoutSource("builtin")
    sources = LayoutSources((part,), get_family("classed"), (), lambda pixels: (pixels, made))
    with pytest.raises(PixCellError) as error:
        list(sources)
    assert str(error.value) == (
        "The layout “Odd” has cells of the class “vessel” (1), which this model does not know. "
        f"Rename the class, or use one of: {LARGE}, {SMALL}."
    )


def named(classed: Classed, row: dict[str, Any]) -> dict[int, str]:
    """Return the class of every cell of a mask; “cell” without one."""
    layouts = list(classed.dataset.layout_rows())
    layout = classed.dataset.layout(layouts[row["layout"]])
    cells = np.unique(layout.labels).tolist()
    return {label: layout.classes.get(label, "cell") for label in cells if label}


def converted(classed: Classed, format: str, out: Path) -> tuple[Path, list[dict[str, Any]]]:
    convert(classed.dataset, format, out / format)
    rows = [json.loads(line) for line in (out / format / "manifest.jsonl").read_text().splitlines()]
    kept = {row["index"]: row for row in classed.dataset.rows()}
    assert [row["classes"] for row in rows] == [kept[row["index"]]["classes"] for row in rows]
    about = json.loads((out / format / "conversion.json").read_text("utf-8"))
    assert about["classes"] == [LARGE, SMALL, "cell"]
    readme = next((out / format).glob("README.*")).read_text("utf-8")
    assert f"Classes of the cells: {LARGE}, {SMALL}, cell." in readme
    return out / format, [kept[row["index"]] | row for row in rows]


def test_coco_has_a_category_for_each_class(classed: Classed, tmp_path: Path) -> None:
    folder, rows = converted(classed, "coco", tmp_path)
    value = json.loads((folder / "annotations/instances.json").read_text("utf-8"))
    names = {one["id"]: one["name"] for one in value["categories"]}
    assert names == {1: LARGE, 2: SMALL, 3: "cell"}
    for row in rows:
        cells = [one for one in value["annotations"] if one["image_id"] == row["index"] + 1]
        assert {one["label"]: names[one["category_id"]] for one in cells} == named(classed, row)


def test_yolo_numbers_the_classes(classed: Classed, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    folder, rows = converted(classed, "yolo", tmp_path)
    names = yaml.safe_load((folder / "data.yaml").read_text("utf-8"))["names"]
    assert names == {0: LARGE, 1: SMALL, 2: "cell"}
    for row in rows:
        lines = (folder / row["labels"]).read_text("utf-8").splitlines()
        found = [names[int(line.split()[0])] for line in lines]
        assert found == [name for _, name in sorted(named(classed, row).items())]


def test_qupath_and_cellpose_files_name_the_classes(classed: Classed, tmp_path: Path) -> None:
    folder, rows = converted(classed, "qupath", tmp_path)
    for row in rows:
        features = json.loads((folder / row["outlines"]).read_text("utf-8"))["features"]
        found = Counter(
            one["properties"].get("classification", {"name": "cell"})["name"] for one in features
        )
        assert found == Counter(named(classed, row).values())
    folder, rows = converted(classed, "cellpose", tmp_path)
    for row in rows:
        own = {label: name for label, name in named(classed, row).items() if name != "cell"}
        assert read_cells(folder / row["mask"]).classes == own


def test_loaders_and_ome_zarr_carry_the_class_of_each_label(
    classed: Classed, tmp_path: Path
) -> None:
    folder, rows = converted(classed, "webdataset", tmp_path)
    with tarfile.open(folder / "pairs-000000.tar") as shard:
        for row in rows:
            about = json.load(io.TextIOWrapper(shard.extractfile(f"{row['key']}.json")))
            own = {int(label): name for label, name in about["classes"].items()}
            assert own.items() <= named(classed, row).items() and len(own) == sum(
                row["classes"].values()
            )
    folder, rows = converted(classed, "ome-zarr", tmp_path)
    for row in rows:
        about = zarr.open_group(folder / row["mask"], mode="r").attrs["ome"]["image-label"]
        own = {one["label-value"]: one["class"] for one in about["properties"]}
        assert own.items() <= named(classed, row).items() and len(own) == sum(
            row["classes"].values()
        )


def test_a_mask_with_classes_of_no_layout_is_refused(classed: Classed, tmp_path: Path) -> None:
    convert(classed.dataset, "coco", tmp_path / "fine")
    path = classed.dataset.folder / "layouts.jsonl"
    before = path.read_bytes()
    try:
        path.write_bytes(before.replace(SMALL.encode(), LARGE.encode()))
        with pytest.raises(PixCellError) as error:
            convert(Dataset(classed.dataset.folder), "coco", tmp_path / "coco")
    finally:
        path.write_bytes(before)
    assert str(error.value) == (
        f"A mask has cells of the class “{SMALL}”, which no layout of Classes has. Restore the "
        "dataset from a copy."
    )
    assert not (tmp_path / "coco").exists()


def test_an_exported_variant_has_the_classes_in_its_mask(classed: Classed, tmp_path: Path) -> None:
    (row, *_) = classed.dataset.rows()
    record = read_record(classed.dataset.folder / row["image"])
    writer = PairWriter(tmp_path)
    image, labels = classed.dataset.image(row), record.mask
    written = writer.write(image, labels, record)
    assert read_cells(tmp_path / written["mask"]).classes == record.request.classes.names
    assert PairWriter(tmp_path).has(labels, record)


def test_a_row_with_classes_that_are_no_numbers_of_cells_is_damaged(classed: Classed) -> None:
    with (classed.dataset.folder / "manifest.jsonl").open(encoding="utf-8") as lines:
        row = json.loads(lines.readline())
    assert classed.dataset.checked_pair(row)["classes"] == row["classes"]
    for wrong in ([1], {"a": -1}, {"a": "b"}, dict.fromkeys(map(str, range(1001)), 1)):
        with pytest.raises(ValueError, match=r"classes are no numbers|is no whole number"):
            classed.dataset.checked_pair(row | {"classes": wrong})


def test_cells_of_qupath_bring_their_classes_from_a_slide() -> None:
    part = {
        "from": "file",
        "path": str(SAMPLE_CELLS / "qupath.geojson"),
        "slide": str(SAMPLE_SLIDE),
        "region": [752, 576, 256, 256],
    }
    (layout,) = LayoutSources((part,), get_family("demo"), (), lambda pixels: (pixels, None))
    assert {*layout.classes} == {*np.unique(layout.labels).tolist()} - {0}
    assert len({*layout.classes.values()}) > 1 and len(layout.classes) == SAMPLE_COUNT

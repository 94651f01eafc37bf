"""Converted datasets, opened by the programs they are for: the same pixels, the same cells."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from drawn_dataset import labels_of, write_pairs
from installed_formats import INSTALLED
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from tifffile import TiffFile, imread

from napari_pixcell.datasets.formats.converting import convert
from napari_pixcell.datasets.formats.yolo import rings
from napari_pixcell.datasets.splits import Split
from napari_pixcell.datasets.store.dataset import (
    Dataset,
    DatasetLayout,
    DatasetStyle,
    Description,
    PairSettings,
)
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.datasets.store.rows import read_rows
from napari_pixcell.errors import PixCellError

HEIGHT, WIDTH = 40, 56
ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "src/napari_pixcell/datasets/formats", ROOT / "docs/qupath"
Pairs = dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]]  # by their numbers


def difficult_labels(number: int) -> NDArray[np.int32]:
    """Draw cells that formats get wrong: touching, with holes, in pieces, at edges, tiny."""
    labels = np.zeros((HEIGHT, WIDTH), np.int32)
    labels[:, :48] = labels_of(number)[:HEIGHT]
    labels[2:9, 46:53] = 7
    labels[4:6, 48:50] = 0  # a hole
    labels[2:9, 53:56] = 8  # touching, at the edge
    labels[30, 50] = 9  # one pixel
    labels[33:36, 47:49] = 300
    labels[36:39, 49:51] = 300  # two pieces that meet at a corner
    labels[12:14, 52:56] = 70_000 if number == 1 else 11
    labels[20:22, 52:56] = labels[12, 52]  # two pieces far apart
    return labels


@pytest.fixture(scope="module", params=["png", "tiff"])
def dataset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two slides and four layouts: eight pairs, of which the fifth is flagged."""
    made = Dataset.create(
        tmp_path_factory.mktemp("dataset") / "drawn",
        Description(
            "Drawn",
            "demo",
            0.5,
            (HEIGHT, WIDTH),
            PairSettings(20, 1.5),
            picture=request.param,
            licence="CC BY-NC-ND 4.0 (non-commercial); Apache-2.0",
            notice="DEMO",
        ),
    )
    for number in range(2):
        embedding = np.zeros((1, 1, 8), np.float32)
        made.add_style(DatasetStyle(number, f"Style {number}", f"slide-{number}", embedding))
    for number in range(4):
        labels = difficult_labels(number)
        made.add_layout(DatasetLayout(number, f"Layout {number}", f"layout-{number // 2}", labels))
    made.describe(plan=Plan(2, 4).to_dict())
    with locked(made.folder):
        write_pairs(made)
    return made


def expected(dataset: Dataset) -> Pairs:
    pairs = {}
    for row in dataset.rows():
        if not row["flags"]:
            labels = difficult_labels(row["layout"]).astype(np.int64)
            pairs[f"{row['index']:06}"] = dataset.image(row), labels
    return pairs


# -- the programs: what each finds in the folder of a format, or in one part of it ---------------


def by_cellpose(folder: Path, part: str = "") -> Pairs:
    from cellpose.io import load_train_test_data

    images, masks, names, *_ = load_train_test_data(str(folder / part), mask_filter="_masks")
    return {
        Path(name).stem: (image, mask.astype(np.int64))
        for image, mask, name in zip(images, masks, names, strict=True)
    }


def by_stardist(folder: Path, part: str = "") -> Pairs:
    """Read as StarDist's example notebooks do: all images, all masks, the same names."""
    images, masks = (sorted((folder / part / name).glob("*.tif")) for name in ("images", "masks"))
    assert [path.name for path in images] == [path.name for path in masks]
    return {
        image.stem: (imread(image), imread(mask).astype(np.int64))
        for image, mask in zip(images, masks, strict=True)
    }


def by_pycocotools(folder: Path, part: str = "") -> Pairs:
    from pycocotools.coco import COCO

    coco = COCO(folder / "annotations" / f"instances{part and '_' + part}.json")
    pairs = {}
    for image in coco.loadImgs(coco.getImgIds()):
        path = folder / part / "images" / image["file_name"]
        labels = np.zeros((image["height"], image["width"]), np.int64)
        for cell in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
            mask = coco.annToMask(cell) > 0
            assert cell["area"] == mask.sum() and not labels[mask].any()
            rows, columns = np.nonzero(mask)
            box = columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1
            assert cell["bbox"] == list(box)
            labels[mask] = cell["label"]
        pairs[path.stem] = np.asarray(Image.open(path)), labels
    assert sorted(coco.anns) == list(range(1, len(coco.anns) + 1))
    return pairs


def by_yolo(folder: Path, part: str = "") -> Pairs:
    """Read and check as Ultralytics documents its segmentation format."""
    from skimage.draw import polygon

    joined = 6  # px of the line between the two pieces of a cell that are far apart
    config = yaml.safe_load((folder / "data.yaml").read_bytes())
    assert config["train"] and config["val"] and config["names"] == {0: "cell"}
    pairs = {}
    for path in (folder / config[{"": "train", "validation": "val"}.get(part, part)]).glob("*"):
        image = np.asarray(Image.open(path))
        lines = Path(str(path).replace("/images/", "/labels/")).with_suffix(".txt").read_text()
        rows = [line.split() for line in lines.splitlines()]
        assert rows and len({tuple(row) for row in rows}) == len(rows)
        labels = np.zeros(image.shape[:2], np.int64)
        for number, (kind, *values) in enumerate(rows, 1):
            corners = np.array(values, float).reshape(-1, 2)
            assert int(kind) in config["names"] and len(corners) >= 3
            assert corners.min() >= 0 and corners.max() <= 1
            # Centres of pixels lie half a pixel from their edges.
            x, y = (corners * (WIDTH, HEIGHT) - 0.5).T
            labels[polygon(y, x, labels.shape)] = number
            drawn = drawn_by_ultralytics(corners, labels.shape)
            cell = labels == number
            assert drawn[cell].all() and (drawn & ~cell).sum() in (0, joined)
        pairs[path.stem] = image, labels
    return pairs


def drawn_by_ultralytics(corners: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Draw a polygon by the rule of ``polygon2mask`` in ``ultralytics/data/utils.py``.

    Its corners, in float32 pixels, lose their fractions, and OpenCV fills it with its border.
    """
    import cv2

    points = corners.astype(np.float32) * np.array(shape[::-1], np.float32)
    return cv2.fillPoly(np.zeros(shape, np.uint8), [points.astype(np.int32)], 1).astype(bool)


def by_hugging_face(folder: Path, part: str = "") -> Pairs:
    from datasets import load_dataset

    rows = load_dataset(str(folder), split=part or "train", cache_dir=str(folder.parent / "cache"))
    return {
        f"{row['index']:06}": (np.asarray(row["image"]), np.asarray(row["mask"]).astype(np.int64))
        for row in rows
    }


def by_webdataset(folder: Path, part: str = "") -> Pairs:
    import webdataset

    shards = sorted(str(path) for path in folder.glob(f"{part or 'pairs'}-*.tar"))
    mask = webdataset.handle_extension("mask.tif", lambda data: imread(io.BytesIO(data)))
    samples = webdataset.WebDataset(shards, shardshuffle=False).decode(mask, "rgb8")
    return {
        sample["__key__"]: (sample["png"], sample["mask.tif"].astype(np.int64))
        for sample in samples
        if sample["json"]["synthetic"] and sample["json"]["index"] == int(sample["__key__"])
    }


def by_ome_zarr(folder: Path, part: str = "") -> Pairs:
    pairs = {}
    for path in (folder / part).glob("*.ome.zarr"):
        image, labels = READ_ZARR(path)
        pairs[path.name.split(".")[0]] = np.moveaxis(image, 0, -1), labels.astype(np.int64)
    return pairs


def by_qupath(folder: Path, part: str = "") -> Pairs:
    """Read as QuPath documents it: polygons in pixels, from the corner of the first one."""
    from shapely import contains_xy
    from shapely.geometry import shape

    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    pairs = {}
    for path in (folder / part).glob("*.tif"):
        with TiffFile(path) as file:
            per_cm = file.pages.first.tags["XResolution"].value
            assert file.pages.first.tags["ResolutionUnit"].value == 3  # centimetres
        assert 1e4 * per_cm[1] / per_cm[0] == pytest.approx(0.5)
        labels = np.zeros((HEIGHT, WIDTH), np.int64)
        found = json.loads(path.with_suffix(".geojson").read_bytes())
        for number, cell in enumerate(found["features"], 1):
            assert cell["properties"]["objectType"] == "cell" and uuid.UUID(cell["id"])
            labels[contains_xy(shape(cell["geometry"]), x, y)] = number
        pairs[path.stem] = imread(path), labels
    return pairs


def by_spatialdata(folder: Path, part: str = "") -> Pairs:
    import spatialdata

    pairs = {}
    for path in (folder / part).glob("*.sdata.zarr"):
        whole = spatialdata.read_zarr(path)
        image, cells = whole["tissue"], np.asarray(whole["cells"]).astype(np.int64)
        pairs[path.name.split(".")[0]] = np.moveaxis(np.asarray(image), 0, -1), cells
    return pairs


def zarr_by_hand(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read an OME-Zarr as its specification says."""
    import zarr

    group = zarr.open_group(path, mode="r")
    about = group.attrs["ome"]
    assert about["version"] == "0.5" and group.metadata.zarr_format == 3
    arrays = []
    [name] = group["labels"].attrs["ome"]["labels"]
    label = group[f"labels/{name}"]
    assert label.attrs["ome"]["image-label"]["source"] == {"image": "../../"}
    for one in (group, label):
        [scales] = one.attrs["ome"]["multiscales"]
        array = one[scales["datasets"][0]["path"]]
        names = [axis["name"] for axis in scales["axes"]]
        assert list(array.metadata.dimension_names) == names and len(names) == array.ndim
        [scaling] = scales["datasets"][0]["coordinateTransformations"]
        for axis, step in zip(scales["axes"], scaling["scale"], strict=True):
            if axis["type"] == "space":
                assert (axis["unit"], step) == ("micrometer", 0.5)
        arrays.append(array[:])
    return arrays[0], arrays[1]


def zarr_by_its_library(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Label, Reader

    image, *others = list(Reader(parse_url(path))())
    [cells] = [node for node in others if node.load(Label) and node.data]
    return np.asarray(image.data[0]), np.asarray(cells.data[0])


# Its library wants older versions of what napari needs, so it is not among the tests' packages.
READ_ZARR = zarr_by_its_library if find_spec("ome_zarr") else zarr_by_hand
READ: dict[str, Callable[..., Pairs]] = {
    "cellpose": by_cellpose,
    "stardist": by_stardist,
    "coco": by_pycocotools,
    "yolo": by_yolo,
    "huggingface": by_hugging_face,
    "webdataset": by_webdataset,
    "ome-zarr": by_ome_zarr,
    "spatialdata": by_spatialdata,
    "qupath": by_qupath,
}
UNNUMBERED = ("yolo", "qupath")  # know the order of cells, not their numbers


@pytest.mark.parametrize("format", INSTALLED)
def test_pixels_and_cells_are_preserved(dataset: Dataset, tmp_path: Path, format: str) -> None:
    told: list[tuple[int, int]] = []
    done = convert(dataset, format, tmp_path / "out", on_progress=lambda *at: told.append(at))
    wanted, found = expected(dataset), READ[format](tmp_path / "out")
    assert found.keys() == wanted.keys() and len(wanted) == 7
    for name, (image, labels) in wanted.items():
        assert found[name][0].dtype == np.uint8 and np.array_equal(found[name][0], image)
        if format in UNNUMBERED:
            labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
        assert np.array_equal(found[name][1], labels)
    assert told == [(n, 7) for n in range(1, 8)]
    assert done.sentence == ("Wrote 7 pairs to out. Left out 1 flagged or rejected pair.")


@pytest.mark.parametrize("format", INSTALLED)
def test_parts_share_no_slide_and_no_layout(dataset: Dataset, tmp_path: Path, format: str) -> None:
    done = convert(dataset, format, tmp_path / "out", Split(0.3))
    rows = {row["index"]: row for row in dataset.rows()}
    seen: dict[str, tuple[set[int], set[int]]] = {}
    for part, count in done.counts.items():
        pairs = READ[format](tmp_path / "out", part)
        assert len(pairs) == count > 0
        mine = [rows[int(name)] for name in pairs]
        seen[part] = {row["style"] for row in mine}, {row["layout"] // 2 for row in mine}
    assert not seen["train"][0] & seen["validation"][0]
    assert not seen["train"][1] & seen["validation"][1]
    assert done.mixed == 7 - sum(done.counts.values()) > 0


@pytest.mark.parametrize("format", INSTALLED)
def test_the_manifest_links_to_the_dataset(dataset: Dataset, tmp_path: Path, format: str) -> None:
    out = tmp_path / "out"
    convert(dataset, format, out, Split(0.3))
    rows = {row["index"]: row for row in dataset.rows()}
    for row in read_rows(out / "manifest.jsonl"):
        own = rows[row["index"]]
        assert row["synthetic"] and row["seed"] == own["seed"] and row["pixels"] == own["pixels"]
    about = json.loads((out / "conversion.json").read_bytes())
    assert about["dataset"]["id"] == dataset.description.id and about["split"]["validation"] == 0.3
    [readme] = out.glob("README.*")
    for words in ("SYNTHETIC", "CC BY-NC-ND", "DEMO", dataset.description.id):
        assert words in readme.read_text()
    assert not list(tmp_path.glob(".*"))


def test_a_qupath_project_lists_its_images_as_qupath_stores_them(
    dataset: Dataset, tmp_path: Path
) -> None:
    """The entries that QuPath's DefaultProject reads, and the addresses that it relativizes."""
    out = tmp_path / "out"
    convert(dataset, "qupath", out, Split(0.3))
    project = json.loads((out / "project.qpproj").read_bytes())
    assert project["version"] == "0.5.0" and not (out / "entries.jsonl").exists()
    assert project["createTimestamp"] == project["modifyTimestamp"] > 1e12  # ms
    base, _, name = project["uri"].rpartition("/")
    assert name == "project.qpproj" and re.fullmatch(r"file:/[A-Z]:/[\w-]+", base)
    images = project["images"]
    assert [one["entryID"] for one in images] == sorted({one["entryID"] for one in images})
    assert project["lastID"] == images[-1]["entryID"]
    assert {one["imageName"] for one in images} == {
        path.relative_to(out).as_posix() for path in out.rglob("*.tif")
    }
    for one in images:
        server = one["serverBuilder"]
        assert server["builderType"] == "uri" and server["args"] == []
        assert server["providerClassName"].endswith(".BioFormatsServerBuilder")
        assert server["uri"] == f"{base}/{one['imageName']}"
        assert uuid.UUID(one["randomizedName"])
        assert all(isinstance(value, str) for value in one["metadata"].values())
        stored = out / "data" / str(one["entryID"]) / "server.json"
        assert json.loads(stored.read_bytes()) == server
        assert (out / one["imageName"]).with_suffix(".geojson").is_file()
    script = (out / "scripts" / "import_cells.groovy").read_text()
    assert 'replaceAll(/\\.tif$/, ".geojson")' in script


def test_spatialdata_measures_each_cell_in_micrometres(dataset: Dataset, tmp_path: Path) -> None:
    spatialdata = pytest.importorskip("spatialdata")
    from spatialdata.transformations import get_transformation

    convert(dataset, "spatialdata", tmp_path / "out")
    path = tmp_path / "out" / "000000.sdata.zarr"
    whole = spatialdata.read_zarr(path)
    for name in ("tissue", "cells"):
        scale = get_transformation(whole[name], "micrometer")
        assert scale.to_affine_matrix(("x", "y"), ("x", "y")).diagonal().tolist() == [0.5, 0.5, 1]
    table, labels = whole["measurements"], difficult_labels(0)
    assert table.obs["cell"].tolist() == np.unique(labels)[1:].tolist()
    row, column = np.nonzero(labels == 8)
    at = table.obs["cell"].tolist().index(8)
    assert table[at, "area µm²"].X.item() == 21 * 0.25
    centre = [0.5 * (column.mean() + 0.5), 0.5 * (row.mean() + 0.5)]
    np.testing.assert_allclose(table.obsm["spatial"][at], centre)
    red = dataset.image(next(dataset.rows()))[labels == 8][:, 0].mean()
    assert table[at, "mean red"].X.item() == pytest.approx(red)
    assert whole.attrs["synthetic"] and whole.attrs["napari-pixcell"]["request"]


@pytest.mark.skipif(find_spec("spatialdata") is not None, reason="its library is installed")
def test_spatialdata_needs_its_extra(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(PixCellError, match=r"Install it: pip install .*\[spatialdata\]"):
        convert(dataset, "spatialdata", tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["import_cells", "generate_region"])
def test_groovy_scripts_compile(name: str) -> None:
    """Their syntax, without the classes of QuPath that they name."""
    java, groovy = (shutil.which(name) for name in ("java", "groovy"))
    if java is None or groovy is None:
        pytest.skip("Groovy is not installed")
    [path] = [one for place in SCRIPTS for one in place.glob(f"{name}.groovy")]
    checker = (
        "import org.codehaus.groovy.control.*; def unit = new CompilationUnit(); "
        "unit.addSource(new File(args[0])); unit.compile(Phases.CONVERSION)"
    )
    home = {"JAVA_HOME": os.environ.get("JAVA_HOME", str(Path(java).resolve().parents[1]))}
    command = [groovy, "-e", checker, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | home)
    assert done.returncode == 0, done.stderr[:2000]


def test_ultralytics_draws_exactly_the_cells_of_a_yolo_dataset() -> None:
    noise = np.random.default_rng(0).random((64, 96))
    labels = ndimage.label(noise > 0.45)[0]  # holes, necks, pinched corners and single pixels
    assert labels.max() > 100
    for number, ring in enumerate(rings(labels), 1):
        written = np.array([f"{value:.6g}" for value in ring.ravel()], float).reshape(-1, 2)
        assert np.array_equal(drawn_by_ultralytics(written, labels.shape), labels == number)

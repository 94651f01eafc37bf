"""Received and damaged datasets: refused in one sentence, or read as far as they are whole."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import zlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_dataset import make_dataset, write_pairs
from drawn_engine import DrawnEngine, drawn_recipe
from PIL import Image
from tifffile import imwrite

from napari_pixcell.cli.main import main
from napari_pixcell.datasets import read_record
from napari_pixcell.datasets.formats.converting import convert
from napari_pixcell.datasets.marks import read_marked
from napari_pixcell.datasets.recipe.making import make_dataset as make
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.report.sheets import write_first_sheet
from napari_pixcell.datasets.report.writing import write_report
from napari_pixcell.datasets.splits import Split
from napari_pixcell.datasets.store.completeness import check_dataset
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.decisions import read_decisions
from napari_pixcell.datasets.store.embeddings import EMBEDDINGS
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.engine.events import Notice
from napari_pixcell.errors import PixCellError

VALUES: list[Any] = [None, True, -1, 2**64, 1e308, 1e999, "", "../x", "x" * 5000, [], {}, [[]], [1]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete dataset of 6 pairs, of which pair 4 is set apart."""
    return make_dataset(tmp_path_factory.mktemp("whole") / "data").folder


@pytest.fixture
def folder(tmp_path: Path, whole: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "data")


def described(folder: Path, **changes: object) -> Path:
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def change_row(folder: Path, file: str, line: int, /, **changes: object) -> None:
    lines = (folder / file).read_text().splitlines()
    lines[line] = json.dumps(json.loads(lines[line]) | changes)
    (folder / file).write_text("\n".join(lines) + "\n")


def files_of(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"id": "/srv/elsewhere/.hidden"}, "The id “/srv/elsewhere/.hidden” of the dataset is not"),
        ({"id": "../.."}, "of the dataset is not valid. Restore dataset.json"),
        ({"id": ""}, "The id “” of the dataset is not valid"),
        ({"size": [10**6, 10**6]}, "claims images of 1000000 × 1000000 px at 0.5 µm/px"),
        ({"name": "\ud800"}, r"dataset\.json is damaged"),
        ({"mpp": 0}, "claims images of 48 × 48 px at 0 µm/px"),
        ({"picture": "exe"}, "unknown format “exe”"),
        ({"plan": [[]]}, r"dataset\.json is damaged"),
        ({"plan": {"styles": 10**7, "layouts": 10**7, "seeds": 10**5}}, "more than 10,000,000"),
        ({"plan": {"styles": 1, "layouts": -1}}, "The number of layouts is -1"),
        ({"checks": {"least_dice": 1e9}}, r"The threshold least_dice is “1000000000\.0”"),
        ({"checks": {"segmenter": 3}}, r"dataset\.json is damaged"),
        ({"settings": []}, r"dataset\.json is damaged"),
        ({"family": [1, 2]}, "There is no family"),
    ],
)
def test_a_wrong_description_is_refused(
    folder: Path, changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(PixCellError, match=sentence):
        make(DatasetRequest(str(described(folder, **changes))), DrawnEngine().run, print)


def test_the_id_of_a_received_dataset_is_no_path(shared: Path, tmp_path: Path) -> None:
    shutil.copy(shared / "cases/faults/dataset_id_path.json", tmp_path / "dataset.json")
    with pytest.raises(PixCellError, match="is not valid"):
        Dataset(tmp_path)


def test_a_segmenter_of_a_received_dataset_is_no_path(folder: Path) -> None:
    segmenter = {"method": "cellpose", "model": "/home/me/evil"}
    read = Dataset(described(folder, checks={"segmenter": segmenter})).description
    assert read.checks.segmenter.model == "evil"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("name", ["dataset.json", "manifest.jsonl", "images/000000.png"])
def test_a_pipe_is_not_waited_for(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    for use in (lambda dataset: write_report(dataset, tmp_path / "a.html"), check_dataset):
        try:
            use(Dataset(folder))
        except PixCellError as error:
            assert "damaged" in str(error) or "is a pipe" in str(error)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (lambda: png_of(8000, 8000), "a.png"),
        (lambda: tiff_of((8000, 8000)), "a.tif"),
        (lambda: tiff_of((64, 64), compression="jpeg"), "a.tif"),
        (lambda: b"\x89PNG\r\n\x1a\n" + bytes(99), "a.png"),
        (lambda: b"II*\0" + bytes(99), "a.tif"),
    ],
)
def test_files_that_are_no_pairs_are_refused(data: Callable[[], bytes], name: str) -> None:
    with pytest.raises(ValueError, match=""):
        read_marked(data(), name)


def png_of(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (width, height)).save(buffer, "png")
    return buffer.getvalue()


def tiff_of(shape: tuple[int, int], compression: str = "zlib") -> bytes:
    buffer = io.BytesIO()
    imwrite(buffer, np.zeros(shape, np.uint8), compression=compression)
    return buffer.getvalue()


def test_other_pictures_are_no_images_of_the_dataset(folder: Path) -> None:
    Image.new("L", (48, 48)).save(folder / "images/000000.png")
    imwrite(folder / "masks/000001.tif", np.zeros((48, 48), np.float32))
    imwrite(folder / "masks/000002.tif", np.zeros((9, 9), np.uint16))
    np.save(folder / "styles/000000.npy", np.zeros(3))
    dataset = Dataset(folder)
    rows, styles = list(dataset.rows()), list(dataset.style_rows())
    for read, sentence in (
        (lambda: dataset.image(rows[0]), r"images/000000\.png is no image of the dataset"),
        (lambda: dataset.mask(rows[1]), r"masks/000001\.tif is no mask of cells"),
        (lambda: dataset.mask(rows[2]), r"masks/000002\.tif has another size than the images"),
        (lambda: dataset.style(styles[0]), r"styles/000000\.npy holds no embedding"),
    ):
        with pytest.raises(PixCellError, match=sentence):
            read()
    np.save(folder / "styles/000000.npy", np.full((1, 1, 8), np.nan, np.float32))
    with pytest.raises(PixCellError, match=r"styles/000000\.npy is damaged"):
        dataset.style(styles[0])


# -- damaged rows ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "../../outside.png"},
        {"image": "/etc/passwd"},
        {"mask": "images/000000.png"},
        {"index": "0"},
        {"index": 10**9},
        {"index": True},
        {"style": 9},
        {"layout": None},
        {"seed": -1},
        {"cells": "many"},
        {"scores": {"dice": "high"}},
        {"scores": []},
        {"flags": ["odd"]},
        {"flags": None},
        {"files": {}},
        {"pixels": 3},
        {"pixels": "\ud800"},
    ],
)
def test_a_wrong_row_does_not_block_the_others(
    folder: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    change_row(folder, "manifest.jsonl", 0, **changes)
    dataset = Dataset(folder)
    assert [row["index"] for row in dataset.rows()] == [1, 2, 3, 4, 5] and len(PairTable(dataset))
    assert dataset.damage.startswith("Skipped 1 row of manifest.jsonl, which cannot be read.")
    write_report(dataset, tmp_path / "a.html")
    assert "Rows left out because they are damaged" in (tmp_path / "a.html").read_text()
    assert convert(dataset, "cellpose", tmp_path / "out").counts == {"": 4}
    assert not check_dataset(dataset).whole


def test_skipped_rows_are_said(folder: Path, tmp_path: Path, capsys: Any) -> None:
    change_row(folder, "manifest.jsonl", 0, index="0")
    assert main(["dataset", "report", str(folder), "--out", str(tmp_path / "a.html")]) == 0
    assert "Skipped 1 row of manifest.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["styles.jsonl", "layouts.jsonl"])
@pytest.mark.parametrize(
    "changes", [{"file": "../x.npy"}, {"number": -1}, {"name": 3}, {"group": None}]
)
def test_a_wrong_style_or_layout_blocks_only_its_pairs(
    folder: Path, tmp_path: Path, name: str, changes: dict[str, object]
) -> None:
    change_row(folder, name, 0, **changes)
    dataset = Dataset(folder)
    write_report(dataset, tmp_path / "a.html")
    write_first_sheet(dataset)
    assert convert(dataset, "cellpose", tmp_path / "out").counts == {"": 5}
    assert f"1 row of {name}" in dataset.damage
    try:
        split = convert(dataset, "cellpose", tmp_path / "split", Split(0.3))
    except PixCellError as error:
        assert "keeps" in str(error)
    else:
        assert split.mixed >= 2  # pairs of unknown origin are in no part


def test_pairs_of_unknown_groups_cannot_be_split(folder: Path, tmp_path: Path) -> None:
    (folder / "styles.jsonl").unlink()
    with pytest.raises(PixCellError, match="The rows of the styles or layouts are missing, so"):
        convert(Dataset(folder), "cellpose", tmp_path / "split", Split(0.3))


def test_odd_decisions_revoke_nothing(folder: Path) -> None:
    rows = ('{"index": 1, "decision": "accepted"}', '{"index": 1, "decision": 3}', '{"index": 1}')
    (folder / "decisions.jsonl").write_text("\n".join((*rows, "[" * 100_000, "{")) + "\n")
    assert read_decisions(folder) == {1: "accepted"}
    (sentence,) = check_dataset(Dataset(folder)).sentences
    assert sentence.startswith("2 rows are incomplete or damaged (decisions.jsonl, …). Resume")


# -- nothing is lost -------------------------------------------------------------------------


def made(folder: Path, most: int | None = None) -> list[str]:
    """Make or resume the dataset of a drawn recipe, and return the notices."""
    recipe = None if folder.exists() else drawn_recipe(seeds=1)
    notices: list[str] = []

    def emit(event: object) -> None:
        if isinstance(event, Notice):
            notices.append(event.message)

    make(DatasetRequest(str(folder), recipe, most), DrawnEngine().run, emit)
    return notices


@pytest.fixture(scope="module")
def made_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "data"
    made(folder)
    return folder


def lose(folder: Path) -> None:
    (folder / "manifest.jsonl").unlink()


def garble(folder: Path) -> None:
    lines = (folder / "manifest.jsonl").read_bytes().splitlines()
    lines[0], lines[2] = b"[1", lines[2].replace(b'"index"', b'"number"')
    (folder / "manifest.jsonl").write_bytes(b"\n".join(lines) + b"\n")


def lose_masks(folder: Path) -> None:
    lose(folder)
    for path in folder.rglob("masks/*"):
        path.unlink()


@pytest.mark.parametrize(("harm", "restored"), [(lose, 6), (garble, 2), (lose_masks, 6)])
def test_rows_are_restored_from_the_images(
    tmp_path: Path, made_folder: Path, harm: Callable[[Path], None], restored: int
) -> None:
    folder = shutil.copytree(made_folder, tmp_path / "data")
    before = {row["index"]: row for row in Dataset(folder).rows()}
    images = {name: data for name, data in files_of(folder).items() if "images/" in name}
    harm(folder)
    engine = DrawnEngine()
    notices: list[object] = []
    make(DatasetRequest(str(folder)), engine.run, notices.append)
    words = "1 missing row was" if restored == 1 else f"{restored} missing rows were"
    assert f"{words} restored from the records in the images." in [
        event.message for event in notices if isinstance(event, Notice)
    ]
    assert not any(type(request).__name__ == "GenerateRequest" for request in engine.asked)
    assert {row["index"]: row for row in Dataset(folder).rows()} == before
    assert {name: files_of(folder)[name] for name in images} == images
    assert check_dataset(Dataset(folder)).whole


def test_no_file_that_is_not_unfinished_is_deleted(tmp_path: Path, made_folder: Path) -> None:
    folder = shutil.copytree(made_folder, tmp_path / "data")
    lose(folder)
    image = next(folder.rglob("images/000003.png"))
    image.write_bytes(image.read_bytes()[:-100])  # it does not prove to be the pair
    (image.parent / "000001.note.txt").write_text("mine")
    (image.parent / "thesis.part").write_text("my own")
    (image.parent / ".000001.tif.ab12cd34.part").write_text("ours, of a killed process")
    before = files_of(folder)
    (note, *_) = [note for note in made(folder) if "leftover" in note]
    assert "that belonged to no pair in the folder leftover. Delete what" in note
    after = files_of(folder)
    kept = set(after.values())
    lost = {name for name, data in before.items() if data not in kept}
    lost -= {name for name in lost if name.endswith(EMBEDDINGS)}  # which grows with new images
    assert [Path(name).name for name in lost] == [".000001.tif.ab12cd34.part"]
    assert any(name.startswith("leftover/") and "000003" in name for name in after)


def test_leftovers_do_not_replace_each_other(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", pairs=0)
    for words in (b"first", b"second"):
        (dataset.folder / "manifest.jsonl").unlink(missing_ok=True)
        shutil.rmtree(dataset.folder / "images", ignore_errors=True)
        shutil.rmtree(dataset.folder / "masks", ignore_errors=True)
        (dataset.folder / "images").mkdir()
        (dataset.folder / "images/000000.png").write_bytes(words)
        with locked(dataset.folder):
            write_pairs(dataset, 1)
    left = {path.name: path.read_bytes() for path in dataset.folder.rglob("leftover/images/*")}
    assert left == {"000000.png": b"first", "000000-2.png": b"second"}


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    dataset, outside = make_dataset(tmp_path / "data", pairs=0), tmp_path / "outside"
    outside.mkdir()
    (dataset.folder / "images").symlink_to(outside)
    with (
        locked(dataset.folder),
        pytest.raises(PixCellError, match=r"leads out of its folder\. Remove the link"),
    ):
        write_pairs(dataset, 1)
    (dataset.folder / "images").unlink()
    (outside / "file").touch()
    (dataset.folder / "manifest.jsonl").symlink_to(outside / "file")
    with locked(dataset.folder), pytest.raises(PixCellError, match="leads out of its folder"):
        write_pairs(dataset, 1)
    assert [path.read_bytes() for path in outside.iterdir()] == [b""]


# -- records ---------------------------------------------------------------------------------


def test_an_array_of_a_record_is_bounded_before_it_is_read(whole: Path, tmp_path: Path) -> None:
    value = read_record(whole / "images/000000.png").to_dict()
    packed = b64encode(zlib.compress(bytes(10**6))).decode()
    for shape, dtype in (
        ([10**6], "uint16"),
        ([10], "uint8"),
        ([2**20, 2**20], "uint8"),
        ([-1], "uint8"),
        ([10**6], "O"),
        ("10", "uint8"),
        ([10**6], ["uint8"]),
    ):
        layout = {"dtype": dtype, "shape": shape, "zlib": packed}
        (tmp_path / "a.json").write_text(
            json.dumps(value | {"request": value["request"] | {"layout": layout}})
        )
        with pytest.raises(PixCellError, match="An array in this record is damaged"):
            read_record(tmp_path / "a.json")


def test_a_large_png_is_not_decoded_for_its_record(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_of(9000, 9000))
    with pytest.raises(PixCellError, match="carries no record"):
        read_record(tmp_path / "a.png")


# -- random damage ---------------------------------------------------------------------------


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    return [at, *(place for key, part in parts for place in places(part, (*at, key)))]


def with_damage(value: Any, rng: random.Random) -> Any:
    value = json.loads(json.dumps(value))
    place = rng.choice(places(value))
    if not place:
        return rng.choice(VALUES)
    parent = value
    for key in place[:-1]:
        parent = parent[key]
    if rng.random() < 0.2:
        del parent[place[-1]]
    else:
        parent[place[-1]] = rng.choice(VALUES)
    return value


def damage(folder: Path, rng: random.Random) -> None:
    path = rng.choice(sorted(p for p in folder.rglob("*") if p.is_file() and p.name[0] != "."))
    data = bytearray(path.read_bytes())
    if path.suffix == ".json":
        path.write_text(json.dumps(with_damage(json.loads(data), rng)))
    elif path.suffix == ".jsonl" and rng.random() < 0.7:
        lines = bytes(data).splitlines()
        number = rng.randrange(len(lines))
        lines[number] = json.dumps(with_damage(json.loads(lines[number]), rng)).encode()
        path.write_bytes(b"\n".join(lines) + b"\n")
    elif rng.random() < 0.3:
        path.write_bytes(data[: rng.randrange(len(data))])
    else:
        data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)


@pytest.mark.parametrize("seed", range(12))  # many more are in tests/fuzz
def test_random_damage_is_accepted_or_refused(
    whole: Path, made_folder: Path, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    folder = shutil.copytree(rng.choice([whole, made_folder]), tmp_path / "data")
    damage(folder, rng)
    image = sorted(folder.rglob("*.png"))[0]
    uses: list[Callable[[], object]] = [
        lambda: check_dataset(Dataset(folder)),
        lambda: write_report(Dataset(folder), tmp_path / "a.html"),
        lambda: convert(Dataset(folder), "cellpose", tmp_path / "out", Split(0.3)),
        lambda: read_record(image),
        lambda: make(DatasetRequest(str(folder), None, 1), DrawnEngine().run, lambda event: None),
    ]
    for use in uses:
        try:
            use()
        except PixCellError as error:
            assert str(error).endswith(".")

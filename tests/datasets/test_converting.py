"""Conversions are whole or not there, say that they are synthetic, and refuse in one sentence."""

from __future__ import annotations

import errno
import gc
import getpass
import json
import shutil
import subprocess
import sys
import tarfile
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from drawn_dataset import make_dataset
from huggingface_hub import DatasetCard
from installed_formats import INSTALLED
from PIL import Image
from tifffile import TiffFile

from napari_pixcell.datasets.export import read_record
from napari_pixcell.datasets.formats.about import hub_licence
from napari_pixcell.datasets.formats.base import Format
from napari_pixcell.datasets.formats.converting import convert
from napari_pixcell.datasets.splits import Split
from napari_pixcell.datasets.store.dataset import (
    MANIFEST,
    Dataset,
    DatasetStyle,
    Description,
    PairSettings,
)
from napari_pixcell.datasets.store.decisions import decide
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.pair_files import PairFiles
from napari_pixcell.datasets.store.parsing import pair_names
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.datasets.store.rows import append_rows, read_rows
from napari_pixcell.engine.record import SOURCE_TYPE, Record
from napari_pixcell.engine.request_values import GenerateRequest, Source
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import CELLPOSE
from napari_pixcell.models.families import families


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Six pairs of two slides and two kinds of layouts; the fifth is flagged."""
    return make_dataset(tmp_path_factory.mktemp("dataset") / "drawn")


def unpacked(out: Path) -> list[Path]:
    """Return the files of a conversion, including those in tar files."""
    for path in out.glob("*.tar"):
        with tarfile.open(path) as tar:
            tar.extractall(out / path.stem, filter="data")
    return [path for path in out.rglob("*") if path.is_file()]


@pytest.mark.parametrize("format", INSTALLED)
def test_every_image_is_marked_as_synthetic(dataset: Dataset, tmp_path: Path, format: str) -> None:
    convert(dataset, format, tmp_path / "out")
    seeds = []
    for path in unpacked(tmp_path / "out"):
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert SOURCE_TYPE in image.text["XML:com.adobe.xmp"]
                assert "SYNTHETIC" in image.text["parameters"]
            seeds.append(read_record(path).request.seed)
        elif path.suffix == ".tif":
            with TiffFile(path) as file:
                tags = file.pages.first.tags
                assert SOURCE_TYPE.encode() in bytes(tags[700].value)
                assert "SYNTHETIC" in tags["ImageDescription"].value
                is_image = file.pages.first.ndim == 3
            if is_image:
                seeds.append(read_record(path).request.seed)
        elif path.name == "zarr.json" and path.parent.suffix == ".zarr":
            record = json.loads(path.read_bytes())["attributes"]["napari-pixcell"]
            assert record["synthetic"] and record["digital_source_type"] == SOURCE_TYPE
            seeds.append(Record.from_dict(record).request.seed)
    assert sorted(seeds) == [row["seed"] for row in dataset.rows() if not row["flags"]]


@pytest.mark.parametrize("format", INSTALLED)
def test_nothing_names_a_person_or_a_path(dataset: Dataset, tmp_path: Path, format: str) -> None:
    convert(dataset, format, tmp_path / "out", Split(0.3))
    owner = (getpass.getuser() + "\0").encode()  # as a tar would hold it
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert str(tmp_path).encode() not in data and str(dataset.folder).encode() not in data
            assert path.suffix != ".tar" or owner not in data


def test_a_decision_overrides_a_flag(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data")
    decide(dataset.folder, {4: "accepted", 0: "rejected"})
    done = convert(dataset, "stardist", tmp_path / "out")
    assert [row["index"] for row in read_rows(tmp_path / "out" / MANIFEST)] == [1, 2, 3, 4, 5]
    assert done.unused == 1
    decide(dataset.folder, dict.fromkeys(range(6), "rejected"))
    with pytest.raises(PixCellError, match=r"only 6 flagged or rejected pairs\. Accept some"):
        convert(dataset, "stardist", tmp_path / "again")
    empty = make_dataset(tmp_path / "empty", pairs=0)
    with pytest.raises(PixCellError, match=r"empty has no pair yet. Resume it"):
        convert(empty, "stardist", tmp_path / "again")


def test_the_summary_counts_all_pairs(dataset: Dataset, tmp_path: Path) -> None:
    done = convert(dataset, "coco", tmp_path / "out", Split(0.3))
    used = sum(done.counts.values()) + done.mixed + done.unused
    assert used == 6 and done.mixed and done.unused == 1
    assert f": {done.counts['train']} for training, " in done.sentence
    assert "whose slide and layout belong to different parts. Left out 1 flagged" in done.sentence


def test_formats_without_masks_accept_images_alone(tmp_path: Path) -> None:
    description = Description("Plain", "demo", 0.5, (48, 48), PairSettings(20, 1.5))
    dataset = Dataset.create(tmp_path / "data", description)
    for number in range(2):
        dataset.add_style(DatasetStyle(number, "", f"slide-{number}", None))
    dataset.describe(plan=Plan(2, 0).to_dict())
    picture = make_dataset(tmp_path / "other", 1, 1)
    image = picture.image(next(picture.rows()))
    for index in range(2):
        record = Record(GenerateRequest("demo", seed=index, count=1, source=Source("x")))
        PairFiles(dataset).write(dataset.plan[index], image, None, record, {}, ())
    with pytest.raises(PixCellError, match=r"coco needs masks, .* have none\. Choose one of: hug"):
        convert(dataset, "coco", tmp_path / "coco")
    for format in ("huggingface", "webdataset", "ome-zarr"):
        done = convert(dataset, format, tmp_path / format, Split(0.5))
        assert done.counts == {"train": 1, "validation": 1}
        assert all("mask" not in row for row in read_rows(tmp_path / format / MANIFEST))


def test_existing_files_are_not_overwritten(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name in ("full", "file"):
        with pytest.raises(PixCellError, match=f"{name} exists already. Choose a new folder"):
            convert(dataset, "stardist", tmp_path / name)
    with pytest.raises(PixCellError, match=r"cannot be written \(.*Choose another folder"):
        convert(dataset, "stardist", tmp_path / "file" / "below")
    with pytest.raises(PixCellError, match=r"no format “jpeg”. Choose one of: cellpose"):
        convert(dataset, "jpeg", tmp_path / "out")
    convert(dataset, "stardist", tmp_path / "empty")
    work = tmp_path / ".out.part"
    work.mkdir()
    with locked(work), pytest.raises(PixCellError, match=r"working on a conversion to out. Wait"):
        convert(dataset, "stardist", tmp_path / "out")
    assert work.exists()  # it is the other one's


def test_a_damaged_pair_is_named(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data")
    (dataset.folder / "images" / "000002.png").write_bytes(b"other")
    with pytest.raises(PixCellError, match=r"images/000002.png .* missing or was changed. Restore"):
        convert(dataset, "cellpose", tmp_path / "out")
    assert not (tmp_path / "out").exists() and not (tmp_path / ".out.part").exists()


def test_a_full_disk_leaves_nothing(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Format.put

    def fills_up(self: Format, name: str, data: bytes) -> str:
        if "000003" in name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return put(self, name, data)

    monkeypatch.setattr(Format, "put", fills_up)
    with pytest.raises(PixCellError, match=r"The disk of out is full. Free some space"):
        convert(dataset, "coco", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_killed_conversion_can_be_repeated(dataset: Dataset, tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from napari_pixcell.datasets.store.dataset import Dataset\n"
        "from napari_pixcell.datasets.formats.converting import convert\n"
        "stop = lambda done, total: os.kill(os.getpid(), 9) if done == 3 else None\n"
        "convert(Dataset(sys.argv[1]), 'webdataset', sys.argv[2], on_progress=stop)\n"
    )
    out = tmp_path / "out"
    killed = subprocess.run([sys.executable, "-c", code, str(dataset.folder), str(out)])
    assert killed.returncode == -9 and not out.exists() and list(tmp_path.iterdir())
    convert(dataset, "webdataset", out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert len(list(read_rows(out / MANIFEST))) == 5
    with tarfile.open(out / "pairs-000000.tar") as tar:
        assert len(tar.getnames()) == 15


def test_a_cancelled_conversion_leaves_nothing(dataset: Dataset, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(dataset, "webdataset", tmp_path / "out", on_progress=stop)
    assert not list(tmp_path.iterdir())


def test_shards_follow_one_another(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_pixcell.datasets.formats.loaders.SHARD_HOLDS", 2)
    convert(dataset, "webdataset", tmp_path / "out")
    rows = list(read_rows(tmp_path / "out" / MANIFEST))
    assert [row["shard"] for row in rows] == [f"pairs-{n:06}.tar" for n in (0, 0, 1, 1, 2)]
    for row in rows:
        with tarfile.open(tmp_path / "out" / row["shard"]) as tar:
            assert f"{row['key']}.png" in tar.getnames()


@pytest.mark.parametrize("format", ["coco", "webdataset"])
def test_memory_does_not_grow_with_the_pairs(tmp_path: Path, format: str) -> None:
    drawn = make_dataset(tmp_path / "data", pairs=1)
    (first,) = drawn.rows()
    drawn.describe(plan=drawn.description.plan | {"seeds": 25})
    dataset = Dataset(drawn.folder)
    rows = []
    for number in range(1, 90):  # all have the files of the first
        named = dict(zip(("image", "mask"), pair_names(number, "png", False), strict=True))
        files = {}
        for part, name in named.items():
            shutil.copy(dataset.folder / first[part], dataset.folder / name)
            files[name] = first["files"][first[part]]
        rows.append(first | named | {"index": number, "files": files})
    append_rows(dataset.folder / MANIFEST, rows)
    held = {}

    def look(done: int, total: int) -> None:
        if done in (30, 90):
            gc.collect()
            held[done] = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        convert(dataset, format, tmp_path / "out", on_progress=look)
    finally:
        tracemalloc.stop()
    assert held[90] - held[30] < 40_000  # a row that is kept would be 2,000 for each pair


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (families()["demo"].licence, "cc-by-4.0"),
        (families()["pixcell-256"].licence, "cc-by-nc-nd-4.0"),
        (families()["stain-her2"].licence, "cc-by-nc-nd-4.0"),
        (CELLPOSE.licence, "other"),
        ("CC0", "cc0-1.0"),
        ("", "other"),
    ],
)
def test_the_card_names_the_strictest_licence(words: str, name: str) -> None:
    assert hub_licence((words,)) == name


def test_the_card_states_the_terms_of_the_models(dataset: Dataset, tmp_path: Path) -> None:
    licence = families()["pixcell-256"].licence
    dataset.description = replace(
        dataset.description, licence=licence, weights={"transformer": "ab12"}
    )
    convert(dataset, "huggingface", tmp_path / "out", Split(0.3))
    card = DatasetCard.load(tmp_path / "out" / "README.md")
    assert card.data.license == "cc-by-nc-nd-4.0" and "synthetic" in card.data.tags
    [config] = card.data.configs
    assert [one["split"] for one in config["data_files"]] == ["train", "validation"]
    for words in (licence, "transformer: sha256 ab12", "SYNTHETIC"):
        assert words in card.text

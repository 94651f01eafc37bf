"""Pairs are whole, marked as synthetic, and name no path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tifffile import TiffFile, imread

from napari_pixcell.datasets import PairWriter, load_manifest, read_record, safe_name
from napari_pixcell.engine.record import SOURCE_TYPE, Record
from napari_pixcell.engine.request import GenerateRequest, Source
from napari_pixcell.errors import PixCellError


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


@pytest.fixture
def labels() -> np.ndarray:
    labels = np.zeros((64, 64), np.uint32)
    labels[5:20, 5:20] = 1
    labels[30:40, 30:40] = 300
    return labels


@pytest.fixture
def record() -> Record:
    return Record(GenerateRequest("demo", seed=3, count=1, source=Source("case 1")), notice="DEMO")


def test_a_pair_is_written_and_read_back(tmp_path, image, labels, record) -> None:
    row = PairWriter(tmp_path).write(image, labels, record)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / row["image"])), image)
    mask = imread(tmp_path / row["mask"])
    assert mask.dtype == np.uint16
    np.testing.assert_array_equal(mask, labels)
    assert load_manifest(tmp_path) == [json.loads(json.dumps(row))]
    assert read_record(tmp_path / row["image"]) == record
    assert Path(row["image"]).stem == Path(row["mask"]).stem == "case_1-seed3"


def test_labels_above_65535_get_32_bits(tmp_path, image, labels, record) -> None:
    row = PairWriter(tmp_path).write(image, labels * 1000, record)
    assert imread(tmp_path / row["mask"]).dtype == np.uint32


def test_a_variant_without_a_layout_has_no_mask(tmp_path, image, record) -> None:
    row = PairWriter(tmp_path).write(image, None, record)
    assert row["mask"] is None
    assert not (tmp_path / "masks").exists()


def test_every_image_says_that_it_is_synthetic(tmp_path, image, labels, record) -> None:
    row = PairWriter(tmp_path).write(image, labels, record)
    picture = Image.open(tmp_path / row["image"])
    assert picture.text["parameters"].startswith("SYNTHETIC tissue")
    assert SOURCE_TYPE in picture.text["XML:com.adobe.xmp"]
    assert picture.info["dpi"][0] == pytest.approx(25400 / 0.5, rel=1e-3)
    assert "SYNTHETIC" in (tmp_path / "README.txt").read_text()
    with TiffFile(tmp_path / row["mask"]) as file:
        assert "SYNTHETIC" in file.pages[0].description


def test_nothing_is_overwritten(tmp_path, image, labels, record) -> None:
    first = PairWriter(tmp_path).write(image, labels, record)
    second = PairWriter(tmp_path).write(image, labels, record)
    assert first["image"] != second["image"]
    assert len(load_manifest(tmp_path)) == 2


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("case 1", "case_1"),
        ("/home/me/patients/Doe, John.svs", "Doe_John.svs"),
        ("C:\\slides\\a", "a"),
        ("..", "variant"),
        ("", "variant"),
    ],
)
def test_a_name_is_safe_and_holds_no_folder(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_row_that_was_cut_off_spoils_no_other(tmp_path, image, labels, record) -> None:
    PairWriter(tmp_path).write(image, labels, record)
    with (tmp_path / "manifest.jsonl").open("ab") as file:
        file.write(b'{"image": "ima')
    PairWriter(tmp_path).write(image, labels, record)
    assert len(load_manifest(tmp_path)) == 2


FILL = """
import resource, sys, numpy as np
from napari_pixcell.datasets import PairWriter
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.errors import PixCellError
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
record = Record(GenerateRequest("demo", count=1))
labels = np.ones((256, 256), np.uint16)
writer = PairWriter(sys.argv[1])
writer.write(np.zeros((256, 256, 3), np.uint8), labels, record)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    writer.write(np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8), labels, record)
except PixCellError as error:
    print(error)
"""


def test_a_full_disk_gets_a_sentence_and_leaves_whole_pairs(tmp_path) -> None:
    folder = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (
        "The disk of out is full; free some space or choose another folder and export again "
        "(1 pair before it were written whole)."
    )
    assert len(load_manifest(folder)) == 1
    assert len([p for p in folder.rglob("*") if p.is_file()]) == 4


@pytest.mark.skipif(os.name == "nt", reason="needs a file where a folder should be")
def test_a_folder_that_cannot_be_written_gets_a_sentence(tmp_path, image, record) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(PixCellError, match="Nothing can be written to file"):
        PairWriter(blocked).write(image, None, record)


def test_a_png_without_a_record_is_refused(tmp_path, image) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(image).save(path)
    with pytest.raises(PixCellError, match=r"x\.png carries no record"):
        read_record(path)
    path.write_bytes(b"no png")
    with pytest.raises(PixCellError, match=r"x\.png cannot be read"):
        read_record(path)
    with pytest.raises(PixCellError, match=r"There is no record none\.png"):
        read_record(tmp_path / "none.png")

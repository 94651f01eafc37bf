"""Pairs are whole, marked as synthetic, and name no path."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tifffile import TiffFile, imread

from napari_pixcell.datasets import PairWriter, load_manifest, read_record, safe_name
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import SOURCE_TYPE, Record
from napari_pixcell.engine.request_values import GenerateRequest, Source
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import PIXCELL_256


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
    assert read_record(tmp_path / row["image"]) == read_record(tmp_path / "manifest.jsonl")
    assert read_record(tmp_path / row["image"]).request.seed == record.request.seed
    assert Path(row["image"]).stem == Path(row["mask"]).stem == "case_1-seed3"


def test_labels_above_65535_get_32_bits(tmp_path, image, labels, record) -> None:
    row = PairWriter(tmp_path).write(image, labels * 1000, record)
    assert imread(tmp_path / row["mask"]).dtype == np.uint32


def test_a_variant_without_a_layout_has_no_mask(tmp_path, image, record) -> None:
    row = PairWriter(tmp_path).write(image, None, record)
    assert row["mask"] is None
    assert not (tmp_path / "masks").exists()


def test_every_exported_image_is_marked_as_synthetic(tmp_path, image, labels, record) -> None:
    row = PairWriter(tmp_path).write(image, labels, record)
    picture = Image.open(tmp_path / row["image"])
    assert picture.text["parameters"].startswith("SYNTHETIC tissue")
    assert SOURCE_TYPE in picture.text["XML:com.adobe.xmp"]
    assert picture.info["dpi"][0] == pytest.approx(25400 / 0.5, rel=1e-3)
    assert "SYNTHETIC" in (tmp_path / "README.txt").read_text()
    with TiffFile(tmp_path / row["mask"]) as file:
        assert "SYNTHETIC" in file.pages[0].description
        assert SOURCE_TYPE in file.pages[0].tags[700].value.decode()


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
def test_safe_names_contain_no_folder(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_torn_row_does_not_affect_others(tmp_path, image, labels, record) -> None:
    PairWriter(tmp_path).write(image, labels, record)
    with (tmp_path / "manifest.jsonl").open("ab") as file:
        file.write(b'{"image": "\xc3')
    PairWriter(tmp_path).write(image, labels, record)
    assert len(load_manifest(tmp_path)) == 2


FILL = """
import resource, sys, numpy as np
from napari_pixcell.datasets import PairWriter
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request_values import GenerateRequest
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


def test_a_full_disk_is_reported_and_leaves_complete_pairs(tmp_path) -> None:
    folder = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (
        "The disk of out is full. Free some space or choose another folder and export again "
        "(1 complete pair so far)."
    )
    assert len(load_manifest(folder)) == 1
    assert len([p for p in folder.rglob("*") if p.is_file()]) == 4


@pytest.mark.skipif(os.name == "nt", reason="needs a file where a folder should be")
def test_a_folder_that_is_not_writable_is_reported(tmp_path, image, record) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(PixCellError, match="file cannot be written"):
        PairWriter(blocked).write(image, None, record)


def test_a_png_without_a_record_is_refused(tmp_path, image) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(image).save(path)
    with pytest.raises(PixCellError, match=r"x\.png carries no record"):
        read_record(path)
    path.write_bytes(b"no png")
    with pytest.raises(PixCellError, match=r"x\.png cannot be read"):
        read_record(path)
    with pytest.raises(PixCellError, match=r"none\.png” does not exist"):
        read_record(tmp_path / "none.png")


def test_exports_contain_no_path(tmp_path, image, labels, record) -> None:
    source = Source("/home/me/Doe, John/slide 7.svs", (0, 0, 512, 512), 0.25)
    record = replace(record, request=replace(record.request, source=source))
    PairWriter(tmp_path).write(image, labels, record)
    for path in tmp_path.rglob("*"):
        assert "Doe" not in path.name
        assert not path.is_file() or b"Doe" not in path.read_bytes()


def test_a_mask_of_another_size_is_refused(tmp_path, image, labels, record) -> None:
    with pytest.raises(PixCellError, match=r"The mask is 64 × 32 px, but its image is 64 × 64 px"):
        PairWriter(tmp_path).write(image, labels[:32], record)
    assert not list(tmp_path.iterdir())


def test_a_large_record_is_read_back(tmp_path, image, record) -> None:
    noise = np.random.default_rng(0).random((1200, 200), np.float32)
    record = replace(record, request=replace(record.request, embedding=PackedArray.pack(noise)))
    row = PairWriter(tmp_path).write(image, None, record)
    np.testing.assert_array_equal(
        read_record(tmp_path / row["image"]).request.embedding.unpack(), noise
    )


def test_a_manifest_of_two_pairs_has_no_single_record(tmp_path, image, record) -> None:
    writer = PairWriter(tmp_path)
    writer.write(image, None, record)
    writer.write(image, None, record)
    with pytest.raises(
        PixCellError, match=r"manifest\.jsonl holds 2 records. Choose one of the files"
    ):
        read_record(tmp_path / "manifest.jsonl")


def test_a_damaged_record_in_a_png_is_reported(tmp_path, image) -> None:
    info = PngInfo()
    info.add_text("napari-pixcell", "{torn")
    Image.fromarray(image).save(tmp_path / "x.png", pnginfo=info)
    with pytest.raises(PixCellError, match=r"The record in x\.png is damaged"):
        read_record(tmp_path / "x.png")


def test_hashes_and_licences_match_the_files(tmp_path, image, labels, record) -> None:
    writer = PairWriter(tmp_path)
    for licence in ("first", "second"):
        row = writer.write(image, labels, replace(record, licence=licence))
    for name, digest in row["files"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    text = (tmp_path / "README.txt").read_text()
    assert "demo: first" in text and "demo: second" in text


def test_a_manifest_that_cannot_grow_leaves_no_pair(
    tmp_path, image, labels, record, monkeypatch
) -> None:
    writer = PairWriter(tmp_path)
    writer.write(image, labels, record)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    real = os.fsync

    def full(handle: int) -> None:
        if os.path.sameopenfile(handle, manifest.fileno()):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    with (tmp_path / "manifest.jsonl").open("rb") as manifest:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(PixCellError, match="is full"):
            writer.write(image, labels, record)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_the_licences_of_the_weights_are_exported(tmp_path, image, record, monkeypatch) -> None:
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
    part = PIXCELL_256.parts[0]
    top = tmp_path / "weights" / part.hub_id
    for name in part.files:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(b"")
    record = replace(record, request=replace(record.request, family="pixcell-256"))
    writer = PairWriter(tmp_path / "out")
    for text in ("first terms", "first terms", "second terms"):
        (top / "LICENSE").write_text(text)
        writer.write(image, None, record)
    files = sorted((tmp_path / "out" / "licences").iterdir())
    stem = part.hub_id.replace("/", "--")
    assert [path.name for path in files] == [f"{stem}-2.txt", f"{stem}.txt"]
    assert "first terms" in files[1].read_text() and "second terms" in files[0].read_text()
    assert (tmp_path / "out" / "README.txt").read_text().count("licences/") == 1


def test_a_really_full_disk_keeps_complete_pairs(small_disk, image, labels, record) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"0" * 4096)
    writer = PairWriter(small_disk)
    with pytest.raises(
        PixCellError, match=r"The disk of small is full.*\d+ complete pairs? so far"
    ):
        for _ in range(100):
            writer.write(image, labels, record)
    rows = load_manifest(small_disk)
    assert 1 <= len(rows) == writer.written
    whole = {name for row in rows for name in row["files"]}
    left = {str(p.relative_to(small_disk)) for p in small_disk.rglob("*") if p.is_file()}
    assert left - whole == {"manifest.jsonl", "README.txt", "filler"}
    assert whole <= left
    for path in small_disk.glob("images/*.png"):
        Image.open(path).load()
    (small_disk / rows[0]["image"]).unlink()  # room again, for one
    writer.write(image, None, record)
    assert len(load_manifest(small_disk)) == len(rows) + 1

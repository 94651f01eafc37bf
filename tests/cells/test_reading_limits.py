"""Empty, truncated, too large and malicious files."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import shapely
from drawn_layouts import SAMPLE_CELLS, SAMPLE_COUNT

from napari_pixcell.cells import Outlines, count_cells, rasterise, read_cells
from napari_pixcell.cells.reading import json_stream, limits
from napari_pixcell.errors import PixCellError

ALL = sorted(path.name for path in SAMPLE_CELLS.iterdir())


@pytest.mark.parametrize("name", ALL)
def test_empty_files_are_explained(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(PixCellError, match=r"is empty\. Export it again"):
        read_cells(tmp_path / name)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("part", [0.03, 0.5, 0.9])
def test_truncated_files_are_explained(tmp_path: Path, name: str, part: float) -> None:
    whole = (SAMPLE_CELLS / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * part)])
    try:
        report = read_cells(tmp_path / name).report
    except PixCellError as error:
        assert re.search("not a complete|cannot be read|has no cells|is JSON of an", str(error))
    else:  # only a name or a description at its end is lost
        assert report == read_cells(SAMPLE_CELLS / name).report


@pytest.mark.parametrize("name", ALL)
def test_files_with_other_content_are_explained(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(3000))
    with pytest.raises(PixCellError, match=r"not a complete|cannot be read as a label image"):
        read_cells(tmp_path / name)


def test_missing_files_are_explained(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.geojson")
    for name, sentence in {
        "a.geojson": "does not exist",
        "": "is a folder",
        "pipe.geojson": "is a pipe",
        "x" * 5000: "cannot be read: File name too long",
    }.items():
        with pytest.raises(PixCellError, match=sentence):
            read_cells(tmp_path / name)


def test_files_over_two_gigabytes_are_refused_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    with path.open("wb") as file:
        file.write(b"[")
        file.truncate(limits.MOST_BYTES + 1)  # sparse
    with pytest.raises(PixCellError, match=r"a\.geojson is larger than 2 GB uncompressed"):
        read_cells(path)


def test_the_uncompressed_size_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_BYTES", 2**20)
    (tmp_path / "a.geojson.gz").write_bytes(gzip.compress(b'{"features": [' + b" " * 2**22))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.roi", b"Iout" + b"\0" * 2**22)
    for path in tmp_path.iterdir():
        assert path.stat().st_size < 2**15
        with pytest.raises(PixCellError, match=r"larger than 0\.000976562 GB uncompressed"):
            read_cells(path)


@pytest.mark.parametrize("text", ['{"features": [' + "[" * 10_000, '[{"a": ' * 10_000, "[" * 10**6])
def test_nested_bombs_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(PixCellError, match="nests brackets more than 64 deep"):
        read_cells(tmp_path / "a.geojson")


def test_brackets_inside_names_do_not_count_as_nesting(tmp_path: Path) -> None:
    ring = "[[1, 1], [5, 1], [5, 5]]"
    one = (
        f'{{"geometry": {{"type": "Polygon", "coordinates": [{ring}]}}, '
        '"properties": {"classification": {"name": "[[{ \\" [ \\\\"}}}'
    )
    (tmp_path / "a.geojson").write_text("[" + ", ".join([one] * 2000) + "]")
    file = read_cells(tmp_path / "a.geojson")
    assert file.report.read == 2000
    assert file.outlines.classes[0] == '[[{ " [ \\'


def test_images_too_large_to_decompress_are_refused(tmp_path: Path) -> None:
    """Headers of 100,000 × 100,000 px without pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(png)
    with pytest.raises(PixCellError, match=r"too large for this format\. Save it as TIFF"):
        read_cells(tmp_path / "a.png")
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"shape": (100_000, 100_000), "fortran_order": False, "descr": "<u2"}
        )
    with pytest.raises(PixCellError, match="100,000 × 100,000 px, too large for a label image"):
        read_cells(tmp_path / "a.npy")


def test_what_unpacks_to_far_more_than_it_should_is_refused(tmp_path: Path) -> None:
    """Before it is unpacked, or as soon as that is seen."""
    zeros = bytes(limits.UNSUSPICIOUS + 2**20)
    with gzip.open(tmp_path / "a.geojson.gz", "wb") as file:
        file.write(b'{"features": [' + zeros.replace(b"\0", b" "))
    header = io.BytesIO()
    shape = (2**12, 2**12 + 2**8)
    np.lib.format.write_array_header_1_0(
        header, {"shape": shape, "fortran_order": False, "descr": "|u1"}
    )
    for name, member, data in (
        ("a.npz", "masks.npy", header.getvalue() + bytes(shape[0] * shape[1])),
        ("a.zip", "a.roi", b"Iout" + zeros),
        ("a.geojson.zip", "a.geojson", b"[" + zeros.replace(b"\0", b" ")),
    ):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member, data)
    for path in tmp_path.iterdir():
        with pytest.raises(PixCellError, match="unpacks to far more than its size allows"):
            read_cells(path)


@pytest.mark.parametrize(
    "text",
    ['{"features": [{"geometry": {"coordinates": [' + "9" * 200_000, '{"x": "' + "a" * 400_000],
    ids=["number", "text"],
)
def test_single_values_that_are_too_large_are_refused(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "LONGEST_TEXT", 2**18)
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(PixCellError, match="a single value that is too large to read"):
        read_cells(tmp_path / "a.geojson")


def test_a_cell_of_millions_of_lists_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(json_stream, "HEAVIEST", 2**22)
    lists = '{"features": [{"geometry": {"coordinates": [' + "[]," * 200_000
    (tmp_path / "a.geojson").write_text(lists)
    with pytest.raises(PixCellError, match="a single value that is too large to read"):
        read_cells(tmp_path / "a.geojson")


@pytest.mark.parametrize(
    "value",
    ["1e308", "1" + "0" * 400, "-1e300", "1e-320", "null", '"x"', "[[]]", "{}", "true", "NaN"],
)
@pytest.mark.parametrize("name", ["qupath.geojson", "coco.json", "hovernet.json", "cellvit.json"])
def test_no_number_in_a_file_stops_the_reader(tmp_path: Path, name: str, value: str) -> None:
    whole = (SAMPLE_CELLS / name).read_text()
    numbers = list(re.finditer(r"(?<=[\[,: ])-?\d+(\.\d+)?(?=[\],}])", whole))
    for found in numbers[:: len(numbers) // 25]:
        (tmp_path / name).write_text(whole[: found.start()] + value + whole[found.end() :])
        with contextlib.suppress(PixCellError):
            assert 0 <= read_cells(tmp_path / name).report.read <= SAMPLE_COUNT


@pytest.mark.parametrize("name", ALL)
def test_damaged_bytes_stop_no_reader(tmp_path: Path, name: str) -> None:
    whole, random = (SAMPLE_CELLS / name).read_bytes(), np.random.default_rng(5)
    for _ in range(25):
        data = bytearray(whole)
        top = min(len(data), int(random.choice([64, 600, len(data)])))
        for where in random.integers(0, top, random.integers(1, 6)):
            data[where] = random.choice([0, 1, 127, 128, 255, random.integers(256)])
        (tmp_path / name).write_bytes(data)
        try:
            read_cells(tmp_path / name)
        except PixCellError as error:
            assert str(error).endswith(".")


def test_a_pickle_that_claims_much_memory_is_refused(tmp_path: Path) -> None:
    """An unpickler in C would reserve 32 GB for the number in this file."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"shape": (), "fortran_order": False, "descr": "|O"}
    )
    code = b"\x80\x04N" + b"r" + struct.pack("<I", 2**31 - 1) + b"."
    (tmp_path / "a_seg.npy").write_bytes(header.getvalue() + code)
    with pytest.raises(PixCellError, match="cannot be read as a label image"):
        read_cells(tmp_path / "a_seg.npy")


def test_thousands_of_slivers_take_little_memory() -> None:
    """Cells without a pixel centre, each across the whole image."""
    lines = [shapely.Polygon([(0, n), (600, 600 + n), (600, 600.01 + n)]) for n in range(-200, 200)]
    labels, kept, report = rasterise(Outlines.of(lines), (512, 512))
    assert len(kept) == report.read == count_cells(labels) > 300

"""Empty, truncated, too large and malicious files."""

from __future__ import annotations

import gzip
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from drawn_layouts import SAMPLE_CELLS

from napari_pixcell.cells import read_cells
from napari_pixcell.cells.reading import limits
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
    for path in (tmp_path / "a.geojson", tmp_path):
        with pytest.raises(PixCellError, match="does not exist"):
            read_cells(path)


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

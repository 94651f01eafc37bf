"""Damaged and hostile slides: refused in one sentence, without a crash, a hang or much memory."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from svs import damage, write_svs

from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.backends import probing
from napari_pixcell.slides.backends.directories import read_directories

ROUGH = np.random.default_rng(4).integers(60, 240, (40, 45, 3), np.uint8)
TISSUE = np.asarray(Image.fromarray(ROUGH).resize((180, 160), Image.Resampling.BICUBIC))


def written(path: Path, **options) -> Path:
    options = {"photometric": "rgb", "tile": (64, 64), "metadata": None} | options
    tifffile.imwrite(path, options.pop("data", TISSUE), **options)
    return path


def refused(path: Path) -> str:
    with pytest.raises(PixCellError) as error, open_slide(path) as slide:
        slide.with_mpp(0.5).read(Region(0, 0, 100, 100), 0.5)
    text = str(error.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 400
    return text


def set_tag(path: Path, code: int, page: int = 0, **fields: int) -> None:
    """Change the type, count or inline value of a tag in a small little-endian TIFF."""
    with tifffile.TiffFile(path) as file:
        at = file.pages[page].tags[code].offset
    with path.open("r+b") as file:
        for name, kind, place in (("type", "<H", 2), ("count", "<I", 4), ("value", "<I", 8)):
            if name in fields:
                file.seek(at + place)
                file.write(struct.pack(kind, fields[name]))


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        (256, {"count": 2}),
        (256, {"value": 0}),
        (257, {"value": 2**31}),
        (322, {"type": 12}),
        (322, {"value": 402653248}),
        (323, {"value": 0}),
        (262, {"count": 2}),
        (277, {"type": 2}),
        (324, {"count": 2}),
        (325, {"count": 1}),
        (324, {"value": 2**32 - 1}),
    ],
)
@pytest.mark.parametrize("suffix", [".svs", ".tif"])
def test_impossible_directories_are_damaged(tmp_path, code, fields, suffix) -> None:
    path = tmp_path / f"a{suffix}"
    write_svs(path, TISSUE, 7, 64) if suffix == ".svs" else written(path)
    set_tag(path, code, **fields)
    text = refused(path)
    assert "damaged" in text or "cannot be read" in text


def test_tile_sizes_of_every_level_are_checked_before_openslide_sees_them(tmp_path) -> None:
    path = write_svs(tmp_path / "a.svs", TISSUE, 7, 64)
    set_tag(path, 322, page=3, type=4, value=402653248)
    with pytest.raises(PixCellError, match="damaged"):
        read_directories(path)
    assert "damaged" in refused(path)


def test_a_tile_of_more_bytes_than_the_file_is_damaged(tmp_path) -> None:
    path = write_svs(tmp_path / "a.svs", TISSUE, 33003, 64)
    set_tag(path, 325, type=4, count=1, value=2**31)
    with pytest.raises(PixCellError, match="damaged"):
        read_directories(path)


def test_chains_of_directories_end(tmp_path) -> None:
    path = written(tmp_path / "a.tif")
    data = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, first)  # the next one is itself
    path.write_bytes(data)
    assert len(read_directories(path)) == 1
    struct.pack_into("<H", data, first, 60_000)
    path.write_bytes(data)
    assert "damaged" in refused(path)


def test_directories_of_a_small_tiff_above_four_gigabytes_are_found(tmp_path) -> None:
    """Hamamatsu's own extension: offsets of directories have 64 bits."""
    path = tmp_path / "a.ndpi"
    at = 2**32 + 100
    entries = [(256, 4, 1, 640), (257, 4, 1, 600), (65420, 4, 1, 1)]
    with path.open("wb") as file:  # a sparse file
        file.write(struct.pack("<2sHQ", b"II", 42, at) + bytes(8))
        file.seek(at)
        file.write(struct.pack("<H", 3) + b"".join(struct.pack("<HHII", *e) for e in entries))
        file.write(struct.pack("<Q", 0))
    (directory,) = read_directories(path)
    assert directory.numbers == {256: 640, 257: 600} and 65420 in directory.tags


def test_a_file_that_ends_or_delays_openslide_is_refused(tmp_path, monkeypatch) -> None:
    path = write_svs(tmp_path / "a.svs", TISSUE, 7, 64)
    crash = tmp_path / "crash.py"
    crash.write_text("import os\nos.abort()\n")
    monkeypatch.setattr(probing, "PROBE", crash)
    assert "damaged" in refused(path)
    crash.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(probing, "PATIENCE_S", 0.05)
    assert "within 0.05 seconds" in refused(path)


def test_openslide_is_asked_once_a_file(tmp_path, monkeypatch) -> None:
    path = write_svs(tmp_path / "a.svs", TISSUE, 7, 64)
    open_slide(path).close()
    monkeypatch.setattr(probing, "PROBE", tmp_path / "none.py")
    open_slide(path).close()
    probing._known.clear()  # another process
    open_slide(path).close()
    probing._known.clear()
    os.utime(path, (1, 1))  # another state of the file
    assert "damaged" in refused(path)


def test_images_and_plain_tiffs_need_no_second_process(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(probing, "PROBE", tmp_path / "none.py")
    Image.fromarray(TISSUE).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", written(tmp_path / "a.tif")):
        open_slide(path).close()


def test_pipes_devices_and_impossible_paths_are_refused(tmp_path) -> None:
    for name in ("pipe.svs", "pipe.png"):
        os.mkfifo(tmp_path / name)
        assert "is a pipe or a device" in refused(tmp_path / name)
    assert "cannot be read" in refused(tmp_path / ("a" * 5000 + ".svs"))
    assert "cannot be read" in refused(Path(f"{tmp_path}/a\0.svs"))


def png(width: int, height: int, data: bytes, *, depth: int = 8, kind: int = 2) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + crc

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    texts = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(5_000_000)))
    texts += chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + b"x" * 2_000_000)
    texts += chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(3_000_000)))
    body = chunk(b"IHDR", head) + texts + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_large_texts_and_profiles_do_not_matter(tmp_path) -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in TISSUE)
    (tmp_path / "a.png").write_bytes(png(180, 160, zlib.compress(rows)))
    with open_slide(tmp_path / "a.png") as slide:
        np.testing.assert_array_equal(np.asarray(slide.levels[0]), TISSUE)


@pytest.mark.parametrize("side", [20_000, 2**31 - 1])
def test_claims_of_gigabytes_are_refused(tmp_path, side) -> None:
    (tmp_path / "a.png").write_bytes(png(side, side, b"x"))
    assert "too large" in refused(tmp_path / "a.png")
    data = bytearray(imagecodecs.jpeg8_encode(TISSUE))
    at = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, at + 5, min(side, 65_000), min(side, 65_000))
    (tmp_path / "a.jpg").write_bytes(data)
    assert "too large" in refused(tmp_path / "a.jpg")
    written(tmp_path / "a.tif", tile=None, compression="zlib", rowsperstrip=160)
    for code in (256, 257, 278):
        set_tag(tmp_path / "a.tif", code, type=4, value=min(side, 2**30))
    assert "without tiles" in refused(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000", "zlib"])
def test_a_tile_that_claims_more_than_its_size_is_corrupt(tmp_path, compression) -> None:
    file = io.BytesIO()
    large = np.zeros((900, 900, 3), np.uint8)
    if compression == "zlib":
        file.write(zlib.compress(bytes(10_000_000)))
    elif compression == "jpeg":
        file.write(imagecodecs.jpeg8_encode(large))
    else:
        file.write(imagecodecs.jpeg2k_encode(large, codecformat="J2K"))
    path = tmp_path / "a.tif"
    options = {"shape": (64, 64, 3), "dtype": np.uint8, "compression": compression}
    written(path, data=iter([file.getvalue()]), **options)
    with open_slide(path) as slide:
        assert (slide.levels[0][:64, :64] == 255).all() and len(slide.corrupt) == 1


@pytest.mark.parametrize("data", ["zeros", "texts"])
def test_embedding_a_region_without_a_readable_tile_is_an_error(tmp_path, data) -> None:
    tissue = np.tile(TISSUE, (4, 4, 1))
    path = write_svs(tmp_path / "a.svs", tissue, 7, 240)
    for tile in range(9):
        damage(path, page=0, tile=tile)
    demo = get_family("demo")
    with (
        open_slide(path, mpp=demo.mpp) as slide,
        pytest.raises(PixCellError, match="all its tiles"),
    ):
        Tissue(slide, Region(0, 0, 256, 256), demo).read()
    with open_slide(written(tmp_path / "b.tif", data=tissue), mpp=demo.mpp) as slide:
        assert Tissue(slide, Region(0, 0, 256, 256), demo).read().std() > 1


def test_a_tiff_without_any_data_is_damaged(tmp_path) -> None:
    path = written(tmp_path / "a.tif", data=np.zeros((160, 180, 3), np.uint8))
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[325].overwrite([0] * 9)
    assert "damaged" in refused(path)


def test_a_slide_that_is_replaced_while_open_is_noticed(tmp_path) -> None:
    for name in ("a.tif", "a.png", "a.svs"):
        path, other = tmp_path / name, tmp_path / f"other-{name}"
        for one in (path, other):
            if name == "a.png":
                Image.fromarray(TISSUE).save(one)
            else:
                written(one) if name == "a.tif" else write_svs(one, TISSUE, 7, 64)
        with open_slide(path, mpp=0.5) as slide:
            region = Region(0, 0, 100, 100)
            slide.read(region, 0.5)
            os.utime(other, (5, 5))
            other.replace(path)
            with pytest.raises(PixCellError, match="was replaced or changed"):
                slide.read(region, 0.5)
            if name != "a.png":
                with pytest.raises(PixCellError, match="was replaced or changed"):
                    slide.levels[0][140:150, 140:150]


def test_a_slide_that_is_only_renamed_is_read_on(tmp_path) -> None:
    path = written(tmp_path / "a.tif")
    with open_slide(path, mpp=0.5) as slide:
        path.rename(tmp_path / "b.tif").rename(path)
        assert slide.read(Region(0, 0, 100, 100), 0.5).std() > 1
        path.rename(tmp_path / "b.tif")
        assert slide.read(Region(0, 0, 100, 100), 0.5).std() > 1


def test_every_case_is_read_or_refused_in_one_sentence(shared) -> None:
    folder = shared / "cases" / "slides"
    if not folder.is_dir():
        pytest.skip("the cases are not here")
    for path in sorted(folder.iterdir()):
        try:
            with open_slide(path) as slide:
                slide.with_mpp(0.5).read(Region(0, 0, 300, 300), 1)
        except PixCellError as error:
            assert str(error).endswith(".")

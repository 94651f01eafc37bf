"""Slides as OME-Zarr: versions, layouts, refusals, damage, and reading from a server."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from numcodecs import Blosc, Zlib, Zstd
from ome_zarr_slides import change_json, multiscales, served, write_ome_zarr

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import Region, open_slide, remember_mpp
from napari_pixcell.slides.content import content_key, has_content
from napari_pixcell.slides.corrupt import NoTissueImage
from napari_pixcell.slides.levels import CACHE

TISSUE = np.random.default_rng(3).integers(120, 240, (500, 611, 3), np.uint8)


@pytest.mark.parametrize(
    ("version", "options"),
    [
        (2, {}),
        (2, {"axes": "tczyx"}),
        (2, {"axes": "yxc"}),
        (2, {"compressors": Zlib()}),
        (2, {"group": "0"}),
        (3, {}),
        (3, {"axes": "czyx"}),
        (3, {"chunks": (3, 64, 64), "shards": (3, 256, 256)}),
        (3, {"chunks": (3, 20, 20)}),
        (3, {"chunks": (3, 500, 611), "levels": 1}),
    ],
)
def test_versions_axes_chunks_and_groups(tmp_path, version, options) -> None:
    path = write_ome_zarr(tmp_path / "a.ome.zarr", TISSUE, version, **options)
    if options.get("axes") == "tczyx":
        zarr.consolidate_metadata(path)
    with open_slide(path) as slide:
        assert (slide.name, slide.short_name, slide.path) == ("a.ome.zarr", "a", path)
        assert (slide.mpp, slide.mpp_source) == (0.25, "OME metadata")
        assert slide.downsamples == (1.0, 2.0, 4.0)[: options.get("levels", 3)]
        for number, level in enumerate(slide.levels):
            np.testing.assert_array_equal(level, TISSUE[:: 2**number, :: 2**number])
        assert slide.read(Region(10, 20, 200, 100), 0.5).shape == (50, 100, 3)
        assert not len(slide.corrupt)


def test_a_metadata_file_stands_for_its_folder(tmp_path) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", TISSUE, 2)
    with open_slide(path / ".zattrs") as slide:
        assert slide.path == path and slide.shape == TISSUE.shape[:2]


def test_reading_a_region_reads_its_chunks_alone(tmp_path) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", TISSUE, 2, about={"omero": {}})
    kept = {"0.0.0", "1.0.0", "2.0.0"}  # the chunks of the first tile
    for chunk in (path / "0").glob("[0-9]*"):
        if chunk.name not in kept:
            chunk.unlink()
            os.mkfifo(chunk)  # reading it would not return
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.levels[0][:128, :128], TISSUE[:128, :128])
        assert not len(slide.corrupt)
        assert (slide.levels[0][:128, 128:256] == 255).all() and len(slide.corrupt) == 1


def test_pixel_sizes_and_downsamples_are_those_stated(tmp_path) -> None:
    nm = multiscales(1, mpp=345.0)
    for axis in nm[0]["axes"][1:]:
        axis["unit"] = "nanometer"
    path = write_ome_zarr(tmp_path / "nm.zarr", TISSUE, levels=1, about={"multiscales": nm})
    assert open_slide(path).mpp == pytest.approx(0.345)
    plain = multiscales(1)
    plain[0]["axes"] = list("cyx")
    path = write_ome_zarr(tmp_path / "no.zarr", TISSUE, levels=1, about={"multiscales": plain})
    assert open_slide(path).mpp is None
    remember_mpp(path, 0.31)
    assert open_slide(path).mpp == 0.31
    oblong = multiscales(1)
    oblong[0]["coordinateTransformations"] = [{"type": "scale", "scale": [1, 1, 2]}]
    path = write_ome_zarr(tmp_path / "wide.zarr", TISSUE, levels=1, about={"multiscales": oblong})
    slide = open_slide(path)
    assert slide.mpp is None and "not square" in slide.note
    wrong = multiscales(3)  # its scales do not fit the shapes
    wrong[0]["datasets"][1]["coordinateTransformations"][0]["scale"] = [1, 2.0, 2.0]
    path = write_ome_zarr(tmp_path / "wrong.zarr", TISSUE, about={"multiscales": wrong})
    assert open_slide(path).downsamples[1] == pytest.approx(2, rel=0.01)


def refused(path: Path | str, **options) -> str:
    with pytest.raises(PixCellError) as error:
        open_slide(path, **options)
    text = str(error.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 400
    return text


def test_what_is_no_slide_is_refused_with_advice(tmp_path) -> None:
    grey = np.repeat(TISSUE, 2, axis=-1)
    for name, pixels, words in (
        ("one", grey[..., :1], "has one channel, not red, green and blue"),
        ("six", grey, "has 6 channels"),
        ("deep", TISSUE.astype(np.uint16), "type uint16, not 8 bits"),
    ):
        text = refused(write_ome_zarr(tmp_path / name, pixels, 2))
        assert words in text and "Save it as an RGB image" in text
    dark = write_ome_zarr(tmp_path / "dark", TISSUE // 4, about={"omero": {}})
    assert "not red, green and blue" in refused(dark)
    stack = tmp_path / "stack"
    image = zarr.create_group(stack, attributes={"ome": {"multiscales": multiscales(1, "czyx")}})
    image.create_array("0", shape=(3, 7, 90, 90), dtype=np.uint8)
    assert "has 7 planes of depth. Export one of them" in refused(stack)
    image = zarr.create_group(
        tmp_path / "film", attributes={"ome": {"multiscales": multiscales(1, "tcyx")}}
    )
    image.create_array("0", shape=(5, 3, 90, 90), dtype=np.uint8)
    assert "has 5 points in time" in refused(tmp_path / "film")
    for kind in ("plate", "well"):
        zarr.create_group(tmp_path / kind, attributes={"ome": {kind: {}}})
        assert f"is a {kind} of many images" in refused(tmp_path / kind)
    label = {"image-label": {}, "multiscales": multiscales(1, "yx")}
    zarr.create_group(tmp_path / "label", attributes={"ome": label})
    assert "Import it as a layout" in refused(tmp_path / "label")
    zarr.create_array(tmp_path / "array", shape=(3, 9, 9), dtype=np.uint8)
    assert "without an OME image" in refused(tmp_path / "array")
    (tmp_path / "empty").mkdir()
    assert "is a folder. Choose a file inside it." in refused(tmp_path / "empty")
    with pytest.raises(NoTissueImage):  # so that napari may open it
        open_slide(tmp_path / "one")


@pytest.mark.parametrize("packer", [Blosc(), Zlib(), Zstd()])
def test_a_damaged_chunk_is_white_and_counted(tmp_path, caplog, packer) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", TISSUE, 2, compressors=packer)
    bad = path / "0" / "1.1.2"
    bad.write_bytes(bad.read_bytes()[:100])
    (path / "0" / "0.0.0").write_bytes(packer.encode(bytes(2**24)))  # a bomb
    with open_slide(path) as slide:
        pixels = np.asarray(slide.levels[0])
        assert (pixels[128:256, 256:384] == 255).all() and (pixels[:128, :128] == 255).all()
        np.testing.assert_array_equal(pixels[256:], TISSUE[256:])
        assert slide.corrupt.known() == [(0, 0, 0), (0, 1, 2)]
        assert "2 corrupt tiles" in slide.corrupt_note()
    assert "cannot be decoded" in caplog.text


@pytest.mark.parametrize("version", [2, 3])
def test_damaged_metadata_is_refused_in_one_sentence(tmp_path, version) -> None:
    """Each value of the metadata replaced by others that a program may have written."""
    path = write_ome_zarr(tmp_path / "a.zarr", TISSUE[:90, :90], version, levels=2)
    files = ["zarr.json", "0/zarr.json"] if version == 3 else [".zattrs", "0/.zarray"]
    tried = 0
    for name in files:
        good = (path / name).read_text()
        for text in (good[:-20], "[]", "{}", "null", "\x00", "[" * 100_000, ""):
            (path / name).write_text(text)
            refused(path)
        for damaged in changes(json.loads(good)):
            (path / name).write_text(json.dumps(damaged))
            try:
                with open_slide(path) as slide:
                    slide.with_mpp(0.5).read(Region(0, 0, 50, 50), 0.5)
            except PixCellError as error:
                text = str(error)
                assert "\n" not in text and text.endswith(".") and len(text) < 500
            tried += 1
        (path / name).write_text(good)
    assert tried > 200


def changes(value):
    """Copies of a JSON value, with one part of it replaced or missing in each."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {k: v for k, v in value.items() if k != key}
            yield from ({**value, key: changed} for changed in changes(inner))
    elif isinstance(value, list):
        yield value[:-1]
        for place, inner in enumerate(value):
            yield from ([*value[:place], one, *value[place + 1 :]] for one in changes(inner))
    else:
        yield from (None, -1, 0, 10**12, "../..", [], {}, "µ" * 300)


def test_hostile_folders_are_refused(tmp_path) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", TISSUE, 2)
    array = path / "0" / ".zarray"
    good = array.read_text()
    for values, words in (
        ({"filters": [{"id": "pickle"}]}, "encoded by “pickle”"),
        ({"chunks": [3, 10**6, 10**6]}, "too large"),
        ({"chunks": [1, 10**5, 10**3]}, "chunks"),
    ):
        change_json(array, **values)
        assert words in refused(path)
        array.write_text(good)
    outside = multiscales(1)
    outside[0]["datasets"][0]["path"] = "../b.zarr/0"
    change_json(path / ".zattrs", multiscales=outside)
    assert "not a valid path of a level" in refused(path)
    (path / ".zattrs").unlink()
    os.mkfifo(path / ".zattrs")
    assert "is a pipe" in refused(path)


def test_a_slide_is_recognised_by_its_content(tmp_path) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", TISSUE)
    key = content_key(path)
    moved = shutil.copytree(path, tmp_path / "b.zarr")
    assert has_content(moved, key) and key != content_key(
        write_ome_zarr(tmp_path / "c.zarr", TISSUE[::-1])
    )
    zarr.create_group(moved / "labels")
    assert content_key(moved) == key
    with open_slide(moved) as slide:
        shutil.rmtree(moved)
        write_ome_zarr(moved, TISSUE[::-1])
        with pytest.raises(PixCellError, match="was replaced or changed"):
            slide.read(Region(0, 0, 50, 50), 0.5)


# -- on a server ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3])
def test_a_slide_on_a_server_is_read_chunk_by_chunk(tmp_path, version) -> None:
    pytest.importorskip("aiohttp")
    write_ome_zarr(tmp_path / "a slide.ome.zarr", TISSUE, version)
    with served(tmp_path) as (address, asked):
        slide = open_slide(f"{address}/a%20slide.ome.zarr/", allow_network=True)
        assert (slide.name, slide.path, slide.mpp) == ("a slide.ome.zarr", None, 0.25)
        asked.clear()
        np.testing.assert_array_equal(slide.levels[0][:100, :100], TISSUE[:100, :100])
        assert len(asked) == 3  # a tile of three chunks
        np.testing.assert_array_equal(slide.levels[0], TISSUE)
        assert "without an OME image" in refused(f"{address}/b.zarr", allow_network=True)
    level = slide.levels[0]
    CACHE.drop(level._number)
    with pytest.raises(PixCellError, match=r"did not answer\. Check the address and the network"):
        np.asarray(level)
    slide.close()
    with pytest.raises(PixCellError, match="was closed"):
        np.asarray(level)
    assert not len(level.corrupt)  # a lost connection is no damage


def test_an_address_needs_permission() -> None:
    text = refused("https://127.0.0.1:9/secret/a.zarr?token=1")
    assert text == ("“a.zarr” lies on 127.0.0.1:9. Add --allow-network to read it from there.")


def test_a_server_that_does_not_answer_or_refuses(tmp_path, monkeypatch) -> None:
    pytest.importorskip("aiohttp")
    assert "did not answer" in refused("http://127.0.0.1:9/a.zarr", allow_network=True)
    from ome_zarr_slides import _Quiet

    for status, words in ((403, "refuses access"), (500, "it answered 500")):
        monkeypatch.setattr(_Quiet, "do_GET", lambda self, s=status: self.send_error(s))
        with served(tmp_path) as (address, _):
            assert words in refused(f"{address}/a.zarr", allow_network=True)

"""Which picture of a file is the slide, and whether its pixels and sizes are right."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from svs import write_svs

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import Region, open_slide, remember_mpp
from napari_pixcell.slides.content import CHUNK, content_key, ends_key, has_content, slide_stamp
from napari_pixcell.slides.corrupt import NoTissueImage
from napari_pixcell.slides.levels import to_rgb8
from napari_pixcell.slides.pixel_size import not_square
from napari_pixcell.slides.reader import get_reader
from napari_pixcell.studio.saving.slide_mark import SlideMark

_rough = np.random.default_rng(6).integers(90, 240, (40, 45, 3), np.uint8)
TISSUE = np.asarray(Image.fromarray(_rough).resize((400, 320), Image.Resampling.BICUBIC))
MACRO = np.full((300, 400, 3), (230, 40, 40), np.uint8)
RGB = {"photometric": "rgb", "metadata": None}
TILED = {"tile": (64, 64)}


def first(path: Path) -> np.ndarray:
    with open_slide(path) as slide:
        return np.asarray(slide.levels[0])


def ome(path: Path, *images: tuple[np.ndarray, dict, dict]) -> Path:
    with tifffile.TiffWriter(path, ome=True) as writer:
        for pixels, options, about in images:
            writer.write(pixels, **options, metadata=about)
    return path


SCAN = TISSUE, {"photometric": "rgb", **TILED}, {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
PLAIN_SCAN = TISSUE, {"photometric": "rgb", **TILED}, {}
LARGE_MACRO = np.tile(MACRO, (3, 3, 1)), {"photometric": "rgb"}, {"Name": "macro"}
UNNAMED_MACRO = np.tile(MACRO, (3, 3, 1)), {"photometric": "rgb"}, {}
STAINS = np.zeros((4, 320, 400), np.uint16), {"photometric": "minisblack", **TILED}, {"axes": "CYX"}
LABEL = MACRO, {"photometric": "rgb"}, {"Name": "label"}
NAMELESS = MACRO, {"photometric": "rgb"}, {}


@pytest.mark.parametrize(
    "images",
    [
        (SCAN, LARGE_MACRO),
        (LARGE_MACRO, SCAN),
        (SCAN, UNNAMED_MACRO),
        (UNNAMED_MACRO, PLAIN_SCAN),
        (LABEL, PLAIN_SCAN),
    ],
)
def test_a_macro_or_label_never_beats_the_scan(tmp_path, images) -> None:
    np.testing.assert_array_equal(first(ome(tmp_path / "a.ome.tif", *images)), TISSUE)


@pytest.mark.parametrize(
    ("images", "part"),
    [
        ((STAINS, LABEL), "not a brightfield scan"),
        ((STAINS, NAMELESS), "not a brightfield scan"),
        ((LABEL, STAINS), "not a brightfield scan"),
        ((LABEL,), "holds only a label"),
        ((LABEL, LARGE_MACRO), "holds only a label"),
    ],
)
def test_a_label_or_thumbnail_is_never_the_slide(tmp_path, images, part) -> None:
    path = ome(tmp_path / "a.ome.tif", *images)
    with pytest.raises(PixCellError, match=part) as error:
        open_slide(path)
    assert not isinstance(error.value, NoTissueImage)


@pytest.mark.parametrize(
    "about", [{"description": "Macro"}, {"subfiletype": 9}, {"subfiletype": 1}, {}]
)
def test_a_macro_is_not_a_level(tmp_path, about) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(TISSUE, **RGB, **TILED)
        writer.write(np.ascontiguousarray(MACRO[:160, :200]), **RGB, **TILED, **about)
        writer.write(np.ascontiguousarray(TISSUE[::4, ::4]), **RGB, **TILED, subfiletype=1)
    with open_slide(path) as slide:
        assert [level.shape for level in slide.levels] == [(320, 400, 3), (80, 100, 3)]


def test_titled_labels_of_plain_tiffs_are_no_slides(tmp_path) -> None:
    about = "Aperio-like Library\r\nlabel 400x300"
    tifffile.imwrite(tmp_path / "a.tif", MACRO, **RGB, description=about)
    with pytest.raises(PixCellError, match="holds only a label"):
        open_slide(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((640, 800), np.uint16), **TILED, metadata=None)
    tifffile.imwrite(tmp_path / "b.tif", MACRO, **RGB, append=True)
    with pytest.raises(PixCellError, match="not a brightfield scan"):
        open_slide(tmp_path / "b.tif")


def test_previews_of_other_formats_are_refused_by_name(tmp_path) -> None:
    Image.fromarray(MACRO).save(tmp_path / "a.mrxs", "JPEG")
    with pytest.raises(PixCellError, match="data folder is missing"):
        open_slide(tmp_path / "a.mrxs")
    for name in ("a.vsi", "a.ets"):
        tifffile.imwrite(tmp_path / name, MACRO, **RGB)
        with pytest.raises(PixCellError, match="Olympus slide"):
            open_slide(tmp_path / name)


def test_stacks_are_refused_by_name(tmp_path) -> None:
    stack = np.stack([TISSUE] * 3)
    ome(tmp_path / "a.ome.tif", (stack, {"photometric": "rgb"}, {"axes": "ZYXS"}))
    tifffile.imwrite(tmp_path / "b.tif", stack, **RGB)
    tifffile.imwrite(tmp_path / "c.tif", stack, photometric="rgb", imagej=True)
    for name in ("a.ome.tif", "b.tif", "c.tif"):
        with pytest.raises(PixCellError, match="is a stack of 3 colour pictures"):
            open_slide(tmp_path / name)


@pytest.mark.parametrize(
    ("names", "order"),
    [(["Red", "Green", "Blue"], (0, 1, 2)), (["B", "G", "R"], (2, 1, 0)), (None, (0, 1, 2))],
)
def test_three_grey_channels_of_a_bright_field_are_a_slide(tmp_path, names, order) -> None:
    channels = np.ascontiguousarray(np.moveaxis(TISSUE, -1, 0)[list(order)])
    about = {"axes": "CYX"} | ({"Channel": {"Name": names}} if names else {})
    options = {"photometric": "minisblack", **TILED}
    ome(tmp_path / "a.ome.tif", (channels, options, about))
    np.testing.assert_array_equal(first(tmp_path / "a.ome.tif"), TISSUE)
    if names is None:
        tifffile.imwrite(tmp_path / "a.tif", channels, imagej=True, metadata={"axes": "CYX"})
        np.testing.assert_array_equal(first(tmp_path / "a.tif"), TISSUE)


@pytest.mark.parametrize("names", [["DAPI", "FITC", "Cy5"], None])
def test_three_stains_are_no_slide(tmp_path, names) -> None:
    channels = np.moveaxis(TISSUE // 4 if names is None else TISSUE, -1, 0)
    about = {"axes": "CYX"} | ({"Channel": {"Name": names}} if names else {})
    ome(tmp_path / "a.ome.tif", (channels, {"photometric": "minisblack"}, about))
    with pytest.raises(NoTissueImage):
        open_slide(tmp_path / "a.ome.tif")


def test_the_pixel_size_is_that_of_the_image_itself(tmp_path) -> None:
    def image(size: float, ifd: int, uuid: str) -> str:
        return (
            f'<Image><Pixels SizeX="400" SizeY="320" SizeC="3" SizeZ="1" SizeT="1" Type="uint8" '
            f'PhysicalSizeX="{size}" PhysicalSizeY="{size}"><Channel SamplesPerPixel="3"/>'
            f'<TiffData IFD="{ifd}" PlaneCount="1"><UUID FileName="x">{uuid}</UUID></TiffData>'
            "</Pixels></Image>"
        )

    head = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="me">'
    xml = head + image(9, 0, "another") + image(0.5, 0, "me") + "</OME>"
    tifffile.imwrite(tmp_path / "a.ome.tif", TISSUE, **RGB, description=xml)
    with open_slide(tmp_path / "a.ome.tif") as slide:
        assert slide.mpp == 0.5


@pytest.mark.parametrize(
    ("data", "options", "part"),
    [
        (np.dstack([TISSUE, TISSUE[..., 0]]), {"photometric": "separated"}, "CMYK"),
        (TISSUE, {"photometric": "cielab"}, "CIELAB"),
        (TISSUE, {"photometric": "ycbcr", "compression": "zlib"}, "YCbCr colours without JPEG"),
        (TISSUE.astype(np.uint32), {"photometric": "rgb"}, "32 bits per sample"),
        (np.dstack([TISSUE, TISSUE]), {"photometric": "rgb"}, "6 samples per pixel"),
    ],
)
def test_other_colours_are_refused_by_name(tmp_path, data, options, part) -> None:
    tifffile.imwrite(tmp_path / "a.tif", data, metadata=None, **options)
    with pytest.raises(PixCellError, match=part) as error:
        open_slide(tmp_path / "a.tif")
    assert "damaged" not in str(error.value)


@pytest.mark.parametrize(("mode", "part"), [("CMYK", "CMYK"), ("F", "floating-point")])
def test_other_colours_of_images_are_refused_by_name(tmp_path, mode, part) -> None:
    name = "a.jpg" if mode == "CMYK" else "a.tga"
    if mode == "F":
        name = "a.pfm"
        Image.fromarray(TISSUE[..., 0].astype(np.float32)).save(tmp_path / name, "PPM")
    else:
        Image.fromarray(TISSUE).convert(mode).save(tmp_path / name)
    with pytest.raises(PixCellError, match=part):
        open_slide(tmp_path / name)


def test_an_unknown_compression_is_unsupported(tmp_path) -> None:
    for name, page in (("a.tif", 0), ("a.svs", 0)):
        path = tmp_path / name
        if name == "a.svs":
            write_svs(path, TISSUE, 7)
        else:
            tifffile.imwrite(path, TISSUE, **RGB, **TILED, compression="zlib")
        with tifffile.TiffFile(path, mode="r+b") as file:
            file.pages[page].tags[259].overwrite(65000)
        with pytest.raises(PixCellError, match="is compressed") as error:
            open_slide(path)
        assert "not supported" in str(error.value)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_samples_of_fewer_bits_fill_the_range(tmp_path, bits) -> None:
    bright = TISSUE.copy()
    bright[::2, ::2] = 255
    stored = np.rint(bright / 255 * (2**bits - 1)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stored, **RGB, **TILED)
    assert abs(first(tmp_path / "a.tif").astype(int) - bright).max() <= 1
    about = {"SignificantBits": bits} if bits != 8 else {}
    ome(tmp_path / "a.ome.tif", (stored, {"photometric": "rgb"}, about))
    assert abs(first(tmp_path / "a.ome.tif").astype(int) - bright).max() <= 1


def test_sixteen_bit_png_images_are_converted(tmp_path) -> None:
    grey = TISSUE[..., 0]
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "a.png")
    np.testing.assert_array_equal(first(tmp_path / "a.png")[..., 1], grey)
    deep = np.dstack([TISSUE[..., ::-1]]).astype(np.uint16)
    (tmp_path / "b.png").write_bytes(imagecodecs.png_encode(deep * 257))
    assert first(tmp_path / "b.png").std() > 1
    (tmp_path / "c.png").write_bytes(imagecodecs.png_encode(deep * 16))
    with pytest.raises(PixCellError, match="only part of its 16 bits"):
        open_slide(tmp_path / "c.png")


@pytest.mark.parametrize(
    ("kind", "value"), [("assocalpha", 155), ("unassalpha", 205), ("unspecified", 100)]
)
def test_a_fourth_sample_is_blended_only_if_it_is_alpha(tmp_path, kind, value) -> None:
    """Grey 100 with an alpha of about a third, on white."""
    data = np.full((80, 80, 4), 100, np.uint8)
    data[..., 3] = 200 if kind == "assocalpha" else 83
    tifffile.imwrite(tmp_path / "a.tif", data, **RGB, extrasamples=[kind])
    assert abs(int(first(tmp_path / "a.tif")[0, 0, 0]) - value) <= 1


def test_premultiplied_colours_never_overflow() -> None:
    pixels = np.array([[[250, 250, 250, 100], [0, 0, 0, 0]]], np.uint8)
    np.testing.assert_array_equal(to_rgb8(pixels, premultiplied=True), np.full((1, 2, 3), 255))


@pytest.mark.parametrize(
    ("kind", "count", "value"),
    [
        (11, 1, struct.pack("<f", 20000)),
        (3, 1, struct.pack("<HH", 20000, 0)),
        (4, 1, struct.pack("<I", 20000)),
        (5, 2, b""),
    ],
)
def test_a_resolution_may_be_stored_as_any_number(tmp_path, kind, count, value) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, TISSUE, **RGB, resolution=(20000, 20000), resolutionunit=3)
    with tifffile.TiffFile(path) as file:
        places = [file.pages[0].tags[code].offset for code in (282, 283)]
    with path.open("r+b") as file:
        for at in places:
            file.seek(at + 2)
            file.write(struct.pack("<HI", kind, count) + value)
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.5)


@pytest.mark.parametrize("resolution", [(1, 2**32 - 1), (2**32 - 1, 1), (0, 1), (0, 0)])
def test_impossible_resolutions_are_ignored(tmp_path, resolution) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, TISSUE, **RGB, resolution=(20000, 20000), resolutionunit=3)
    with tifffile.TiffFile(path, mode="r+b") as file:
        for code in (282, 283):
            file.pages[0].tags[code].overwrite(resolution)
    with open_slide(path) as slide:
        assert slide.mpp is None and slide.note == ""


def test_pixels_that_are_not_square_are_told(tmp_path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, TISSUE, **RGB, resolution=(40000, 20000), resolutionunit=3)
    with open_slide(path) as slide:
        assert slide.mpp is None and "0.25 × 0.5 µm, not square" in slide.note
        with pytest.raises(PixCellError, match="not square"):
            slide.read(Region(0, 0, 50, 50), 0.5)
    assert not_square(0.5, 0.5) == not_square(None, 0.5) == not_square(0.5, 300) == ""


def test_slides_with_white_margins_are_told_apart(tmp_path) -> None:
    white = bytes([255]) * (6 * 2**20)
    for name, at in (("a.tif", 3 * 2**20), ("b.tif", 3 * 2**20 + 100_000)):
        (tmp_path / name).write_bytes(white[:at] + bytes(200_000) + white[at + 200_000 :])
    a, b = tmp_path / "a.tif", tmp_path / "b.tif"
    for path in (a, b):
        os.utime(path, (7, 7))
    assert a.stat().st_size == b.stat().st_size > 2 * CHUNK and ends_key(a) == ends_key(b)
    assert content_key(a) != content_key(b) and slide_stamp(a) != slide_stamp(b)
    assert has_content(a, content_key(a)) and has_content(a, ends_key(a))
    assert not has_content(a, content_key(b))


def test_what_earlier_versions_remember_of_a_slide_is_found(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, TISSUE, **RGB)
    with monkeypatch.context() as earlier:
        earlier.setattr("napari_pixcell.slides.pixel_size.content_key", ends_key)
        remember_mpp(path, 0.42)
    with open_slide(path) as slide:
        assert slide.mpp == 0.42
        mark = SlideMark.of(slide)
        old = SlideMark(mark.name, path, ends_key(path), mark.shape, mark.mpp)
        assert old.is_at(path) and old.is_same(mark) and mark.is_same(old)


def test_a_mask_is_left_to_napari_and_other_errors_are_not(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "mask.tif", np.ones((30, 30), np.uint16))
    tifffile.imwrite(tmp_path / "lab.tif", TISSUE, photometric="cielab", metadata=None)
    assert get_reader(str(tmp_path / "mask.tif")) is None
    assert get_reader(str(tmp_path / "lab.tif")) is not None

"""Opening slides: formats, pixel sizes and error messages."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import ArraySlide, Region, check_region, open_slide, remember_mpp
from napari_pixcell.slides.pixel_size import from_ome, from_resolution
from napari_pixcell.slides.write import write_pyramid

NOISE = np.random.default_rng(1).integers(0, 256, (900, 1101, 3), np.uint8)


@pytest.mark.parametrize(
    ("name", "shape", "mpp"),
    [
        ("wsi_cmu1_small_region/CMU-1-Small-Region.svs", (2967, 2220), 0.499),
        ("openslide_os1_os2_crops/OS-1-detail.ome.tif", (1101, 1101), 0.2271),
        ("openslide_os1_os2_crops/OS-2-ndpi.ome.tif", (2202, 2202), 0.2271),
        ("openslide_os1_os2_crops/OS-2-vsi.ome.tif", (1445, 1445), 0.34605),
        ("skimage_skin/skin.tif", (960, 1280), None),
        ("brecahad_30/images/10012.jpg", (1024, 1360), None),
    ],
)
def test_the_pixel_size_of_real_files_is_read(shared_data, name, shape, mpp) -> None:
    with open_slide(shared_data / name) as slide:
        assert slide.shape == shape
        assert slide.mpp == (None if mpp is None else pytest.approx(mpp, abs=1e-4))
        assert slide.levels[0][100:300, 200:300].std() > 1


def test_ome_tiffs_equal_tifffile(shared_data) -> None:
    path = shared_data / "openslide_os1_os2_crops" / "OS-1-detail.ome.tif"
    with open_slide(path) as slide:
        np.testing.assert_array_equal(np.asarray(slide.levels[0]), tifffile.imread(path))


def test_written_pyramids_can_be_opened(tmp_path) -> None:
    path = tmp_path / "p.ome.tif"
    smooth = np.tile(np.linspace(40, 220, 1300, dtype=np.uint8)[None, :, None], (1200, 1, 3))
    write_pyramid(path, smooth, 0.37)
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.37)
        assert [level.shape[:2] for level in slide.levels] == [(1200, 1300), (600, 650), (300, 325)]
        assert abs(np.asarray(slide.levels[0]).astype(int) - smooth).max() < 6
        assert abs(np.asarray(slide.levels[1]).astype(int) - smooth[::2, ::2]).max() < 6
    assert [p.name for p in tmp_path.iterdir()] == ["p.ome.tif"]


def cm(mpp: float) -> dict:
    return {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}


@pytest.mark.parametrize(
    ("options", "mpp"),
    [
        (cm(0.25), 0.25),
        ({"resolution": (50800, 50800), "resolutionunit": "INCH"}, 0.5),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
        ({"resolution": (96, 96), "resolutionunit": "INCH"}, None),
        ({"resolution": (4, 4), "resolutionunit": "NONE"}, None),
        ({"resolution": (4, 4), "imagej": True, "metadata": {"unit": "um"}}, 0.25),
        ({"resolution": (4, 4), "imagej": True, "metadata": {"unit": "\\u00B5m"}}, 0.25),
        ({"resolution": (4, 4), "imagej": True}, None),
        ({"resolution": (40000, 10000), "resolutionunit": "CENTIMETER"}, None),
    ],
)
def test_implausible_tiff_pixel_sizes_are_ignored(tmp_path, options, mpp) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, NOISE, photometric="rgb", **options)
    with open_slide(path) as slide:
        assert slide.mpp == (None if mpp is None else pytest.approx(mpp, rel=1e-4))
        np.testing.assert_array_equal(slide.levels[0][300:400, 5:50], NOISE[300:400, 5:50])


@pytest.mark.parametrize(("unit", "value"), [("nm", 250), ("mm", 2.5e-4), ("µm", 0.25)])
def test_ome_units(unit, value) -> None:
    size = " ".join(f'PhysicalSize{a}="{value}" PhysicalSize{a}Unit="{unit}"' for a in "XY")
    xml = f'<OME xmlns="http://x"><Image><Pixels {size}/></Image></OME>'
    assert from_ome(xml) == pytest.approx(0.25)
    assert from_ome(xml, 1) is None
    assert from_ome("<broken") is None


def test_a_resolution_without_unit_is_ignored() -> None:
    assert from_resolution(1, 1, None) is None


@pytest.mark.parametrize(
    "options",
    [
        {"planarconfig": "separate", "photometric": "rgb"},
        {"tile": (128, 128), "photometric": "rgb", "compression": "zlib"},
        {"tile": (128, 128), "photometric": "rgb", "bigtiff": True},
    ],
)
def test_all_tiff_storage_layouts_read_equally(tmp_path, options) -> None:
    path = tmp_path / "a.tif"
    planes = np.moveaxis(NOISE, -1, 0) if "planarconfig" in options else NOISE
    tifffile.imwrite(path, planes, **options)
    with open_slide(path) as slide:
        np.testing.assert_array_equal(np.asarray(slide.levels[0]), NOISE)


def test_transparent_pngs_are_blended_on_white(tmp_path) -> None:
    rgba = np.dstack([NOISE, np.zeros(NOISE.shape[:2], np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert (np.asarray(open_slide(tmp_path / "a.png").levels[0]) == 255).all()


def test_sixteen_bit_images_are_converted_to_eight_bits(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", NOISE.astype(np.uint16) * 257, photometric="rgb")
    np.testing.assert_array_equal(np.asarray(open_slide(tmp_path / "a.tif").levels[0]), NOISE)


def test_pixel_sizes_are_remembered_by_content_not_by_name(tmp_path) -> None:
    path = tmp_path / "patient-7.png"
    Image.fromarray(NOISE).save(path)
    assert open_slide(path).mpp is None
    remember_mpp(path, 0.42)
    moved = path.rename(tmp_path / "elsewhere.png")
    assert open_slide(moved).mpp == 0.42
    assert open_slide(moved, mpp=0.3).mpp == 0.3
    store = os.path.join(os.environ["PIXCELL_CONFIG_DIR"], "pixel_sizes.json")  # noqa: PTH118
    with open(store) as file:  # noqa: PTH123
        text = file.read()
    assert "patient" not in text and str(tmp_path) not in text
    assert list(json.loads(text).values()) == [0.42]


def sentence(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert "\n" not in text and text.endswith(".") and "Error" not in text
    return text


@pytest.mark.parametrize("name", ["notes.svs", "notes.tif", "notes.png", "empty.svs"])
def test_files_that_are_not_slides_are_refused(tmp_path, name) -> None:
    path = tmp_path / name
    path.write_bytes(b"" if "empty" in name else b"just some words" * 50)
    with pytest.raises(PixCellError) as error:
        open_slide(path)
    assert "is not a readable slide" in sentence(error) and name in sentence(error)


@pytest.mark.parametrize("kept", [0.0002, 0.3, 0.6, 0.85, 0.98])
def test_truncated_svs_files_are_refused(cmu_slide, tmp_path, kept) -> None:
    data = cmu_slide.read_bytes()
    path = tmp_path / "cut.svs"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(PixCellError) as error, open_slide(path) as slide:
        np.asarray(slide.levels[0])
    assert "damaged or cut short" in sentence(error)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("suffix", [".ome.tif", ".png", ".jpg"])
def test_truncated_images_are_refused(tmp_path, kept, suffix) -> None:
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".ome.tif":
        write_pyramid(whole, NOISE, 0.5)
    else:
        Image.fromarray(NOISE).save(whole)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * kept)])
    with pytest.raises(PixCellError, match="damaged or cut short"), open_slide(cut) as slide:
        np.asarray(slide.levels[0])


def test_missing_files_and_folders_are_refused(tmp_path) -> None:
    with pytest.raises(PixCellError, match=r"“gone\.svs” does not exist") as error:
        open_slide(tmp_path / "gone.svs")
    assert str(tmp_path) not in sentence(error)
    with pytest.raises(PixCellError, match="is a folder"):
        open_slide(tmp_path)


def test_a_mask_is_not_a_slide(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "mask.tif", np.ones((30, 30), np.uint16))
    with pytest.raises(PixCellError, match="not an RGB image"):
        open_slide(tmp_path / "mask.tif")
    with pytest.raises(PixCellError, match="not an RGB image"):
        ArraySlide([np.ones((30, 30))], 0.5, "grey")


def test_an_unknown_pixel_size_is_explained(shared_data) -> None:
    slide = open_slide(shared_data / "skimage_skin" / "skin.tif")
    region = Region(0, 0, 400, 400)
    for act in (lambda: slide.read(region, 0.5), lambda: check_region(region, slide, 256, 0.5)):
        with pytest.raises(PixCellError) as error:
            act()
        assert "pixel size of “skin.tif” is unknown" in sentence(error)
        assert "--mpp" in sentence(error)
    assert slide.with_mpp(0.5).read(region, 0.5).shape == (400, 400, 3)
    assert slide.mpp is None


@pytest.mark.parametrize("mpp", [0, -1, 300, float("nan")])
def test_implausible_pixel_sizes_are_refused(mpp) -> None:
    with pytest.raises(PixCellError, match="is not plausible"):
        ArraySlide([NOISE], mpp, "x")


@pytest.mark.parametrize(
    ("region", "part"),
    [
        (Region(5000, 10, 300, 300), "outside the slide, which is 1101 × 900 pixels"),
        (Region(-400, 10, 300, 300), "outside the slide"),
        (Region(10, 10, 100, 300), "smaller than one tile"),
        (Region(10, 10, -300, 300), "no area"),
        (Region(10, 10, float("nan"), 300), "no area"),
    ],
)
def test_unusable_regions_are_refused(region, part) -> None:
    with pytest.raises(PixCellError) as error:
        check_region(region, ArraySlide([NOISE], 0.5, "x"), 256, 0.5)
    assert part in sentence(error)


def test_regions_may_extend_beyond_the_slide() -> None:
    check_region(Region(1000, -20, 256, 256), ArraySlide([NOISE], 0.5, "x"), 256, 0.5)


@pytest.mark.parametrize(
    ("name", "short"),
    [("a.svs", "a"), ("case 1.2.ome.tif", "case 1.2"), ("a", "a"), ("x.ndpi", "x")],
)
def test_short_names_have_no_suffix(name: str, short: str) -> None:
    assert ArraySlide([np.zeros((4, 4, 3), np.uint8)], 0.5, name).short_name == short

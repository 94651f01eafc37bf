"""Regions are read at their exact position and the requested pixel size."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import ArraySlide, Region, open_slide
from napari_pixcell.slides.levels import ArrayLevel, TiledLevel
from napari_pixcell.slides.resample import resample
from napari_pixcell.slides.write import write_pyramid


def dot_image(width: int, x: float, height: int = 600, radius: float = 40) -> np.ndarray:
    """White, with a soft dark dot at (x, height / 2), counted from the corner."""
    yy, xx = np.mgrid[:height, :width] + 0.5
    dot = 250 * np.exp(-((xx - x) ** 2 + (yy - height / 2) ** 2) / (2 * radius**2))
    return np.repeat((255 - dot)[..., None], 3, axis=2).round().astype(np.uint8)


def centre_x(pixels: np.ndarray) -> float:
    """Return the x position of the dot in pixels, from the corner of the image."""
    dark = 255 - pixels[..., 0].astype(float)
    dark[dark < 20] = 0
    return float((dark.sum(axis=0) * (np.arange(pixels.shape[1]) + 0.5)).sum() / dark.sum())


@pytest.fixture(scope="module")
def wide_pyramid(tmp_path_factory):
    path = tmp_path_factory.mktemp("wide") / "wide.ome.tif"
    write_pyramid(path, dot_image(20011, 19600), 0.5, factor=3.3, lossless=True)
    return path


@pytest.mark.parametrize("mpp", [0.5, 0.7, 1.65, 2.0, 6.1])
def test_distant_features_are_read_within_half_a_pixel(wide_pyramid, mpp) -> None:
    with open_slide(wide_pyramid) as slide:
        assert len(slide.levels) > 2
        region = Region(19600 - 401.3, 0, 802.6, 600)
        pixels = slide.read(region, mpp)
        scale = region.width / pixels.shape[1]
        assert abs(region.x + centre_x(pixels) * scale - 19600) < 0.5


def test_downsamples_are_not_rounded(wide_pyramid) -> None:
    with open_slide(wide_pyramid) as slide:
        x = slide.shape[1] / slide.levels[2].shape[1]
        y = slide.shape[0] / slide.levels[2].shape[0]
        assert slide.downsamples[2] == pytest.approx((x * y) ** 0.5, rel=1e-12)
        assert slide.downsamples[2] != round(slide.downsamples[2])


def test_the_nearest_finer_level_is_read() -> None:
    levels = [np.full((800 // d, 800 // d, 3), 10 * d, np.uint8) for d in (1, 2, 4)]
    slide = ArraySlide(levels, 0.25, "steps")
    shades = [
        slide.read(Region(80, 80, 640, 640), m).mean() for m in (0.2, 0.25, 0.49, 0.5, 0.9, 1)
    ]
    assert shades == [10, 10, 10, 20, 20, 40]


def test_level_0_pixels_are_unchanged() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    slide = ArraySlide([image], 0.5, "noise")
    np.testing.assert_array_equal(slide.read(Region(8, 4, 32, 16), 0.5), image[4:20, 8:40])


def test_shrinking_averages_exact_areas() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    image[:, 0], image[:, 1], image[:, 2] = 0, 90, 210
    out = ArraySlide([image], 1.0, "x").read(Region(0, 0, 3, 2), 1.5)
    np.testing.assert_array_equal(out[0, :, 0], [30, 170])  # (0 + 90/2) / 1.5, (90/2 + 210) / 1.5


def test_enlarging_interpolates_linearly_between_pixel_centres() -> None:
    ramp = np.repeat(np.arange(0, 200, 10, np.uint8)[None, :, None], 3, axis=2).repeat(9, axis=0)
    out = ArraySlide([ramp], 1.0, "ramp").read(Region(4, 4, 8, 4), 0.5)
    np.testing.assert_allclose(out[2, :, 0], 37.5 + 5 * np.arange(16), atol=0.51)


def test_transparent_and_outside_pixels_are_white() -> None:
    image = np.zeros((40, 40, 4), np.uint8)
    image[:, :20, 3] = 255
    out = ArraySlide([image], 0.5, "half").read(Region(-10, -10, 60, 60), 0.5)
    assert (out[:10] == 255).all() and (out[50:] == 255).all() and (out[:, :10] == 255).all()
    assert (out[10:50, 10:30] == 0).all()
    assert (out[:, 30:] == 255).all()


def test_cmu1_equals_openslide(cmu_slide) -> None:
    import openslide

    with open_slide(cmu_slide) as slide, openslide.OpenSlide(str(cmu_slide)) as real:
        expected = np.asarray(real.read_region((601, 803), 0, (300, 200)).convert("RGB"))
        np.testing.assert_array_equal(slide.levels[0][803:1003, 601:901], expected)
        region = Region(600, 800, 256 * 0.5 / 0.499, 256 * 0.5 / 0.499)
        assert slide.read(region, 0.5).shape == (256, 256, 3)


def test_levels_index_like_numpy(cmu_slide) -> None:
    with open_slide(cmu_slide) as slide:
        level = slide.levels[0]
        whole = np.asarray(level)
        assert level.shape == whole.shape == (2967, 2220, 3) and level.dtype == np.uint8
        assert level.chunks == (240, 240, 3)
        keys = [np.s_[5:900:7, 30:2000:11], np.s_[-20:, ::-400, 1], np.s_[2966], np.s_[..., 0]]
        for key in [*keys, np.s_[3, 4], np.s_[10:10, 3:8], np.s_[700:100:-90, 3, 0:2]]:
            np.testing.assert_array_equal(level[key], whole[key])
        with pytest.raises(IndexError):
            level[2967]


def test_slides_are_thread_safe(cmu_slide) -> None:
    with open_slide(cmu_slide) as slide, ThreadPoolExecutor(6) as pool:
        regions = [Region(150 * i, 200 * i, 300, 300) for i in range(12)]
        reads = list(pool.map(lambda r: slide.read(r, 0.7), regions))
        for region, read in zip(regions, reads, strict=True):
            np.testing.assert_array_equal(slide.read(region, 0.7), read)


def test_closed_slides_explain_the_error_and_slides_cannot_be_pickled(cmu_slide) -> None:
    slide = open_slide(cmu_slide)
    with pytest.raises(TypeError):
        pickle.dumps(slide)
    slide.close()
    slide.close()
    with pytest.raises(PixCellError, match="was closed"):
        slide.read(Region(0, 0, 300, 300), 0.5)


def test_large_flat_slides_get_computed_levels() -> None:
    image = np.zeros((300, 9001, 3), np.uint8)
    image[:, 4500:] = 200
    slide = ArraySlide([image], 0.5, "strip")
    assert [level.shape[:2] for level in slide.levels] == [(300, 9001), (75, 2251)]
    assert slide.downsamples == (1.0, 4.0)
    np.testing.assert_array_equal(slide.levels[1][:, 1124:1126, 0][0], [0, 200])


def test_tiles_are_decoded_once() -> None:
    calls = []

    def fetch(row: int, column: int) -> np.ndarray:
        calls.append((row, column))
        return np.full((64, 64, 3), row * 10 + column, np.uint8)

    level = TiledLevel((256, 256), (64, 64), fetch)
    for _ in range(3):
        assert level[60:70, 60:70].shape == (10, 10, 3)
    assert sorted(calls) == [(0, 0), (0, 1), (1, 0), (1, 1)]


class Unread(ArrayLevel):
    """A level that must not be read."""

    def read(self, *box: int) -> np.ndarray:
        raise AssertionError("a level that is not needed was read")


def odd_pyramid(at: list[float], factor: int, squeezed: bool) -> ArraySlide:
    """Return a strip of 19,999 px with soft dots, whose second level has one column too few.

    The second level holds either whole blocks of the first, or all of it, squeezed.
    """
    fine = np.full((102, 19999, 3), 255, np.uint8)
    for x in at:
        start = int(x) - 60
        fine[:, start : start + 120] = dot_image(120, x - start, 102, 9)
    rows, columns = 102 // factor, 19999 // factor
    whole = (102, 19999) if squeezed else (102, columns * factor)
    coarse = resample(fine, (0, 0, *whole), (rows, columns))
    return ArraySlide([Unread(fine), coarse], 0.25, "odd")


@pytest.mark.parametrize("squeezed", [True, False])
@pytest.mark.parametrize("factor", [2, 3])
def test_odd_levels_are_used_and_read_at_their_position(factor: int, squeezed: bool) -> None:
    centres = [100.5, 5003.25, 9999.5, 14998, 19890.75]
    slide = odd_pyramid(centres, factor, squeezed)
    mpp = 0.25 * factor
    for x in centres:
        for start in (x - 58, np.floor(x) - 57, np.floor(x) - 58):
            region = Region(float(start), 0, 120, 102)
            pixels = slide.read(region, mpp)
            assert pixels.shape[:2] == (102 // factor, 120 // factor)
            off = centre_x(pixels) * region.width / pixels.shape[1] + region.x - x
            assert abs(off) < 0.5 * factor


def test_a_large_region_begins_and_ends_at_its_corners() -> None:
    ends = [80.5, 19900.25]
    for squeezed in (True, False):
        slide = odd_pyramid(ends, 2, squeezed)
        region = Region(21.5, 0, 19950, 102)
        pixels = slide.read(region, 0.5)
        assert pixels.shape[1] == 9975
        for x, part in zip(ends, (pixels[:, :70], pixels[:, -70:]), strict=True):
            left = 0 if x < 1000 else pixels.shape[1] - 70
            assert abs(region.x + (left + centre_x(part)) * 2 - x) < 1


@pytest.mark.parametrize(("mpp", "index"), [(0.4976, 1), (0.4974, 0), (0.5, 1), (0.99, 1)])
def test_levels_within_half_a_percent_are_used(mpp: float, index: int) -> None:
    levels = [np.full((800 // d, 800 // d, 3), 10 * d, np.uint8) for d in (1, 2, 4)]
    slide = ArraySlide(levels, 0.25, "steps")
    assert slide.read(Region(80.2, 80, 640, 640), mpp).mean() == 10 * 2**index

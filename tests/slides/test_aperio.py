"""Aperio slides are read without OpenSlide, with identical pixels."""

from __future__ import annotations

import numpy as np
import openslide
import pytest
from svs import write_svs

from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.backends import aperio


@pytest.fixture(scope="module")
def tissue(cmu_slide) -> np.ndarray:
    with openslide.OpenSlide(str(cmu_slide)) as slide:
        return np.asarray(slide.read_region((300, 400), 0, (1100, 900)).convert("RGB"))


def is_fast(path) -> bool:
    with openslide.OpenSlide(str(path)) as slide:
        found = aperio.levels(path, slide)
        if found is not None:
            found[1]()
        return found is not None


def test_cmu1_is_read_fast_and_equals_openslide_everywhere(cmu_slide) -> None:
    assert is_fast(cmu_slide)
    with open_slide(cmu_slide) as slide, openslide.OpenSlide(str(cmu_slide)) as real:
        whole = real.read_region((0, 0), 0, real.dimensions).convert("RGB")
        np.testing.assert_array_equal(np.asarray(slide.levels[0]), np.asarray(whole))
        random = np.random.default_rng(5)
        for x, y in random.integers(0, 2900, (12, 2)).tolist():
            expected = np.asarray(real.read_region((x % 2100, y), 0, (67, 55)))
            white = expected[..., 3:] == 0
            box = slide.levels[0].read_white(y, y + 55, x % 2100, x % 2100 + 67)
            np.testing.assert_array_equal(box, np.where(white, 255, expected[..., :3]))
        assert slide.mpp == 0.499 and slide.mpp_source == "the slide file"


@pytest.mark.parametrize("compression", [7, 33005])
def test_every_level_of_a_pyramid_equals_openslide(tissue, tmp_path, compression) -> None:
    path = write_svs(tmp_path / "a.svs", tissue, compression)
    assert is_fast(path)
    with open_slide(path) as slide, openslide.OpenSlide(str(path)) as real:
        assert slide.downsamples == pytest.approx(real.level_downsamples, rel=1e-12)
        for index, (width, height) in enumerate(real.level_dimensions):
            expected = real.read_region((0, 0), index, (width, height)).convert("RGB")
            np.testing.assert_array_equal(np.asarray(slide.levels[index]), np.asarray(expected))


def test_jpeg_2000_in_ycbcr_equals_openslide_on_every_whole_level(tissue, tmp_path) -> None:
    path = write_svs(tmp_path / "a.svs", tissue, 33003)
    assert is_fast(path)
    with open_slide(path) as slide, openslide.OpenSlide(str(path)) as real:
        for index, (width, height) in enumerate(real.level_dimensions):
            expected = real.read_region((0, 0), index, (width, height)).convert("RGB")
            np.testing.assert_array_equal(np.asarray(slide.levels[index]), np.asarray(expected))


@pytest.mark.parametrize("compression", [7, 33003])
def test_levels_of_an_odd_downsample_are_not_blurred(tissue, tmp_path, compression) -> None:
    path = write_svs(tmp_path / "a.svs", tissue[:803, :1001], compression)
    with open_slide(path) as slide, openslide.OpenSlide(str(path)) as real:
        width, height = real.level_dimensions[2]
        whole = np.asarray(real.read_region((0, 0), 2, (width, height)).convert("RGB"))
        assert real.level_downsamples[2] % 1 > 0
        np.testing.assert_array_equal(slide.levels[2][120:200, 130:250], whole[120:200, 130:250])


def test_openslide_reads_slides_whose_pixels_differ(cmu_slide, monkeypatch) -> None:
    tiled = aperio.Reader.tiled

    def greener(self, page, number):
        level = tiled(self, page, number)
        decode = level.decode
        level.decode = lambda row, column: decode(row, column) // 2
        return level

    monkeypatch.setattr(aperio.Reader, "tiled", greener)
    assert not is_fast(cmu_slide)
    with open_slide(cmu_slide) as slide, openslide.OpenSlide(str(cmu_slide)) as real:
        expected = real.read_region((100, 200), 0, (300, 300)).convert("RGB")
        np.testing.assert_array_equal(slide.levels[0][200:500, 100:400], np.asarray(expected))


def test_thumbnail_label_and_macro_are_not_levels(cmu_slide, tissue, tmp_path) -> None:
    with open_slide(cmu_slide) as slide:
        assert [level.shape for level in slide.levels] == [(2967, 2220, 3)]
    with open_slide(write_svs(tmp_path / "a.svs", tissue, 7)) as slide:
        assert [level.shape[:2] for level in slide.levels] == [(900, 1100), (450, 550), (225, 275)]


def test_truncated_files_with_intact_directories_are_refused(tissue, tmp_path, monkeypatch) -> None:
    from napari_pixcell.errors import PixCellError

    path = write_svs(tmp_path / "a.svs", tissue, 7)
    with openslide.OpenSlide(str(path)) as real:
        start = aperio.Reader.__init__

        def shorter(self, file, path) -> None:
            start(self, file, path)
            self.size = 20_000

        monkeypatch.setattr(aperio.Reader, "__init__", shorter)
        with pytest.raises(PixCellError, match="damaged or cut short"):
            aperio.levels(path, real)


def test_the_fast_path_reads_regions_at_any_pixel_size(tissue, tmp_path) -> None:
    with open_slide(write_svs(tmp_path / "a.svs", tissue, 7)) as slide:
        assert slide.read(Region(40, 60, 600, 600), 1.0).shape == (299, 299, 3)

"""Corrupt tiles are white, logged once and counted; the rest of the slide is read."""

from __future__ import annotations

import logging
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
from svs import damage, leave_out, write_svs

from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.corrupt import MOST_LOGGED, CorruptTiles
from napari_pixcell.slides.levels import CACHE, TiledLevel

TISSUE = np.random.default_rng(2).integers(60, 200, (900, 1100, 3), np.uint8)


@pytest.fixture(params=["tifffile, Aperio", "OpenSlide", "tifffile, plain"])
def bad_slide(request, tmp_path):
    """Tile (1, 2) of level 0 is corrupt; tiles are 240 px."""
    if request.param == "tifffile, plain":
        path = tmp_path / "a.tif"
        tifffile.imwrite(
            path, TISSUE, tile=(240, 240), photometric="rgb", compression="zlib", metadata=None
        )
    else:
        path = write_svs(tmp_path / "a.svs", TISSUE, 7)
        if request.param == "OpenSlide":
            leave_out(path, page=0, tile=19)
    damage(path, page=0, tile=5 + 2)
    return path


def test_corrupt_tiles_are_white_counted_and_logged_once(bad_slide, caplog) -> None:
    found = []
    with caplog.at_level(logging.WARNING), open_slide(bad_slide) as slide:
        slide.corrupt.found.connect(lambda: found.append(1))
        for _ in range(3):
            pixels = np.asarray(slide.levels[0])
            CACHE.drop(slide.levels[0]._number)
        assert (pixels[240:480, 480:720] == 255).all()
        for box in (np.s_[:240], np.s_[480:], np.s_[240:480, :480], np.s_[240:480, 720:]):
            assert pixels[box].std() > 5
        assert len(slide.corrupt) == 1 and len(found) == 1
    said = [r.message for r in caplog.records if "cannot be decoded" in r.message]
    assert len(said) == 1 and "row 1, column 2 of level 0" in said[0]


def test_regions_with_corrupt_tiles_carry_a_note(bad_slide) -> None:
    with open_slide(bad_slide) as slide:
        slide = slide.with_mpp(0.5)
        assert slide.corrupt_note() == ""
        near, far = Region(400, 300, 300, 300), Region(10, 500, 300, 300)
        assert (slide.read(near, 0.5) == 255).all(axis=2).any()
        slide.read(far, 0.5)
        assert slide.corrupt_in(near) == 1 and slide.corrupt_in(far) == 0
        assert slide.corrupt_note(far) == ""
        assert slide.corrupt_note(near) == (
            f"This region of “{slide.name}” has a corrupt tile, which is shown white. Copy the "
            "file again from its source."
        )
        slide.corrupt.add(0, 3, 0, ValueError("x"))
        assert slide.corrupt_note() == (
            f"“{slide.name}” has 2 corrupt tiles, which are shown white. Copy the file again from "
            "its source."
        )


def test_corrupt_tiles_do_not_affect_other_threads(bad_slide) -> None:
    """OpenSlide objects fail forever after one failed read."""
    with open_slide(bad_slide) as slide, ThreadPoolExecutor(6) as pool:
        regions = [Region(240 * i, 240 * j, 230, 230) for i in range(4) for j in range(3)] * 2
        whites = list(
            pool.map(lambda r: bool((slide.with_mpp(0.5).read(r, 0.5) == 255).all()), regions)
        )
        expected = [r.x == 480 and r.y == 240 for r in regions]
        assert whites == expected
        assert len(slide.corrupt) == 1


def test_a_real_slide_with_a_corrupt_tile_is_read(cmu_slide, tmp_path) -> None:
    path = tmp_path / "bad.svs"
    shutil.copyfile(cmu_slide, path)
    damage(path, page=0, tile=0)
    with open_slide(path) as slide:
        assert (slide.levels[0][:240, :240] == 255).all()
        assert slide.levels[0][:240, 240:480].std() > 1
        assert len(slide.corrupt) == 1


def test_the_number_of_log_messages_is_limited(caplog) -> None:
    corrupt = CorruptTiles("x.svs")
    with caplog.at_level(logging.WARNING):
        for i in range(100):
            corrupt.add(0, i, 0, ValueError("bad"))
    assert len(corrupt) == 100
    assert len(caplog.records) == MOST_LOGGED + 1
    assert "not logged" in caplog.records[-1].message


def test_other_errors_are_raised() -> None:
    def fetch(row: int, column: int) -> np.ndarray:
        raise RuntimeError("a mistake of ours")

    with pytest.raises(RuntimeError):
        TiledLevel((10, 10), (5, 5), fetch)[0:3, 0:3]

"""Pairs of pictures that a stain is taught by: what belongs together, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import tissue
from PIL import Image

from napari_pixcell.engine.training.pairs import (
    StainPair,
    folder_pairs,
    hold_out,
    read_pair,
    whole_tiles,
    write_region_pair,
)
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO, PIXCELL_1024
from napari_pixcell.slides import ArraySlide, Region


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for side in ("he", "ihc"):
        (tmp_path / side).mkdir()
    return tmp_path / "he", tmp_path / "ihc"


def put(path: Path, height: int = 300, width: int = 300, mpp: float | None = None) -> Path:
    dpi = {} if mpp is None else {"dpi": (25_400 / mpp,) * 2}
    Image.fromarray(tissue(max(height, width))[:height, :width]).save(path, **dpi)
    return path


def test_images_of_the_same_name_are_paired_in_any_format(folders) -> None:
    he, ihc = folders
    for name in ("b", "a10", "a9"):
        (he / f"{name}.png").touch()
        (ihc / f"{name}.jpg").touch()
    (he / "notes.txt").touch()
    (he / ".hidden.png").touch()
    pairs, note = folder_pairs(he, ihc)
    assert [(p.he.name, p.ihc.name) for p in pairs] == [
        ("a9.png", "a9.jpg"),
        ("a10.png", "a10.jpg"),
        ("b.png", "b.jpg"),
    ]
    assert note == ""


def test_images_without_common_names_are_paired_by_order_with_a_note(folders) -> None:
    he, ihc = folders
    for number in (2, 10):
        (he / f"case-{number}-HE.png").touch()
        (ihc / f"case-{number}-KI67.png").touch()
    pairs, note = folder_pairs(he, ihc)
    assert [(p.he.name, p.ihc.name) for p in pairs] == [
        ("case-2-HE.png", "case-2-KI67.png"),
        ("case-10-HE.png", "case-10-KI67.png"),
    ]
    assert "paired by order: case-2-HE.png with case-2-KI67.png" in note


@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        ("a b c", "a b", "“he” holds 3 images and “ihc” 2 images .*“c” has no partner"),
        ("a b", "a c", "“b” is in only one of the folders. Give both .* the same name"),
        ("", "a", "“he” holds no images. Choose a folder of PNG"),
    ],
)
def test_folders_that_do_not_match_are_refused(folders, left, right, words) -> None:
    for folder, names in zip(folders, (left, right), strict=True):
        for name in names.split():
            (folder / f"{name}.png").touch()
    with pytest.raises(PixCellError, match=words):
        folder_pairs(*folders)


def test_missing_or_identical_folders_are_refused(folders) -> None:
    he, _ = folders
    with pytest.raises(PixCellError, match="H&E and IHC are the same folder"):
        folder_pairs(he, he.parent / "he")
    with pytest.raises(PixCellError, match="There is no folder “gone”"):
        folder_pairs(he.parent / "gone", he)
    for suffix in ("png", "tif"):
        (he / f"a.{suffix}").touch()
    with pytest.raises(PixCellError, match=r"holds “a\.\w+” and “a\.\w+”. Keep only one of them"):
        folder_pairs(*folders)


def test_images_are_read_at_the_familys_pixel_size_in_whole_tiles(folders) -> None:
    he, ihc = folders
    pair = StainPair(put(he / "a.png", 700, 1100, mpp=0.25), put(ihc / "a.png", 351, 549))
    pixels = read_pair(pair, DEMO)  # the second says no pixel size: it is the family's
    assert pixels.he.shape == pixels.ihc.shape == (256, 512, 3)
    assert pixels.tissue.shape == (1, 2) and pixels.tissue.all()
    assert pixels.exchanged  # both are H&E
    assert read_pair(pair, PIXCELL_1024).tissue.shape == (1, 2)  # tiles of one embedding


def test_pairs_of_unequal_small_or_unreadable_images_are_refused(folders) -> None:
    he, ihc = folders
    large, small = put(he / "a.png"), put(ihc / "a.png", 300, 260)
    words = "“a.png” shows 150 × 150 µm and “a.png” 130 × 150 µm. Both must"
    with pytest.raises(PixCellError, match=words):
        read_pair(StainPair(large, small), DEMO)
    small = put(ihc / "small.png", 200, 300)
    with pytest.raises(PixCellError, match="150 × 100 µm, less than one tile of 128 µm"):
        read_pair(StainPair(small, small), DEMO)
    (he / "b.png").write_text("no picture")
    with pytest.raises(PixCellError, match=r"“b\.png” is not a readable slide or image"):
        read_pair(StainPair(he / "b.png", large), DEMO)


def test_glass_is_ignored_and_exchanged_folders_are_detected(folders) -> None:
    he, ihc = folders
    picture = tissue(512)
    picture[:, 256:] = 245
    brown = np.full((512, 512, 3), (225, 230, 240), np.uint8)
    y, x = np.mgrid[:512, :512] % 40 - 20
    brown[y**2 + x**2 < 120] = (110, 70, 30)
    Image.fromarray(picture).save(he / "a.png")
    Image.fromarray(brown).save(ihc / "a.png")
    right = read_pair(StainPair(he / "a.png", ihc / "a.png"), DEMO)
    assert right.tissue.tolist() == [[True, False]] * 2 and not right.exchanged
    assert read_pair(StainPair(ihc / "a.png", he / "a.png"), DEMO).exchanged


def test_whole_images_or_else_one_side_of_each_are_held_out() -> None:
    many = [np.ones((2, 3), bool) for _ in range(12)]
    apart = hold_out(many)
    assert {one.mean() for one in apart} == {0, 1} and sum(one.all() for one in apart) == 2
    few = [np.ones((2, 10), bool), np.ones((10, 2), bool)]
    apart = hold_out(few)
    assert apart[0].sum() == 4 and apart[0][:, 8:].all()
    assert apart[1].sum() == 4 and apart[1][8:].all()


@pytest.mark.parametrize("tissue", [np.ones((3, 5), bool), np.zeros((9, 9), bool)])
def test_too_few_tiles_are_refused(tissue: np.ndarray) -> None:
    words = f"The pairs contain {tissue.sum()} tiles of tissue, but a stain needs at least 16"
    with pytest.raises(PixCellError, match=words):
        hold_out([tissue])


def test_tiles_of_the_generator_do_not_overlap() -> None:
    assert whole_tiles((9, 7), 4) == [(0, 0), (4, 0)]
    assert whole_tiles((3, 9), 4) == []


def test_two_regions_become_a_pair_of_files_with_their_pixel_size(tmp_path: Path) -> None:
    picture = tissue(800)
    slides = ArraySlide([picture], 0.25, "he"), ArraySlide([picture[::2, ::2]], 0.5, "ihc")
    places = Region(0, 0, 600, 600), Region(0, 0, 300, 300)
    others = Region(80, 40, 600, 600), Region(40, 20, 300, 300)
    for (he_place, ihc_place), number in ((places, 1), (others, 2), (places, 2)):
        he, ihc = write_region_pair((slides[0], he_place), (slides[1], ihc_place), DEMO, tmp_path)
        pairs, note = folder_pairs(he, ihc)
        assert len(pairs) == number and not note  # a pair is not added again
    assert read_pair(pairs[0], DEMO, 0.5).tissue.shape == (1, 1)
    words = "H&E region is 150 × 150 µm, but the IHC region 300 × 300 µm. Draw two"
    with pytest.raises(PixCellError, match=words):
        write_region_pair((slides[0], places[0]), (slides[1], places[0]), DEMO, tmp_path)

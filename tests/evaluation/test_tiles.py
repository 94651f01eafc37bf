"""Reading labelled tiles, and keeping training and test apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_dataset import labels_of, make_dataset, picture_of
from labelled import SIDE, write_tiles
from PIL import Image

from napari_pixcell.datasets.store.decisions import decide
from napari_pixcell.errors import PixCellError
from napari_pixcell.evaluation.pairs import read_pairs, without_labels_of
from napari_pixcell.evaluation.tiles import (
    LabelledTile,
    check_apart,
    check_groups,
    halves,
    read_tiles,
)

MPP = 0.5


def groups(folder: Path) -> list[str]:
    return [tile.group for tile in read_tiles(folder, MPP).tiles]


def test_images_and_labels_are_paired_by_name(tmp_path: Path) -> None:
    found = read_tiles(write_tiles(tmp_path, ["b_1", "a_1", "a_2"]), MPP)
    assert [(t.name, t.group) for t in found.tiles] == [("a_1", "a"), ("a_2", "a"), ("b_1", "b")]
    assert (found.tiles[0].labels == labels_of(101, SIDE)).all()
    assert found.tiles[0].image.shape == (SIDE, SIDE, 3)
    assert "0.5 µm/px. Set --mpp." in " ".join(found.notes)


def test_slides_come_from_a_table_or_subfolders_or_each_tile_has_its_own(tmp_path: Path) -> None:
    own = write_tiles(tmp_path / "own", ["a", "b"])
    assert groups(own) == ["a", "b"]
    assert "each tile counts as a slide of its own" in read_tiles(own, MPP).notes[0]
    assert groups(write_tiles(tmp_path / "sub", ["s/a", "s/b", "t/c"])) == ["s", "s", "t"]
    (own / "index.csv").write_text("File,Patient\na.png,P1\nb.png,P1\n")
    assert groups(own) == ["P1", "P1"]
    (own / "index.csv").write_text("file,patient\na.png,P1\n")
    with pytest.raises(PixCellError, match="does not name “b”"):
        read_tiles(own, MPP)
    (own / "index.csv").write_text("file,remark\na.png,nice\n")  # a table about something else
    assert groups(own) == ["a", "b"]


def test_labels_may_lie_beside_their_image_and_may_be_black_and_white(tmp_path: Path) -> None:
    labels = labels_of(3, SIDE)
    Image.fromarray(picture_of(labels, 3)).save(tmp_path / "x.png")
    Image.fromarray(np.uint8(255 * (labels > 0))).save(tmp_path / "x_masks.png")
    (tile,) = read_tiles(tmp_path, MPP).tiles
    assert tile.name == "x" and len(np.unique(tile.labels)) == len(np.unique(labels))


def test_tiles_of_another_pixel_size_are_resampled(tmp_path: Path) -> None:
    folder = write_tiles(tmp_path, ["a"], side=2 * SIDE)
    (tile,) = read_tiles(folder, MPP, 0.25).tiles
    assert tile.image.shape[:2] == tile.labels.shape == (SIDE, SIDE)
    assert len(np.unique(tile.labels)) == len(np.unique(labels_of(100, 2 * SIDE)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "labels" / "a.png").unlink(), "have no labels, such as “a.png”"),
        (lambda folder: Image.new("L", (50, 50)).save(folder / "labels" / "a.png"), "are 50 × 50"),
        (
            lambda folder: Image.new("RGB", (50, 90)).save(folder / "images" / "a.png"),
            "Tiles need at least 96 × 96 px",
        ),
        (
            lambda folder: Image.new("RGB", (99, 99)).save(folder / "images" / "a.jpg"),
            "holds “a.jpg” and “a.png”",
        ),
        (lambda folder: (folder / "images").rename(folder / "pictures"), "holds no labels"),
    ],
)
def test_what_does_not_fit_gets_one_sentence(tmp_path: Path, change, message: str) -> None:
    folder = write_tiles(tmp_path / "real", ["a", "b"])
    change(folder)
    with pytest.raises(PixCellError, match=message):
        read_tiles(folder, MPP)


def test_a_wrong_pixel_size_does_not_fill_the_memory(tmp_path: Path) -> None:
    with pytest.raises(PixCellError, match=r"is 6,000 × 6,000 px at 0\.5 µm/px, too large"):
        read_tiles(write_tiles(tmp_path, ["a"], side=300), MPP, 10.0)


def test_a_missing_or_overfull_folder_is_refused(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(PixCellError, match="There is no folder “none”"):
        read_tiles(tmp_path / "none", MPP)
    monkeypatch.setattr("napari_pixcell.cells.labelled_files.MOST_FILES", 1)
    with pytest.raises(PixCellError, match="more than 1 files"):
        read_tiles(write_tiles(tmp_path, ["a", "b"]), MPP)


def test_test_tiles_must_be_of_other_slides_and_other_pixels(tmp_path: Path) -> None:
    real = read_tiles(write_tiles(tmp_path / "real", ["a_1", "b_1"]), MPP)
    with pytest.raises(PixCellError, match="“c_1” is also a training tile, “a_1”"):
        check_apart(real, read_tiles(write_tiles(tmp_path / "same", ["c_1"]), MPP))
    with pytest.raises(PixCellError, match="“b” has tiles for training and for testing"):
        check_apart(real, read_tiles(write_tiles(tmp_path / "slide", ["b_2"], first=200), MPP))
    check_apart(real, read_tiles(write_tiles(tmp_path / "good", ["c_1"], first=200), MPP))


def test_nothing_can_be_held_out_of_a_single_tile_or_slide(tmp_path: Path) -> None:
    with pytest.raises(PixCellError, match="holds a single tile"):
        check_groups(read_tiles(write_tiles(tmp_path / "one", ["a"]), MPP))
    with pytest.raises(PixCellError, match="belong to “a”, so no slide can be held out"):
        check_groups(read_tiles(write_tiles(tmp_path / "two", ["a_1", "a_2"]), MPP))
    twice = read_tiles(write_tiles(tmp_path / "twice", ["a_1", "b_1"]), MPP)
    write_tiles(tmp_path / "twice", ["c_1"])
    check_groups(twice)
    with pytest.raises(PixCellError, match="“a_1” and “c_1” are the same image"):
        check_groups(read_tiles(tmp_path / "twice", MPP))


@pytest.mark.parametrize("sizes", [(1, 1), (3, 1), (2, 2, 1, 1), (5, 1, 1)])
def test_halves_share_no_slide_and_test_each_tile_equally_often(sizes: tuple[int, ...]) -> None:
    pixels, labels = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.int32)
    tiles = tuple(
        LabelledTile(f"{slide}-{n}", str(slide), pixels, labels)
        for slide, size in enumerate(sizes)
        for n in range(size)
    )
    tested: list[str] = []
    for seed in range(4):
        train, test = halves(tiles, seed)
        assert train and test and {*train} | {*test} == {*tiles}
        assert not {tile.group for tile in train} & {tile.group for tile in test}
        tested += [tile.name for tile in test]
    assert all(tested.count(tile.name) == 2 for tile in tiles)


# -- pairs ---------------------------------------------------------------------------------


def test_only_accepted_or_unflagged_pairs_train(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", side=SIDE)
    assert [pair.name for pair in read_pairs(dataset)] == ["0", "1", "2", "3", "5"]
    decide(dataset.folder, dict.fromkeys(range(6), "rejected") | {4: "accepted"})
    assert [pair.name for pair in read_pairs(dataset)] == ["4"]
    decide(dataset.folder, {4: "rejected"})
    with pytest.raises(PixCellError, match="no accepted or unflagged pair"):
        read_pairs(dataset)


def test_pairs_without_masks_or_of_tiny_images_cannot_train(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(PixCellError, match="smaller than 96 × 96 px"):
        read_pairs(make_dataset(tmp_path / "tiny"))
    dataset = make_dataset(tmp_path / "data", side=SIDE, pairs=2)
    rows = [row | {"mask": None, "layout": None} for row in dataset.rows()]
    monkeypatch.setattr(dataset, "rows", lambda: iter(rows))
    with pytest.raises(PixCellError, match="have no masks"):
        read_pairs(dataset)


def test_pairs_with_layouts_of_test_tiles_are_left_out_with_their_variations(
    tmp_path: Path,
) -> None:
    dataset = make_dataset(tmp_path / "data", styles=1, layouts=4, side=SIDE)
    pairs = read_pairs(dataset)
    assert [pair.group for pair in pairs] == ["layout-0", "layout-0", "layout-1", "layout-1"]
    turned = np.rot90(labels_of(0, SIDE))[:, ::-1]
    test = LabelledTile("t", "t", picture_of(turned, 9), np.ascontiguousarray(turned))
    rest, count = without_labels_of(pairs, (test,))
    assert count == 2 and [pair.name for pair in rest] == ["2", "3"]
    with pytest.raises(PixCellError, match="have layouts of test tiles"):
        without_labels_of(pairs[:2], (test,))

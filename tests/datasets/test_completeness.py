"""What “dataset check” finds, and that it finds nothing in a whole dataset."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_dataset import make_dataset, write_pairs
from PIL import Image
from tifffile import imwrite

from napari_pixcell.datasets.store.completeness import check_dataset
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.decisions import decide
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.rows import append_rows, read_rows
from napari_pixcell.errors import PixCellError


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete dataset of 6 pairs, of which pair 4 is set apart."""
    return make_dataset(tmp_path_factory.mktemp("whole") / "data").folder


def rewrite(folder: Path, change: Callable[[list[dict]], object], name: str) -> None:
    rows = list(read_rows(folder / name))
    change(rows)
    (folder / name).unlink()
    append_rows(folder / name, rows)


def rows(change: Callable[[list[dict]], object], name: str = "manifest.jsonl"):
    return lambda folder: rewrite(folder, change, name)


def change(index: int, **values: object):
    return rows(lambda all_rows: all_rows[index].update(values))


def without_marks(folder: Path) -> None:
    """Save image 0 and mask 1 with other programs."""
    image, mask = folder / "images/000000.png", folder / "masks/000001.tif"
    Image.fromarray(np.asarray(Image.open(image))).save(image)
    imwrite(mask, np.ones((48, 48), np.uint16))


def other_pixels(folder: Path) -> None:
    """Paint on image 0, and keep its text."""
    path = folder / "images/000000.png"
    with Image.open(path) as image:
        pixels, info = np.array(image), image.info
    pixels[:9] = 0
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    for key, value in info.items():
        if isinstance(value, str):
            text.add_itxt(key, value)
    Image.fromarray(pixels).save(path, pnginfo=text)


def swap(folder: Path) -> None:
    """Exchange two images, and update the manifest."""
    names = [folder / f"images/00000{number}.png" for number in (0, 1)]
    first, second = (name.read_bytes() for name in names)
    names[0].write_bytes(second)
    names[1].write_bytes(first)

    def update(all_rows: list[dict]) -> None:
        one, two = all_rows[0], all_rows[1]
        one["files"][one["image"]], two["files"][two["image"]] = (
            two["files"][two["image"]],
            one["files"][one["image"]],
        )
        one["pixels"], two["pixels"] = two["pixels"], one["pixels"]

    rewrite(folder, update, "manifest.jsonl")


def larger_mask(folder: Path) -> None:
    imwrite(folder / "masks/000000.tif", np.ones((50, 48), np.uint16))


def twice_written(folder: Path) -> None:
    first = (folder / "images/000000.png").read_bytes()
    (folder / "images/000001.png").write_bytes(first)


@pytest.mark.parametrize("picture", ["png", "tiff"])
def test_a_complete_dataset_has_no_problems(tmp_path: Path, whole: Path, picture: str) -> None:
    folder = whole if picture == "png" else make_dataset(tmp_path / "data", picture="tiff").folder
    told: list[tuple[int, int]] = []
    found = check_dataset(Dataset(folder), lambda *progress: told.append(progress))
    assert found.sentences == ["6 pairs: complete, marked as synthetic and traceable."]
    assert (found.whole, found.planned) == (True, 6)
    assert found.to_dict()["counts"] == {} and told[0] == (0, 6) and told[-1] == (6, 6)


@pytest.mark.parametrize(
    ("harm", "sentences"),
    [
        (
            rows(lambda all_rows: all_rows.pop()),
            [
                "1 planned pair is missing (pair 5). Resume the dataset.",
                "2 files of planned pairs have no row (images/000005.png, masks/000005.tif). Res",
            ],
        ),
        (
            lambda folder: (folder / "images/000002.png").unlink(),
            ["1 file is missing (images/000002.png). Restore the files from a copy, or make"],
        ),
        (
            lambda folder: (folder / "apart/images/000004.png").write_bytes(b"\x89PNG half"),
            ["1 file was changed after it was written (apart/images/000004.png)", "cannot be read"],
        ),
        (rows(lambda all_rows: all_rows.append(all_rows[0])), ["1 pair is listed twice (pair 0)"]),
        (
            rows(lambda all_rows: all_rows.append({**all_rows[0], "index": 77})),
            ["1 row does not fit the plan (pair 77). Restore manifest.jsonl"],
        ),
        (
            change(0, seed=9),
            ["1 row does not fit the plan (pair 0)", "differs from its row in seed, style"],
        ),
        (
            change(0, style=1),
            ["1 row does not fit the plan (pair 0)", "differs from its row in seed, style"],
        ),
        (
            change(0, image="../outside.png"),
            [
                "1 planned pair is missing (pair 0)",
                "1 row has wrong values (pair 0). Resume the dataset, which restores the rows",
                "2 files of planned pairs have no row",
            ],
        ),
        (change(0, flags=["mask"]), ["names another pair", "2 files belong to no pair"]),
        (
            without_marks,
            [
                "2 files were changed after they were written",
                "2 files are not marked as synthetic",
                "1 image carries no readable record",
                "1 image's record differs from its row in seed",
            ],
        ),
        (
            other_pixels,
            ["was changed", "1 image's record differs from its row in seed, style, layout or"],
        ),
        (swap, ["2 images' records differ from their rows in seed, style, layout or pixels"]),
        (
            larger_mask,
            [
                "was changed",
                "1 mask differs in size from its image (masks/000000.tif)",
                "is not marked as synthetic",
                "1 image's record differs from its row in seed",
            ],
        ),
        (
            twice_written,
            [
                "1 image has the same pixels as another pair (pair 1). Reject all but the first",
                "was changed",
                "1 image's record differs from its row in seed",
            ],
        ),
        (
            lambda folder: (folder / "images/.000001.png.7.part").write_bytes(b"x"),
            ["1 file is incomplete (images/.000001.png.7.part). Resume"],
        ),
        (
            lambda folder: (folder / "images/notes.txt").write_text("mine"),
            ["1 file belongs to no pair (images/notes.txt). Move such files"],
        ),
        (
            lambda folder: (folder / "styles/000001.npy").write_bytes(b"\x93NUMPY"),
            ["1 style is missing or damaged (style 1)"],
        ),
        (
            rows(lambda all_rows: all_rows.pop(0), "layouts.jsonl"),
            ["1 layout is missing or damaged (layout 0)"],
        ),
        (
            lambda folder: (folder / "manifest.jsonl").open("ab").write(b'{"index": 5, "im'),
            ["1 row is incomplete or damaged (manifest.jsonl). Resume"],
        ),
        (
            lambda folder: decide(folder, {99: "accepted"}),
            ["1 decision concerns a pair that does not exist (pair 99)"],
        ),
    ],
)
def test_each_problem_is_reported_with_its_remedy(
    tmp_path: Path, whole: Path, harm: Callable[[Path], object], sentences: list[str]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    harm(folder)
    found = check_dataset(Dataset(folder))
    assert not found.whole and len(found.sentences) == len(sentences), found.sentences
    for words, sentence in zip(sentences, found.sentences, strict=True):
        assert words in sentence


def test_missing_pairs_are_listed(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", pairs=2)
    found = check_dataset(dataset)
    assert found.sentences == [
        "4 planned pairs are missing (pair 2, pair 3, pair 4, …). Resume the dataset."
    ]
    write_pairs(dataset)
    assert check_dataset(dataset).whole
    dataset.describe(plan=None)
    assert check_dataset(dataset).sentences == [
        "The styles and layouts are not complete yet. Resume the dataset."
    ]


def test_a_dataset_in_the_making_is_not_checked(whole: Path) -> None:
    with (
        locked(whole),
        pytest.raises(PixCellError, match=r"is working on the dataset data\. Wait until"),
    ):
        check_dataset(Dataset(whole))


def test_the_check_changes_no_file(whole: Path) -> None:
    def state() -> dict[str, bytes]:
        files = (path for path in whole.rglob("*") if path.is_file() and path.name != ".lock")
        return {str(path): path.read_bytes() for path in files}

    before = state()
    check_dataset(Dataset(whole))
    assert state() == before
    json.dumps(check_dataset(Dataset(whole)).to_dict())

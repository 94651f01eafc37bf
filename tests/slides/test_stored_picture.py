"""Images on disk: written, read by levels and deleted."""

from __future__ import annotations

import os

import numpy as np
import pytest

from napari_pixcell.errors import PixCellError
from napari_pixcell.preferences import set_preference
from napari_pixcell.slides import stored_picture
from napari_pixcell.slides.resample import pyramid
from napari_pixcell.slides.stored_picture import (
    StoredPicture,
    create,
    drop_old_pictures,
    finish,
    is_stored,
    pictures_folder,
)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1500, 2301, 3), np.uint8)


def write(folder, image: np.ndarray, rows: int = 700) -> StoredPicture:
    array = create(folder, image.shape[:2])
    for top in range(0, len(image), rows):
        array[top : top + rows] = image[top : top + rows]
    return finish(folder)


def test_stored_images_are_read_unchanged_and_by_levels(tmp_path, image) -> None:
    picture = write(tmp_path / "new.zarr", image)
    assert not (tmp_path / "new.zarr").exists() and picture.folder.parent == pictures_folder()
    assert picture.shape == image.shape and picture.dtype == np.uint8 and len(picture) == 1500
    np.testing.assert_array_equal(picture[100:900:3, 77:1700], image[100:900:3, 77:1700])
    np.testing.assert_array_equal(np.asarray(picture), image)
    for level, expected in zip(picture.levels, pyramid(image), strict=True):
        np.testing.assert_array_equal(np.asarray(level), expected)
    np.testing.assert_array_equal(picture.small(), pyramid(image)[-1])
    np.testing.assert_array_equal(np.asarray(StoredPicture(picture.folder)), image)


def test_unfinished_images_are_resumed(tmp_path, image) -> None:
    create(tmp_path / "new.zarr", (1500, 2301))[:800] = image[:800]
    create(tmp_path / "new.zarr", (1500, 2301))[800:] = image[800:]
    np.testing.assert_array_equal(np.asarray(finish(tmp_path / "new.zarr")), image)
    create(tmp_path / "new.zarr", (1500, 2301))[:800] = image[:800]
    assert (create(tmp_path / "new.zarr", (1500, 2300))[:800] == 255).all()  # another size


def test_deleted_images_are_explained(tmp_path, image) -> None:
    picture = write(tmp_path / "new.zarr", image)
    picture.delete()
    assert not picture.folder.exists()
    with pytest.raises(PixCellError, match="Generate it again with the same seed"):
        StoredPicture(picture.folder)


def test_damaged_parts_are_white_on_the_screen_and_never_exported(tmp_path, image) -> None:
    picture = write(tmp_path / "new.zarr", image)
    shard = picture.folder / "0" / "c" / "0" / "0" / "0"
    shard.write_bytes(os.urandom(shard.stat().st_size))
    damaged = StoredPicture(picture.folder)
    found = np.asarray(damaged.levels[0])
    assert (found[:1024] == 255).all()
    np.testing.assert_array_equal(found[1024:], image[1024:])
    with pytest.raises(PixCellError, match="A large image is damaged on disk"):
        np.asarray(damaged)


def test_old_images_are_deleted(tmp_path, image, monkeypatch) -> None:
    picture = write(tmp_path / "new.zarr", image)
    drop_old_pictures()
    assert picture.folder.exists()
    monkeypatch.setattr(stored_picture, "KEPT_S", -1)
    drop_old_pictures()
    assert not picture.folder.exists()


def test_the_limit_is_a_setting(monkeypatch) -> None:
    assert not is_stored((9000, 9000)) and is_stored((10_000, 10_000))
    set_preference("picture MB", 3)
    assert not is_stored((1000, 1000)) and is_stored((1000, 1001))
    monkeypatch.setenv("PIXCELL_PICTURE_MB", "6")
    assert not is_stored((1000, 2000)) and is_stored((1000, 2001))

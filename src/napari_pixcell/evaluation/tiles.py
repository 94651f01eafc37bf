"""Real labelled tiles of a folder, and the pairs of a dataset. Imports no torch."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.labelled_files import images_and_labels, without_extension
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.region import Region
from napari_pixcell.untrusted import read_bounded, reading
from napari_pixcell.words import counted

CROP = 96  # px, side of the training crops
MOST_PIXELS = 4096 * 4096  # of a tile, at the pixel size of the dataset
MOST_INDEX_BYTES = 8 * 2**20
FILE_COLUMNS, GROUP_COLUMNS = ("file", "image", "filename"), ("patient", "slide", "group")


@dataclass(frozen=True, eq=False)
class LabelledTile:
    """An image and the nuclei in it.

    Parameters
    ----------
    name : str
        Name without its extension.
    group : str
        Slide or patient. No group is on both sides of a split.
    image : array, uint8, (height, width, 3)
    labels : array, int32, (height, width)
        Nuclei; 0 is background.
    """

    name: str
    group: str
    image: NDArray[np.uint8]
    labels: NDArray[np.int32]

    @cached_property
    def image_sha256(self) -> str:
        """Hash of the image's size and pixels."""
        return _sha256(self.image)

    @cached_property
    def sha256(self) -> str:
        """Hash of image and labels."""
        return hashlib.sha256(f"{self.image_sha256} {_sha256(self.labels)}".encode()).hexdigest()


@dataclass(frozen=True)
class TileFolder:
    """The tiles of a folder.

    Parameters
    ----------
    name : str
        Name of the folder.
    tiles : tuple of LabelledTile
        Sorted by name.
    notes : tuple of str
        What was assumed about them, for the user.
    """

    name: str
    tiles: tuple[LabelledTile, ...]
    notes: tuple[str, ...] = ()


def read_tiles(
    folder: Path,
    mpp: float,
    file_mpp: float | None = None,
    on_tile: Callable[[int, int], None] = lambda done, total: None,
) -> TileFolder:
    """Read labelled tiles.

    The folder holds ``images`` and ``labels`` (or ``masks``) with the same names. Without these
    folders, labels lie beside their image, named as Cellpose does: ``a.png`` and ``a_masks.tif``.
    A label image has one number per nucleus. In an image of two values, such as 0 and 255, each
    connected component is a nucleus.

    Slide or patient of a tile is the column ``patient``, ``slide`` or ``group`` of an
    ``index.csv`` with the column ``file``, else its subfolder, else its name up to the first
    ``_``. Without any of them each tile counts as a slide of its own.

    Parameters
    ----------
    folder : Path
    mpp : float
        Pixel size of the result, in µm.
    file_mpp : float, optional
        Pixel size of the files, if not the one they state.
    on_tile : callable
        Called with the number of tiles read and of all. An exception ends the reading.

    Raises
    ------
    PixCellError
        If images or labels are missing, unreadable, too small, or do not fit each other.
    """
    files = _pairs_of_files(folder)
    groups, notes = _groups(folder, [*files])
    tiles, assumed = [], False
    for number, (key, (image, labels)) in enumerate(files.items()):
        on_tile(number, len(files))
        tile, stated = _read(image, labels, mpp, file_mpp)
        assumed |= not stated
        tiles.append(replace(tile, name=key, group=groups[key]))
    if assumed:
        notes.append(f"Tiles without a pixel size are taken to have {mpp:g} µm/px. Set --mpp.")
    return TileFolder(folder.name, tuple(tiles), tuple(notes))


def _read(
    image: Path, labels: Path, mpp: float, file_mpp: float | None
) -> tuple[LabelledTile, bool]:
    """Return a tile at a pixel size in µm, and whether its pixel size was known."""
    from napari_pixcell.cells import cells_for, read_cells
    from napari_pixcell.slides import open_slide

    with open_slide(image, file_mpp) as slide:
        stated = slide.mpp is not None
        known = slide if stated else slide.with_mpp(mpp)
        shape, own = slide.shape, known.require_mpp()
        region = Region(0, 0, shape[1], shape[0])
        size = region.shape_at(own, mpp)
        if size[0] * size[1] > MOST_PIXELS:
            raise PixCellError(
                f"“{image.name}” is {size[1]:,} × {size[0]:,} px at {mpp:g} µm/px, too large for a "
                "tile. Crop it."
            )
        if min(size) < CROP:
            raise PixCellError(
                f"“{image.name}” is {size[1]} × {size[0]} px at {mpp:g} µm/px. Tiles need at least "
                f"{CROP} × {CROP} px. Use a larger one, or check --mpp."
            )
        pixels = known.read(region, mpp)
    cells = read_cells(labels)
    if cells.labels is None or cells.labels.shape != shape:
        found = cells.labels.shape if cells.labels is not None else (0, 0)
        raise PixCellError(
            f"“{image.name}” is {shape[1]} × {shape[0]} px, but its labels “{labels.name}” are "
            f"{found[1]} × {found[0]} px. Export labels of the same size."
        )
    drawn = cells.labels
    if size != shape and drawn.any():
        drawn, _, _ = cells_for(cells.with_mpp(own), region, size, shape, own)
    elif size != shape:
        drawn = np.zeros(size, np.int32)
    return LabelledTile("", "", pixels, np.ascontiguousarray(drawn, np.int32)), stated


# -- files and groups ----------------------------------------------------------------------


def _pairs_of_files(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Return image and labels of each tile by its name, with subfolders, in a stable order."""
    images, labels = images_and_labels(folder)
    if not images or not labels:
        what = "labels" if images else "images"
        raise PixCellError(
            f"“{folder.name}” holds no {what}. Put tiles into “images” and their label images, "
            "with the same names, into “labels”."
        )
    alone = sorted({*images} - {*labels})
    if alone:
        raise PixCellError(
            f"{counted(len(alone), 'image')} of “{folder.name}” have no labels, such as "
            f"“{images[alone[0]].name}”. Add a label image of the same name, or remove the image."
        )
    return {key: (images[key], labels[key]) for key in sorted(images)}


def _groups(folder: Path, keys: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the group of each tile, and what was assumed."""
    stated = _stated_groups(folder)
    if stated is not None:
        for key in keys:
            if key not in stated:
                raise PixCellError(
                    f"index.csv of “{folder.name}” does not name “{key}”. Add a row with its slide "
                    "or patient."
                )
        return {key: stated[key] for key in keys}, []
    parents = {key: Path(key).parent.as_posix() for key in keys}
    if all(parent != "." for parent in parents.values()):
        return parents, []
    if all("_" in Path(key).name for key in keys):
        return {key: Path(key).name.split("_")[0] for key in keys}, []
    note = (
        "No slide or patient is stated, so each tile counts as a slide of its own. State them in "
        "index.csv."
    )
    return {key: key for key in keys}, [note]


def _stated_groups(folder: Path) -> dict[str, str] | None:
    """Return the groups of an ``index.csv`` by the names of tiles; None if it has none."""
    path = folder / "index.csv"
    if not path.exists():
        return None
    data = read_bounded(path, MOST_INDEX_BYTES, "table")
    with reading(path.name, "Save it as CSV in UTF-8."):
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    names = [name for name in (rows[0] if rows else ()) if isinstance(name, str)]
    columns = {name.strip().lower(): name for name in names}
    file = next((columns[name] for name in FILE_COLUMNS if name in columns), None)
    group = next((columns[name] for name in GROUP_COLUMNS if name in columns), None)
    if file is None or group is None:
        return None
    return {
        without_extension(row[file].strip()): row[group].strip()
        for row in rows
        if row[file] and row[group]
    }


def _sha256(array: NDArray[np.generic]) -> str:
    head = f"{array.dtype} {array.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


# -- which tiles train, and which test ------------------------------------------------------


def check_apart(real: TileFolder, test: TileFolder) -> None:
    """Raise PixCellError if a test tile, or its slide, is among the tiles for training."""
    known = {tile.image_sha256: tile.name for tile in real.tiles}
    for tile in test.tiles:
        if tile.image_sha256 in known:
            raise PixCellError(
                f"The test tile “{tile.name}” is also a training tile, “{known[tile.image_sha256]}”"
                ". Remove one of them."
            )
    both = sorted({tile.group for tile in real.tiles} & {tile.group for tile in test.tiles})
    if both:
        raise PixCellError(
            f"“{both[0]}” has tiles for training and for testing. Test on other slides or "
            "patients, or state them in index.csv."
        )


def check_groups(real: TileFolder) -> None:
    """Raise PixCellError if no slide can be held out for testing, or one image has two slides."""
    if len(real.tiles) == 1:
        raise PixCellError(
            f"“{real.name}” holds a single tile. Add tiles of other slides, or name test tiles "
            "with --test."
        )
    if len({tile.group for tile in real.tiles}) == 1:
        raise PixCellError(
            f"All tiles of “{real.name}” belong to “{real.tiles[0].group}”, so no slide can be "
            "held out. Add other slides, state them in index.csv, or name test tiles with --test."
        )
    known: dict[str, LabelledTile] = {}
    for tile in real.tiles:
        twin = known.setdefault(tile.image_sha256, tile)
        if twin.group != tile.group:
            raise PixCellError(
                f"“{twin.name}” and “{tile.name}” are the same image, but belong to different "
                "slides. Remove one of them."
            )


def halves(
    tiles: tuple[LabelledTile, ...], seed: int
) -> tuple[tuple[LabelledTile, ...], tuple[LabelledTile, ...]]:
    """Split tiles into two halves that share no group, and return those for training and testing.

    Seeds 0 and 1 exchange the halves of one split, 2 and 3 those of another, and so on. Thus each
    tile is tested equally often.
    """
    members: dict[str, list[LabelledTile]] = {}
    for tile in tiles:
        members.setdefault(tile.group, []).append(tile)
    names = sorted(members)
    np.random.default_rng(seed // 2).shuffle(names)
    names.sort(key=lambda name: -len(members[name]))  # stable: the draw decides between equals
    sides: tuple[list[str], list[str]] = [], []
    for name in names:
        counts = [sum(len(members[one]) for one in side) for side in sides]
        sides[int(counts[1] < counts[0])].append(name)
    chosen = {*sides[seed % 2]}
    one = tuple(tile for tile in tiles if tile.group in chosen)
    return one, tuple(tile for tile in tiles if tile.group not in chosen)

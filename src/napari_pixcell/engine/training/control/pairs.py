"""Pairs to train a ControlNet on: images, and the cells in them. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells import cells_for, read_cells
from napari_pixcell.cells.class_map import UNCLASSED, ClassMap, Palette, make_palette
from napari_pixcell.cells.labelled_files import images_and_labels
from napari_pixcell.cells.layout import areas, in_px
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.identity import key_of
from napari_pixcell.engine.training.pairs import hold_out, tissue_tiles
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides import open_slide
from napari_pixcell.slides.region import Region
from napari_pixcell.words import counted

CELLS = (
    *(".png", ".tif", ".tiff", ".bmp", ".npy", ".npz"),
    *(".geojson", ".json", ".gz", ".xml", ".mat"),
)
MOST_PIXELS = 16_384**2  # of an image, which is read as a whole
MOST_CHANGED = 0.01  # relative difference of the sides of an image and its mask


@dataclass(frozen=True)
class ControlFiles:
    """An image, and the file of its cells if there is one."""

    image: Path
    cells: Path | None

    def key(self, *others: object) -> str:
        """Return a hash of the content of the files and of ``others``."""
        return key_of((path for path in (self.image, self.cells) if path is not None), *others)


@dataclass(frozen=True, eq=False)
class ControlPair:
    """An image and its cells at the family's pixel size.

    Parameters
    ----------
    image : array, uint8, (height, width, 3)
    labels : array, int32, (height, width), optional
        Instance label image; None if the cells are still to be segmented.
    classes : dict
        Class name of each label that has one.
    """

    name: str
    image: NDArray[np.uint8]
    labels: NDArray[np.int32] | None
    classes: dict[int, str]


def control_files(folder: Path) -> list[ControlFiles]:
    """Return the images of a folder with their masks, or all of them without.

    The folder holds ``images`` and ``masks`` (or ``labels``) with the same names, or files of
    cells beside their image: ``a.png`` with ``a_masks.tif``, ``a.geojson`` and so on.

    Raises
    ------
    PixCellError
        If there are no images, or some have masks and others not.
    """
    images, cells = images_and_labels(folder, CELLS)
    if not images:
        raise PixCellError(
            f"“{folder.name}” holds no images. Choose a folder of PNG, JPEG or TIFF files, with "
            "their masks beside them or in a folder “masks”."
        )
    orphans = sorted({*cells} - {*images})
    if orphans:
        raise PixCellError(
            f"{counted(len(orphans), 'mask')} of “{folder.name}” {_have(orphans)} no image, such "
            f"as “{cells[orphans[0]].name}”. Add an image of the same name, or remove the mask."
        )
    alone = sorted({*images} - {*cells})
    if cells and alone:
        raise PixCellError(
            f"{counted(len(alone), 'image')} of “{folder.name}” {_have(alone)} no mask, such as "
            f"“{images[alone[0]].name}”. Add a mask of the same name, or remove the image."
        )
    return [ControlFiles(images[key], cells.get(key)) for key in sorted(images)]


def _have(names: list[str]) -> str:
    return "have" if len(names) > 1 else "has"


def read_control_pair(files: ControlFiles, family: Family, mpp: float | None) -> ControlPair:
    """Read an image and its cells at the family's pixel size, also files that state none.

    ``mpp`` is the pixel size of the image in µm, if not the one it states.

    Raises
    ------
    PixCellError
        If one cannot be read, they differ in size, or the image is smaller than a tile.
    """
    with open_slide(files.image, mpp) as slide:
        known = slide if slide.mpp is not None else slide.with_mpp(family.mpp)
        shape, own = slide.shape, known.require_mpp()
        region = Region(0, 0, shape[1], shape[0])
        size = region.shape_at(own, family.mpp)
        if size[0] * size[1] > MOST_PIXELS:
            raise PixCellError(
                f"“{files.image.name}” is {in_px(size)} at {family.mpp:g} µm/px, too large to "
                "train on as a whole. Crop it."
            )
        if min(size) < family.tile:
            raise PixCellError(
                f"“{files.image.name}” is {in_px(size)} at {family.mpp:g} µm/px, less than one "
                f"tile of {family.tile} × {family.tile} px. Use larger images, or enter their "
                "pixel size."
            )
        pixels = known.read(region, family.mpp)
    if files.cells is None:
        return ControlPair(files.image.stem, pixels, None, {})
    cells = read_cells(files.cells, image=files.image.name)
    if cells.shape is not None and not _alike(cells.shape, shape):
        raise PixCellError(
            f"“{files.image.name}” is {in_px(shape)}, but its mask “{files.cells.name}” is "
            f"{in_px(cells.shape)}. Export masks of the same size."
        )
    if cells.labels is not None and not cells.labels.any():  # tissue without cells
        return ControlPair(files.image.stem, pixels, np.zeros(size, np.int32), {})
    labels, classes, _ = cells_for(cells.with_mpp(own), region, size, shape, own)
    return ControlPair(files.image.stem, pixels, labels.astype(np.int32), classes)


def _alike(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return all(abs(a - b) <= MOST_CHANGED * b for a, b in zip(one, other, strict=True))


def palette_of(request: TrainControlRequest, counts: Sequence[tuple[str, Counter[str]]]) -> Palette:
    """Return the palette of a training; empty if it is binary.

    Parameters
    ----------
    counts : sequence of (str, Counter)
        For each pair its name, and how many cells have each class ("" for none).

    Raises
    ------
    PixCellError
        If files do not agree in their classes, or there are none.
    """
    if not request.classes:
        return ()
    total: Counter[str] = sum((count for _, count in counts), Counter[str]())
    named = [name for name, _ in total.most_common() if name]
    if not named:
        raise PixCellError(
            "The masks name no classes. Use files that do, such as GeoJSON of QuPath, or train "
            "without classes."
        )
    if request.palette:
        known = {name for name, _ in request.palette}
        for file, count in counts:
            for name in count:
                if name and name not in known:
                    raise PixCellError(
                        f"“{file}” has cells of the class “{name}”, which is not in the palette. "
                        "Add it, or rename the class."
                    )
        missing = [name for name in known if name and not total[name]]
        if missing:
            raise PixCellError(
                f"No cell has the class “{missing[0]}” of the palette. Remove it, or add pairs "
                "that show it."
            )
        return request.palette
    without = [file for file, count in counts if count.total() and not _named(count)]
    if without:
        raise PixCellError(
            f"“{without[0]}” names no classes, but other masks do ({', '.join(named[:3])}). Give "
            "its cells classes, or remove it."
        )
    return make_palette([*named, *([UNCLASSED] if total[UNCLASSED] else [])])


def _named(count: Counter[str]) -> bool:
    return any(name for name in count)


def class_counts(pair: ControlPair) -> Counter[str]:
    """Return how many cells of a pair have each class, "" for none."""
    found = areas(pair.labels)[0].tolist() if pair.labels is not None else []
    return Counter(pair.classes.get(label, UNCLASSED) for label in found)


def class_map(pair: ControlPair, palette: Palette) -> ClassMap | None:
    """Return the classes of a pair's cells; None if the training is binary."""
    return ClassMap.of(palette, pair.classes, f"mask of “{pair.name}”") if palette else None


@dataclass(frozen=True)
class Place:
    """A tile in one of the pairs: its number, its upper left corner, and its side of the split."""

    pair: int
    y: int
    x: int
    held_out: bool


def tile_grid(image: NDArray[np.uint8], family: Family) -> NDArray[np.bool_]:
    """Return which whole tiles of an image, edge to edge, hold tissue: bool, (rows, columns)."""
    rows, columns = (n // family.tile for n in image.shape[:2])
    return tissue_tiles(image[: rows * family.tile, : columns * family.tile], family.tile)


def places(
    shapes: Iterable[tuple[int, ...]],
    tissue: Sequence[NDArray[np.bool_]],
    family: Family,
    seed: int,
) -> list[Place]:
    """Return the tiles of all pairs, held out by whole images if there are enough.

    Held-out tiles lie edge to edge. Those for training overlap by half, and never touch a held-out
    one.

    Raises
    ------
    PixCellError
        If there are too few tiles.
    """
    side, found = family.tile, list[Place]()
    held_out = hold_out(tissue, seed, "ControlNet")
    for number, (shape, grid, held) in enumerate(zip(shapes, tissue, held_out, strict=True)):
        found += [
            Place(number, int(row) * side, int(column) * side, True)
            for row, column in np.argwhere(grid & held)
        ]
        for y in _starts(shape[0], side):
            for x in _starts(shape[1], side):
                rows = slice(y // side, min(-(-(y + side) // side), grid.shape[0]))
                columns = slice(x // side, min(-(-(x + side) // side), grid.shape[1]))
                if grid[rows, columns].any() and not held[rows, columns].any():
                    found.append(Place(number, y, x, False))
    return found


def _starts(length: int, side: int) -> list[int]:
    """Return where tiles begin along an axis: half a tile apart, the last at its end."""
    return sorted({*range(0, length - side + 1, side // 2), length - side})

"""Pairs of images, H&E and IHC of the same tissue, from two folders. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.ihc.deconvolution import looks_like
from napari_pixcell.engine.training.identity import key_of
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides import open_slide
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide
from napari_pixcell.words import counted

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".svs", ".ndpi", ".scn")
# Largest difference of the sides of a pair: cropped or stretched by a pixel or two.
UNLIKE, UNLIKE_PX = 0.01, 2
GLASS_DENSITY = 0.25  # summed optical density of red, green and blue below which a pixel is glass
LEAST_TISSUE = 0.02  # of a tile; emptier pairs would only show that glass stays glass
LEAST_TILES = 16
WHOLE_IMAGES = 5  # least number of pairs to hold out whole ones, not one side of each
HELD_OUT = 0.15


@dataclass(frozen=True)
class StainPair:
    """Two files that show the same tissue."""

    he: Path
    ihc: Path

    def key(self, *others: object) -> str:
        """Return a hash of the content of the files and of ``others``."""
        return key_of((self.he, self.ihc), *others)


@dataclass(frozen=True, eq=False)
class PairPixels:
    """The pixels of a pair: whole tiles of one embedding, at the family's pixel size.

    Parameters
    ----------
    he, ihc : array, uint8, (rows × side, columns × side, 3)
    tissue : array, bool, (rows, columns)
        Mask of the tiles that are glass in neither.
    """

    he: NDArray[np.uint8]
    ihc: NDArray[np.uint8]
    tissue: NDArray[np.bool_]

    @property
    def exchanged(self) -> bool:
        """True if one image looks like the stain of the other."""
        return looks_like(self.he) == "IHC" or looks_like(self.ihc) == "H&E"


def folder_pairs(he: Path, ihc: Path) -> tuple[list[StainPair], str]:
    """Pair the images of two folders by name, or by order if no name is in both.

    Returns the pairs, and for the user how they were paired; empty if names agree.

    Raises
    ------
    PixCellError
        If the folders are empty, or differ in their numbers of images.
    """
    if he.resolve() == ihc.resolve():
        raise PixCellError("H&E and IHC are the same folder. Choose one for each.")
    left, right = _pictures(he), _pictures(ihc)
    alone = sorted({*left} ^ {*right}, key=_natural)
    if len(left) != len(right):
        raise PixCellError(
            f"“{he.name}” holds {counted(len(left), 'image')} and “{ihc.name}” "
            f"{counted(len(right), 'image')} (“{alone[0]}” has no partner). Each H&E image needs "
            "one of IHC."
        )
    if not alone:
        return [StainPair(left[name], right[name]) for name in left], ""
    if len(alone) < 2 * len(left):
        raise PixCellError(
            f"“{alone[0]}” is in only one of the folders. Give both images of a pair the same name."
        )
    pairs = [StainPair(*both) for both in zip(left.values(), right.values(), strict=True)]
    first = pairs[0]
    note = f"Names differ, so images are paired by order: {first.he.name} with "
    return pairs, f"{note}{first.ihc.name}, and so on."


def read_pair(pair: StainPair, family: Family, mpp: float | None = None) -> PairPixels:
    """Read both images of a pair at the family's pixel size, also files that state none.

    ``mpp`` is the pixel size of the files in µm, if not the one they state.

    Raises
    ------
    PixCellError
        If one cannot be read, they differ in size, or are smaller than a tile.
    """
    he, ihc = (read_at(path, family, mpp) for path in (pair.he, pair.ihc))
    for a, b in zip(he.shape[:2], ihc.shape[:2], strict=True):
        if abs(a - b) > max(UNLIKE_PX, UNLIKE * max(a, b)):
            raise PixCellError(
                f"“{pair.he.name}” shows {_um(he, family)} and “{pair.ihc.name}” "
                f"{_um(ihc, family)}. Both must show the same tissue at the same size. Crop them "
                "alike, or enter their pixel size."
            )
    side = family.tile // family.grid
    rows, columns = (min(a, b) // side for a, b in zip(he.shape[:2], ihc.shape[:2], strict=True))
    if not rows or not columns:
        raise PixCellError(
            f"“{pair.he.name}” shows {_um(he, family)}, less than one tile of "
            f"{side * family.mpp:.0f} µm. Use larger images."
        )
    he, ihc = (
        np.ascontiguousarray(picture[: rows * side, : columns * side]) for picture in (he, ihc)
    )
    return PairPixels(he, ihc, tissue_tiles(he, side) & tissue_tiles(ihc, side))


def hold_out(
    tissue: Sequence[NDArray[np.bool_]], seed: int = 0, what: str = "stain"
) -> list[NDArray[np.bool_]]:
    """Return the masks of the held-out tiles of each pair, given those of its tissue.

    They are whole pairs if there are enough, because neighbours in one image look alike. Else they
    are the right side of each image, or the lower one. Masks are bool, (rows, columns).

    Raises
    ------
    PixCellError
        If there are too few tiles.
    """
    held_out = [np.zeros_like(one) for one in tissue]
    useful = [number for number, one in enumerate(tissue) if one.any()]
    if len(useful) >= WHOLE_IMAGES:
        count = max(1, round(HELD_OUT * len(useful)))
        for number in np.random.default_rng(seed).permutation(len(useful))[:count]:
            held_out[useful[number]][:] = True
    else:
        for one in held_out:
            turned = one if one.shape[1] >= one.shape[0] else one.T
            turned[:, turned.shape[1] - max(1, round(HELD_OUT * turned.shape[1])) :] = True
    total = sum(int(one.sum()) for one in tissue)
    held = sum(int((a & t).sum()) for a, t in zip(held_out, tissue, strict=True))
    if total < LEAST_TILES or not 0 < held < total:
        raise PixCellError(
            f"The pairs contain {counted(total, 'tile')} of tissue, but a {what} needs at least "
            f"{LEAST_TILES}, including held-out ones. Use more pairs, or larger ones."
        )
    return held_out


def whole_tiles(cells: tuple[int, ...], grid: int) -> list[tuple[int, int]]:
    """Return the first cell (row, column) of each non-overlapping tile of the generator."""
    return [
        (row, column)
        for row in range(0, cells[0] - grid + 1, grid)
        for column in range(0, cells[1] - grid + 1, grid)
    ]


def write_region_pair(
    he: tuple[Slide, Region], ihc: tuple[Slide, Region], family: Family, folder: Path
) -> tuple[Path, Path]:
    """Crop two regions of one size in µm from slides, and add them to folders of pairs.

    ``folder`` is the parent of the folders of H&E and IHC, which are returned and which
    :func:`folder_pairs` reads. The images have the family's pixel size. A pair that is there
    already is not added again, so that its training resumes.

    Raises
    ------
    PixCellError
        If the regions differ in size, a slide's pixel size is unknown, or nothing can be written.
    """
    from PIL import Image

    sizes = [[side * slide.require_mpp() for side in _sides(region)] for slide, region in (he, ihc)]
    for a, b in zip(*sizes, strict=True):
        if abs(a - b) > max(UNLIKE_PX * family.mpp, UNLIKE * max(a, b)):
            words = [f"{w:.0f} × {h:.0f} µm" for w, h in sizes]
            raise PixCellError(
                f"The H&E region is {words[0]}, but the IHC region {words[1]}. Draw two regions of "
                "the same size around the same tissue."
            )
    folders = folder / "he", folder / "ihc"
    read = [slide.read(region, family.mpp) for slide, region in (he, ihc)]
    dpi = 25_400 / family.mpp
    number = 1
    while (folders[0] / f"pair-{number:04}.png").exists():
        if all(
            _shows(target / f"pair-{number:04}.png", pixels)
            for target, pixels in zip(folders, read, strict=True)
        ):
            return folders
        number += 1
    try:
        # The IHC first, so that an H&E file, by which pairs are numbered, always has a partner.
        for target, pixels in zip(reversed(folders), reversed(read), strict=True):
            target.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(pixels)
            write_whole(target / f"pair-{number:04}.png", partial(_save_png, image, dpi))
    except OSError as error:
        raise PixCellError(
            f"The pair cannot be written to “{folder.name}” ({error.strerror}). Choose another "
            "folder."
        ) from error
    return folders


def _shows(path: Path, pixels: NDArray[np.uint8]) -> bool:
    """Return True if a file holds these pixels."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            height, width = pixels.shape[:2]
            return image.size == (width, height) and np.array_equal(np.asarray(image), pixels)
    except OSError:  # another program has damaged it
        return False


def _sides(region: Region) -> tuple[float, float]:
    return region.width, region.height


def _save_png(image: Any, dpi: float, path: Path) -> None:
    image.save(path, "PNG", dpi=(dpi, dpi))


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key by which 2 comes before 10."""
    return [(int(part or 0), "") if part.isdigit() else (-1, part) for part in _PARTS.split(name)]


_PARTS = re.compile(r"(\d+)")


def _pictures(folder: Path) -> dict[str, Path]:
    """Return the images of a folder by their names without extensions, in natural order."""
    if not folder.is_dir():
        raise PixCellError(f"There is no folder “{folder.name}”. Choose one that holds images.")
    found: dict[str, Path] = {}
    for path in folder.iterdir():
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            name = re.sub(r"(\.ome)?\.[A-Za-z]{2,8}$", "", path.name)
            if name in found:
                raise PixCellError(
                    f"“{folder.name}” holds “{found[name].name}” and “{path.name}”. Keep only one "
                    "of them."
                )
            found[name] = path
    if not found:
        raise PixCellError(
            f"“{folder.name}” holds no images. Choose a folder of PNG, JPEG or TIFF files."
        )
    return {name: found[name] for name in sorted(found, key=_natural)}


def read_at(path: Path, family: Family, mpp: float | None) -> NDArray[np.uint8]:
    """Read an image at the family's pixel size; ``mpp`` is the file's, if not the one it states."""
    with open_slide(path, mpp) as slide:
        known = slide if slide.mpp is not None else slide.with_mpp(family.mpp)
        height, width = slide.shape
        return known.read(Region(0, 0, width, height), family.mpp)


def _um(picture: NDArray[np.uint8], family: Family) -> str:
    height, width = picture.shape[:2]
    return f"{width * family.mpp:.0f} × {height * family.mpp:.0f} µm"


def tissue_tiles(picture: NDArray[np.uint8], side: int) -> NDArray[np.bool_]:
    """Return the mask of the tiles with tissue: bool, (rows, columns)."""
    thin = np.maximum(picture[::4, ::4], 1).astype(np.float32) / 255
    dark = -np.log10(thin).sum(axis=-1) > GLASS_DENSITY
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    part = dark.reshape(rows, side // 4, columns, side // 4).mean((1, 3))
    return np.asarray(part >= LEAST_TISSUE)

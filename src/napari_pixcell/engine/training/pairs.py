"""Pairs of pictures, H&E and IHC of the same places, from two folders; imports no torch."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.ihc.look import looks_like
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides import open_slide
from napari_pixcell.slides.content import file_stamp
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".svs", ".ndpi", ".scn")
# Sides of two pictures of a place may differ by so much: a crop or a stretch by a pixel or two.
UNLIKE, UNLIKE_PX = 0.01, 2
GLASS_DENSITY = 0.25  # optical density of red, green and blue together: paler is glass
LEAST_TISSUE = 0.02  # part of a tile; emptier pairs would only teach that glass stays glass
LEAST_TILES = 16
WHOLE_PICTURES = 5  # from so many pairs on whole ones are kept apart, else a side of each
HELD_OUT = 0.15


@dataclass(frozen=True)
class Pair:
    """Two files that show the same place."""

    he: Path
    ihc: Path

    def key(self, *others: object) -> str:
        """Identify what is in the files, and ``others`` that matter."""
        stamps = [file_stamp(path) for path in (self.he, self.ihc)]
        return hashlib.sha256(json.dumps([*stamps, *others]).encode()).hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class Pixels:
    """A pair as it is read: whole tiles of one embedding, at the family's pixel size.

    Parameters
    ----------
    he, ihc : array, uint8, (rows × side, columns × side, 3)
    tissue : array, bool, (rows, columns)
        Which tiles are not glass in either.
    """

    he: NDArray[np.uint8]
    ihc: NDArray[np.uint8]
    tissue: NDArray[np.bool_]

    @property
    def exchanged(self) -> bool:
        """Whether the one looks like what the other should be."""
        return looks_like(self.he) == "IHC" or looks_like(self.ihc) == "H&E"


def folder_pairs(he: Path, ihc: Path) -> tuple[list[Pair], str]:
    """Pair the pictures of two folders, by name, or by their order where no name is in both.

    Returns
    -------
    pairs : list of Pair
    note : str
        What a user should know of how they were paired; empty where names agree.

    Raises
    ------
    PixCellError
        If the folders hold none, or not the same number.
    """
    if he.resolve() == ihc.resolve():
        raise PixCellError("H&E and IHC are the same folder; choose one for each.")
    left, right = _pictures(he), _pictures(ihc)
    alone = sorted({*left} ^ {*right}, key=_natural)
    if len(left) != len(right):
        raise PixCellError(
            f"“{he.name}” holds {_count(left)} and “{ihc.name}” {_count(right)}; give one of each "
            f"for every place (“{alone[0]}” has no partner)."
        )
    if not alone:
        return [Pair(left[name], right[name]) for name in left], ""
    if len(alone) < 2 * len(left):
        raise PixCellError(
            f"“{alone[0]}” is in one of the folders only; give the two pictures of a place the "
            "same name."
        )
    pairs = [Pair(*both) for both in zip(left.values(), right.values(), strict=True)]
    first = pairs[0]
    note = f"Names differ, so pictures are paired in their order: {first.he.name} with "
    return pairs, f"{note}{first.ihc.name}, and so on."


def read_pair(pair: Pair, family: Family, mpp: float | None = None) -> Pixels:
    """Read both pictures of a pair.

    Parameters
    ----------
    pair : Pair
    family : Family
        At whose pixel size; that of pictures that do not say theirs.
    mpp : float, optional
        Pixel size of the pictures in µm, whatever they say.

    Raises
    ------
    PixCellError
        If one cannot be read, they differ in size, or are smaller than a tile.
    """
    he, ihc = (_read(path, family, mpp) for path in (pair.he, pair.ihc))
    for a, b in zip(he.shape[:2], ihc.shape[:2], strict=True):
        if abs(a - b) > max(UNLIKE_PX, UNLIKE * max(a, b)):
            raise PixCellError(
                f"“{pair.he.name}” shows {_um(he, family)} and “{pair.ihc.name}” "
                f"{_um(ihc, family)}; both of a pair must show the same place at the same size: "
                "crop them alike, or say their pixel size."
            )
    side = family.tile // family.grid
    rows, columns = (min(a, b) // side for a, b in zip(he.shape[:2], ihc.shape[:2], strict=True))
    if not rows or not columns:
        raise PixCellError(
            f"“{pair.he.name}” shows {_um(he, family)}, less than one tile of "
            f"{side * family.mpp:.0f} µm; give larger pictures."
        )
    he, ihc = (
        np.ascontiguousarray(picture[: rows * side, : columns * side]) for picture in (he, ihc)
    )
    return Pixels(he, ihc, _tissue(he, side) & _tissue(ihc, side))


def hold_out(tissue: Sequence[NDArray[np.bool_]], seed: int = 0) -> list[NDArray[np.bool_]]:
    """Say which tiles of each pair are kept apart, to see how a stain does on others.

    Whole pairs where there are enough: neighbours in one picture look alike. Else the right side
    of each, or the lower one.

    Parameters
    ----------
    tissue : sequence of array, bool, (rows, columns)
        Of each pair.
    seed : int

    Raises
    ------
    PixCellError
        If there are too few tiles to teach anything.
    """
    apart = [np.zeros_like(one) for one in tissue]
    useful = [number for number, one in enumerate(tissue) if one.any()]
    if len(useful) >= WHOLE_PICTURES:
        count = max(1, round(HELD_OUT * len(useful)))
        for place in np.random.default_rng(seed).permutation(len(useful))[:count]:
            apart[useful[place]][:] = True
    else:
        for one in apart:
            turned = one if one.shape[1] >= one.shape[0] else one.T
            turned[:, turned.shape[1] - max(1, round(HELD_OUT * turned.shape[1])) :] = True
    total = sum(int(one.sum()) for one in tissue)
    held = sum(int((a & t).sum()) for a, t in zip(apart, tissue, strict=True))
    if total < LEAST_TILES or not 0 < held < total:
        raise PixCellError(
            f"The pairs give {total} tiles of tissue, and a stain needs {LEAST_TILES} or more, "
            "some of them to be tried on; give more pairs, or larger ones."
        )
    return apart


def whole_tiles(cells: tuple[int, ...], grid: int) -> list[tuple[int, int]]:
    """Give the first cell of each tile of the generator, none overlapping: (row, column)."""
    return [
        (row, column)
        for row in range(0, cells[0] - grid + 1, grid)
        for column in range(0, cells[1] - grid + 1, grid)
    ]


def write_region_pair(
    he: tuple[Slide, Region], ihc: tuple[Slide, Region], family: Family, folder: Path
) -> tuple[Path, Path]:
    """Cut two regions out of slides, and add them to folders of pairs.

    Parameters
    ----------
    he, ihc : (Slide, Region)
        Of the same size in µm.
    family : Family
        At whose pixel size they are written.
    folder : Path
        Gets a folder of H&E and one of IHC, as :func:`folder_pairs` reads them.

    Returns
    -------
    he, ihc : Path
        The two folders.

    Raises
    ------
    PixCellError
        If the regions differ in size, a slide's pixel size is unknown, or nothing can be written.
    """
    from PIL import Image

    sizes = [[side * slide.require_mpp() for side in _sides(place)] for slide, place in (he, ihc)]
    for a, b in zip(*sizes, strict=True):
        if abs(a - b) > max(UNLIKE_PX * family.mpp, UNLIKE * max(a, b)):
            words = [f"{w:.0f} × {h:.0f} µm" for w, h in sizes]
            raise PixCellError(
                f"The region of H&E is {words[0]} and that of IHC {words[1]}; draw two of the same "
                "size about the same place."
            )
    folders = folder / "he", folder / "ihc"
    read = [slide.read(place, family.mpp) for slide, place in (he, ihc)]
    dpi = 25_400 / family.mpp
    number = 1
    while (folders[0] / f"pair-{number:04}.png").exists():
        number += 1
    try:
        # The IHC first: what pairs are counted by is there once both are.
        for place, pixels in zip(reversed(folders), reversed(read), strict=True):
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=place, suffix=".part", delete=False) as file:
                Image.fromarray(pixels).save(file, "PNG", dpi=(dpi, dpi))
            Path(file.name).replace(place / f"pair-{number:04}.png")
    except OSError as error:
        raise PixCellError(
            f"The pair cannot be written to “{folder.name}” ({error.strerror}); choose another "
            "folder."
        ) from error
    return folders


def _sides(region: Region) -> tuple[float, float]:
    return region.width, region.height


def _count(pictures: dict[str, Path]) -> str:
    return f"{len(pictures)} picture{'' if len(pictures) == 1 else 's'}"


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort 2 before 10."""
    return [(int(part or 0), "") if part.isdigit() else (-1, part) for part in _PARTS.split(name)]


_PARTS = re.compile(r"(\d+)")


def _pictures(folder: Path) -> dict[str, Path]:
    """Give the pictures of a folder by their names without endings, in order."""
    if not folder.is_dir():
        raise PixCellError(f"There is no folder “{folder.name}”; choose one that holds pictures.")
    found: dict[str, Path] = {}
    for path in folder.iterdir():
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            name = re.sub(r"(\.ome)?\.[A-Za-z]{2,8}$", "", path.name)
            if name in found:
                raise PixCellError(
                    f"“{folder.name}” holds “{found[name].name}” and “{path.name}”; keep one of "
                    "them."
                )
            found[name] = path
    if not found:
        raise PixCellError(
            f"“{folder.name}” holds no pictures; choose a folder of PNG, JPEG or TIFF files."
        )
    return {name: found[name] for name in sorted(found, key=_natural)}


def _read(path: Path, family: Family, mpp: float | None) -> NDArray[np.uint8]:
    with open_slide(path, mpp) as slide:
        known = slide if slide.mpp is not None else slide.with_mpp(family.mpp)
        height, width = slide.shape
        return known.read(Region(0, 0, width, height), family.mpp)


def _um(picture: NDArray[np.uint8], family: Family) -> str:
    height, width = picture.shape[:2]
    return f"{width * family.mpp:.0f} × {height * family.mpp:.0f} µm"


def _tissue(picture: NDArray[np.uint8], side: int) -> NDArray[np.bool_]:
    """Say which tiles hold tissue: bool, (rows, columns)."""
    thin = np.maximum(picture[::4, ::4], 1).astype(np.float32) / 255
    dark = -np.log10(thin).sum(axis=-1) > GLASS_DENSITY
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    part = dark.reshape(rows, side // 4, columns, side // 4).mean((1, 3))
    return np.asarray(part >= LEAST_TISSUE)

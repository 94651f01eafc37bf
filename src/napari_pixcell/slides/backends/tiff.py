"""TIFF and OME-TIFF, flat or pyramidal, by tifffile."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.slides.backends.colours import Colours, colours_of, is_bright, used_bits
from napari_pixcell.slides.backends.directories import read_directories
from napari_pixcell.slides.backends.pictures import Picture, chosen_picture, no_colour
from napari_pixcell.slides.backends.segments import Reader
from napari_pixcell.slides.corrupt import damaged
from napari_pixcell.slides.levels import Level, TiledLevel
from napari_pixcell.slides.pixel_size import not_square, plausible, resolution_sizes
from napari_pixcell.slides.slide import Slide, shape_ratios
from napari_pixcell.untrusted import reading

UNITS = {2: "inch", 3: "cm"}
PLACES = (0.5, 0.5), (0.3, 0.35), (0.65, 0.7)  # (y, x), where pixels are looked at
DIFFERENT = 25  # grey values between the means of two pictures that are not the same
Sizes = tuple[float | None, float | None]
logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # our error messages replace its log


def open_file(path: Path) -> Slide:
    """Open a TIFF.

    Raises
    ------
    PixCellError
        If it is damaged, cut short, has no RGB image, or stores it in an unsupported way.
    """
    import tifffile

    read_directories(path)
    try:
        file = tifffile.TiffFile(path)
    except Exception as error:  # tifffile raises many kinds
        raise damaged(path.name) from error
    try:
        with reading(path.name):
            return _opened(file, path)
    except BaseException:
        file.close()
        raise


def _opened(file: Any, path: Path) -> Slide:
    picture = chosen_picture(file, path.name)
    reader = Reader(file, path)
    page = picture.levels[0][0]
    colours = [colours_of(pages[0], path.name) for pages in picture.levels]
    if page.dtype.itemsize == 2 and colours[0].bits == 16:
        bits = picture.bits or used_bits(_largest(reader, picture.levels[-1]))
        colours = [replace(one, bits=min(16, max(8, bits))) for one in colours]
    levels: list[TiledLevel] = []
    for pages, sure, one in zip(picture.levels, picture.sure, colours, strict=True):
        level = reader.level(pages, len(levels), one)
        if sure or _agree(levels[-1], level):
            levels.append(level)
    if picture.must_be_bright and not is_bright(levels[-1]):
        raise no_colour(path.name)
    sizes, source = _pixel_size(file, picture, page)
    mpp = plausible(*sizes)
    slide = Slide(
        path.name,
        levels,
        shape_ratios(levels),
        mpp,
        source if mpp else "",
        path,
        close=reader.close,
        corrupt=reader.corrupt,
    )
    slide.note = not_square(*sizes)
    return slide


def _pixel_size(file: Any, picture: Picture, page: Any) -> tuple[Sizes, str]:
    if plausible(*picture.sizes) is not None or not_square(*picture.sizes):
        return picture.sizes, "OME metadata"
    tags = page.tags
    x, y = (_ratio(tags[code].value) if code in tags else 0.0 for code in (282, 283))
    if file.is_imagej:
        unit = re.search(r"^unit=(.*)$", str(file.pages[0].description), re.MULTILINE)
        return resolution_sizes(x, y, unit[1] if unit else None), "ImageJ metadata"
    unit_tag = tags[296].value if 296 in tags else 2
    unit_name = UNITS.get(int(unit_tag)) if isinstance(unit_tag, int) else None
    return resolution_sizes(x, y, unit_name), "the TIFF's resolution"


def _ratio(value: Any) -> float:
    """Return a resolution that is stored as a fraction, as the TIFF says, or as a number."""
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, tuple) and len(value) == 1:
        return float(value[0])
    if isinstance(value, tuple) and len(value) in (2, 4):  # two fractions: one for each axis
        return float(value[0]) / float(value[1]) if value[1] else 0.0
    return 0.0


# -- looks at the pixels ----------------------------------------------------------------------


def _largest(reader: Reader, pages: Sequence[Any]) -> int:
    """Return the largest sample in a few places of a level, all 16 bits of it."""
    largest = 0
    raw = reader.level(pages, 0, _Samples())
    height, width, _ = raw.shape
    for y, x in PLACES:
        row, column = int(y * height) // raw.tile[0], int(x * width) // raw.tile[1]
        largest = max(largest, int(raw.decode(row, column).max(initial=0)))
    return largest


class _Samples(Colours):
    """No conversion at all."""

    def convert(self, pixels: NDArray[Any]) -> NDArray[Any]:
        return pixels[..., :3]


def _agree(fine: Level, coarse: Level) -> bool:
    """Whether two levels look alike in most of a few places."""
    alike = []
    for y, x in PLACES:
        means = []
        for level in (fine, coarse):
            height, width, _ = level.shape
            high = max(1, round(min(48, coarse.shape[0]) * height / coarse.shape[0]))
            wide = max(1, round(min(48, coarse.shape[1]) * width / coarse.shape[1]))
            top, left = round(y * height) - high // 2, round(x * width) - wide // 2
            patch = level.read_white(top, top + high, left, left + wide)
            means.append(patch.mean(axis=(0, 1)))
        alike.append(float(np.abs(means[0] - means[1]).max()) < DIFFERENT)
    return sum(alike) * 2 > len(alike)

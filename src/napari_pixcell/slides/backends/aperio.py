"""Aperio's tiled TIFFs by tifffile and imagecodecs, if the pixels equal OpenSlide's.

Only safe cases are read this way: complete tiles in JPEG, or in JPEG 2000 with RGB. OpenSlide
reads the rest, because only it converts JPEG 2000 in YCbCr (33003) to RGB and fills tiles that a
scanner left out from a finer level.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_pixcell.slides.backends.tiff import Reader
from napari_pixcell.slides.corrupt import CorruptTiles, Undecodable
from napari_pixcell.slides.levels import Level, TiledLevel

JPEG, JPEG_2000_RGB = 7, 33005
Fast = tuple[list[Level], Callable[[], None], CorruptTiles]


def levels(path: Path, slide: Any) -> Fast | None:
    """Return the levels of an Aperio slide, or None if OpenSlide must read them.

    Parameters
    ----------
    slide : openslide.OpenSlide
        The same file, opened by OpenSlide.

    Raises
    ------
    PixCellError
        If the file is cut short.
    """
    import tifffile

    if slide.properties.get("openslide.vendor") != "aperio":
        return None
    try:
        file = tifffile.TiffFile(path)
    except (tifffile.TiffFileError, ValueError, struct.error):
        return None
    reader, keep = Reader(file, path), False
    try:
        # Pages in strips are the thumbnail, the label and the macro image, not levels.
        pages: list[Any] = [page for page in file.pages if getattr(page, "is_tiled", False)]
        sizes = [(page.imagewidth, page.imagelength) for page in pages]
        if sizes != list(slide.level_dimensions) or not all(map(_is_known, pages)):
            return None
        for page in pages:
            reader.check_end(page)
        tiled = [reader.tiled(page, index) for index, page in enumerate(pages)]
        keep = _same(tiled[0], slide)
        return ([*tiled], reader.close, reader.corrupt) if keep else None
    except (tifffile.TiffFileError, ValueError, IndexError, KeyError, struct.error):
        return None
    finally:
        if not keep:
            reader.close()


def _is_known(page: Any) -> bool:
    plain = page.axes == "YXS" and page.samplesperpixel == 3 and page.dtype == np.uint8
    return plain and int(page.compression) in (JPEG, JPEG_2000_RGB) and all(page.databytecounts)


def _same(level: TiledLevel, slide: Any) -> bool:
    """Whether part of level 0 equals OpenSlide's pixels exactly."""
    import openslide

    (height, width, _), (th, tw) = level.shape, level.tile
    row, column = height // th // 2, width // tw // 2
    y, x = row * th, column * tw
    h, w = min(64, height - y), min(64, width - x)
    try:
        ours = level.decode(row, column)[:h, :w]
        theirs = np.asarray(slide.read_region((x, y), 0, (w, h)).convert("RGB"))
    except (Undecodable, openslide.OpenSlideError):
        return True  # a corrupt tile proves nothing
    return np.array_equal(ours, theirs)

"""Aperio's tiled TIFFs by tifffile and imagecodecs, if the pixels equal OpenSlide's.

Only safe cases are read this way: complete tiles in JPEG or JPEG 2000. OpenSlide reads the rest,
because only it fills tiles that a scanner left out from a finer level. It shifts and blurs levels
whose downsample is no whole number; this does not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.backends.colours import Colours
from napari_pixcell.slides.backends.segments import Reader
from napari_pixcell.slides.corrupt import CorruptTiles, Undecodable
from napari_pixcell.slides.levels import Level, TiledLevel

JPEG, JPEG_2000_YCBCR, JPEG_2000_RGB = 7, 33003, 33005
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
    except Exception:  # tifffile raises many kinds; OpenSlide may read the file all the same
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
        tiled = [reader.tiled(page, i, _colours(page)) for i, page in enumerate(pages)]
        keep = _same(tiled[0], slide)
        return ([*tiled], reader.close, reader.corrupt) if keep else None
    except PixCellError:
        raise
    except Exception:
        return None
    finally:
        if not keep:
            reader.close()


def _is_known(page: Any) -> bool:
    plain = page.axes == "YXS" and page.samplesperpixel == 3 and page.dtype == np.uint8
    return (
        plain
        and int(page.compression) in (JPEG, JPEG_2000_YCBCR, JPEG_2000_RGB)
        and all(page.databytecounts)
    )


def _colours(page: Any) -> Colours:
    return _YCbCr() if int(page.compression) == JPEG_2000_YCBCR else Colours()


_GREEN_CB, _GREEN_CR = (
    np.rint(-share * 65536 * (np.arange(256) - 128)).astype(np.int32)
    for share in (0.34414, 0.71414)
)


class _YCbCr(Colours):
    """YCbCr of JPEG 2000 to RGB, rounded as OpenSlide does."""

    def convert(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        y, cb, cr = (pixels[..., i].astype(np.int32) for i in range(3))
        green = y + ((_GREEN_CB[cb] + _GREEN_CR[cr] + 32768) >> 16)
        red = y + ((91881 * (cr - 128) + 32768) >> 16)
        blue = y + ((116130 * (cb - 128) + 32768) >> 16)
        rgb = np.clip(np.stack([red, green, blue], axis=-1), 0, 255)
        return np.asarray(rgb, np.uint8)


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

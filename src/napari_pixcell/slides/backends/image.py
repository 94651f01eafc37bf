"""Plain images (PNG, JPEG and others), by Pillow."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.backends.colours import used_bits
from napari_pixcell.slides.corrupt import damaged, unsupported
from napari_pixcell.slides.levels import ArrayLevel, to_rgb8
from napari_pixcell.slides.pixel_size import not_square, plausible, resolution_sizes
from napari_pixcell.slides.slide import Slide
from napari_pixcell.untrusted import reading

MOST_PIXELS = 14_500 * 14_500  # decoded, they take 7 bytes each
MOST_BYTES = 900 * 2**20  # of a file
ROWS_AT_ONCE = 512
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
# Others, such as EPS, run programs or are no images of tissue.
FORMATS = ("BMP", "GIF", "JPEG2000", "PPM", "TGA", "WEBP")
# Chunks that change pixels or pixel size; texts and profiles may be large and are not needed.
CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"pHYs", b"IDAT", b"IEND")
TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")
COLOURS = ("1", "L", "P", "RGB", "RGBX")
NAMES = {"CMYK": "CMYK", "LAB": "CIELAB", "YCbCr": "YCbCr", "HSV": "HSV", "I": "32-bit grey"}
NAMES |= {"F": "floating-point"}


def open_file(path: Path) -> Slide:
    """Open an image as a slide of one level, fully in memory.

    Raises
    ------
    PixCellError
        If it is not an image, too large, damaged or of unsupported colours.
    """
    with reading(path.name):
        try:
            picture, deep = _picture(path)
        except (UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise PixCellError(
                f"“{path.name}” is not a readable slide or image. Choose a whole-slide image, a "
                "TIFF, a PNG or a JPEG."
            ) from error
        except (OSError, SyntaxError, ValueError) as error:
            raise damaged(path.name) from error
        with picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise _too_large(path.name)
            if picture.mode not in (*TRANSPARENT, *COLOURS) and "I;16" not in picture.mode:
                colours = NAMES.get(picture.mode, picture.mode)
                raise unsupported(path.name, f"stores {colours} colours, which are not supported")
            sizes = _sizes(picture)
            try:
                picture.load()
                pixels = _pixels(picture)
            except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
                raise damaged(path.name) from error
    if deep and pixels.max(initial=0) < 64:
        raise unsupported(path.name, "uses only part of its 16 bits")
    mpp = plausible(*sizes)
    source = "the image's resolution" if mpp else ""
    slide = Slide(path.name, [ArrayLevel(pixels)], [(1.0, 1.0)], mpp, source, path)
    slide.note = not_square(*sizes)
    return slide


def _too_large(name: str) -> PixCellError:
    return PixCellError(f"“{name}” is too large for a plain image. Save it as a tiled TIFF.")


def _picture(path: Path) -> tuple[Any, bool]:
    """Return an opened image, and whether it is a colour PNG of 16 bits, read as 8."""
    with path.open("rb") as file:
        head = file.read(32)
        if path.stat().st_size > MOST_BYTES:
            raise _too_large(path.name)
        # The formats' own classes: Image.open has a limit that is lower than ours.
        if head.startswith(PNG):
            if len(head) < 32:
                raise damaged(path.name)
            width, height, depth, kind = struct.unpack_from(">IIBB", head, 16)
            if width * height > MOST_PIXELS:
                raise _too_large(path.name)
            return PngImageFile(io.BytesIO(_needed(path))), depth == 16 and kind in (2, 6)
        if head.startswith(JPEG):
            return JpegImageFile(io.BytesIO(path.read_bytes())), False
    return Image.open(path, formats=FORMATS), False


def _needed(path: Path) -> bytes:
    """Return a PNG without texts, profiles and animation."""
    data, parts, at = path.read_bytes(), [PNG], len(PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] in CHUNKS:
            parts.append(data[at : at + length + 12])
        at += length + 12
    return b"".join(parts)


def _sizes(picture: Any) -> tuple[float | None, float | None]:
    dpi = picture.info.get("dpi", (0, 0))
    return resolution_sizes(float(dpi[0]), float(dpi[1]), "inch")


def _pixels(picture: Any) -> NDArray[np.uint8]:
    """Return the pixels as RGB, converted in bands so that no second copy is needed."""
    if picture.mode.startswith("I;16"):
        return _grey(np.asarray(picture))
    transparent = picture.mode in TRANSPARENT or "transparency" in picture.info
    out = np.empty((picture.height, picture.width, 3), np.uint8)
    for top in range(0, picture.height, ROWS_AT_ONCE):
        bottom = min(top + ROWS_AT_ONCE, picture.height)
        band = picture.crop((0, top, picture.width, bottom))
        band.info = picture.info
        out[top:bottom] = to_rgb8(np.asarray(band.convert("RGBA" if transparent else "RGB")))
    return out


def _grey(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return grey pixels of 16 bits, or of as many as are used, as RGB."""
    grey = pixels.astype(np.uint16, copy=False)[..., None]
    return np.repeat(to_rgb8(grey, used_bits(int(grey.max(initial=0)))), 3, axis=-1)

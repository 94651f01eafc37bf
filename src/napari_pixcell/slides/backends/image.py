"""Plain images (PNG, JPEG and others), by Pillow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.corrupt import damaged
from napari_pixcell.slides.levels import ArrayLevel, to_rgb8
from napari_pixcell.slides.pixel_size import from_resolution
from napari_pixcell.slides.slide import Slide

MOST_PIXELS = 30_000 * 30_000


def open_file(path: Path) -> Slide:
    """Open an image as a slide of one level, fully in memory.

    Raises
    ------
    PixCellError
        If it is not an image, too large or damaged.
    """
    try:
        picture = Image.open(path)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise PixCellError(
            f"“{path.name}” is not a readable slide or image. Choose a whole-slide image, a TIFF, "
            "a PNG or a JPEG."
        ) from error
    with picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise PixCellError(
                f"“{path.name}” is too large for a plain image. Save it as a tiled TIFF."
            )
        dpi = picture.info.get("dpi", (0, 0))
        mpp = from_resolution(float(dpi[0]), float(dpi[1]), "inch")
        try:
            mode = "RGBA" if "A" in picture.mode or "transparency" in picture.info else "RGB"
            pixels = to_rgb8(np.asarray(picture.convert(mode)))
        except (OSError, SyntaxError, ValueError) as error:
            raise damaged(path.name) from error
    source = "the image's resolution" if mpp else ""
    return Slide(path.name, [ArrayLevel(pixels)], [(1.0, 1.0)], mpp, source, path)

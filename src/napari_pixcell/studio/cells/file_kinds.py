"""Files of cells told from slides, by name and by colour."""

from __future__ import annotations

from pathlib import Path

CELLS = (".geojson", ".json", ".gz", ".npy", ".roi", ".zip")
EITHER = (".tif", ".tiff", ".png")


def holds_cells(path: Path) -> bool:
    """True if a file holds cells, not a slide: by its name, or as a picture without colour."""
    name = path.name.lower()
    if name.endswith(CELLS):
        return True
    if not name.endswith(EITHER) or not path.is_file():
        return False
    try:
        if name.endswith(".png"):
            from PIL import Image

            with Image.open(path) as image:
                return image.mode in ("1", "L", "I", "I;16", "P")
        from tifffile import TiffFile

        with TiffFile(path) as file:
            page = file.pages.first
            return page.samplesperpixel == 1 and page.dtype is not None and page.dtype.kind in "bu"
    except Exception:  # the slide reader has a sentence for a damaged file
        return False

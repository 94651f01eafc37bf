"""Which files hold cells, their size limits, and the errors for large and unreadable ones."""

from __future__ import annotations

from math import prod
from pathlib import Path

from napari_pixcell.errors import PixCellError

MOST_BYTES = 2 * 2**30  # of a file, uncompressed
MOST_PIXELS = 20_000**2  # of a label image
DEEPEST = 64  # nested brackets; the known formats have at most 8
CELLS = (".geojson", ".json", ".gz", ".npy", ".roi", ".zip")
EITHER = (".tif", ".tiff", ".png")
OF_TOOLS = (".xml", ".txt", ".csv", ".tsv", ".parquet", ".mat")
REFUSED = (".ndpa", ".annotations", ".h5ad", ".gpkg", ".qpdata", ".xlsx")  # with what to do instead


def holds_cells(path: Path) -> bool:
    """Whether a file holds cells rather than a slide: by its suffix, or as a greyscale image."""
    name = path.name.lower()
    if name.endswith(CELLS + OF_TOOLS + REFUSED) or (
        path.parent.name == "labels" and path.is_dir()
    ):
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
    except Exception:  # damaged: open_slide has a message for that
        return False


def check_bytes(name: str, count: int) -> None:
    """Raise PixCellError if a file would fill the memory."""
    if count > MOST_BYTES:
        raise PixCellError(
            f"{name} is larger than {MOST_BYTES / 2**30:g} GB uncompressed. Export fewer cells, no "
            "measurements, or several files."
        )


def check_pixels(name: str, shape: tuple[int, ...]) -> None:
    """Raise PixCellError if a label image would fill the memory."""
    if prod(map(int, shape)) > MOST_PIXELS:
        size = " × ".join(f"{n:,}" for n in shape[::-1])
        raise PixCellError(
            f"{name} is {size} px, too large for a label image. Export it at a lower resolution, "
            "or export the outlines as GeoJSON."
        )


def check_file(path: Path) -> None:
    """Raise PixCellError if a file is missing, empty or too large."""
    if not path.is_file():
        raise PixCellError(f"{path.name} does not exist. Check its path.")
    size = path.stat().st_size
    if size == 0:
        raise PixCellError(f"{path.name} is empty. Export it again.")
    check_bytes(path.name, size)


def no_label_image(name: str) -> PixCellError:
    """Return the error for an unreadable label image."""
    return PixCellError(f"{name} cannot be read as a label image. Use a TIFF, PNG or NPY file.")

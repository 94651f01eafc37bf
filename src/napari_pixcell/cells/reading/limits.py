"""Which files hold cells, their size limits, and the errors for large and unreadable ones."""

from __future__ import annotations

from math import prod
from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import check_regular

MOST_BYTES = 2 * 2**30  # of a file, uncompressed
MOST_RATIO = 200  # unpacked to packed size; the densest exports reach 60
UNSUSPICIOUS = 16 * 2**20  # bytes unpacked, at any ratio
MOST_PIXELS = 12_000**2  # of a label image; 0.6 GB as int32
MOST_DECODED = 2**30  # bytes of an image of any kind
LAYOUT_MARK = "napari-pixcell layout"  # in the description of our label images
DEEPEST = 64  # nested brackets; the known formats have at most 8
CELLS = (".geojson", ".json", ".gz", ".npy", ".npz", ".roi", ".zip")
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


def check_bytes(name: str, count: int, packed: int | None = None) -> None:
    """Raise PixCellError if a file would fill the memory.

    Parameters
    ----------
    count : int
        Its bytes, uncompressed.
    packed : int, optional
        Its bytes on disk, which limit what may be unpacked.
    """
    if count > MOST_BYTES:
        raise PixCellError(
            f"{name} is larger than {MOST_BYTES / 2**30:g} GB uncompressed. Export fewer cells, no "
            "measurements, or several files."
        )
    if packed is not None and count > max(UNSUSPICIOUS, MOST_RATIO * packed):
        raise PixCellError(
            f"{name} unpacks to far more than its size allows for cells. Export it again, "
            "uncompressed."
        )


def check_pixels(name: str, shape: tuple[int, ...], bytes_per_pixel: int = 1) -> None:
    """Raise PixCellError if a label image would fill the memory."""
    pixels = prod(map(int, shape))
    if pixels > MOST_PIXELS or pixels * bytes_per_pixel > MOST_DECODED:
        size = " × ".join(f"{n:,}" for n in shape[::-1])
        raise PixCellError(
            f"{name} is {size} px, too large for a label image. Export it at a lower resolution, "
            "or export the outlines as GeoJSON."
        )


def check_file(path: Path) -> None:
    """Raise PixCellError if a file is missing, not a regular file, empty or too large."""
    check_regular(path)
    size = path.stat().st_size
    if size == 0:
        raise PixCellError(f"{path.name} is empty. Export it again.")
    check_bytes(path.name, size)


def no_label_image(name: str) -> PixCellError:
    """Return the error for an unreadable label image."""
    return PixCellError(f"{name} cannot be read as a label image. Use a TIFF, PNG or NPY file.")


def no_memory(name: str) -> PixCellError:
    """Return the error for a label image that does not fit into memory."""
    return PixCellError(f"{name} does not fit into memory. Export it at a lower resolution.")

"""How large a file of cells may be, and the sentences for larger and for broken ones."""

from __future__ import annotations

from pathlib import Path

from napari_pixcell.errors import PixCellError

MOST_BYTES = 2 * 2**30  # of a file, unpacked
MOST_PIXELS = 20_000**2  # of a label image
DEEPEST = 64  # brackets inside brackets; the deepest of these formats has 8


def check_bytes(name: str, count: int) -> None:
    """Refuse a file that would fill the memory."""
    if count > MOST_BYTES:
        raise PixCellError(
            f"{name} is larger than {MOST_BYTES / 2**30:g} GB unpacked; export fewer cells, "
            "without measurements, or in several files."
        )


def check_pixels(name: str, shape: tuple[int, ...]) -> None:
    """Refuse a label image that would fill the memory."""
    count = 1
    for length in shape:
        count *= int(length)
    if count > MOST_PIXELS:
        size = " × ".join(f"{n:,}" for n in shape[::-1])
        raise PixCellError(
            f"{name} is a picture of {size} px, too large for a label image; export it at a lower "
            "resolution, or export the cells' outlines as GeoJSON."
        )


def check_file(path: Path) -> None:
    """Refuse a file that is missing, empty or too large."""
    if not path.is_file():
        raise PixCellError(f"There is no file {path.name}; check its path.")
    size = path.stat().st_size
    if size == 0:
        raise PixCellError(f"{path.name} is empty; export it again.")
    check_bytes(path.name, size)


def no_label_image(name: str) -> PixCellError:
    """Give the error for a file that is nothing we know."""
    return PixCellError(f"{name} cannot be read as a label image; use a TIFF, PNG or NPY file.")

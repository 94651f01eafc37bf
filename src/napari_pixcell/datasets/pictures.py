"""One synthetic picture as a file, with its marks and its record."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from napari_pixcell.datasets.marking import large_tiff, synthetic_png
from napari_pixcell.engine.record import Record
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.slides.stored_picture import Picture, StoredPicture


def suffix_of(on_disk: bool) -> str:
    """Give how the name of a picture's file ends."""
    return ".ome.tif" if on_disk else ".png"


def save_picture(path: Path, image: Picture, record: Record) -> Path:
    """Write a variant as PNG, or as OME-TIFF if it is too large for memory, whole or not at all.

    Parameters
    ----------
    path : Path
        Gets the ending of its kind if it has another.
    image : array, uint8, (height, width, 3)
    record : Record

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    PixCellError
        If it cannot be written.
    """
    suffix, mpp = suffix_of(isinstance(image, StoredPicture)), get_family(record.request.family).mpp
    if not path.name.lower().endswith(suffix):
        path = path.with_name(path.name.removesuffix(path.suffix) + suffix)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if isinstance(image, StoredPicture):
            large_tiff(temporary, image, record, mpp)
        else:
            temporary.write_bytes(synthetic_png(image, record, mpp))
        temporary.replace(path)
    except OSError as error:
        raise PixCellError(
            f"{path.name} cannot be written ({error.strerror}); choose another folder."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path

"""Open a slide with the library that reads its format."""

from __future__ import annotations

from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.content import slide_stamp
from napari_pixcell.slides.levels import CACHE, cache_bytes
from napari_pixcell.slides.pixel_size import checked_mpp, remembered_mpp
from napari_pixcell.slides.slide import Slide

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def open_slide(path: str | Path, mpp: float | None = None) -> Slide:
    """Open a slide: a whole-slide image, a TIFF, or a plain image.

    Parameters
    ----------
    mpp : float, optional
        µm per level-0 pixel. Default: the size that the user entered before for this file, then
        the size stated in the file.

    Raises
    ------
    PixCellError
        If the file is missing, unreadable, cut short or in an unknown format.
    """
    path = Path(path)
    if not path.exists():
        raise PixCellError(f"“{path.name}” does not exist. Check its name and folder.")
    if path.is_dir():
        raise PixCellError(f"“{path.name}” is a folder. Choose the slide file inside it.")
    CACHE.use_limit(cache_bytes())
    try:
        stamp = slide_stamp(path)  # before opening, in case the file is replaced meanwhile
        slide = _open(path)
        slide.stamp = stamp
        remembered = remembered_mpp(path)
    except OSError as error:
        raise PixCellError(
            f"“{path.name}” cannot be read ({error.strerror or 'the file is damaged'}). Check the "
            "file and its read permission."
        ) from error
    if mpp is not None:
        slide.mpp, slide.mpp_source = checked_mpp(mpp), "entered by you"
    elif remembered is not None:
        slide.mpp, slide.mpp_source = remembered, "entered by you before"
    return slide


def _open(path: Path) -> Slide:
    # Each library is imported only when a file needs it.
    from napari_pixcell.slides.backends import image, openslide, tiff

    if openslide.recognises(path):
        return openslide.open_file(path)
    with path.open("rb") as file:
        head = file.read(4)
    if head in TIFF:
        return tiff.open_file(path)
    return image.open_file(path)

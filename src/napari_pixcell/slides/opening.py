"""Which library opens which file, and one sentence when none does."""

from __future__ import annotations

from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.content import slide_stamp
from napari_pixcell.slides.pixel_size import checked_mpp
from napari_pixcell.slides.remembered import remembered_mpp
from napari_pixcell.slides.slide import Slide
from napari_pixcell.slides.tile_cache import CACHE, cache_bytes

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def open_slide(path: str | Path, mpp: float | None = None) -> Slide:
    """Open a slide: a whole-slide format, a TIFF, or a plain picture.

    Parameters
    ----------
    path : path
    mpp : float, optional
        µm per level-0 pixel, where the file does not say or is wrong. A size remembered for the
        file comes next, then the file's own.

    Raises
    ------
    PixCellError
        If there is no such file, or no library can read it, or it is cut short.
    """
    path = Path(path)
    if not path.exists():
        raise PixCellError(f"There is no file “{path.name}” there; check its name and folder.")
    if path.is_dir():
        raise PixCellError(f"“{path.name}” is a folder; choose the slide file inside it.")
    CACHE.use_limit(cache_bytes())
    try:
        stamp = slide_stamp(path)  # before opening: a file replaced meanwhile must not pass for it
        slide = _open(path)
        slide.stamp = stamp
        remembered = remembered_mpp(path)
    except OSError as error:
        raise PixCellError(
            f"“{path.name}” cannot be read ({error.strerror or 'the file is damaged'}); check the "
            "file and your permission to read it."
        ) from error
    if mpp is not None:
        slide.mpp, slide.mpp_source = checked_mpp(mpp), "given by you"
    elif remembered is not None:
        slide.mpp, slide.mpp_source = remembered, "given by you before"
    return slide


def _open(path: Path) -> Slide:
    # each library is imported only when a file needs it
    from napari_pixcell.slides.backends import image, openslide, tiff

    if openslide.recognises(path):
        return openslide.open_file(path)
    with path.open("rb") as file:
        head = file.read(4)
    if head in TIFF:
        return tiff.open_file(path)
    return image.open_file(path)

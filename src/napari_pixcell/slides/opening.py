"""Open a slide with the library that reads its format."""

from __future__ import annotations

from pathlib import Path

from napari_pixcell.slides.backends.directories import HEADS
from napari_pixcell.slides.backends.probing import vendor_of
from napari_pixcell.slides.content import slide_stamp
from napari_pixcell.slides.corrupt import unsupported
from napari_pixcell.slides.levels import CACHE, cache_bytes
from napari_pixcell.slides.pixel_size import checked_mpp, remembered_mpp
from napari_pixcell.slides.remote import is_url, not_allowed
from napari_pixcell.slides.slide import Slide
from napari_pixcell.slides.watch import Watch
from napari_pixcell.untrusted import check_regular, reading
from napari_pixcell.zarr_files import is_zarr, zarr_folder

# Files that hold previews of a slide whose pixels lie elsewhere
INDEXES = {
    ".vsi": "is an Olympus slide, whose pixels lie in .ets files that cannot be read",
    ".ets": "is a part of an Olympus slide, which cannot be read",
}


def open_slide(path: str | Path, mpp: float | None = None, *, allow_network: bool = False) -> Slide:
    """Open a slide: a whole-slide image, a TIFF, an OME-Zarr, or a plain image.

    This may be called in any thread, and takes seconds for a large plain image, which is decoded
    as a whole. The slide may be read in other threads.

    Parameters
    ----------
    path : str or Path
        Of a file, the folder of an OME-Zarr or a metadata file in it; or the address of an OME-Zarr
        on a server, which starts with ``http`` or ``https``.
    mpp : float, optional
        µm per level-0 pixel. Default: the size that the user entered before for this file, then
        the size stated in the file.
    allow_network : bool
        Whether the user allowed an address to be read.

    Raises
    ------
    PixCellError
        If the file is missing, unreadable, cut short or in an unknown format, or if it is an
        address that was not allowed.
    """
    if isinstance(path, str) and is_url(path):
        return _remote(path, mpp, allow_network)
    path = zarr_folder(Path(path))
    if not is_zarr(path):
        check_regular(path)
    CACHE.use_limit(cache_bytes())
    with reading(path.name):
        watch = Watch(path)  # before opening, in case the file is replaced meanwhile
        stamp = slide_stamp(path, watch.key)
        slide = _open(path)
        slide.stamp = stamp
        slide.use_watch(watch)
        remembered = remembered_mpp(path, watch.key)
    if mpp is not None:
        slide.mpp, slide.mpp_source = checked_mpp(mpp), "entered by you"
    elif remembered is not None:
        slide.mpp, slide.mpp_source = remembered, "entered by you before"
    return slide


def _remote(url: str, mpp: float | None, allowed: bool) -> Slide:
    if not allowed:
        raise not_allowed(url)
    CACHE.use_limit(cache_bytes())
    from napari_pixcell.slides.backends import zarr_image

    slide = zarr_image.open_url(url)
    if mpp is not None:
        slide.mpp, slide.mpp_source = checked_mpp(mpp), "entered by you"
    return slide


def _open(path: Path) -> Slide:
    # Each library is imported only when a file needs it.
    if is_zarr(path):
        from napari_pixcell.slides.backends import zarr_image

        return zarr_image.open_folder(path)
    from napari_pixcell.slides.backends import image, openslide, tiff

    suffix = path.suffix.lower()
    if suffix in INDEXES:
        raise unsupported(path.name, INDEXES[suffix], "Export the slide as OME-TIFF.")
    if vendor_of(path) is not None:
        return openslide.open_file(path)
    if suffix == ".mrxs":
        raise unsupported(
            path.name,
            "is only the preview of a slide whose data folder is missing",
            f"Put the folder “{path.stem[:60]}” beside it.",
        )
    with path.open("rb") as file:
        head = file.read(4)
    if head in HEADS:
        return tiff.open_file(path)
    return image.open_file(path)

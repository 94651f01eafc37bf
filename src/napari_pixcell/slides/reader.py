"""napari reader: a slide as one multiscale RGB layer in µm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.backends.openslide import recognises
from napari_pixcell.slides.corrupt import NoTissueImage
from napari_pixcell.slides.levels import TiledLevel
from napari_pixcell.slides.opening import open_slide
from napari_pixcell.slides.region import AXES, UNITS
from napari_pixcell.slides.slide import Slide
from napari_pixcell.slides.window import SlideView
from napari_pixcell.zarr_files import is_zarr

LayerData = tuple[Any, dict[str, Any], str]
PLAIN = (".tif", ".tiff")


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return the reader of a slide, or None to leave the file to napari's own readers.

    A TIFF without an RGB image, such as a mask, is left to them. A whole-slide image that cannot
    be opened is not: our reader raises an error that says why.
    """
    if isinstance(path, list):
        if len(path) != 1:
            return None
        path = path[0]
    file = Path(path)
    if file.suffix.lower() == ".dcm" and not (file.is_file() and recognises(file)):
        return None  # another kind of scan, which other plugins read
    if file.suffix.lower() in PLAIN:
        try:
            open_slide(path).close()
        except NoTissueImage:
            return None
        except PixCellError:
            pass  # reading says why
    return read_slide


def get_zarr_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return the reader of an OME-Zarr folder, or None to leave it to other readers.

    A Zarr without an RGB image is left to them. One that cannot be opened is not: our reader
    raises an error that says why.
    """
    paths = [path] if isinstance(path, str) else path
    if len(paths) != 1 or not is_zarr(Path(paths[0])):
        return None
    try:
        open_slide(paths[0]).close()
    except NoTissueImage:
        return None
    except PixCellError:
        pass  # reading says why
    return read_slide


def read_slide(path: str | list[str]) -> list[LayerData]:
    """Open a slide as napari layer data."""
    return [layer_data(open_slide(path[0] if isinstance(path, list) else path))]


def layer_data(slide: Slide) -> LayerData:
    """Return a slide as napari layer data of an RGB image.

    The centre of pixel (0, 0) lies at world 0. The scale is in µm if the pixel size is known.
    Otherwise it is 1 and ``mpp`` in the metadata is None. ``metadata["napari_pixcell"]`` also
    holds the open ``slide``. The layer reads array-likes that decode on demand. If a viewer
    watches it, it is drawn before it is decoded, see :mod:`napari_pixcell.slides.window`.
    """
    several = len(slide.levels) > 1
    levels: list[Any] = list(slide.levels)
    if several or isinstance(levels[0], TiledLevel):
        levels = list(SlideView(slide.levels).levels)
    options: dict[str, Any] = {
        "name": slide.name,
        "rgb": True,
        "multiscale": several,
        "scale": (1.0, 1.0) if slide.mpp is None else (slide.mpp, slide.mpp),
        "translate": (0.0, 0.0),
        "axis_labels": AXES,
        "metadata": {
            "napari_pixcell": {
                "name": slide.name,
                "path": None if slide.path is None else str(slide.path),
                "mpp": slide.mpp,
                "mpp_source": slide.mpp_source or "unknown: enter µm per pixel in PixCell studio",
                "slide": slide,
            }
        },
    }
    if slide.mpp is not None:
        options["units"] = UNITS
    return (levels if several else levels[0], options, "image")

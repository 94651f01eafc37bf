"""Label images: TIFF, PNG and other image formats, NPY."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.layout import Report, count_cells, in_px
from napari_pixcell.cells.reading import limits
from napari_pixcell.cells.reading.cellpose import read_seg
from napari_pixcell.cells.reading.gathering import CellsFile
from napari_pixcell.errors import PixCellError

USUAL_MPP = 0.5
MICRONS = {"µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}
PER_CM = 3  # in TIFF
LEAST_MPP, MOST_MPP = 0.01, 50.0  # plausible for an image of cells


def read_labels(path: Path, kind: str, split_touching: bool = False) -> CellsFile:
    """Read a label image.

    A binary image (such as 0 and 255) is a mask whose connected components are cells. Otherwise
    each value is one cell.

    Parameters
    ----------
    kind : str
        ``tiff``, ``npy`` or ``picture``.
    split_touching : bool
        Whether to split the components of a mask at their waists.

    Raises
    ------
    PixCellError
        If the file is unreadable or not a label image.
    """
    mpp: float | None = None
    classes: dict[int, str] = {}
    try:
        if kind == "tiff":
            values, mpp, classes = _read_tiff(path)
        else:
            values = _read_npy(path) if kind == "npy" else _read_picture(path)
    except PixCellError:
        raise
    except Exception as error:  # each library raises its own exceptions
        raise limits.no_label_image(path.name) from error
    values = _flat(path.name, values)
    if is_mask(values):
        labels = _parts(values > 0, split_touching, mpp or USUAL_MPP)
        classes = {}
    else:
        labels = _as_int32(values)
    report = Report(count_cells(labels))
    return CellsFile(path.name, report, labels, classes=classes, shape=labels.shape, mpp=mpp)


def is_mask(values: NDArray[Any]) -> bool:
    """Whether an image has only the values 0 and 1, or 0 and 255."""
    top = values.max(initial=0)
    return bool(top in (1, 255) and (values == 0).any() and ((values == 0) | (values == top)).all())


def _parts(mask: NDArray[np.bool_], split_touching: bool, mpp: float) -> NDArray[np.int32]:
    if split_touching:
        from napari_pixcell.cells.segmentation import split

        return split(mask, mpp)
    from scipy import ndimage

    return np.asarray(ndimage.label(mask)[0], np.int32)


def _flat(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return (height, width) integers, or raise PixCellError if the image has none."""
    if values.ndim > 2:
        values = np.squeeze(values)
    if values.ndim == 3 and values.shape[-1] in (2, 3, 4):
        colours = values[..., : 1 if values.shape[-1] == 2 else 3]  # without transparency
        if not (colours == values[..., :1]).all():
            raise PixCellError(
                f"{name} is a colour image, not a label image. Export the mask with one number for "
                "each cell, or in black and white."
            )
        values = values[..., 0]
    if values.ndim != 2:
        raise PixCellError(
            f"{name} is a stack ({in_px(values.shape)}), not a flat label image. Export one plane."
        )
    if not values.size:
        raise PixCellError(f"{name} has no pixels. Export it again.")
    if not (np.issubdtype(values.dtype, np.integer) or values.dtype == bool):
        if not np.issubdtype(values.dtype, np.floating):
            raise limits.no_label_image(name)
        if not np.isfinite(values).all() or (values != np.round(values)).any():
            raise PixCellError(
                f"{name} has fractional values. Export the mask with one whole number for each "
                "cell."
            )
        values = values.astype(np.int64)
    if values.min() < 0:
        raise PixCellError(
            f"{name} has negative values. Export the mask with 0 for the background and one "
            "positive number for each cell."
        )
    return values


def _as_int32(values: NDArray[Any]) -> NDArray[np.int32]:
    if values.max() <= np.iinfo(np.int32).max:
        return values.astype(np.int32)
    numbers, labels = np.unique(values, return_inverse=True)  # renumber larger values
    return (labels.reshape(values.shape) + int(numbers[0] != 0)).astype(np.int32)


def _read_npy(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if dtype.hasobject:
            return read_seg(path, file)
        limits.check_pixels(path.name, shape)
        file.seek(0)
        return np.asarray(np.load(file, allow_pickle=False))


def _read_picture(path: Path) -> NDArray[Any]:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we have our own limit
        try:
            image = Image.open(path)
        except Image.DecompressionBombError as error:
            raise PixCellError(
                f"{path.name} is too large for this format. Save it as TIFF instead."
            ) from error
    with image:
        limits.check_pixels(path.name, image.size[::-1])
        return np.asarray(image)


def _read_tiff(path: Path) -> tuple[NDArray[Any], float | None, dict[int, str]]:
    from tifffile import TiffFile

    with TiffFile(path) as file:
        page = file.pages.first  # not a series, because a damaged file can have endless pages
        limits.check_pixels(path.name, tuple(n for n in page.shape if n > 4))
        try:
            stack = file.pages[1].shape == page.shape
        except IndexError:
            stack = False
        if stack:
            raise PixCellError(
                f"{path.name} is a stack of planes, not a flat label image. Export one plane."
            )
        values = np.asarray(page.asarray())
        try:
            mpp = _mpp_of(file)
        except (KeyError, TypeError, ValueError, AttributeError, SyntaxError):
            mpp = None  # unknown metadata do not affect the labels
        return values, mpp, _classes_of(file)


def _mpp_of(file: Any) -> float | None:
    """Return the pixel size in µm from OME or ImageJ metadata or a resolution per cm, or None.

    A resolution per inch, and 1 µm in ImageJ, are often just defaults and are ignored.
    """
    sizes: list[float] = []
    if file.is_ome:
        from tifffile import xml2dict

        image = xml2dict(file.ome_metadata)["OME"]["Image"]
        pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
        for axis in "XY":
            size, unit = pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit")
            if size is not None:
                sizes.append(float(size) * MICRONS.get(unit or "µm", float("nan")))
    else:
        tags = file.pages[0].tags
        unit = (file.imagej_metadata or {}).get("unit") if file.is_imagej else None
        microns = MICRONS.get(str(unit).replace("\\u00B5", "µ")) if unit else None
        per_cm = "ResolutionUnit" in tags and int(tags["ResolutionUnit"].value) == PER_CM
        if unit is None and per_cm:
            microns = MICRONS["cm"]
        for name in ("XResolution", "YResolution"):
            if microns is not None and name in tags and tags[name].value[0]:
                count, length = tags[name].value
                sizes.append(microns * length / count)
    if file.is_imagej and sizes and sizes[0] == 1:
        return None
    if not sizes or not np.allclose(sizes, sizes[0], rtol=0.01):
        return None
    return sizes[0] if LEAST_MPP <= sizes[0] <= MOST_MPP else None


def _classes_of(file: Any) -> dict[int, str]:
    """Return the class names that :func:`napari_pixcell.cells.writing.write_labels` stored."""
    try:
        classes = json.loads(file.pages[0].description)["classes"]
        return {int(number): str(name) for number, name in classes.items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}

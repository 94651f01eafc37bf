"""Label images: TIFF, PNG and other image formats, NPY."""

from __future__ import annotations

import warnings
import zipfile
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.label_description import described_classes
from napari_pixcell.cells.layout import Report, count_cells, in_px
from napari_pixcell.cells.reading import limits
from napari_pixcell.cells.reading.cellpose import read_seg
from napari_pixcell.cells.reading.gathering import CellsFile
from napari_pixcell.cells.reading.json_stream import visible
from napari_pixcell.cells.reading.pixel_values import (
    Meaning,
    as_int32,
    labels_and_classes,
    labels_in_colour,
    meaning_of,
)
from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import read_npy

USUAL_MPP = 0.5
MICRONS = {"µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}
PER_CM = 3  # in TIFF
DEFLATE = 8  # in TIFF
LOSSY_COMPRESSIONS = (6, 7)  # JPEG in TIFF
FEW = 4  # channels
PICTURE_FORMATS = ("PNG", "BMP", "GIF", "JPEG", "WEBP", "PPM")
LARGEST_TILE = 2**26  # bytes
LOSSY_FORMATS = ("JPEG", "WEBP")
MOST_PICTURE_BYTES = 200_000_000
MOST_TINT = 40  # difference of the colours that a lossy format adds to grey
TWO_CHANNELS = 36  # bytes that a pixel takes while they are compared
MASK_NAMES = ("masks", "mask", "labels", "label", "inst_map", "instances", "arr_0")
LEAST_MPP, MOST_MPP = 0.01, 50.0  # plausible for an image of cells


def read_labels(path: Path, kind: str, split_touching: bool = False) -> CellsFile:
    """Read a label image.

    An image of two values (such as 0 and 255) is a mask whose connected components are cells, and
    so are those of an image of few classes. Otherwise each value is one cell.

    Parameters
    ----------
    kind : str
        ``tiff``, ``npy``, ``npz`` or ``picture``.
    split_touching : bool
        Whether to split the components of a mask at their waists.

    Raises
    ------
    PixCellError
        If the file is unreadable or not a label image.
    """
    try:
        if kind == "tiff":
            image = _read_tiff(path)
        elif kind == "picture":
            image = _read_picture(path)
        else:
            image = _read_npy(path) if kind == "npy" else _Image(_read_npz(path))
    except PixCellError:
        raise
    except MemoryError as error:
        raise limits.no_memory(path.name) from error
    except Exception as error:  # each library raises its own exceptions
        raise limits.no_label_image(path.name) from error
    values, classes = _flat(path.name, image)
    if image.ours or classes:
        found = Meaning(as_int32(values), image.classes or classes)
    else:
        split_mpp = (image.mpp or USUAL_MPP) if split_touching else None
        found = meaning_of(path.name, values, blurred=image.blurred, split_mpp=split_mpp)
    count = count_cells(found.labels)
    report = Report(count, changed={found.note: count} if found.note else {})
    return CellsFile(
        path.name,
        report,
        found.labels,
        classes=found.classes,
        shape=found.labels.shape,
        mpp=image.mpp,
    )


class _Image(NamedTuple):
    """An image and what its file says about it."""

    values: NDArray[Any]
    mpp: float | None = None
    classes: dict[int, str] = {}  # noqa: RUF012
    ours: bool = False  # labels, even if there are only two values
    blurred: bool = False  # by lossy compression


def _flat(name: str, image: _Image) -> tuple[NDArray[Any], dict[int, str]]:
    """Return (height, width) integers and class names; raise PixCellError if the image has none."""
    values, classes = image.values, dict[int, str]()
    if values.ndim > 2:
        values = np.squeeze(values)
    if values.ndim == 3 and 2 == values.shape[0] < values.shape[-1]:
        values = np.moveaxis(values, 0, -1)
    if values.ndim == 3 and values.shape[-1] == 2:
        values, classes = _of_two_channels(name, values)
    elif values.ndim == 3 and values.shape[-1] in (3, 4):
        colours = values[..., :3]  # without transparency
        if (colours == values[..., :1]).all():
            values = values[..., 0]
        elif image.blurred and int(np.ptp(colours, axis=-1).max()) <= MOST_TINT:
            values = colours[..., 1]
        else:
            labels = None if image.blurred else labels_in_colour(colours)
            if labels is None:
                raise PixCellError(
                    f"{name} is a colour image, not a label image. Export the mask with one number "
                    "for each cell, or in black and white."
                )
            values = labels
    if values.ndim != 2:
        raise PixCellError(
            f"{name} is a stack ({in_px(values.shape)}), not a flat label image. Export one plane."
        )
    if not values.size:
        raise PixCellError(f"{name} has no pixels. Export it again.")
    values = _whole(name, values)
    if values.min() < 0:
        raise PixCellError(
            f"{name} has negative values. Export the mask with 0 for the background and one "
            "positive number for each cell."
        )
    return values, classes


def _whole(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return values as integers, or raise PixCellError if they are not whole numbers."""
    if np.issubdtype(values.dtype, np.integer) or values.dtype == bool:
        return values
    if not np.issubdtype(values.dtype, np.floating):
        raise limits.no_label_image(name)
    small = np.nanmax(values, initial=0) < 2**31
    most = 2.0**31 if small else 2.0**62
    whole = np.empty(values.shape, np.int32 if small else np.int64)
    for row, out in zip(values, whole, strict=True):  # to bound memory
        if not (np.abs(row) < most).all() or (row != np.round(row)).any():
            raise PixCellError(
                f"{name} has fractional values. Export the mask with one whole number for each "
                "cell."
            )
        out[:] = row
    return whole


def _of_two_channels(name: str, values: NDArray[Any]) -> tuple[NDArray[Any], dict[int, str]]:
    """Return the labels of a grey image with transparency, or of labels beside classes."""
    grey, other = values[..., 0], values[..., 1]
    if (grey == other).all() or (other == other[:1, :1]).all():
        return grey, {}
    limits.check_pixels(name, grey.shape, TWO_CHANNELS)
    found = labels_and_classes(_whole(name, values)) if values.min() >= 0 else None
    if found is None:
        raise PixCellError(
            f"{name} has two channels that are not labels and their classes. Export one channel."
        )
    return found


def _read_npy(path: Path) -> _Image:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if dtype.hasobject:
            return _Image(read_seg(path, file), ours=True)
        _check_size(path.name, shape, prod(shape) * dtype.itemsize)
        file.seek(0)
        return _Image(np.asarray(np.load(file, allow_pickle=False)))


def _check_size(name: str, shape: tuple[int, ...], count: int) -> None:
    """Raise PixCellError if an image of so many bytes would fill the memory."""
    planes = tuple(n for n in shape if n > FEW)
    limits.check_pixels(name, planes, count // max(1, prod(planes)))


def _read_npz(path: Path) -> NDArray[Any]:
    """Return the masks of a ``.npz``: the only array, or the one that is named so."""
    with zipfile.ZipFile(path) as archive:
        members = {
            one.filename.removesuffix(".npy"): one
            for one in visible(archive)
            if one.filename.endswith(".npy")
        }
        named = [name for name in MASK_NAMES if name in members] or list(members)
        if not named or (len(named) > 1 and named[0] not in MASK_NAMES):
            shown = ", ".join(named[:5])
            raise PixCellError(
                f"{path.name} has no array named “masks” or “labels”, but {len(named)} others"
                f"{f' ({shown})' if shown else ''}. Save the label image with one of these names."
            )
        member = members[named[0]]
        limits.check_bytes(path.name, member.file_size, path.stat().st_size)
        with archive.open(member) as file:
            data = file.read(limits.MOST_DECODED + 1)
    return read_npy(data, path.name, limits.MOST_DECODED)


def _read_picture(path: Path) -> _Image:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we have our own limit
        try:
            image = Image.open(path, formats=PICTURE_FORMATS)
        except Image.DecompressionBombError as error:
            raise _too_large(path) from error
    with image:
        # While it is decoded, Pillow holds three copies.
        deep = {"I": 4, "F": 4, "I;16": 2}.get(image.mode, len(image.getbands()))
        limits.check_pixels(path.name, image.size[::-1])
        if image.width * image.height * deep > MOST_PICTURE_BYTES:
            raise _too_large(path)
        blurred = image.format in LOSSY_FORMATS
        return _Image(
            np.asarray(image.getchannel(0) if image.mode == "LA" else image), blurred=blurred
        )


def _too_large(path: Path) -> PixCellError:
    return PixCellError(f"{path.name} is too large for this format. Save it as TIFF instead.")


def _read_tiff(path: Path) -> _Image:
    from tifffile import TiffFile

    with TiffFile(path) as file:
        page = file.pages.first  # not a series, because a damaged file can have endless pages
        _check_size(path.name, page.shape, page.nbytes)
        if prod(page.chunks) * np.dtype(page.dtype).itemsize > max(page.nbytes, LARGEST_TILE):
            raise limits.no_label_image(path.name)
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
        blurred = page.compression in LOSSY_COMPRESSIONS
        classes = described_classes(page.description)
        return _Image(values, mpp, classes, _is_ours(file, values), blurred)


def _is_ours(file: Any, values: NDArray[Any]) -> bool:
    """Whether :func:`napari_pixcell.cells.writing.write_labels` or a dataset wrote a TIFF.

    Those of early versions have no mark. They state the pixel size per centimetre.
    """
    page = file.pages.first
    if limits.LAYOUT_MARK in (file.ome_metadata or page.description or ""):
        return True
    unit = page.tags.get("ResolutionUnit")
    return (
        str(page.software).startswith("tifffile")
        and page.compression == DEFLATE
        and page.dtype in (np.uint16, np.uint32)
        and int(values.max(initial=0)) not in (255, 65_535)  # a mask
        and unit is not None
        and unit.value == PER_CM
    )


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

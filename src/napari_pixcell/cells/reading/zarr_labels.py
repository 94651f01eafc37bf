"""Labels of OME-Zarr, versions 0.4 and 0.5, and lone arrays."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from napari_pixcell.cells.reading.gathering import CellsFile
from napari_pixcell.cells.reading.label_arrays import cells_of
from napari_pixcell.cells.reading.zarr_chunks import check_chunks
from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import path_inside, read_json
from napari_pixcell.zarr_files import (
    GROUP_FILES,
    ArrayFacts,
    attributes_of,
    axes_of,
    checked_array,
    is_zarr,
    pixel_sizes,
    zarr_folder,
)

MOST_BYTES = 400_000_000  # of a level that is read, such as 10,000² px; coarser ones serve then
COARSER = "read at a coarser level, because finer ones are too large"


def read_zarr(path: Path, split_touching: bool = False) -> CellsFile:
    """Read a label image of OME-Zarr.

    Parameters
    ----------
    path : Path
        An image with one label image under ``labels``, the label image itself, or an array.

    Raises
    ------
    PixCellError
        If there is no label image, or several.
    """
    folder = zarr_folder(path)
    name = folder.name
    if _is_array(folder):
        return cells_of(name, _read(name, folder, ""), split_touching=split_touching)
    folder = _label_group(folder)
    scales = _about(folder).get("multiscales")
    if not isinstance(scales, list) or not scales or not isinstance(scales[0], dict):
        raise PixCellError(f"“{name}” has no label image. Choose the folder of its labels.")
    axes = axes_of(scales[0])
    level = _level(name, folder, scales[0])
    place = folder / level["path"]
    values = _read(name, place, axes)
    mpp = _mpp(scales[0], level, axes)
    cells = cells_of(folder.name, values, mpp, split_touching=split_touching)
    if level != scales[0]["datasets"][0]:
        changed = {**cells.report.changed, COARSER: cells.report.read}
        report = type(cells.report)(cells.report.read, cells.report.dropped, changed)
        return CellsFile(name, report, cells.labels, None, cells.classes, cells.shape, mpp)
    return cells


def _label_group(folder: Path) -> Path:
    """Return the folder of the label image of a group."""
    if folder.name != "labels" and not (folder / "labels").is_dir():
        inner = folder / "0"  # as bioformats2raw writes it
        if (inner / "labels").is_dir():
            folder = inner
        elif "image-label" in _about(folder) or folder.parent.name == "labels":
            return folder
        else:
            raise PixCellError(
                f"“{folder.name}” has no labels, only an image. Choose a Zarr with the folder "
                "“labels”."
            )
    labels = folder if folder.name == "labels" else folder / "labels"
    listed = _about(labels).get("labels")
    names = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    if not names:
        names = sorted(one.name for one in labels.iterdir() if is_zarr(one))
    if len(names) == 1:
        return path_inside(labels, names[0], "name of a label image")
    shown = ", ".join(names[:5])[:200] or "none"
    raise PixCellError(
        f"“{folder.name}” has {len(names)} label images ({shown}). Choose the folder of one, such "
        "as “labels/NAME”."
    )


def _described(folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    for name in names:
        if (folder / name).is_file():
            value = read_json(folder / name)
            return value if isinstance(value, dict) else {}
    return {}


def _about(folder: Path) -> dict[str, Any]:
    """Return the attributes of a group, of either version."""
    return attributes_of(_described(folder, GROUP_FILES))


def _is_array(folder: Path) -> bool:
    told = _described(folder, ("zarr.json",))
    return told.get("node_type") == "array" or (folder / ".zarray").is_file()


def _level(name: str, folder: Path, scales: dict[str, Any]) -> dict[str, Any]:
    """Return the finest level that is not too large."""
    levels = scales.get("datasets")
    for level in levels if isinstance(levels, list) else []:
        place = path_inside(folder, level["path"], "path of a level")
        found = _checked(name, place)
        if prod(found.shape) * found.dtype.itemsize <= MOST_BYTES:
            return dict(level)
    raise PixCellError(
        f"No level of “{name}” has at most {MOST_BYTES / 1e6:,.0f} MB. Export a level at a lower "
        "resolution, or the outlines as GeoJSON."
    )


def _checked(name: str, folder: Path) -> ArrayFacts:
    """Return what an array is, if it is safe to read."""
    told = _described(folder, ("zarr.json", ".zarray"))
    return checked_array(name, folder.name, told, "a label image")


def _read(name: str, folder: Path, axes: str) -> Any:
    """Return the rows and columns of an array, (height, width)."""
    import zarr

    found = _checked(name, folder)
    shape = found.shape
    if prod(shape) * found.dtype.itemsize > MOST_BYTES:
        raise PixCellError(
            f"“{name}” has more than {MOST_BYTES / 1e6:,.0f} MB. Export a level at a lower "
            "resolution, or the outlines as GeoJSON."
        )
    check_chunks(name, folder, found.chunk_bytes, found.codecs)
    values = np.asarray(zarr.open_array(folder, mode="r")[...])
    flat = [
        place for place, n in enumerate(shape) if n == 1 and axes[place : place + 1] not in "yx"
    ]
    if not axes:
        flat = flat[: max(0, len(shape) - 2)]
    return np.squeeze(values, tuple(flat))


def _mpp(scales: dict[str, Any], level: dict[str, Any], axes: str) -> float | None:
    """Return the pixel size in µm of a level, or None if it is unknown or not square."""
    x, y = pixel_sizes(scales, level, axes)
    if x is None or y is None:
        return None
    return y if 0.01 <= y <= 50 and abs(x / y - 1) < 0.01 else None

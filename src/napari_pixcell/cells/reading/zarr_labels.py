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
from napari_pixcell.untrusted import check_array, path_inside, read_json

FILES = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
MOST_BYTES = 400_000_000  # of a level that is read, such as 10,000² px; coarser ones serve then
MOST_CHUNK = 256 * 2**20  # bytes
MICRONS = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "angstrom": 1e-4}
# Others, such as pickle, may run code.
SAFE = "bytes blosc zstd gzip zlib lz4 crc32c transpose shuffle sharding_indexed".split()
COARSER = "read at a coarser level, because finer ones are too large"


def is_zarr(path: Path) -> bool:
    """True if a path is a Zarr group or array, or the file of one that describes it."""
    folder = path.parent if path.name in FILES else path
    return folder.is_dir() and any((folder / name).is_file() for name in FILES)


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
    folder = path.parent if path.name in FILES else path
    name = folder.name
    if _is_array(folder):
        return cells_of(name, _read(name, folder, ""), split_touching=split_touching)
    folder = _label_group(folder)
    scales = _about(folder).get("multiscales")
    if not isinstance(scales, list) or not scales or not isinstance(scales[0], dict):
        raise PixCellError(f"“{name}” has no label image. Choose the folder of its labels.")
    axes = "".join(_text(one).lower()[:1] for one in scales[0].get("axes") or ())
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
    told = _described(folder, ("zarr.json", ".zattrs"))
    told = told.get("attributes", {}) if "zarr_format" in told else told
    inner = told.get("ome", told) if isinstance(told, dict) else {}
    return inner if isinstance(inner, dict) else {}


def _is_array(folder: Path) -> bool:
    told = _described(folder, ("zarr.json",))
    return told.get("node_type") == "array" or (folder / ".zarray").is_file()


def _level(name: str, folder: Path, scales: dict[str, Any]) -> dict[str, Any]:
    """Return the finest level that is not too large."""
    levels = scales.get("datasets")
    for level in levels if isinstance(levels, list) else []:
        place = path_inside(folder, level["path"], "path of a level")
        shape, dtype, *_ = _checked(name, place)
        if prod(shape) * dtype.itemsize <= MOST_BYTES:
            return dict(level)
    raise PixCellError(
        f"No level of “{name}” has at most {MOST_BYTES / 1e6:,.0f} MB. Export a level at a lower "
        "resolution, or the outlines as GeoJSON."
    )


def _checked(name: str, folder: Path) -> tuple[tuple[int, ...], np.dtype[Any], int, list[str]]:
    """Return shape and type of an array that is safe to read, a chunk's bytes, and the codecs."""
    told = _described(folder, ("zarr.json", ".zarray"))
    codecs = told.get("codecs") or [told.get("compressor"), *(told.get("filters") or ())]
    found = _checked_codecs(name, codecs)
    grid = told.get("chunk_grid") or {}
    chunks = told.get("chunks") or grid.get("configuration", {}).get("chunk_shape")
    kind = told.get("data_type", told.get("dtype"))
    try:
        dtype = np.dtype(kind)
        if dtype.kind not in "biuf":
            raise ValueError("not numbers")
        check_array(chunks, dtype, MOST_CHUNK)
        shape = check_array(told.get("shape"), dtype, 2**62)
    except (TypeError, ValueError) as error:
        raise PixCellError(
            f"“{folder.name}” of “{name}” is not a label image: {str(error)[:80]}. Export it again."
        ) from error
    if min(chunks, default=1) < 1 or len(chunks) != len(shape):
        raise PixCellError(f"The chunks of “{name}” do not match its shape. Export it again.")
    return shape, dtype, prod(chunks) * dtype.itemsize, found


def _checked_codecs(name: str, codecs: Any) -> list[str]:
    """Return the names of codecs, inner ones included, that are safe."""
    found: list[str] = []
    for codec in codecs if isinstance(codecs, list) else []:
        if codec is None:
            continue
        kind = codec.get("name", codec.get("id"))
        if kind not in SAFE:
            raise PixCellError(
                f"“{name}” is encoded by “{str(kind)[:40]}”, which is not read because it is "
                "unusual. Save it again with zstd or blosc."
            )
        inner = codec.get("configuration")
        inner = inner if isinstance(inner, dict) else {}
        check_array(inner.get("chunk_shape", []), np.int64, MOST_CHUNK)
        found.append(kind)
        found += _checked_codecs(name, inner.get("codecs"))
        found += _checked_codecs(name, inner.get("index_codecs"))
    return found


def _read(name: str, folder: Path, axes: str) -> Any:
    """Return the rows and columns of an array, (height, width)."""
    import zarr

    shape, dtype, size, codecs = _checked(name, folder)
    if prod(shape) * dtype.itemsize > MOST_BYTES:
        raise PixCellError(
            f"“{name}” has more than {MOST_BYTES / 1e6:,.0f} MB. Export a level at a lower "
            "resolution, or the outlines as GeoJSON."
        )
    check_chunks(name, folder, size, codecs)
    values = np.asarray(zarr.open_array(folder, mode="r")[...])
    flat = [
        place for place, n in enumerate(shape) if n == 1 and axes[place : place + 1] not in "yx"
    ]
    if not axes:
        flat = flat[: max(0, len(shape) - 2)]
    return np.squeeze(values, tuple(flat))


def _mpp(scales: dict[str, Any], level: dict[str, Any], axes: str) -> float | None:
    """Return the pixel size in µm of a level, or None if it is unknown or not square."""
    sizes = []
    described = scales.get("axes") or []
    for axis in "yx":
        place = axes.find(axis)
        if place < 0 or not isinstance(described[place], dict):
            return None
        size = MICRONS.get(str(described[place].get("unit")).lower(), 0.0)
        for one in (*_list(level), *_list(scales)):
            if isinstance(one, dict) and one.get("type") == "scale":
                size *= float(one["scale"][place])
        sizes.append(size)
    usable = 0.01 <= sizes[0] <= 50 and abs(sizes[1] / sizes[0] - 1) < 0.01
    return sizes[0] if usable else None


def _list(value: dict[str, Any]) -> list[Any]:
    found = value.get("coordinateTransformations")
    return found if isinstance(found, list) else []


def _text(axis: Any) -> str:
    return str(axis.get("name", "")) if isinstance(axis, dict) else str(axis)

"""Export layouts to QuPath, Cellpose and label images."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.label_description import describe_labels
from napari_pixcell.cells.outlines import Outlines, outlines_of
from napari_pixcell.cells.reading.limits import LAYOUT_MARK
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import Write, write_whole

FORMATS = (".geojson", ".geojson.gz", "_seg.npy", ".tif")
CORNER, UNSCALED = (0.0, 0.0), (1.0, 1.0)
# Red, green and blue of classes, which are sorted by name.
COLOURS = (
    *((200, 0, 0), (0, 110, 200), (0, 150, 60), (230, 140, 0)),
    *((130, 60, 180), (90, 70, 50), (0, 160, 160), (220, 80, 160)),
)


def check_export(path: Path) -> None:
    """Raise PixCellError if a file name does not end in one of ``FORMATS``."""
    if not path.name.lower().endswith((*FORMATS, ".json", ".json.gz", ".tiff")):
        raise PixCellError(
            f"The format of {path.name} is unknown. Name it name.geojson, name.geojson.gz, "
            "name_seg.npy or name.tif."
        )


def files_of(path: Path) -> list[Path]:
    """Return the files that :func:`export_layout` writes for a name."""
    if not path.name.lower().endswith("_seg.npy"):
        return [path]
    return [path, path.with_name(f"{path.name[: -len('_seg.npy')]}_masks.tif")]


def _write(path: Path, write: Write) -> None:
    """Write a file whole or not at all; raise PixCellError if that fails."""
    try:
        write_whole(path, write)
    except OSError as error:
        raise PixCellError(
            f"{path.name} cannot be written: {error.strerror or error}. Free some space, or choose "
            "another folder."
        ) from error


def export_layout(
    path: Path,
    labels: NDArray[Any],
    mpp: float | None = None,
    classes: Mapping[int, str] | None = None,
    origin: tuple[float, float] = CORNER,
    scale: tuple[float, float] = UNSCALED,
    image: Callable[[], NDArray[np.uint8]] | None = None,
) -> list[Path]:
    """Write a layout for other tools in the format of the file name; return the files written.

    Parameters
    ----------
    path : Path
        Its name ends in one of ``FORMATS``.
    labels : instance label image, (height, width)
    mpp : float, µm per pixel, optional
    classes : mapping, optional
        Class name of each label.
    origin, scale : (x, y)
        For GeoJSON: corner of the layout in level-0 pixels, and level-0 pixels per layout pixel.
    image : callable, optional
        Returns the tissue, uint8, (height, width, 3), for formats that contain it.

    Raises
    ------
    PixCellError
        If the format is unknown, or a file cannot be written.
    """
    check_export(path)
    name = path.name.lower()
    if name.endswith("_seg.npy"):
        return list(write_cellpose(path, labels, image() if image is not None else None))
    if name.endswith((".tif", ".tiff")):
        write_labels(path, labels, mpp, classes)
    else:
        write_geojson(path, outlines_of(labels, classes), origin, scale)
    return [path]


def write_geojson(
    path: Path | str,
    outlines: Outlines,
    origin: tuple[float, float] = (0.0, 0.0),
    scale: float | tuple[float, float] = 1.0,
    identity: str = "",
) -> None:
    """Write outlines as GeoJSON for QuPath, compressed if the name ends in ``.gz``.

    Parameters
    ----------
    origin : (x, y)
        Corner of the outlines in level-0 pixels.
    scale : float or (x, y)
        Level-0 pixels per pixel of the outlines.
    identity : str
        The ids of the cells depend on this alone, so it is unique to the outlines. They are random
        without it.

    Raises
    ------
    PixCellError
        If the file cannot be written.
    """
    factor = tuple(np.broadcast_to(np.asarray(scale, float), 2))
    if factor != (1, 1) or tuple(origin) != (0, 0):
        outlines = outlines.moved((factor[0], factor[1]), origin)
    classes = sorted({name for name in outlines.classes.tolist() if name})
    properties = {"": json.dumps({"objectType": "cell"})}
    for number, name in enumerate(classes):
        style = {"name": name, "color": COLOURS[number % len(COLOURS)]}
        value = {"objectType": "cell", "classification": style}
        properties[name] = json.dumps(value, ensure_ascii=False)
    path = Path(path)
    lines = _lines(outlines, properties, identity or str(uuid.uuid4()))

    def write(part: Path) -> None:
        with part.open("wb") as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile("", "wb", 6, raw) as file:
                    file.writelines(lines)
            else:
                raw.writelines(lines)

    _write(path, write)


def _lines(outlines: Outlines, properties: Mapping[str, str], identity: str) -> Iterator[bytes]:
    import shapely

    own = uuid.uuid5(uuid.NAMESPACE_OID, identity)
    before = '{"type": "FeatureCollection", "features": [\n'
    shapes = shapely.to_geojson(outlines.polygons)
    cells = zip(shapes.tolist(), outlines.classes.tolist(), strict=True)
    for number, (shape, name) in enumerate(cells):
        line = (
            f'{before}{{"type": "Feature", "id": "{uuid.uuid5(own, str(number))}", '
            f'"geometry": {shape}, '
            f'"properties": {properties[name]}}}'
        )
        yield line.encode()
        before = ",\n"
    yield b"\n]}\n" if len(outlines) else f"{before}]}}\n".encode()


def write_labels(
    path: Path | str,
    labels: NDArray[Any],
    mpp: float | None = None,
    classes: Mapping[int, str] | None = None,
) -> None:
    """Write a label image as TIFF, in uint16 or, for more labels, uint32.

    Parameters
    ----------
    path : Path or str
        OME-TIFF if it ends in ``.ome.tif``.
    labels : instance label image, (height, width)
    mpp : float, optional
        Pixel size in µm, stored in the file.
    classes : mapping, optional
        Class name of each label, stored in the image description; not possible in OME-TIFF.

    Raises
    ------
    PixCellError
        If the file cannot be written.
    """
    from tifffile import imwrite

    path, options = Path(path), dict[str, Any]()
    # The mark tells a layout of one cell from a mask.
    if path.name.lower().endswith((".ome.tif", ".ome.tiff")):
        options |= {"ome": True, "metadata": {"axes": "YX", "Description": LAYOUT_MARK}}
        if mpp is not None:
            options["metadata"] |= {f"PhysicalSize{axis}": mpp for axis in "XY"}
            options["metadata"] |= {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
    else:
        options["metadata"] = None
        if mpp is not None:
            options |= {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
        options["description"] = describe_labels(classes or {})

    def write(part: Path) -> None:
        imwrite(part, _smallest(labels), compression="zlib", **options)

    _write(path, write)


def write_cellpose(
    path: Path | str, labels: NDArray[Any], image: NDArray[Any] | None = None
) -> tuple[Path, Path]:
    """Write ``x_seg.npy`` for Cellpose's graphical interface, and ``x_masks.tif``.

    Cells are renumbered without gaps, as Cellpose expects. Returns the paths of both files.

    Parameters
    ----------
    path : Path or str
        Ends in ``_seg.npy``.
    labels : instance label image, (height, width)
    image : array, uint8, (height, width, 3), optional
        The tissue, which Cellpose shows if there is no ``x.tif`` beside the file.

    Raises
    ------
    PixCellError
        If the name does not end in ``_seg.npy``, or a file cannot be written.
    """
    from skimage.segmentation import find_boundaries

    path = Path(path)
    if not path.name.endswith("_seg.npy"):
        raise PixCellError(f"Cellpose opens only files named …_seg.npy. Rename {path.name}.")
    numbers, order = np.unique(labels, return_inverse=True)
    masks = _smallest(order.reshape(labels.shape) + int(numbers[0] != 0))
    stem = path.name.removesuffix("_seg.npy")
    content: dict[str, Any] = {
        "outlines": masks * find_boundaries(masks, mode="inner"),
        "masks": masks,
        "chan_choose": [0, 0],
        "ismanual": np.zeros(int(masks.max(initial=0)), bool),
        "filename": f"{stem}.tif",
        "flows": [[], [], [], [], [[]]],
        "diameter": float("nan"),
    }
    if image is not None:
        content["img"] = image

    def write(part: Path) -> None:
        with part.open("wb") as file:  # numpy would append .npy to a name
            np.save(file, np.array(content, object), allow_pickle=True)

    path, flat = files_of(path)
    _write(path, write)
    write_labels(flat, masks)
    return path, flat


def _smallest(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels as uint16, or as uint32 if necessary."""
    return labels.astype(np.uint16 if labels.max(initial=0) < 2**16 else np.uint32)

"""Layouts to files of other tools: QuPath, Cellpose, anything that reads a label image."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.outlines import Outlines
from napari_pixcell.errors import PixCellError

COLOURS = (
    (200, 0, 0),
    (0, 110, 200),
    (0, 150, 60),
    (230, 140, 0),
    (130, 60, 180),
    (90, 70, 50),
    (0, 160, 160),
    (220, 80, 160),
)  # of classes, in alphabetical order


def write_geojson(
    path: Path | str,
    outlines: Outlines,
    origin: tuple[float, float] = (0.0, 0.0),
    scale: float | tuple[float, float] = 1.0,
    object_type: str = "cell",
) -> None:
    """Write outlines as QuPath reads them; packed if the name ends in ``.gz``.

    Parameters
    ----------
    path : Path or str
    outlines : Outlines
        Such as :func:`napari_pixcell.cells.outlines.outlines_of` gives for a layout.
    origin : (x, y)
        Of the outlines' corner, in level-0 pixels.
    scale : float or (x, y)
        Level-0 pixels per pixel of the outlines.
    object_type : str
        What they are to QuPath: ``cell`` or ``detection``.
    """
    import shapely

    factor = tuple(np.broadcast_to(np.asarray(scale, float), 2))
    if factor != (1, 1) or tuple(origin) != (0, 0):
        outlines = outlines.moved((factor[0], factor[1]), origin)
    classes = sorted({name for name in outlines.classes.tolist() if name})
    properties = {"": json.dumps({"objectType": object_type})}
    for number, name in enumerate(classes):
        look = {"name": name, "color": COLOURS[number % len(COLOURS)]}
        value = {"objectType": object_type, "classification": look}
        properties[name] = json.dumps(value, ensure_ascii=False)
    path = Path(path)
    with gzip.open(path, "wb", 6) if path.suffix == ".gz" else path.open("wb") as file:
        before = '{"type": "FeatureCollection", "features": [\n'
        shapes = shapely.to_geojson(outlines.polygons)
        for shape, name in zip(shapes.tolist(), outlines.classes.tolist(), strict=True):
            line = (
                f'{before}{{"type": "Feature", "id": "{uuid.uuid4()}", "geometry": {shape}, '
                f'"properties": {properties[name]}}}'
            )
            file.write(line.encode())
            before = ",\n"
        file.write(b"\n]}\n" if len(outlines) else f"{before}]}}\n".encode())


def write_labels(
    path: Path | str,
    labels: NDArray[Any],
    mpp: float | None = None,
    classes: Mapping[int, str] | None = None,
) -> None:
    """Write a label image as TIFF, uint16 or uint32 as its labels need.

    Parameters
    ----------
    path : Path or str
        OME-TIFF if it ends in ``.ome.tif``.
    labels : array, (height, width)
        Instance label image.
    mpp : float, optional
        Its pixel size in µm, which goes into the file.
    classes : mapping, optional
        From a label to its class name; kept in the image's description, which has no room for
        them in an OME-TIFF.
    """
    from tifffile import imwrite

    path, options = Path(path), dict[str, Any]()
    if path.name.lower().endswith((".ome.tif", ".ome.tiff")):
        options["metadata"] = {"axes": "YX"}
        if mpp is not None:
            for axis in "XY":
                options["metadata"] |= {
                    f"PhysicalSize{axis}": mpp,
                    f"PhysicalSize{axis}Unit": "µm",
                }
    else:
        options["metadata"] = None
        if mpp is not None:
            options |= {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
        if classes:
            names = {str(number): name for number, name in classes.items()}
            options["description"] = json.dumps({"classes": names})
    imwrite(path, _smallest(labels), compression="zlib", **options)


def write_cellpose(
    path: Path | str, labels: NDArray[Any], image: NDArray[Any] | None = None
) -> tuple[Path, Path]:
    """Write ``x_seg.npy``, which Cellpose's window opens, and ``x_masks.tif``.

    Cellpose numbers cells without gaps, so these are numbered so.

    Parameters
    ----------
    path : Path or str
        Ends in ``_seg.npy``.
    labels : array, (height, width)
        Instance label image.
    image : array, uint8, (height, width, 3), optional
        The tissue, for Cellpose to show where no picture ``x.tif`` lies beside it.

    Returns
    -------
    (Path, Path)
        Of the two files.
    """
    from skimage.segmentation import find_boundaries

    path = Path(path)
    if not path.name.endswith("_seg.npy"):
        raise PixCellError(f"Cellpose opens only files named …_seg.npy; rename {path.name}.")
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
    np.save(path, np.array(content, object), allow_pickle=True)
    flat = path.with_name(f"{stem}_masks.tif")
    write_labels(flat, masks)
    return path, flat


def _smallest(labels: NDArray[Any]) -> NDArray[Any]:
    """Give labels as uint16, or as uint32 where they need it."""
    return labels.astype(np.uint16 if labels.max(initial=0) < 2**16 else np.uint32)

"""A layout into a file whose name says the format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError

FORMATS = (".geojson", ".geojson.gz", "_seg.npy", ".tif")
CORNER, UNSCALED = (0.0, 0.0), (1.0, 1.0)


def check_export(path: Path) -> None:
    """Refuse a name that says no format."""
    if not path.name.lower().endswith((*FORMATS, ".json", ".json.gz", ".tiff")):
        raise PixCellError(
            f"{path.name} says no format; call it name.geojson, name.geojson.gz, name_seg.npy or "
            "name.tif."
        )


def export_layout(
    path: Path,
    labels: NDArray[Any],
    mpp: float | None = None,
    classes: Mapping[int, str] | None = None,
    origin: tuple[float, float] = CORNER,
    scale: tuple[float, float] = UNSCALED,
    image: Callable[[], NDArray[np.uint8]] | None = None,
) -> list[Path]:
    """Write a layout for other tools.

    Parameters
    ----------
    path : Path
        Its name ends in one of ``FORMATS``.
    labels : array, (height, width)
        Instance label image.
    mpp : float, optional
        Its pixel size in µm.
    classes : mapping, optional
        From a label to its class name.
    origin, scale : (x, y)
        For GeoJSON: corner of the layout in level-0 pixels, and level-0 pixels for each of its own.
    image : callable, optional
        Gives the tissue, uint8 (height, width, 3), where a format keeps it.

    Returns
    -------
    list of Path
        What was written.
    """
    from napari_pixcell.cells import writing

    check_export(path)
    name = path.name.lower()
    if name.endswith(("_seg.npy",)):
        return list(writing.write_cellpose(path, labels, image() if image is not None else None))
    if name.endswith((".tif", ".tiff")):
        writing.write_labels(path, labels, mpp, classes)
    else:
        from napari_pixcell.cells.outlines import outlines_of

        writing.write_geojson(path, outlines_of(labels, classes), origin, scale)
    return [path]

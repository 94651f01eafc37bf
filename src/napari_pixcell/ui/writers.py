"""The writers that napari calls to save layers: layouts for other tools, and image–mask pairs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.writing import export_layout, write_labels
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole

FullLayerData = tuple[Any, dict[str, Any], str]


def write_layout(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a labels layer as GeoJSON for QuPath, in pixels of the layer.

    Raises
    ------
    PixCellError
        If the layer has more than two dimensions, or the file cannot be written.
    """
    labels = _flat(data, 2, "The layout")
    return [str(one) for one in export_layout(Path(path), labels, _mpp(meta))]


def write_pair(path: str, layer_data: list[FullLayerData]) -> list[str]:
    """Write an RGB image and its labels as ``NAME.tif`` and ``NAME_masks.tif`` in a folder.

    Raises
    ------
    PixCellError
        If the layers are no RGB image and labels of the same size, or the image is a variant,
        whose record would be lost.
    """
    (image, about, _), (labels, _, _) = sorted(layer_data, key=lambda one: one[2])
    name, mpp = str(about.get("name") or "image"), _mpp(about)
    if (about.get("metadata") or {}).get("napari_pixcell_role"):
        raise PixCellError(
            f"“{name}” is a synthetic variant. Export it in PixCell studio, which adds its record."
        )
    if not about.get("rgb"):
        raise PixCellError(f"“{name}” is not an RGB image. Choose an RGB image and its labels.")
    pixels, mask = _flat(image, 3, f"“{name}”")[..., :3], _flat(labels, 2, "The layout")
    if pixels.shape[:2] != mask.shape:
        raise PixCellError(
            f"“{name}” and its labels differ in size ({_size(pixels)} and {_size(mask)} px). "
            "Choose labels of the same size."
        )
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in Path(name).stem)[:80] or "image"
    files = folder / f"{stem}.tif", folder / f"{stem}_masks.tif"
    write_whole(files[0], _tiff(pixels, mpp))
    write_labels(files[1], mask, mpp)
    return [str(one) for one in files]


def _flat(data: Any, ndim: int, what: str) -> NDArray[Any]:
    """Return the finest level of a layer's data, which must have so many dimensions."""
    finest = data[0] if isinstance(data, list | tuple) or hasattr(data, "_data") else data
    pixels = np.asarray(finest)
    if pixels.ndim != ndim:
        raise PixCellError(f"{what} is not two-dimensional. Choose a layer of one plane.")
    return pixels


def _mpp(meta: dict[str, Any]) -> float | None:
    """Return the pixel size of a layer in µm, or None if its unit is the pixel."""
    units, scale = meta.get("units"), meta.get("scale")
    try:
        length = (1 * units[-1]).to("micrometer").magnitude  # type: ignore[index]
        return float(length * scale[-1])  # type: ignore[index]
    except Exception:  # pint's errors differ between versions; older layers have no units
        return None


def _size(pixels: NDArray[Any]) -> str:
    return f"{pixels.shape[1]} × {pixels.shape[0]}"


def _tiff(pixels: NDArray[Any], mpp: float | None) -> bytes:
    from tifffile import imwrite

    options: dict[str, Any] = {"photometric": "rgb", "compression": "zlib", "metadata": None}
    if mpp is not None:
        options |= {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
    file = io.BytesIO()
    imwrite(file, pixels, **options)
    return file.getvalue()

"""Write a pyramidal OME-TIFF."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.slides.resample import resample

SMALLEST_LEVEL = 512


def write_pyramid(
    path: str | Path,
    rgb: NDArray[np.uint8],
    mpp: float,
    *,
    factor: float = 2,
    quality: int = 90,
    lossless: bool = False,
) -> None:
    """Write a tiled, pyramidal OME-TIFF, replacing the file only when it is complete.

    Parameters
    ----------
    path : path
        Usually ends in ``.ome.tif``.
    rgb : (h, w, 3) uint8
    mpp : float
        µm per pixel, written as PhysicalSizeX and Y.
    factor : float
        Downsample between levels.
    quality : int
        Of JPEG, 1–100; without imagecodecs, or with ``lossless``, tiles are deflated.
    """
    import tifffile

    path = Path(path)
    levels = [np.ascontiguousarray(rgb)]
    while max(levels[-1].shape[:2]) > SMALLEST_LEVEL:
        h, w = levels[-1].shape[:2]
        shape = max(1, int(h / factor)), max(1, int(w / factor))
        levels.append(resample(levels[-1], (0, 0, h, w), shape))
    jpeg = importlib.util.find_spec("imagecodecs") is not None and not lossless
    options: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb"}
    if jpeg:
        options |= {"compression": "jpeg", "compressionargs": {"level": quality}}
    else:
        options |= {"compression": "zlib", "predictor": True}
    sizes = {f"PhysicalSize{a}": mpp for a in "XY"} | {f"PhysicalSize{a}Unit": "µm" for a in "XY"}
    part = path.with_name(f".{path.name}.part")
    try:
        with tifffile.TiffWriter(part, ome=True) as writer:
            writer.write(
                levels[0],
                subifds=len(levels) - 1,
                metadata={"axes": "YXS", **sizes},
                resolution=(1e4 / mpp, 1e4 / mpp),
                resolutionunit="CENTIMETER",
                **options,
            )
            for level in levels[1:]:
                writer.write(level, subfiletype=1, **options)
        os.replace(part, path)  # noqa: PTH105
    finally:
        part.unlink(missing_ok=True)

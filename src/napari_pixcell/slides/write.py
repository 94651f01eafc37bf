"""Write a pyramidal OME-TIFF."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.files import write_whole
from napari_pixcell.slides.resample import resample

SMALLEST_LEVEL = 512
TILE = 256
ROOM = 2**32 - 2**25  # bytes; the limit of a classic TIFF


def write_pyramid(
    path: str | Path,
    rgb: NDArray[np.uint8],
    mpp: float,
    *,
    factor: float = 2,
    quality: int = 90,
    lossless: bool = False,
) -> None:
    """Write a tiled, pyramidal OME-TIFF; an old file is replaced only once it is complete.

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
        JPEG quality, 1–100. Without imagecodecs, or with ``lossless``, tiles are deflated.
    """
    path = Path(path)
    levels = [np.ascontiguousarray(rgb)]
    while max(levels[-1].shape[:2]) > SMALLEST_LEVEL:
        h, w = levels[-1].shape[:2]
        shape = max(1, int(h / factor)), max(1, int(w / factor))
        levels.append(resample(levels[-1], (0, 0, h, w), shape))
    quality_or_none = None if lossless else quality
    write_whole(path, lambda part: write_levels(part, levels, mpp, quality=quality_or_none))


def write_levels(
    path: Path,
    levels: Sequence[Any],
    mpp: float,
    *,
    quality: int | None = None,
    description: str = "",
    tags: Sequence[tuple[Any, ...]] = (),
) -> None:
    """Write existing levels as an OME-TIFF, tile by tile.

    Parameters
    ----------
    levels : sequence of array-like, uint8, (height, width, 3)
        Finest first; they may be on disk.
    mpp : float
        µm per pixel of the finest level.
    quality : int, optional
        JPEG quality, 1–100. With None, or without imagecodecs, tiles are deflated (lossless).
    description : str
        Description for people in the OME metadata.
    tags : sequence of tuple
        Extra tags of the first page, in tifffile's form.
    """
    import tifffile

    options: dict[str, Any] = {"tile": (TILE, TILE), "photometric": "rgb", "dtype": np.uint8}
    if quality is not None and importlib.util.find_spec("imagecodecs") is not None:
        options |= {"compression": "jpeg", "compressionargs": {"level": quality}}
    else:
        options |= {"compression": "zlib", "predictor": True}
    about: dict[str, Any] = {"axes": "YXS"}
    about |= {f"PhysicalSize{a}": mpp for a in "XY"}
    about |= {f"PhysicalSize{a}Unit": "µm" for a in "XY"}
    if description:
        about["Description"] = description
    big = sum(int(np.prod(level.shape)) for level in levels) > ROOM
    with tifffile.TiffWriter(path, ome=True, bigtiff=big) as writer:
        writer.write(
            _tiles(levels[0]),
            shape=levels[0].shape,
            subifds=len(levels) - 1,
            metadata=about,
            resolution=(1e4 / mpp, 1e4 / mpp),
            resolutionunit="CENTIMETER",
            extratags=list(tags),
            **options,
        )
        for level in levels[1:]:
            writer.write(_tiles(level), shape=level.shape, subfiletype=1, **options)


def _tiles(level: Any) -> Iterator[NDArray[np.uint8]]:
    """Iterate over the tiles of a level row by row, padded at the edges."""
    height, width = level.shape[:2]
    for top in range(0, height, TILE):
        rows = np.asarray(level[top : top + TILE])
        padding = (0, -len(rows) % TILE), (0, -width % TILE), (0, 0)
        rows = np.pad(rows, padding, mode="edge")
        for left in range(0, width, TILE):
            yield np.ascontiguousarray(rows[:, left : left + TILE])

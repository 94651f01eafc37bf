"""Writes a grid of embeddings as TRIDENT stores features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.styles.features.encoders import encoder_name
from napari_pixcell.engine.styles.features.file import COORDS, FEATURES, KIND
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.store import encoder_kind
from napari_pixcell.slides.region import Region

# The magnification of a pixel size below each of these, in µm, as TRIDENT rounds it.
MAGNIFICATIONS = ((0.16, 80), (0.2, 60), (0.3, 40), (0.6, 20), (1.2, 10), (2.4, 5))


def magnification(mpp: float) -> int:
    """Return the nominal magnification of a pixel size in µm."""
    return next((times for below, times in MAGNIFICATIONS if mpp < below), 1)


def write_features(
    path: Path,
    grid: NDArray[np.float32],
    region: Region,
    slide: tuple[tuple[int, int], float],
    family: Family,
) -> None:
    """Write the embeddings of a region as TRIDENT stores those of a slide.

    Parameters
    ----------
    path : Path
    grid : array, float32, (rows, columns, dimension)
        One embedding for each patch of the region, whose top left corner is that of the first.
    region : Region
        In level-0 pixels.
    slide : ((height, width), mpp)
        Shape of the slide at level 0, and its pixel size in µm.
    family : Family
        Its encoder embedded them.

    Raises
    ------
    PixCellError
        If the file cannot be written.
    """
    import h5py

    (height, width), mpp = slide
    patch = family.tile // family.grid
    side = patch * family.mpp / mpp
    down, across = np.indices(grid.shape[:2]).reshape(2, -1)
    places = np.stack([region.x + across * side, region.y + down * side], -1)
    stated = {
        "patch_size": patch,
        "patch_size_level0": round(side),
        "level0_magnification": magnification(mpp),
        "target_magnification": magnification(family.mpp),
        "overlap": 0,
        "name": "",  # a slide's name may identify a patient
        "savetodir": "",
        "level0_width": width,
        "level0_height": height,
    }
    own = {"name": "", "savetodir": "", "encoder": encoder_name(family)}
    own[KIND] = encoder_kind(family) or ""
    arrays: dict[str, NDArray[Any]] = {
        FEATURES: grid.reshape(len(places), -1),
        COORDS: np.rint(places).astype(np.int64),
    }

    def write(temporary: Path) -> None:
        with h5py.File(temporary, "w") as file:
            for name, values in arrays.items():
                data = file.create_dataset(
                    name,
                    data=values,
                    chunks=(1, *values.shape[1:]),
                    maxshape=(None, values.shape[1]),
                )
                data.attrs.update(stated if name == COORDS else own)

    try:
        write_whole(path, write, private=True)
    except OSError as error:
        raise PixCellError(
            f"“{path.name}” cannot be written ({error.strerror or 'the disk refused it'}). Free "
            "space, or choose another folder."
        ) from error

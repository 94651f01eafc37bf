"""Images that a command reads: to start from, masks, density maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError


def read_image(path: Path) -> NDArray[Any]:
    """Read a TIFF, PNG or NPY file: an array of two dimensions or more.

    Raises
    ------
    PixCellError
        If the file does not exist or is not an image.
    """
    try:
        if path.suffix.lower() == ".npy":
            image = np.load(path, allow_pickle=False)
        else:
            from skimage.io import imread

            image = imread(path)
        image = np.asarray(image)
        if image.ndim < 2:
            raise ValueError("fewer than two dimensions")
    except FileNotFoundError:
        raise PixCellError(f"There is no image {path}. Check its path.") from None
    except Exception as error:  # each library has errors of its own for a damaged file
        raise PixCellError(
            f"{path.name} cannot be read as an image. Use a TIFF, PNG or NPY file."
        ) from error
    return image

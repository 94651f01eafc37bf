"""The input of a command: a region of a slide, or an image."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cli.messages import note
from napari_pixcell.cli.slides import chosen_slide
from napari_pixcell.engine.record import NEUTRAL
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import get_family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide

if TYPE_CHECKING:
    from napari_pixcell.engine.chosen_region import ChosenRegion


def chosen_region(options: argparse.Namespace, family: Family | None = None) -> ChosenRegion:
    """Open the slide and return the region, snapped to whole pixels and at least one tile.

    Raises
    ------
    PixCellError
        If the slide cannot be read or has no pixel size, or the region does not fit it.
    """
    family, slide = family or get_family(options.family), chosen_slide(options)
    asked = Region.parse(options.region)
    from napari_pixcell.engine.chosen_region import ChosenRegion  # slow to import

    return ChosenRegion.fitted(family, slide, asked, export_name(options, slide))


def warn_if_corrupt(chosen: ChosenRegion) -> None:
    """Print a warning if the slide has corrupt tiles in the region."""
    if text := chosen.slide.corrupt_note(chosen.region):
        note(text)


def export_name(options: argparse.Namespace, slide: Slide) -> str:
    """Return the name in files and records: the user's, or the slide's if it is wanted."""
    kept = slide.short_name if getattr(options, "keep_name", False) else NEUTRAL
    return getattr(options, "name", None) or kept


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

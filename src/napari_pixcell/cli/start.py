"""Options of ``generate`` that say what it starts from, and where it changes that."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.start_image import FEATHER, MAX_FEATHER
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide

REGION = "region"


def add_start_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`start_for` reads."""
    group = parser.add_argument_group("starting from a picture")
    group.add_argument(
        "--start-from",
        metavar="region|IMAGE",
        help="the region's own tissue, or an image of its size; default: nothing",
    )
    group.add_argument(
        "--strength", type=float, metavar="S", help="how much changes, 0 to 1; default: 0.6"
    )
    group.add_argument(
        "--part", type=Path, metavar="MASK.tif", help="change only where this is not 0"
    )
    group.add_argument(
        "--feather", type=float, metavar="UM", help="soft border around the part, in µm; default: 8"
    )


def start_for(
    options: argparse.Namespace, slide: Slide, region: Region, family: Family
) -> dict[str, Any]:
    """Give what a request starts from, as its fields; nothing where that is not asked for.

    Raises
    ------
    PixCellError
        If options do not go together, or a file cannot be read.
    """
    if options.start_from is None:
        asked = {"--strength": options.strength, "--part": options.part}
        for name, value in {**asked, "--feather": options.feather}.items():
            if value is not None:
                raise PixCellError(
                    f"{name} is about a picture that is started from; add --start-from region, or "
                    f"leave {name} out."
                )
        return {}
    tissue = Tissue(slide, region, family)
    if options.start_from == REGION:
        bands = [tissue.read(first, stop) for first, stop in tissue.bands()]
        pixels = tissue.cut(np.concatenate(bands))
    else:
        pixels = _read(Path(options.start_from))
        if pixels.ndim == 3 and pixels.shape[-1] == 4:
            pixels = np.ascontiguousarray(pixels[..., :3])
    fields: dict[str, Any] = {
        "start": PackedArray.pack(pixels),
        "strength": 0.6 if options.strength is None else options.strength,
    }
    if options.part is not None:
        mask = _read(options.part)
        part = np.any(mask.reshape(*mask.shape[:2], -1) != 0, axis=-1)
        feather = FEATHER if options.feather is None else options.feather / family.mpp
        if not 0 <= feather <= MAX_FEATHER:
            raise PixCellError(
                f"The soft border has {options.feather:g} µm; choose 0 to "
                f"{MAX_FEATHER * family.mpp:g} µm."
            )
        fields |= {"part": PackedArray.pack(part), "feather": round(feather)}
    elif options.feather is not None:
        raise PixCellError("--feather is about a part; add --part, or leave --feather out.")
    return fields


def _read(path: Path) -> NDArray[Any]:
    from skimage.io import imread

    try:
        image: NDArray[Any] = imread(path)
    except FileNotFoundError:
        raise PixCellError(f"There is no image {path}; check its path.") from None
    except (OSError, ValueError, SyntaxError):
        raise PixCellError(
            f"{path.name} cannot be read as an image; give a TIFF or PNG file."
        ) from None
    return image

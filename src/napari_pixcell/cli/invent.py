"""``napari-pixcell layout invent`` and ``vary``: by numbers, like another, or another a little."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.inventing.recipe import Recipe
from napari_pixcell.errors import PixCellError

Result = dict[str, Any]

_NUMBERS = (  # option, field of the recipe, help
    ("density", "density", "cells per mm²"),
    ("area", "area_um2", "median area of a cell in µm²"),
    ("area-spread", "area_spread", "standard deviation of the areas' logarithm"),
    ("elongation", "elongation", "median of long over short axis, 1 is round"),
    ("elongation-spread", "elongation_spread", "of the logarithm of elongation less 1"),
    ("alignment", "alignment", "0 in all directions, 1 all in one"),
    ("direction", "direction", "that they share, in degrees"),
    ("clustering", "clustering", "0 evenly spaced, 0.5 as by chance, 1 strongly clustered"),
    ("gap", "gap_um", "least gap between cells in µm"),
)


def add_invent_command(actions: Any, common: argparse.ArgumentParser) -> None:
    """Add ``invent`` to what ``layout`` does."""
    text = "Invent a layout: place nuclei by density, size, shape and clustering."
    command = actions.add_parser("invent", help=text, description=text, parents=[common])
    command.set_defaults(command=_invent)
    command.add_argument("--size", required=True, metavar="WxH", help="in pixels")
    command.add_argument("--out", type=Path, required=True, metavar="FILE.tif")
    command.add_argument("--mpp", type=float, default=0.5, help="pixel size in µm; default: 0.5")
    command.add_argument(
        "--like", type=Path, metavar="LABELS", help="measure this layout; other options replace"
    )
    usual = Recipe()
    for option, field, words in _NUMBERS:
        text = f"{words}; default: {getattr(usual, field):g}, or as in --like"
        command.add_argument(f"--{option}", type=float, metavar="N", dest=field, help=text)
    command.add_argument("--seed", type=int, default=usual.seed)
    command.add_argument(
        "--density-map",
        type=Path,
        metavar="IMAGE",
        help="grey picture of any size: white is the density, black is without cells",
    )


def add_vary_command(actions: Any, common: argparse.ArgumentParser) -> None:
    """Add ``vary`` to what ``layout`` does."""
    text = "Vary a layout: move its cells a little, leave some out, add some."
    command = actions.add_parser("vary", help=text, description=text, parents=[common])
    command.set_defaults(command=_vary)
    command.add_argument("labels", type=Path, metavar="MASK", help="label image of a layout")
    for option, value, unit, words in (
        ("jitter", 2.0, "UM", "how far cells are moved, in µm"),
        ("drop", 0.1, "P", "part of the cells to leave out, 0 to 1"),
        ("add", 0.1, "P", "cells to add, as a part of those there are, 0 to 5"),
    ):
        command.add_argument(
            f"--{option}",
            type=float,
            default=value,
            metavar=unit,
            help=f"{words}; default: {value}",
        )
    command.add_argument("--seed", type=int, default=0, help="the same gives the same; default: 0")
    command.add_argument(
        "--mpp", type=float, metavar="UM", help="pixel size; default: the file's, or 0.5"
    )
    command.add_argument("--out", type=Path, required=True, metavar="FILE.tif")


def _vary(options: argparse.Namespace) -> Result:
    from napari_pixcell.cells import count_cells, read_cells, vary, write_labels

    file = read_cells(options.labels)
    if file.labels is None:
        raise _outlines(options.labels)
    mpp = options.mpp if options.mpp is not None else file.mpp or 0.5
    varied = vary(file.labels, mpp, options.seed, options.jitter, options.drop, options.add)
    there = set(np.unique(varied.labels).tolist())
    classes = {label: name for label, name in file.classes.items() if label in there}
    write_labels(options.out, varied.labels, mpp, classes)
    return {
        "layout": str(options.out),
        "cells": count_cells(varied.labels),
        "dropped": varied.dropped,
        "added": varied.added,
        "wanted": varied.wanted,
        "note": str(varied),
    }


def _outlines(path: Path) -> PixCellError:
    return PixCellError(
        f"{path.name} has outlines; make a label image of them first: napari-pixcell layout import."
    )


def _invent(options: argparse.Namespace) -> Result:
    from napari_pixcell.cells import invent, write_labels

    given = {
        field: value for _, field, _ in _NUMBERS if (value := getattr(options, field)) is not None
    }
    recipe = replace(_start(options), seed=options.seed, **given)
    density_map = _density_map(options.density_map) if options.density_map else None
    invented = invent(recipe, _shape(options.size), options.mpp, density_map=density_map)
    write_labels(options.out, invented.labels, options.mpp, invented.classes)
    return {
        "layout": str(options.out),
        "cells": invented.placed,
        "wanted": invented.wanted,
        "recipe": recipe.to_dict(),
        "note": str(invented),
    }


def _start(options: argparse.Namespace) -> Recipe:
    if options.like is None:
        return Recipe()
    from napari_pixcell.cells import measure, read_cells

    labels = read_cells(options.like).labels
    if labels is None:
        raise _outlines(options.like)
    return measure(labels, options.mpp)


def _shape(text: str) -> tuple[int, int]:
    """Read ``WxH``, and give (height, width)."""
    try:
        width, height = (int(part) for part in text.lower().replace("×", "x").split("x"))
    except ValueError:
        raise PixCellError(
            f"The size “{text}” is not two numbers; give it as WIDTHxHEIGHT in pixels, for "
            "example 1024x1024."
        ) from None
    return height, width


def _picture(path: Path) -> NDArray[Any]:
    if not path.is_file():
        raise PixCellError(f"There is no file {path.name}; check its path.")
    try:
        match path.suffix.lower():
            case ".npy":
                values = np.load(path, allow_pickle=False)
            case ".tif" | ".tiff":
                from tifffile import imread

                values = imread(path)
            case _:
                from PIL import Image

                with Image.open(path) as image:
                    values = np.asarray(image)
        values = np.asarray(values)
        if values.ndim > 2:
            values = np.squeeze(values)
        if values.ndim < 2:
            raise ValueError("not a picture")
    except Exception as error:  # each library has errors of its own for a damaged file
        raise PixCellError(
            f"{path.name} cannot be read as a picture; use a TIFF, PNG or NPY file."
        ) from error
    return values


def _density_map(path: Path) -> NDArray[np.float64]:
    """Read a map; of whole numbers the largest that the type holds is the recipe's density."""
    values = _picture(path)
    if values.ndim == 3 and values.shape[-1] in (3, 4):
        values = values[..., :3].mean(axis=-1).astype(values.dtype)
    if np.issubdtype(values.dtype, np.integer):
        return values / np.iinfo(values.dtype).max
    return values.astype(float)

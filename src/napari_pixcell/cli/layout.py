"""``napari-pixcell layout``: import, export, invent and vary layouts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells import count_cells
from napari_pixcell.cells.class_map import UNCLASSED
from napari_pixcell.cells.inventing.recipe import Recipe, read_shares
from napari_pixcell.cells.layout import areas, classes_in
from napari_pixcell.cli import options as cli
from napari_pixcell.cli.messages import note
from napari_pixcell.cli.region import chosen_region, read_image
from napari_pixcell.engine.chosen_region import ChosenRegion
from napari_pixcell.errors import PixCellError

ORIGINS = ("auto", "slide", "region")
CORNER = "origin of outline coordinates; auto: the corner of the slide"
# Option, field of the recipe, help.
RECIPE_OPTIONS = (
    ("density", "density", "cells per mm²"),
    ("area", "area_um2", "median area of a cell, in µm²"),
    ("area-spread", "area_spread", "standard deviation of the log area"),
    ("elongation", "elongation", "median ratio of long to short axis; 1 is round"),
    ("elongation-spread", "elongation_spread", "standard deviation of log(elongation - 1)"),
    ("alignment", "alignment", "0 (random orientation) to 1 (parallel)"),
    ("direction", "direction", "common orientation, in degrees"),
    ("clustering", "clustering", "0 (evenly spaced), 0.5 (random) to 1 (strongly clustered)"),
    ("gap", "gap_um", "smallest gap between cells, in µm"),
)

READING = cli.group(
    "cells from other tools",
    cli.argument("--cells-mpp", type=float, metavar="UM", help="pixel size of the cells, in µm"),
    cli.argument("--counted-from", choices=ORIGINS, default=ORIGINS[0], help=CORNER),
    cli.flag("--split-touching", "split touching cells of a black and white mask"),
    cli.argument("--image", default="", metavar="NAME", help="name of the image in a COCO file"),
)
FORCE = cli.flag("--force", "replace existing files")
SHARES = """classes of the cells and their shares, such as tumour=0.3,stroma=0.5; classes without a
share divide what is left, else the rest has no class; default: none, or as in --like"""
CLASSED = "family that must know the classes; by default, it gives all of them in equal shares"


def layout_options(words: str) -> cli.Option:
    """Declare ``--layout``, described by ``words``, and how :func:`layout_of` reads it."""
    layout = cli.path("--layout", "FILE", words)
    return lambda parser: (layout(parser), READING(parser))


def layout_of(
    options: cli.Options, chosen: ChosenRegion
) -> tuple[NDArray[Any] | None, dict[int, str]]:
    """Read ``--layout`` as the layout of a region, and print a warning if cells were dropped.

    Returns
    -------
    labels : array, (height, width), or None
        Instance label image; None without the option.
    classes : dict of int to str
        Class name of each label that has one.

    Raises
    ------
    PixCellError
        If the file cannot be read, or does not fit the region.
    """
    if options.layout is None:
        return None, {}
    labels, classes, report = _read(options, options.layout, chosen)
    if report.dropped or report.changed:
        note(str(report))
    return labels, classes


def _read(
    options: cli.Options, path: Path, chosen: ChosenRegion
) -> tuple[NDArray[Any], dict[int, str], Any]:
    if options.cells_mpp is not None and not 0.01 <= options.cells_mpp <= 50:
        raise PixCellError(f"--cells-mpp is {options.cells_mpp:g} µm. Choose 0.01 to 50 µm.")
    return chosen.read_cells(
        path,
        cells_mpp=options.cells_mpp,
        counted_from=options.counted_from,
        image=options.image,
        split_touching=options.split_touching,
    )


# -- import and export -------------------------------------------------------------------------


@cli.command(
    "layout import",
    cli.path("file", "FILE", "cells: GeoJSON, COCO, XML, a label image, ImageJ ROIs, …"),
    cli.slide("--slide", "slide of the cells", required=True),
    cli.region(),
    READING,
    cli.OUT_LABELS,
    FORCE,
    cli.examples(
        "layout import cells.geojson --slide sample --region 400,400,256,256 --out mask.tif"
    ),
)
def import_layout(options: cli.Options) -> cli.Result:
    """Convert a file of cells to the layout of a region."""
    from napari_pixcell.cells import write_labels

    _check_target(options)
    chosen = chosen_region(options)
    labels, classes, report = _read(options, options.file, chosen)
    write_labels(options.out, labels, chosen.family.mpp, classes)
    return {
        "layout": str(options.out),
        "cells": report.read,
        "classes": dict(Counter(classes.values())),
        "report": str(report),
        **{key: value for key, value in report.to_dict().items() if key != "read"},
    }


@cli.command(
    "layout export",
    cli.path("labels", "LABELS", "label image of a layout"),
    cli.out("FILE", "file to write: name.geojson, name.geojson.gz, name_seg.npy or name.tif"),
    cli.slide("--slide", "slide of the layout"),
    cli.region(required=False),
    FORCE,
    cli.examples("layout export mask.tif --out mask_seg.npy"),
)
def export(options: cli.Options) -> cli.Result:
    """Write a layout for QuPath or Cellpose, or as a label image."""
    from napari_pixcell.cells import export_layout, read_cells
    from napari_pixcell.cells.writing import check_export

    options.out = cli.out_of(options)
    check_export(options.out)
    _check_target(options)
    file = read_cells(options.labels)
    labels, mpp = file.labels, file.mpp
    if labels is None:
        raise _holds_outlines(options.labels)
    if (options.slide is None) != (options.region is None):
        raise PixCellError("The position of a layout needs both --slide and --region.")
    position: dict[str, Any] = {}
    if options.slide is not None:
        chosen = chosen_region(options)
        (height, width), box, mpp = chosen.size, chosen.region, chosen.family.mpp
        if labels.shape != chosen.size:
            raise PixCellError(
                f"The layout is {labels.shape[1]} × {labels.shape[0]} px but the region has "
                f"{width} × {height} px. Choose the region that the layout was made for."
            )
        position["origin"] = box.x, box.y
        position["scale"] = box.width / width, box.height / height
        position["image"] = lambda: chosen.slide.read(box, chosen.family.mpp)
    written = export_layout(options.out, labels, mpp, file.classes, **position)
    return {"written": [str(path) for path in written], "cells": count_cells(labels)}


def _check_target(options: cli.Options) -> None:
    """Raise PixCellError if a file to write exists, unless ``--force`` is given."""
    from napari_pixcell.cells.writing import files_of

    for path in files_of(options.out):
        if path.is_dir():
            raise PixCellError(f"{path.name} is a folder. Add the name of a file.")
        if path.exists() and not options.force:
            raise PixCellError(
                f"{path.name} exists. Choose another name, or add --force to replace it."
            )


def _holds_outlines(path: Path) -> PixCellError:
    return PixCellError(
        f"{path.name} has outlines, not labels. Convert it first: napari-pixcell layout import."
    )


# -- invent and vary ---------------------------------------------------------------------------


def _recipe_options(parser: cli.Parser) -> None:
    for option, field, words in RECIPE_OPTIONS:
        text = f"{words}; default: {getattr(Recipe, field):g}, or as in --like"
        parser.add_argument(f"--{option}", type=float, metavar="N", dest=field, help=text)


@cli.command(
    "layout invent",
    cli.argument("--size", required=True, metavar="WxH", help="size of the layout, in pixels"),
    cli.OUT_LABELS,
    cli.mpp("pixel size in µm", default=0.5),
    cli.path("--like", "LABELS", "layout whose statistics are the defaults"),
    _recipe_options,
    cli.argument("--class-shares", default="", metavar="NAME=SHARE,…", help=SHARES),
    cli.argument("--family", metavar="FAMILY", help=CLASSED),
    cli.number("--seed", Recipe.seed, "seed of the layout"),
    cli.path("--density-map", "IMAGE", "greyscale of any size: white is full density, black empty"),
    FORCE,
    cli.examples(
        "layout invent --size 512x512 --density 5000 --out mask.tif",
        "layout invent --size 512x512 --class-shares tumour=0.3,stroma=0.5 --out mask.tif",
    ),
)
def invent(options: cli.Options) -> cli.Result:
    """Invent a layout from the density, size, shape and clustering of its nuclei."""
    from napari_pixcell.cells import invent as invent_layout
    from napari_pixcell.cells import write_labels

    _check_target(options)
    given = {field: getattr(options, field) for _, field, _ in RECIPE_OPTIONS}
    given = {field: value for field, value in given.items() if value is not None}
    recipe = _with_classes(options, replace(_recipe(options), seed=options.seed, **given))
    density_map = _density_map(options.density_map) if options.density_map else None
    invented = invent_layout(recipe, _shape(options.size), options.mpp, density_map=density_map)
    write_labels(options.out, invented.labels, options.mpp, invented.classes)
    return {
        "layout": str(options.out),
        "cells": invented.placed,
        "wanted": invented.wanted,
        "classes": dict(Counter(invented.classes.values())),
        "recipe": recipe.to_dict(),
        "note": str(invented),
    }


def _recipe(options: cli.Options) -> Recipe:
    from napari_pixcell.cells import measure, read_cells

    if options.like is None:
        return Recipe()
    file = read_cells(options.like)
    if file.labels is None:
        raise _holds_outlines(options.like)
    labels = areas(file.labels)[0].tolist()
    counts = Counter(file.classes.get(label, UNCLASSED) for label in labels)
    shares = tuple(counts.items()) if any(counts) else ()
    return replace(measure(file.labels, options.mpp), classes=shares)


def _with_classes(options: cli.Options, recipe: Recipe) -> Recipe:
    """Return a recipe with the classes that are wanted, if the family knows them.

    Raises
    ------
    PixCellError
        If it does not, or if they cannot be read.
    """
    from napari_pixcell.models.families import get_family

    if options.class_shares:
        recipe = replace(recipe, classes=read_shares(options.class_shares))
    if options.family is None:
        return recipe
    family = get_family(options.family)
    names = [name for name, _ in family.palette if name]
    if not names:
        raise PixCellError(
            f"{family.title} knows no classes of cells. Leave out --family, or choose a family "
            "that was trained with classes."
        )
    if not recipe.classes:
        recipe = replace(recipe, classes=tuple((name, 1 / len(names)) for name in names))
    unknown = next((name for name, _ in recipe.classes if name and name not in names), None)
    if unknown is not None:
        raise PixCellError(
            f"{family.title} knows no class “{unknown}”. Choose from: {', '.join(names)}."
        )
    return recipe


def _shape(text: str) -> tuple[int, int]:
    """Return (height, width) of ``WxH``."""
    try:
        width, height = (int(part) for part in text.lower().replace("×", "x").split("x"))
    except ValueError:
        raise PixCellError(
            f"The size “{text}” is not two numbers. Use WIDTHxHEIGHT in pixels, such as 1024x1024."
        ) from None
    return height, width


def _density_map(path: Path) -> NDArray[np.float64]:
    """Read a density map; the largest number of an integer type becomes 1."""
    values = read_image(path)
    if values.ndim > 2:
        values = np.squeeze(values)
    if values.ndim == 3 and values.shape[-1] in (3, 4):
        values = values[..., :3].mean(axis=-1).astype(values.dtype)
    if np.issubdtype(values.dtype, np.integer):
        return values / np.iinfo(values.dtype).max
    return values.astype(float)


@cli.command(
    "layout vary",
    cli.path("labels", "LABELS", "label image of a layout"),
    cli.number("--jitter", 2.0, "typical shift of a cell, in µm", "UM"),
    cli.number("--drop", 0.1, "fraction of the cells to remove, 0 to 1", "P"),
    cli.number("--add", 0.1, "cells to add, as a fraction of those present, 0 to 5", "P"),
    cli.number("--seed", 0, "seed of the variation"),
    cli.mpp("pixel size in µm; default: the file's, or 0.5"),
    cli.OUT_LABELS,
    FORCE,
    cli.examples("layout vary mask.tif --seed 1 --out other.tif"),
)
def vary(options: cli.Options) -> cli.Result:
    """Vary a layout: shift its cells, leave some out, add others."""
    from napari_pixcell.cells import read_cells, write_labels
    from napari_pixcell.cells import vary as vary_layout

    _check_target(options)
    file = read_cells(options.labels)
    if file.labels is None:
        raise _holds_outlines(options.labels)
    mpp = options.mpp if options.mpp is not None else file.mpp or 0.5
    varied = vary_layout(file.labels, mpp, options.seed, options.jitter, options.drop, options.add)
    write_labels(options.out, varied.labels, mpp, classes_in(varied.labels, file.classes))
    return {
        "layout": str(options.out),
        "cells": count_cells(varied.labels),
        "dropped": varied.dropped,
        "added": varied.added,
        "wanted": varied.wanted,
        "note": str(varied),
    }

"""``napari-pixcell layout``: cells from other tools, and back to them."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from napari_pixcell.cells import count_cells
from napari_pixcell.cli.invent import add_invent_command, add_vary_command
from napari_pixcell.cli.place import add_place_options, place
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide

Result = dict[str, Any]

COUNTED_FROM = ("auto", "slide", "region")


def add_layout_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``layout`` and its own commands to the parser."""
    text = "Make layouts of other tools' cells, and the other way round."
    layout = commands.add_parser("layout", help=text, description=text)
    actions = layout.add_subparsers(required=True, metavar="ACTION")

    text = "Make the layout of a region out of a file of cells."
    action = actions.add_parser("import", help=text, description=text, parents=[common])
    action.set_defaults(command=_import)
    action.add_argument(
        "file", metavar="FILE", type=Path, help="GeoJSON, COCO, a label image, ImageJ ROIs, …"
    )
    action.add_argument("--slide", metavar="SLIDE", type=Path, required=True)
    add_place_options(action)
    add_layout_options(action)
    action.add_argument("--out", type=Path, required=True, metavar="FILE.tif", help="to write")

    text = "Write a layout for QuPath, Cellpose, or as a label image."
    action = actions.add_parser("export", help=text, description=text, parents=[common])
    action.set_defaults(command=_export)
    action.add_argument("labels", metavar="LABELS", type=Path, help="label image of a layout")
    action.add_argument(
        "out",
        metavar="OUT",
        type=Path,
        help="name.geojson, name.geojson.gz, name_seg.npy, name.tif",
    )
    action.add_argument("--slide", metavar="SLIDE", type=Path, help="that the layout lies on")
    add_place_options(action, required=False)

    add_invent_command(actions, common)
    add_vary_command(actions, common)


def add_layout_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`layout_for` reads."""
    group = parser.add_argument_group("cells from other tools")
    group.add_argument(
        "--cells-mpp", type=float, metavar="UM", help="pixel size that the cells were found at"
    )
    group.add_argument(
        "--counted-from",
        choices=COUNTED_FROM,
        default=COUNTED_FROM[0],
        help="corner that outlines are counted from; auto: the slide's",
    )
    group.add_argument(
        "--split-touching",
        action="store_true",
        help="split touching cells of a black and white mask at their waists",
    )
    group.add_argument(
        "--image", default="", metavar="NAME", help="picture meant, in a COCO file of several"
    )


def layout_for(
    options: argparse.Namespace, path: Path, slide: Slide, region: Region, size: tuple[int, int]
) -> Any:
    """Read a file of cells as the layout of a region: labels, classes and report."""
    from napari_pixcell.cells import cells_for, read_cells

    if options.cells_mpp is not None and not 0.01 <= options.cells_mpp <= 50:
        raise PixCellError(f"A pixel has {options.cells_mpp:g} µm; give 0.01 to 50 µm.")
    file = read_cells(
        path, image=options.image or slide.short_name, split_touching=options.split_touching
    ).with_mpp(options.cells_mpp)
    return cells_for(file, region, size, slide.shape, slide.mpp, options.counted_from)


def _import(options: argparse.Namespace) -> Result:
    from napari_pixcell.cells import write_labels

    family, slide, region, size, _ = place(options)
    shape = size or (family.tile, family.tile)
    labels, classes, report = layout_for(options, options.file, slide, region, shape)
    write_labels(options.out, labels, family.mpp, classes)
    return {
        "layout": str(options.out),
        "cells": report.read,
        "classes": dict(Counter(classes.values())),
        "report": str(report),
        **{key: value for key, value in report.to_dict().items() if key != "read"},
    }


def _export(options: argparse.Namespace) -> Result:
    from napari_pixcell.cells import export_layout, read_cells
    from napari_pixcell.cells.writing import check_export

    check_export(options.out)
    file = read_cells(options.labels)
    labels, mpp = file.labels, file.mpp
    if labels is None:
        raise PixCellError(f"{file.name} has outlines, not labels; import it first.")
    if (options.slide is None) != (options.region is None):
        raise PixCellError("A layout lies on a region of a slide; give both --slide and --region.")
    on_slide: dict[str, Any] = {}
    if options.slide is not None:
        family, slide, region, size, _ = place(options)
        shape = size or (family.tile, family.tile)
        if labels.shape != shape:
            raise PixCellError(
                f"The layout is {labels.shape[1]} × {labels.shape[0]} px but the region has "
                f"{shape[1]} × {shape[0]} px; give the region that it was made for."
            )
        mpp = family.mpp
        on_slide["origin"] = region.x, region.y
        on_slide["scale"] = region.width / shape[1], region.height / shape[0]
        on_slide["image"] = lambda: slide.read(region, family.mpp)
    written = export_layout(options.out, labels, mpp, file.classes, **on_slide)
    return {"written": [str(path) for path in written], "cells": count_cells(labels)}

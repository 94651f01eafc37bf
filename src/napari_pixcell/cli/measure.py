"""``napari-pixcell measure``: how much of the tissue is brown, and which nuclei."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from napari_pixcell.cells.ihc.measures import DEFAULT, Thresholds
from napari_pixcell.cli.layouts import add_layout_options, layout_for
from napari_pixcell.cli.place import add_place_options, place
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import get_family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide
from napari_pixcell.studio.cells.finding import LARGEST_SEARCH

Result = dict[str, Any]


def add_measure_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``measure`` to the parser."""
    text = "Measure haematoxylin and DAB: positive area, nuclei, percentage, H-score."
    command = commands.add_parser("measure", help=text, description=text, parents=[common])
    command.set_defaults(command=_measure)
    command.add_argument("slide", metavar="SLIDE", type=Path, help="or an exported image")
    add_place_options(command, required=False)
    command.add_argument(
        "--layout", type=Path, metavar="FILE", help="its nuclei; by default they are looked for"
    )
    add_layout_options(command)
    command.add_argument(
        "--thresholds",
        default=str(DEFAULT).replace(" ", ""),
        metavar="N,N,N",
        help="mean DAB optical density from which a nucleus is 1+, 2+, 3+; default: %(default)s",
    )
    command.add_argument("--name", help="name in the table; default: the slide's")
    command.add_argument("--out", type=Path, metavar="FILE.csv", help="table to write")
    command.add_argument(
        "--nuclei", type=Path, metavar="FILE.csv", help="table of each nucleus to write"
    )
    command.add_argument(
        "--mask", type=Path, metavar="FILE.tif", help="label image of the nuclei to write"
    )


def _measure(options: argparse.Namespace) -> Result:
    from napari_pixcell.cells import segment_nuclei, write_labels
    from napari_pixcell.cells.ihc.measures import measure_staining
    from napari_pixcell.cells.ihc.table import (
        COLUMNS,
        NUCLEI_COLUMNS,
        nuclei_rows,
        picture_row,
        write_table,
    )

    thresholds = Thresholds.parse(options.thresholds)
    for path in (options.out, options.nuclei, options.mask):
        if path is not None and not path.absolute().parent.is_dir():
            raise PixCellError(f"There is no folder to write {path.name} to; make it first.")
    family, slide, region = _place(options)
    size = region.shape_at(slide.require_mpp(), family.mpp)
    if math.prod(size) > LARGEST_SEARCH:
        side = math.isqrt(LARGEST_SEARCH)
        raise PixCellError(
            f"At most {side} × {side} px are measured at once; give a smaller --region."
        )
    picture = slide.read(region, family.mpp)
    if note := slide.corrupt_note(region):
        print(note, file=sys.stderr)
    if options.layout is None:
        labels, nuclei_from = segment_nuclei(picture, family.mpp), "found in it"
    else:
        labels, _, report = layout_for(options, options.layout, slide, region, size)
        nuclei_from = "its layout"
        if report.dropped or report.changed:
            print(report, file=sys.stderr)
    staining = measure_staining(picture, family.mpp, labels)
    if staining.warning:
        print(staining.warning, file=sys.stderr)
    name = options.name or slide.short_name
    row = picture_row(name, staining, thresholds, nuclei_from)
    result: Result = dict(zip(COLUMNS, row, strict=True))
    if options.out is not None:
        write_table(options.out, COLUMNS, [row])
        result["table"] = str(options.out)
    if options.nuclei is not None:
        write_table(options.nuclei, NUCLEI_COLUMNS, nuclei_rows(staining, thresholds))
        result["table of nuclei"] = str(options.nuclei)
    if options.mask is not None:
        write_labels(options.mask, labels, family.mpp)
        result["mask"] = str(options.mask)
    return result


def _place(options: argparse.Namespace) -> tuple[Family, Slide, Region]:
    """Give the region asked for, or the whole of an image."""
    from napari_pixcell.slides import open_slide

    if options.region is not None:
        family, slide, region, _, _ = place(options)
        return family, slide, region
    family, slide = get_family(options.family), open_slide(options.slide, mpp=options.mpp)
    if slide.mpp is None:
        slide = slide.with_mpp(family.mpp)
        print(
            f"“{slide.name}” does not say its pixel size; it was taken for {family.mpp:g} µm/px.",
            file=sys.stderr,
        )
    height, width = slide.shape
    return family, slide, Region(0, 0, width, height)

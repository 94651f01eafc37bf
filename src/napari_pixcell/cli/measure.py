"""``napari-pixcell measure``: positive area, positive nuclei and H-score of IHC."""

from __future__ import annotations

import math

from napari_pixcell.cells.ihc.measures import DEFAULT, Thresholds
from napari_pixcell.cli import options as cli
from napari_pixcell.cli.layout import layout_of, layout_options
from napari_pixcell.cli.messages import note
from napari_pixcell.cli.region import chosen_region, export_name, warn_if_corrupt
from napari_pixcell.cli.running import check_folder_of
from napari_pixcell.cli.slides import chosen_slide
from napari_pixcell.engine.chosen_region import ChosenRegion
from napari_pixcell.engine.requests import LARGEST_SEARCH
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family

USUAL = str(DEFAULT).replace(" ", "")
THRESHOLDS = "mean DAB optical density from which a nucleus is 1+, 2+, 3+; default: %(default)s"


@cli.command(
    "measure",
    cli.SLIDE_OR_IMAGE,
    cli.region(required=False),
    layout_options("nuclei to measure; by default they are segmented"),
    cli.argument("--thresholds", default=USUAL, metavar="N,N,N", help=THRESHOLDS),
    cli.NAME,
    cli.path("--out", "FILE.csv", "table to write"),
    cli.path("--nuclei", "FILE.csv", "table to write, with a row for each nucleus"),
    cli.path("--mask", "FILE.tif", "label image of the nuclei to write"),
    cli.examples("measure sample --region 400,400,256,256 --out table.csv --nuclei nuclei.csv"),
)
def measure(options: cli.Options) -> cli.Result:
    """Measure haematoxylin and DAB: positive area, positive nuclei, H-score."""
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
    check_folder_of(options.out, options.nuclei, options.mask)
    chosen = chosen_region(options) if options.region is not None else _whole_image(options)
    if math.prod(chosen.size) > LARGEST_SEARCH:
        side = math.isqrt(LARGEST_SEARCH)
        raise PixCellError(
            f"At most {side} × {side} px can be measured at once. Choose a smaller --region."
        )
    mpp = chosen.family.mpp
    pixels = chosen.slide.read(chosen.region, mpp)
    warn_if_corrupt(chosen)
    labels, nuclei_from = layout_of(options, chosen)[0], "its layout"
    if labels is None:
        labels, nuclei_from = segment_nuclei(pixels, mpp), "found in it"
    staining = measure_staining(pixels, mpp, labels)
    if staining.warning:
        note(staining.warning)
    row = picture_row(chosen.source.name, staining, thresholds, nuclei_from)
    result: cli.Result = dict(zip(COLUMNS, row, strict=True))
    if options.out is not None:
        write_table(options.out, COLUMNS, [row])
        result["table"] = str(options.out)
    if options.nuclei is not None:
        write_table(options.nuclei, NUCLEI_COLUMNS, nuclei_rows(staining, thresholds))
        result["table of nuclei"] = str(options.nuclei)
    if options.mask is not None:
        write_labels(options.mask, labels, mpp)
        result["mask"] = str(options.mask)
    return result


def _whole_image(options: cli.Options) -> ChosenRegion:
    family, slide = get_family(options.family), chosen_slide(options)
    if slide.mpp is None:
        slide = slide.with_mpp(family.mpp)
        note(f"“{slide.name}” states no pixel size; {family.mpp:g} µm/px is assumed.")
    return ChosenRegion.whole(family, slide, export_name(options, slide))

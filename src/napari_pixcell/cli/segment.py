"""``napari-pixcell segment``: the nuclei of a region."""

from __future__ import annotations

from napari_pixcell.cells.layout import count_cells
from napari_pixcell.cells.methods import CELLPOSE_MODEL, METHODS, SegmentMethod
from napari_pixcell.cli import options as cli
from napari_pixcell.cli.region import chosen_region, warn_if_corrupt
from napari_pixcell.cli.running import answer
from napari_pixcell.engine.events import SegmentedLayout
from napari_pixcell.errors import PixCellError

BUILTIN, USUAL = METHODS[0], SegmentMethod()
SENSITIVITY = "sensitivity of the built-in method, -1 (dark nuclei only) to 1 (pale ones too)"
CELLPROB = "lower values find more and larger cells"
FLOW = "largest flow error of a cell; 0 keeps all"


@cli.command(
    "segment",
    cli.SLIDE,
    cli.region(),
    cli.OUT_LABELS,
    cli.argument("--method", choices=METHODS, default=BUILTIN, help="how nuclei are found"),
    cli.number("--sensitivity", USUAL.sensitivity, SENSITIVITY, "N"),
    cli.number("--smallest-area", USUAL.smallest_um2, "discard smaller nuclei, in µm²", "UM2"),
    cli.argument(
        "--largest-area",
        type=float,
        metavar="UM2",
        help="discard larger nuclei, in µm²; default: no limit",
    ),
    cli.group(
        "for --method cellpose",
        cli.argument(
            "--model", default=CELLPOSE_MODEL, metavar="MODEL", help="Cellpose model or its file"
        ),
        cli.argument("--diameter", type=float, metavar="UM", help="typical cell diameter, in µm"),
        cli.number("--flow-threshold", USUAL.flow_threshold, FLOW),
        cli.number("--cellprob-threshold", USUAL.cellprob_threshold, CELLPROB),
    ),
    cli.DEVICE,
    cli.examples("segment sample --region 400,400,256,256 --out mask.tif"),
)
def segment(options: cli.Options) -> cli.Result:
    """Segment the nuclei in a region."""
    from napari_pixcell.cells import write_labels

    if options.method == BUILTIN and options.model != CELLPOSE_MODEL:
        raise PixCellError("--model is for Cellpose only. Add --method cellpose, or omit --model.")
    method = SegmentMethod(
        options.method,
        options.model,
        options.diameter,
        options.flow_threshold,
        options.cellprob_threshold,
        options.sensitivity,
        options.smallest_area,
        options.largest_area,
    )
    chosen = chosen_region(options)
    labels = chosen.segment(method, lambda request: answer(request, SegmentedLayout)).labels
    warn_if_corrupt(chosen)
    write_labels(options.out, labels, chosen.family.mpp)
    return {"mask": str(options.out), "cells": count_cells(labels), "found by": method.words}

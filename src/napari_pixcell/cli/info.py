"""``napari-pixcell info``: size and pixel size of a slide."""

from __future__ import annotations

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.slides import chosen_slide


@cli.command("info", cli.SLIDE, cli.mpp(), cli.examples("info sample", "info sample --json"))
def info(options: cli.Options) -> cli.Result:
    """Show the size and pixel size of a slide."""
    slide = chosen_slide(options)
    height, width = slide.shape
    note = {"note": slide.note} if slide.note and slide.mpp is None else {}
    return note | {
        "name": slide.name,
        "width": width,
        "height": height,
        "mpp": slide.mpp,
        "downsamples": list(slide.downsamples),
    }

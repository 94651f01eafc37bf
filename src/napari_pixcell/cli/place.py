"""Which place on which slide a command is about."""

from __future__ import annotations

import argparse

from napari_pixcell.engine.request import Source
from napari_pixcell.engine.tissue import size_at
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import families, get_family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide


def add_place_options(
    parser: argparse.ArgumentParser, required: bool = True, family: bool = True
) -> None:
    """Add the options that :func:`place` reads, but for the slide itself.

    Without ``family`` the caller says which one.
    """
    parser.add_argument("--region", required=required, metavar="x,y,w,h", help="in level-0 pixels")
    if family:
        parser.add_argument("--family", default="demo", help=f"one of: {', '.join(families())}")
    parser.add_argument("--mpp", type=float, help="pixel size in µm, where the file has none")


def place(
    options: argparse.Namespace,
) -> tuple[Family, Slide, Region, tuple[int, int] | None, Source]:
    """Give the slide, the region asked for, and its size in px where that is not one tile."""
    from napari_pixcell.slides import check_region, open_slide
    from napari_pixcell.studio.regions.item import snap

    family = get_family(options.family)
    slide = open_slide(options.slide, mpp=options.mpp)
    asked = Region.parse(options.region)
    check_region(asked, slide, family.tile, family.mpp)
    assert slide.mpp is not None  # check_region refused a slide without a pixel size
    region = snap(asked, slide.shape, slide.mpp, family)
    size: tuple[int, int] | None = size_at(region, slide.mpp, family)
    if size == (family.tile, family.tile):
        size = None
    name = getattr(options, "name", None) or slide.short_name
    place = region.x, region.y, region.width, region.height
    return family, slide, region, size, Source(name, place, slide.mpp)

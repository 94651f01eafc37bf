"""The command that stains a region virtually."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.ihc.look import looks_like
from napari_pixcell.cli.layouts import add_layout_options, layout_for
from napari_pixcell.cli.place import add_place_options, place
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import BUILT_IN, Family
from napari_pixcell.models.families import get_family, is_stain, stain_families
from napari_pixcell.models.own_families import families_folder, read_own_family
from napari_pixcell.models.store import find, require
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide
from napari_pixcell.studio.stains.sources import LOOKS_LIKE_IHC, STRENGTH
from napari_pixcell.studio.stains.staining import stain_request, why_too_small

Style = Callable[[Slide, Region, Family, bool], tuple[NDArray[np.float32], bool]]
Write = Callable[[list[GenerateRequest], Path], dict[str, Any]]


def add_stain_command(
    commands: Any, parents: list[argparse.ArgumentParser], style: Style, write: Write
) -> None:
    """Add ``stain``.

    Parameters
    ----------
    commands : subparsers
        Of the program.
    parents : list of ArgumentParser
        With the options that all commands have.
    style : callable
        Gives the embedding of a region.
    write : callable
        Runs requests and writes what they make to a folder.
    """
    text = "Stain a region of H&E virtually."
    command = commands.add_parser("stain", help=text, description=text, parents=parents)

    def run(options: argparse.Namespace) -> dict[str, Any]:
        return write(stain_requests(options, style), options.out)

    command.set_defaults(command=run)
    command.add_argument("slide", metavar="SLIDE", type=Path)
    add_place_options(command, family=False)
    names = ", ".join(family.name for family in stain_families())
    command.add_argument(
        "--stain", required=True, metavar="NAME[,NAME…]", help=f"which ones, of: {names}"
    )
    keeping = command.add_mutually_exclusive_group()
    keeping.add_argument(
        "--keep-structure",
        type=float,
        metavar="S",
        help="how much of the tissue stays, 0 to 1: at 0 all is made from noise, as published; "
        f"default: {1 - STRENGTH:g}",
    )
    keeping.add_argument(
        "--from-noise", action="store_true", help="the published method: cells do not stay"
    )
    command.add_argument(
        "--invert",
        action=argparse.BooleanOptionalAction,
        help="follow the tissue back to its noise, which keeps most cells in their places and "
        "needs no seed (the default), or mix noise in",
    )
    command.add_argument(
        "--layout", type=Path, metavar="FILE", help="cells to hold, for stains that can"
    )
    add_layout_options(command)
    command.add_argument("--seed", type=int, default=1234)
    command.add_argument("--steps", type=int, help="denoising steps; default: the stain's")
    command.add_argument("--name", help="name in the files and records; default: the slide's")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")


def stain_requests(options: argparse.Namespace, style: Style) -> list[GenerateRequest]:
    """Give a request for each stain that was asked for.

    Raises
    ------
    PixCellError
        If a stain is unknown or not installed, the region is too small for it, or options do not
        go together.
    """
    families = [_stain(name.strip()) for name in dict.fromkeys(options.stain.split(","))]
    kept = 0.0 if options.from_noise else options.keep_structure
    kept = 1 - STRENGTH if kept is None else kept
    if not 0 <= kept <= 1:
        raise PixCellError(f"--keep-structure is {kept:g}; choose 0 (nothing stays) to 1 (all).")
    if options.invert and options.from_noise:
        raise PixCellError(
            "--invert starts from the tissue and --from-noise does not; leave one of them out."
        )
    for family in families:
        for part in family.parts:  # before anything heavy
            if find(part) is None:
                require(family, part)
    return [_request(options, family, 1 - kept, style) for family in families]


def _stain(name: str) -> Family:
    known = {family.name: family for family in stain_families()}
    short = known.get(f"stain-{name.lower()}")
    if name not in known and short is not None:
        return short
    if name not in known:
        path = families_folder() / f"{name}.toml"
        if path.is_file():
            read_own_family(path, BUILT_IN)  # says why it cannot be used
        raise PixCellError(f"There is no stain “{name}”; choose of: {', '.join(known)}.")
    family = get_family(name)
    assert is_stain(family)
    return family


def _request(
    options: argparse.Namespace, family: Family, strength: float, style: Style
) -> GenerateRequest:
    options.family = family.name
    from napari_pixcell.slides import open_slide

    asked = Region.parse(options.region)
    with_mpp = open_slide(options.slide, mpp=options.mpp)
    if with_mpp.mpp is not None:
        small = why_too_small(asked, with_mpp.mpp, family, "The region")
        if small:
            raise PixCellError(f"{small}; give a larger region.")
    _, slide, region, size, source = place(options)
    shape = size or (family.tile, family.tile)
    labels = None
    if options.layout is not None:
        if not family.takes_layout:
            raise PixCellError(
                f"{family.title} takes no layout of cells; leave --layout out, or choose another."
            )
        labels, _, report = layout_for(options, options.layout, slide, region, shape)
        if report.dropped or report.changed:
            print(report, file=sys.stderr)
    tissue = Tissue(slide, region, family)
    pixels = tissue.cut(np.concatenate([tissue.read(*band) for band in tissue.bands()]))
    if looks_like(pixels) == "IHC":
        print(LOOKS_LIKE_IHC, file=sys.stderr)
    embedding = PackedArray.pack(style(slide, region, family, options.no_cache)[0])
    request = stain_request(family, embedding, shape, options.seed, source, labels is not None)
    changes: dict[str, Any] = {}
    if options.steps is not None:
        changes["steps"] = options.steps
    if labels is not None:
        changes["layout"] = PackedArray.pack(labels)
    if strength < 1 or options.invert:
        changes |= {"start": PackedArray.pack(pixels), "strength": strength}
        changes["invert"] = options.invert is not False
    return replace(request, **changes)

"""``napari-pixcell stain``: virtual stains of a region."""

from __future__ import annotations

import argparse

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.layout import layout_of, layout_options
from napari_pixcell.cli.messages import note
from napari_pixcell.cli.region import chosen_region
from napari_pixcell.cli.running import embedding_of, write_variants
from napari_pixcell.cli.slides import chosen_slide
from napari_pixcell.engine.chosen_region import stain_of_region
from napari_pixcell.engine.request_values import FROM_NOISE, GenerateRequest
from napari_pixcell.engine.requests import STAIN_STRENGTH, read_tissue, stain_warning, why_too_small
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import BUILT_IN, Family
from napari_pixcell.models.families import find_stain, is_stain
from napari_pixcell.models.store import require
from napari_pixcell.slides.region import Region

KEEP = f"""share of the tissue's structure to keep, 0 (start from noise) to 1;
default: {1 - STAIN_STRENGTH:g}"""
METHOD = """as published: from noise, 100 Euler steps, guidance scale 1.2, which does not keep
cells in position"""
INVERT = """start from the noise that the tissue inverts to, which keeps most cells in position and
needs no seed (the default); otherwise noise is mixed into the tissue"""


def _stain_option(parser: cli.Parser) -> None:
    names = ", ".join(name for name, family in BUILT_IN.items() if is_stain(family))
    words = f"one or more of: {names}, or your own"
    parser.add_argument("--stain", required=True, metavar="NAME[,NAME…]", help=words)


@cli.command(
    "stain",
    cli.SLIDE,
    cli.region(family=False),
    cli.NO_CACHE,
    _stain_option,
    cli.method(METHOD),
    cli.exclusive(
        cli.argument("--keep-structure", type=float, metavar="S", help=KEEP),
        cli.flag("--from-noise", "start from noise, which does not keep cells in position"),
    ),
    cli.argument("--invert", action=argparse.BooleanOptionalAction, help=INVERT),
    layout_options("cells to keep in position, for stains that support it"),
    cli.number("--seed", 1234, "seed of the noise"),
    cli.steps("the stain's"),
    cli.NAME,
    cli.WITH_START,
    cli.OUT_FOLDER,
    cli.DEVICE,
    cli.examples("stain sample --region 400,400,256,256 --stain demo-ki67 --out ki67"),
)
def stain(options: cli.Options) -> cli.Result:
    """Stain a region of H&E virtually."""
    families = [find_stain(name.strip()) for name in dict.fromkeys(options.stain.split(","))]
    published = options.method == cli.AS_PUBLISHED
    if published and (options.keep_structure is not None or options.invert):
        raise PixCellError(f"{FROM_NOISE}.")
    kept = 0.0 if options.from_noise or published else options.keep_structure
    kept = 1 - STAIN_STRENGTH if kept is None else kept
    if not 0 <= kept <= 1:
        raise PixCellError(f"--keep-structure is {kept:g}. Choose 0 (nothing) to 1 (everything).")
    if options.invert and options.from_noise:
        raise PixCellError("--invert starts from the tissue, --from-noise does not. Omit one.")
    for family in families:
        for part in family.parts:  # before anything heavy
            require(family, part)
    requests = [_request(options, family, 1 - kept) for family in families]
    return write_variants(requests, options.out, options.with_start)


def _request(options: cli.Options, family: Family, strength: float) -> GenerateRequest:
    asked, mpp = Region.parse(options.region), chosen_slide(options).mpp
    if mpp is not None and (problem := why_too_small(asked, mpp, family, "The region")):
        raise PixCellError(f"{problem}. Choose a larger region.")
    if options.layout is not None and not family.takes_layout:
        raise PixCellError(
            f"{family.title} does not support layouts. Omit --layout, or choose another stain."
        )
    chosen = chosen_region(options, family)
    labels, classes = layout_of(options, chosen)
    pixels = read_tissue(chosen.slide, chosen.region, family)
    if warning := stain_warning(pixels):
        note(warning)
    return stain_of_region(
        chosen,
        pixels,
        embedding_of(chosen, options.no_cache)[0],
        strength=strength,
        invert=options.invert,
        seed=options.seed,
        steps=options.steps,
        layout=False if labels is None else labels,
        classes=classes,
        published=options.method == cli.AS_PUBLISHED,
    )

"""``napari-pixcell generate`` and ``rerun``: variants of a region, and of a record."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.cli import options as cli
from napari_pixcell.cli.layout import layout_of, layout_options
from napari_pixcell.cli.messages import note
from napari_pixcell.cli.region import chosen_region, read_image, warn_if_corrupt
from napari_pixcell.cli.running import Export, engine, write_variants
from napari_pixcell.cli.styles import OWN, STYLE_OPTIONS, style_for
from napari_pixcell.datasets.marks import read_marked
from napari_pixcell.engine.chosen_region import ChosenRegion
from napari_pixcell.engine.colour_match import OFF, colour_match, colour_setting
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import EXACT, PUBLISHED, SPEEDS, get_preset
from napari_pixcell.engine.repair import ROUNDS, Repair
from napari_pixcell.engine.reproducing import reproduce
from napari_pixcell.engine.request_values import check_published
from napari_pixcell.engine.requests import (
    GenerationSettings,
    StartImage,
    generate_request,
    read_tissue,
)
from napari_pixcell.engine.start_image import STRENGTH, feather_px
from napari_pixcell.engine.tissue import slide_signature
from napari_pixcell.engine.withheld_start import with_start
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.stored_picture import Picture, StoredPicture
from napari_pixcell.untrusted import read_bounded

IMAGES = (".png", ".tif", ".tiff")
MOST_IMAGE_BYTES = 256 * 2**20
ROUNDING = 2  # grey levels by which an image may differ from its original
PRESET = f"speed against quality; default: {EXACT.name}"
METHOD = """as published: DDIM, and in large images windows that overlap by half at every step,
which takes two to three times as long"""
BOTH = "let the layout act on the unconditional half of the guidance as well"
START = "start image: the region's own tissue, or an image of its size; default: noise"
CHANGE = f"denoising strength, 0 (no change) to 1; default: {STRENGTH}"
BLEND = "width of the blend around the part, in µm; default: 8"

REPAIR = f"""regenerate spots where nuclei do not follow the layout, in at most this many rounds;
default: {ROUNDS}"""
REPAIR_SECONDS = "time limit of the repair of a variant, in s; default: none"
REPAIR_CELLPOSE = "Cellpose model that finds nuclei in variants; default: the built-in method"
DROP = "remove nuclei from the mask that the image does not show"
REPAIR_OPTIONS = cli.group(
    "nuclei that follow the layout",
    cli.argument("--repair", nargs="?", type=int, const=ROUNDS, metavar="ROUNDS", help=REPAIR),
    cli.argument("--repair-seconds", type=float, metavar="S", help=REPAIR_SECONDS),
    cli.argument("--repair-cellpose", metavar="MODEL", help=REPAIR_CELLPOSE),
    cli.flag("--drop-wrong", DROP),
)


@cli.command(
    "generate",
    cli.SLIDE,
    cli.region(),
    layout_options("cells to generate: a label image, GeoJSON, …"),
    STYLE_OPTIONS,
    cli.NO_CACHE,
    cli.number("--count", 4, "number of variants"),
    cli.number("--seed", 1234, "seed of the first variant"),
    cli.method(METHOD),
    cli.argument("--preset", choices=SPEEDS, help=PRESET),
    cli.steps("the preset's"),
    cli.argument(
        "--guidance", type=float, metavar="N", help="guidance scale; default: the family's"
    ),
    cli.number("--layout-strength", 1.0, "how strongly the layout acts, 0 to 2"),
    cli.flag("--control-both", BOTH),
    cli.COLOUR_MATCH,
    cli.group(
        "starting from an image",
        cli.argument("--start-from", metavar="region|IMAGE", help=START),
        cli.argument("--strength", type=float, metavar="S", help=CHANGE),
        cli.path("--part", "MASK.tif", "mask of the area to regenerate; 0 is kept"),
        cli.argument("--feather", type=float, metavar="UM", help=BLEND),
    ),
    REPAIR_OPTIONS,
    cli.NAME,
    cli.WITH_START,
    cli.OUT_FOLDER,
    cli.DEVICE,
    cli.examples(
        "generate sample --region 400,400,256,256 --count 2 --out variants",
        "generate sample --region 400,400,256,256 --layout mask.tif --repair --out variants",
    ),
)
def generate(options: cli.Options) -> cli.Result:
    """Generate variants of a region, each with an image, a mask and a record."""
    check_published(get_preset(_preset(options)), options.start_from)
    chosen = chosen_region(options)
    setting = colour_setting(options.colour_match, chosen.family, _preset(options))
    labels, classes = layout_of(options, chosen)
    repair = _repair(options)
    start = _start(options, chosen)
    style = style_for(options, chosen)
    if options.colour_match == setting != OFF and style.unknown:
        note(
            f"The colours are not matched, because the tissue of “{style.unknown}” is unknown. "
            "Save that style again from its tissue."
        )
    warn_if_corrupt(chosen)
    request = generate_request(
        chosen.family,
        GenerationSettings.for_family(
            chosen.family,
            layout=labels is not None,
            count=options.count,
            seed=options.seed,
            steps=options.steps,
            preset=_preset(options),
            guidance=options.guidance,
            layout_strength=options.layout_strength,
            control_both=options.control_both,
        ),
        size=chosen.size,
        embedding=style.embedding,
        layout=labels,
        classes=classes,
        source=replace(
            chosen.source, style=style.shares, slide=slide_signature(chosen.slide) if start else ""
        ),
        start=start,
        colour_match=colour_match(setting, style.colours),
    )
    request = replace(request, repair=repair)
    return write_variants([request], options.out, options.with_start, options.drop_wrong)


def _preset(options: cli.Options) -> str:
    if options.method != cli.AS_PUBLISHED:
        return options.preset or EXACT.name
    if options.preset is not None:
        raise PixCellError("The published method runs every step in full. Omit --preset.")
    return PUBLISHED.name


def _repair(options: cli.Options) -> Repair | None:
    asked = [
        option
        for option in ("drop_wrong", "repair_cellpose", "repair_seconds", "repair")
        if getattr(options, option) not in (None, False)
    ]
    if not asked:
        return None
    name = f"--{asked[-1].replace('_', '-')}"
    if options.layout is None:
        raise PixCellError(f"{name} compares nuclei with a layout. Add --layout, or omit {name}.")
    if options.repair is None and not options.drop_wrong:
        raise PixCellError(f"{name} belongs to a repair. Add --repair, or omit {name}.")
    method = SegmentMethod()
    if options.repair_cellpose is not None:
        method = SegmentMethod("cellpose", options.repair_cellpose)
    return Repair(options.repair or 0, options.repair_seconds, method)


def _start(options: cli.Options, chosen: ChosenRegion) -> StartImage | None:
    if options.start_from is None:
        for option in ("strength", "part", "feather"):
            if getattr(options, option) is not None:
                raise PixCellError(
                    f"--{option} needs an image to start from. Add --start-from region, or omit "
                    f"--{option}."
                )
        return None
    if options.start_from == OWN:
        pixels = read_tissue(chosen.slide, chosen.region, chosen.family)
    else:
        pixels = read_image(Path(options.start_from))
        if pixels.ndim == 3 and pixels.shape[-1] == 4:
            pixels = pixels[..., :3]
    strength = STRENGTH if options.strength is None else options.strength
    start = StartImage(image=PackedArray.pack(pixels), strength=strength)
    if options.part is None:
        if options.feather is not None:
            raise PixCellError("--feather blends around a part. Add --part, or omit --feather.")
        return start
    mask = read_image(options.part)
    part = np.any(mask.reshape(*mask.shape[:2], -1) != 0, axis=-1)
    feather = feather_px(options.feather, chosen.family.mpp)
    return replace(start, part=PackedArray.pack(part), feather=feather)


@cli.command(
    "rerun",
    cli.path("record", "RECORD", "a record or exported image"),
    cli.slide("--slide", "slide or image that the record started from"),
    cli.path("--out", "DIR", "folder to write: the image and its mask"),
    cli.WITH_START,
    cli.DEVICE,
    cli.examples("rerun variants/images/variant-seed1234.png --out again"),
)
def rerun(options: cli.Options) -> cli.Result:
    """Reproduce the image of a record."""
    from napari_pixcell.datasets import read_record

    record = read_record(options.record)
    if options.slide is not None:
        record = with_start(record, options.slide)
    variant = reproduce(record, engine())
    image, sha256 = variant.image, variant.record.sha256
    same = "yes" if sha256 == record.sha256 else _differs(options.record, image)
    result: cli.Result = {"same pixels": same, "sha256": sha256}
    if options.out:
        export = Export(options.out, options.with_start)
        export.write(variant)
        result |= export.result()
    elif isinstance(image, StoredPicture):
        image.delete()
    return result


def _differs(original: Path, image: Picture) -> str:
    """Return how an image differs from the original, if that is one and not a record alone."""
    if isinstance(image, np.ndarray) and original.suffix.lower() in IMAGES:
        with suppress(OSError, ValueError, PixCellError):
            pixels = read_marked(read_bounded(original, MOST_IMAGE_BYTES), original.name).pixels
            if pixels.shape == image.shape:
                most = int(np.abs(pixels.astype(int) - image).max())
                if most <= ROUNDING:
                    return (
                        f"nearly: no value differs by more than {most} of 255, which is rounding "
                        "on another device, in another batch or library version"
                    )
    return "no: the original was computed on another device or library version"

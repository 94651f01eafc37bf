"""The same requests without a window."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell import __version__
from napari_pixcell.cells.methods import CELLPOSE_MODEL, METHODS, SegmentMethod
from napari_pixcell.cli.dataset import add_dataset_command
from napari_pixcell.cli.layouts import add_layout_command, add_layout_options, layout_for
from napari_pixcell.cli.measure import add_measure_command
from napari_pixcell.cli.models import add_models_command
from napari_pixcell.cli.place import add_place_options, place
from napari_pixcell.cli.running import (
    Export,
    collect,
    engine,
    run_embed,
    say_corrupt,
    style_of,
    write_all,
    write_variants,
)
from napari_pixcell.cli.similar import add_similar_command
from napari_pixcell.cli.stain import add_stain_command
from napari_pixcell.cli.start import add_start_options, start_for
from napari_pixcell.cli.styles import (
    add_style_options,
    add_styles_command,
    blended,
    check_new_name,
    open_whole,
    save_as,
)
from napari_pixcell.cli.train_stain import add_train_stain_command
from napari_pixcell.engine.events import SegmentedLayout, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import EXACT, PRESETS, get_preset
from napari_pixcell.engine.record import pixels_sha256
from napari_pixcell.engine.request import (
    GenerateRequest,
    SegmentRequest,
    Source,
)
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import get_family
from napari_pixcell.models.segmenters import segmenter_file
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.stored_picture import StoredPicture

log = logging.getLogger("napari_pixcell")

Result = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the console script ``napari-pixcell``.

    Returns
    -------
    int
        0, or 1 after a sentence that says what to do.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if options.debug else logging.WARNING)
    command: Callable[[argparse.Namespace], Result] = options.command
    try:
        result = command(options)
    except PixCellError as error:
        log.debug("refused", exc_info=True)
        if options.json:
            print(json.dumps({"error": str(error)}))
        else:
            print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Cancelled.", file=sys.stderr)
        return 130
    code = int(result.pop("exit code", 0))
    if options.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-pixcell",
        description="Synthetic tissue from a region of a slide. For research use only.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print a machine-readable result")
    common.add_argument("--debug", action="store_true", help="log what happens")

    def add(name: str, function: Callable[[argparse.Namespace], Result], text: str) -> Any:
        command = commands.add_parser(name, help=text, description=text, parents=[common])
        command.set_defaults(command=function)
        return command

    region = argparse.ArgumentParser(add_help=False)
    region.add_argument("slide", metavar="SLIDE", type=Path)
    add_place_options(region)

    caching = argparse.ArgumentParser(add_help=False)
    caching.add_argument(
        "--no-cache", action="store_true", help="compute the style anew and do not store it"
    )

    info = add("info", _info, "Show size and pixel size of a slide.")
    info.add_argument("slide", metavar="SLIDE", type=Path)
    info.add_argument("--mpp", type=float, help="pixel size in µm, where the file has none")

    text = "Compute the embedding of a region, or of a whole picture."
    embed = commands.add_parser("embed", help=text, description=text, parents=[common, caching])
    embed.set_defaults(command=_embed)
    embed.add_argument("slide", metavar="SLIDE", type=Path, help="or a picture of tissue")
    add_place_options(embed, required=False)
    embed.add_argument("--out", type=Path, metavar="FILE.npy", help="file to write")
    embed.add_argument("--save-as", metavar="NAME", help="keep it in the library of styles")

    text = "Find the nuclei in a region."
    segment = commands.add_parser("segment", help=text, description=text, parents=[common, region])
    segment.set_defaults(command=_segment)
    segment.add_argument(
        "--out", type=Path, required=True, metavar="FILE.tif", help="file to write"
    )
    _add_segment_options(segment)

    text = "Make variants of a region, with an image, a mask and a record for each."
    generate = commands.add_parser(
        "generate", help=text, description=text, parents=[common, region, caching]
    )
    generate.set_defaults(command=_generate)
    generate.add_argument(
        "--layout", type=Path, metavar="FILE", help="cells: a label image, GeoJSON"
    )
    add_layout_options(generate)
    add_style_options(generate)
    generate.add_argument("--count", type=int, default=4, help="number of variants")
    generate.add_argument("--seed", type=int, default=1234, help="of the first variant")
    generate.add_argument(
        "--preset", choices=PRESETS, default=EXACT.name, help="faster, at a price"
    )
    generate.add_argument("--steps", type=int, help="denoising steps; default: the preset's")
    generate.add_argument("--guidance", type=float, help="how closely to follow the style")
    generate.add_argument("--layout-strength", type=float, default=1.0, help="0 to 2")
    add_start_options(generate)
    generate.add_argument("--name", help="name in the files and records; default: the slide's")
    generate.add_argument("--out", type=Path, required=True, metavar="DIR")

    rerun = add("rerun", _rerun, "Make the pixels of a record again.")
    rerun.add_argument("record", metavar="RECORD", type=Path, help="a record, or an exported image")
    rerun.add_argument("--out", type=Path, metavar="DIR", help="folder to write the pair to")

    add_similar_command(
        commands,
        [common, region, caching],
        style_of,
        lambda request: collect(engine().run, request),
    )
    add_stain_command(commands, [common, caching], style_of, write_all)
    add_train_stain_command(commands, [common], lambda *request: engine().run(*request))
    add_layout_command(commands, common)
    add_dataset_command(commands, common, engine)
    add_measure_command(commands, common)
    add_models_command(commands, common)
    add_styles_command(commands, common)

    doctor = add("doctor", _doctor, "Say what works on this machine, and how to mend the rest.")
    doctor.add_argument("--online", action="store_true", help="also ask the hub for access")

    demo = add("demo", _demo, "Run the main job on the sample slide, in the napari window.")
    demo.add_argument("--out", type=Path, default=Path("demo-output"), metavar="DIR")
    return parser


def _info(options: argparse.Namespace) -> Result:
    from napari_pixcell.slides import open_slide

    slide = open_slide(options.slide, mpp=options.mpp)
    height, width = slide.shape
    return {
        "name": slide.name,
        "width": width,
        "height": height,
        "mpp": slide.mpp,
        "downsamples": list(slide.downsamples),
    }


def _embed(options: argparse.Namespace) -> Result:
    if options.out is None and options.save_as is None:
        raise PixCellError("Say where the embedding goes: --out FILE.npy, or --save-as NAME.")
    check_new_name(options.save_as)
    if options.region is None:
        family = get_family(options.family)
        whole = open_whole(options.slide, family, options.mpp)
        slide, region = whole.slide, whole.region
    else:
        family, slide, region, _, _ = place(options)
    values, stored = style_of(slide, region, family, options.no_cache)
    say_corrupt(slide, region)
    result: Result = {"shape": list(values.shape), "from cache": stored}
    if options.out is not None:
        np.save(options.out, values)
        result = {"embedding": str(options.out)} | result
    if options.save_as is not None:
        result["style"] = save_as(options.save_as, values, family, slide, region).name
    return result


def _add_segment_options(command: argparse.ArgumentParser) -> None:
    usual = SegmentMethod()
    command.add_argument("--method", choices=METHODS, default=usual.method, help="how to find them")
    command.add_argument(
        "--sensitivity",
        type=float,
        default=usual.sensitivity,
        metavar="N",
        help="of the built-in method: -1 (fewest nuclei) to 1 (most)",
    )
    command.add_argument(
        "--smallest-area",
        type=float,
        default=usual.smallest_um2,
        metavar="UM2",
        help="leave out smaller cells, in µm²",
    )
    cellpose = command.add_argument_group("for --method cellpose")
    cellpose.add_argument(
        "--model", default=CELLPOSE_MODEL, help=f"a model file of yours; default: {CELLPOSE_MODEL}"
    )
    cellpose.add_argument("--diameter", type=float, metavar="UM", help="of a typical cell, in µm")
    cellpose.add_argument("--flow-threshold", type=float, default=usual.flow_threshold)
    cellpose.add_argument("--cellprob-threshold", type=float, default=usual.cellprob_threshold)


def _segment(options: argparse.Namespace) -> Result:
    from napari_pixcell.cells import write_labels

    if options.method == METHODS[0] and options.model != CELLPOSE_MODEL:
        raise PixCellError("A model is for Cellpose; add --method cellpose, or leave --model out.")
    how = SegmentMethod(
        options.method,
        options.model,
        options.diameter,
        options.flow_threshold,
        options.cellprob_threshold,
        options.sensitivity,
        options.smallest_area,
    )
    family, slide, region, _, _ = place(options)
    pixels = slide.read(region, family.mpp)
    how.check_area(pixels.shape[:2], family.mpp)
    labels = _find_cells(pixels, family.mpp, how)
    say_corrupt(slide, region)
    write_labels(options.out, labels, family.mpp)
    cells = int(np.count_nonzero(np.unique(labels)))
    return {"mask": str(options.out), "cells": cells, "found by": how.words}


def _find_cells(pixels: NDArray[np.uint8], mpp: float, how: SegmentMethod) -> NDArray[np.int32]:
    if how.method == "builtin":  # needs no torch
        from napari_pixcell.cells import segment_nuclei

        return segment_nuclei(pixels, mpp, how.sensitivity, how.smallest_um2)
    segmenter_file(how.model)  # before anything heavy: it may not be here
    request = SegmentRequest(PackedArray.pack(pixels), mpp, how)
    return next(e.labels for e in collect(engine().run, request) if isinstance(e, SegmentedLayout))


def _generate(options: argparse.Namespace) -> Result:
    family, slide, region, size, source = place(options)
    labels = None
    if options.layout:
        shape = size or (family.tile, family.tile)
        labels, _, report = layout_for(options, options.layout, slide, region, shape)
        if report.dropped or report.changed:
            print(report, file=sys.stderr)
    start = start_for(options, slide, region, family)
    guidance = family.guidance if labels is None else family.layout_guidance
    embedding, made_of = blended(
        options,
        family,
        size,
        lambda: style_of(slide, region, family, options.no_cache)[0],
        lambda other, there: style_of(other, there, family, options.no_cache)[0],
    )
    say_corrupt(slide, region)
    request = GenerateRequest(
        family=family.name,
        embedding=embedding,
        layout=PackedArray.pack(labels) if labels is not None else None,
        size=size,
        count=options.count,
        seed=options.seed,
        steps=get_preset(options.preset).steps_of(family.steps)
        if options.steps is None
        else options.steps,
        preset=options.preset,
        guidance=guidance if options.guidance is None else options.guidance,
        layout_strength=options.layout_strength,
        source=replace(source, style=tuple(made_of)),
        **start,
    )
    return write_variants(request, options.out)


def _rerun(options: argparse.Namespace) -> Result:
    from napari_pixcell.datasets import read_record
    from napari_pixcell.engine.engine import Engine

    record = read_record(options.record)
    engine = Engine()
    record.check_weights(engine.load(record.request.family).weights)
    image = engine.reproduce(record)
    sha256 = pixels_sha256(image)
    same = sha256 == record.sha256
    result: Result = {
        "same pixels": "yes" if same else "no: another device or library version computed them",
        "sha256": sha256,
    }
    if options.out:
        export = Export(options.out)
        export.take(Variant(0, image, replace(record, sha256=sha256)))
        result |= export.result()
    elif isinstance(image, StoredPicture):
        image.delete()
    return result


def _doctor(options: argparse.Namespace) -> Result:
    from napari_pixcell.cli.doctor import as_data, examine

    lines = []
    for line in examine(options.online):
        lines.append(line)
        if not options.json:
            print(line, flush=True)
    failed = any(line.grade == "FAIL" for line in lines)
    findings: Result = {"lines": as_data(lines)} if options.json else {}
    return findings | {"exit code": int(failed)}


def _demo(options: argparse.Namespace) -> Result:
    from napari_pixcell.ui.display import any_display

    with any_display() as display:
        if display != "none":
            from napari_pixcell.ui.demo import run_demo

            return run_demo(options.out, stay_open=display == "screen")
    print("No display and no Xvfb: the main job runs without a window.", file=sys.stderr)
    return _demo_without_window(options.out)


def _demo_without_window(out: Path) -> Result:
    """Run the main job at the centre of the sample slide: segment, then 4 variants."""
    from napari_pixcell.cells import segment_nuclei
    from napari_pixcell.slides import open_slide
    from napari_pixcell.slides.samples import SAMPLE_SLIDE

    family = get_family("demo")
    slide = open_slide(SAMPLE_SLIDE)
    height, width = slide.shape
    assert slide.mpp is not None  # the sample says its pixel size
    region = Region.tile((width / 2, height / 2), family.tile, family.mpp, slide.mpp)
    pixels = slide.read(region, family.mpp)
    x, y, width_, height_ = region.as_list()
    request = GenerateRequest(
        family=family.name,
        embedding=PackedArray.pack(run_embed(Tissue(slide, region, family), pixels).values),
        layout=PackedArray.pack(segment_nuclei(pixels, family.mpp)),
        steps=family.steps,
        guidance=family.layout_guidance,
        source=Source(slide.short_name, (x, y, width_, height_), slide.mpp),
    )
    return write_variants(request, out)


if __name__ == "__main__":
    sys.exit(main())

"""Full-size families with random weights on the GPU: loading, time per tile, memory, stains."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from card_figures import FAMILIES, GB, Options, ask, median, peak, pictures, say, style_of, timed
from random_checkpoints import FULL

from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.engine.canvas.plan import Canvas
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.latents import picture_preview
from napari_pixcell.engine.loaded_models import _segmenter_dtype
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import PRESETS
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest, SegmentRequest
from napari_pixcell.engine.segmenting import CellposeOutputs, run_cellpose
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import get_family
from napari_pixcell.models.memory import LADDER, needed, segmenter_needs

STAIN, OTHER = "stain-ki67", "stain-her2"
PREVIEW_ROUNDS = 5


def measure(options: Options) -> None:
    """Measure each kind of family: loading, presets, batches, memory, large images, previews."""
    options.write(*FAMILIES)
    for name in FAMILIES:
        family, engine = get_family(name), Engine()
        first = _loading(engine, name)
        size = sum(part.bytes for part in family.parts) / GB
        engine.unload()
        again = _loading(engine, name)
        batch = engine.loaded.batch
        say("full", family=name, what="load", seconds=first, again=again, file_gb=size, batch=batch)
        tissue = options.tissue(family.tile, family.tile)
        style = style_of(engine, name, tissue)
        packed = EmbedRequest(name, PackedArray.pack(tissue))
        seconds = median(lambda e=engine, r=packed: ask(e, r))
        say("full", family=name, what="embed a tile", seconds=seconds)
        request = GenerateRequest(name, style, count=1)
        if family.takes_layout:
            request = replace(request, layout=options.cells(family.tile, family.tile))
        _presets(engine, family, request)
        if family.tile == 256:
            _previews(engine, request)
        _canvas(engine, family, options)
        engine.unload()
        _compiled(family, request)


def _loading(engine: Engine, name: str) -> float:
    """Return the seconds of loading, and release the networks."""
    return timed(lambda: engine.load(name))[0]


def _presets(engine: Engine, family: Family, request: GenerateRequest) -> None:
    """Print the seconds per tile, alone and in a batch."""
    full = engine.loaded.batch
    for preset in PRESETS.values():
        one = replace(request, preset=preset.name, steps=preset.steps_of(family.steps))
        figures: dict[str, Any] = {}
        for batch in sorted({1, 2, 4, full}):
            many = replace(one, count=batch)
            seconds = median(lambda many=many: pictures(engine, many))
            figures[str(batch)] = seconds / batch
        say("full", family=family.name, preset=preset.name, seconds_a_tile_by_batch=figures)


def _previews(engine: Engine, request: GenerateRequest) -> None:
    """Print the share of a variant's time spent on previews, alternating with and without them."""
    batch = replace(request, count=engine.loaded.batch)
    for many in (request, batch):
        pictures(engine, many)
        with_, without = (
            sorted(
                timed(lambda p=previews, many=many: pictures(engine, many, p))[0]
                for _ in range(PREVIEW_ROUNDS)
            )[PREVIEW_ROUNDS // 2]
            for previews in (True, False)
        )
        what = {"variants": many.count, "with_previews": with_, "without": without}
        say("full", family=request.family, **what, part_of_time=1 - without / with_)
    models = engine.load(request.family)
    side = models.transformer.config.sample_size
    clean = torch.zeros(models.transformer.config.in_channels, side, side, device=models.device)
    seconds = median(lambda: picture_preview(clean, models), 20)
    say("full", family=request.family, what="one preview", seconds=seconds)


def _canvas(engine: Engine, family: Family, options: Options) -> None:
    """Print the seconds and memory of images of two or eight tiles along a side."""
    side = 2048 if options.widths is FULL else 2 * family.tile
    style = style_of(engine, family.name, options.tissue(side, side))
    request = GenerateRequest(family.name, style, size=(side, side), count=1, steps=family.steps)
    canvas = Canvas((side, side), family.tile, family.grid)
    windows = canvas.count(canvas.turns(family.steps))
    seconds, most = 0.0, {}

    def work() -> None:
        nonlocal seconds
        seconds, _ = timed(lambda: pictures(engine, request))

    most = peak(work)
    what = {"canvas_px": side, "windows": windows, "seconds": seconds}
    say("full", family=family.name, **what, seconds_a_window=seconds / windows, **most)


def _compiled(family: Family, request: GenerateRequest) -> None:
    """Print the seconds per tile with compiled blocks, and of compiling."""
    os.environ["PIXCELL_COMPILE"] = "1"
    try:
        engine = Engine()
        loading = _loading(engine, family.name)
        first, _ = timed(lambda: pictures(engine, request))
        seconds = median(lambda: pictures(engine, request))
        many = replace(request, count=engine.loaded.batch)
        batch_first, _ = timed(lambda: pictures(engine, many))
        batch = median(lambda: pictures(engine, many)) / many.count
        what = {"load": loading, "first": first, "seconds_a_tile": seconds}
        more = {"batch_first": batch_first, "in_a_batch": batch, "works": engine.loaded.compiled}
        say("full", family=family.name, what="compiled", **what, **more)
        engine.unload()
    finally:
        del os.environ["PIXCELL_COMPILE"]


def measure_stains(options: Options) -> None:
    """Measure a stain: switching compared with loading, and staining a tile of tissue."""
    base = "pixcell-1024"
    options.write(base, STAIN, OTHER)
    engine = Engine()
    engine.load(base)
    for name in (STAIN, OTHER):  # the file of an adapter is hashed when it is first read
        seconds = _loading(engine, name)
        say("stains", what=f"first switch to {name}", seconds=seconds)
    engine.load(base)
    for name in (STAIN, OTHER, STAIN, base, STAIN):
        seconds = _loading(engine, name)
        say("stains", what=f"switch to {name}", seconds=seconds)
    engine.unload()
    seconds = _loading(engine, STAIN)
    say("stains", what=f"load {STAIN} from its files", seconds=seconds)
    family = get_family(STAIN)
    tissue = options.tissue(family.tile, family.tile)
    start = PackedArray.pack(tissue)
    style = style_of(engine, STAIN, tissue)
    plain = GenerateRequest(STAIN, style, count=1, guidance=family.guidance)
    for what, request in {
        "tile": plain,
        "from the tissue, strength 0.5": replace(plain, start=start, strength=0.5),
        "inverted, strength 0.5": replace(plain, start=start, strength=0.5, invert=True),
        "inverted, strength 1": replace(plain, start=start, strength=1.0, invert=True),
    }.items():
        most = peak(lambda request=request: pictures(engine, request))
        seconds = median(lambda request=request: pictures(engine, request))
        say("stains", what=what, seconds=seconds, **most)
    estimate = needed(family, LADDER[0], engine.load(STAIN).dtype.itemsize) / GB
    say("stains", what="planned memory", estimate_gb=estimate)
    engine.unload()


def measure_cellpose(options: Options) -> None:
    """Measure Cellpose's network at its published size with random weights."""
    from cellpose.vit import CPSAM

    path = options.folder / "cellpose-random"
    if options.widths is not FULL:
        say("cellpose", left_out="its network has only one size")
        return
    if not path.exists():
        torch.manual_seed(0)
        torch.save(CPSAM().state_dict(), path)
    engine = Engine()
    seconds, segmenter = timed(lambda: engine.loaded.load_segmenter(str(path)))
    dtype = _segmenter_dtype(engine.loaded.device)
    estimate = segmenter_needs(path.stat().st_size, dtype.itemsize) / GB
    say("cellpose", what="load", seconds=seconds, dtype=dtype, gb=path.stat().st_size / GB)
    for side in (256, 1024):
        pixels = PackedArray.pack(options.tissue(side, side))
        request = SegmentRequest(pixels, 0.5, SegmentMethod("cellpose", str(path)))
        tiles: list[int] = []

        @torch.inference_mode()
        def work(request: SegmentRequest = request, tiles: list[int] = tiles) -> CellposeOutputs:
            return run_cellpose(segmenter, request, lambda done, total: tiles.append(total))

        most = peak(work)
        seconds = median(work)
        what = {"side": side, "tiles": tiles[0], "seconds": seconds, "estimate_gb": estimate}
        say("cellpose", **what, seconds_a_tile=seconds / tiles[0], **most)
    engine.unload()
    _outlines(options, engine.loaded.device)


def _outlines(options: Options, device: torch.device) -> None:
    """Compute cells from known flows on the GPU and on the CPU."""
    from cellpose.dynamics import labels_to_flows

    labels = options.cells(512, 512).unpack().astype(np.int32)
    flows = labels_to_flows([labels], device=device)[0]
    cellprob = np.where(labels > 0, 6, -6).astype(np.float32)
    drawn = []
    for where in (device, torch.device("cpu")):

        def work(where: torch.device = where) -> Any:
            return CellposeOutputs(5 * flows[2:4], cellprob, 200).outline(
                SegmentMethod(), 0.5, where
            )

        drawn.append((timed(work)[0], *timed(work)))
    (first, on_card, found), (_, on_processor, other) = drawn
    say(
        "cellpose",
        what="outlines of 512 px",
        cells=int(labels.max()),
        found=int(found.max()),
        found_by_processor=int(other.max()),
        same_pixels=float(((found > 0) == (other > 0)).mean()),
        first=first,
        seconds=on_card,
        on_processor=on_processor,
    )

"""The bundled family on the GPU: it works, is reproducible, and agrees with the CPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from card_figures import MPP, Options, difference, median, pictures, say, style_of, timed

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.models.loading import pick_device

PRECISIONS = (torch.float32, torch.bfloat16, torch.float16)


def requests(options: Options, style: PackedArray, wide: PackedArray) -> dict[str, GenerateRequest]:
    """Return one request of each kind."""
    tissue, part = options.tissue(256, 256), np.zeros((256, 256), np.uint8)
    part[64:192, 64:192] = 1
    tile = GenerateRequest("demo", style, options.cells(256, 256), count=3)
    start = replace(tile, start=PackedArray.pack(tissue), strength=0.6)
    stain = replace(start, family="demo-ki67", layout=None, guidance=1.2, strength=0.5)
    return {
        "tiles": tile,
        "balanced": replace(tile, preset="balanced", steps=10),
        "quick": replace(tile, preset="quick", steps=8),
        "canvas 2 x 2": GenerateRequest(
            "demo", wide, options.cells(512, 512), size=(512, 512), count=1
        ),
        "start": start,
        "inpainting": replace(start, part=PackedArray.pack(part)),
        "stain": stain,
        "stain, inverted": replace(stain, invert=True, count=1),
    }


def measure(options: Options) -> None:
    """Compare GPU and CPU, two runs, and the precisions."""
    device = pick_device()
    card, processor = Engine(device), Engine(torch.device("cpu"))
    tissue, large = options.tissue(256, 256), options.tissue(512, 512)
    cells = segment_nuclei(tissue, MPP)
    style, wide = (style_of(card, "demo", pixels) for pixels in (tissue, large))
    say("demo", what="nuclei segmented by the built-in method", count=int(cells.max()))
    one, other = style.unpack(), style_of(processor, "demo", tissue).unpack()
    away = float(np.abs(one - other).max() / np.abs(other).max())
    seconds = median(lambda: style_of(card, "demo", tissue))
    say("demo", what="embedding", relative_error=away, seconds=seconds)
    for name, request in requests(options, style, wide).items():
        pictures(card, request)
        seconds, found = timed(lambda request=request: pictures(card, request))
        again = pictures(card, request)
        say(
            "demo",
            what=name,
            seconds=seconds,
            pictures=len(found),
            batch=card.loaded.batch,
            same_again=all(map(np.array_equal, found, again)),
            from_processor=difference(found, pictures(processor, request)),
        )
    _records(card, requests(options, style, wide)["tiles"])
    card.unload()
    _precisions(device, requests(options, style, wide)["tiles"])


def _records(engine: Engine, request: GenerateRequest) -> None:
    """Reproduce each variant of a batch from its record."""
    found: list[Variant] = []
    engine.run(request, lambda e: found.append(e) if isinstance(e, Variant) else None)
    same = [np.array_equal(engine.reproduce(variant.record), variant.image) for variant in found]
    say("demo", what="reproduced from records", device=found[0].record.device, same=all(same))


def _precisions(device: torch.device, request: GenerateRequest) -> None:
    """Compare the precisions. The demo family uses float32, the published ones half precision."""
    exact = None
    for dtype in PRECISIONS:
        engine = Engine(device)
        engine.loaded.load("demo", dtype)
        pictures(engine, request)
        seconds, found = timed(lambda engine=engine: pictures(engine, request))
        exact = exact or found
        away = difference(found, exact)
        say("demo", what=f"in {dtype}", seconds=seconds, from_float32=away)
        engine.unload()

"""GPU memory used by a family, compared with the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from card_figures import FAMILIES, GB, Options, peak, pictures, say, settle, style_of

from napari_pixcell.engine.conditions import canvas_of, make_denoiser, read_layout, read_style
from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import get_family
from napari_pixcell.models.memory import LADDER, needed, working_bytes


def measure(options: Options) -> None:
    """Compare planned with used memory, for each step of the plan and each batch size."""
    options.write(*FAMILIES)
    for name in FAMILIES:
        family, engine = get_family(name), Engine()
        tissue = options.tissue(family.tile, family.tile)
        request = GenerateRequest(name, style_of(engine, name, tissue), count=1)
        if family.takes_layout:
            request = replace(request, layout=options.cells(family.tile, family.tile))
        _memory(engine, family, request, tissue)
        _denoising(engine, family, request)
        engine.unload()


def _memory(engine: Engine, family: Family, request: GenerateRequest, tissue: Any) -> None:
    """Compare planned with used memory, for each step of the plan that uses the GPU."""
    for setting in LADDER[:-1]:
        engine.unload()
        loaded = engine.loaded._load(family, setting, None)
        size = loaded.dtype.itemsize
        del loaded
        engine.loaded.batch = 1
        most = {
            "embed": peak(lambda: style_of(engine, family.name, tissue)),
            "generate": peak(lambda: pictures(engine, request)),
        }
        estimate, used = (
            needed(family, setting, size) / GB,
            max(found["allocated"] for found in most.values()),
        )
        what = {"estimate_gb": estimate, "ratio": used / estimate, **most}
        say("memory", family=family.name, setting=setting.name, **what)
    engine.unload()
    loaded = engine.load(family.name)
    settle()
    held = torch.cuda.memory_allocated() / GB if torch.cuda.is_available() else 0.0
    for batch in sorted({1, 2, engine.loaded.batch}):
        most_of = peak(lambda batch=batch: pictures(engine, replace(request, count=batch)))
        each = working_bytes(family, 2, loaded.dtype.itemsize) / GB
        batches = {"held_gb": held, "estimate_each_gb": each, **most_of}
        say("memory", family=family.name, what=f"batch of {batch}", **batches)


def _denoising(engine: Engine, family: Family, request: GenerateRequest) -> None:
    """Print the memory of one step per tile with guidance, without and with cells."""
    models = engine.load(family.name)
    canvas = canvas_of(request, family)
    style = torch.from_numpy(read_style(request, models, canvas)).to(models.device)
    each = working_bytes(family, 2, models.dtype.itemsize) / GB
    for cells in {None, read_layout(request, models, canvas)}:
        denoiser = make_denoiser(request, models, cells, two_passes=False)
        used = {
            str(batch): _step_bytes(denoiser, style, canvas.window, batch, cells is not None)
            for batch in (1, 2, 8)
        }
        what = {"cells": cells is not None, "estimate_gb": each, "gb_a_tile_by_batch": used}
        say("memory", family=family.name, what="one step", **what)


def _step_bytes(
    denoiser: Denoiser, style: torch.Tensor, side: int, batch: int, cells: bool
) -> float:
    """Return the GB that one step takes per tile of a batch."""
    channels = denoiser._transformer.config.in_channels
    noisy = torch.randn(batch, channels, side, side, device=style.device)
    tokens = style.reshape(1, -1, style.shape[-1]).expand(batch, -1, -1)

    @torch.inference_mode()
    def step() -> None:
        denoiser.clean(0, noisy, denoiser.styles(tokens), noisy if cells else None)

    step()
    settle()
    before = torch.cuda.memory_allocated() / GB if torch.cuda.is_available() else 0.0
    return (peak(step)["allocated"] - before) / batch

"""Check of the guidance: the scale that the denoiser really applies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.engine.conditions import PreparedRequest, prepare
from napari_pixcell.engine.pipeline import denoise_together
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.requests import GenerationSettings, generate_request, tile_size
from napari_pixcell.models.loading import LoadedFamily
from napari_pixcell.verification.bench import Bench
from napari_pixcell.verification.report import CheckRow

GUIDANCE = "Guidance scale"
STEPS = 1  # the scale is the same at every step


@dataclass(frozen=True)
class _Scale:
    """Guidance asked for and found, and the share of the change that no scale explains.

    The latter is only measured in full precision.
    """

    asked: float
    found: float
    rest: float


def guidance_row(bench: Bench) -> CheckRow:
    """Measure the scale from predictions with a style, without one, and at two scales."""
    bench.tell(0, 0, "Measuring the guidance")
    tissue, style = bench.sources[0]
    scales = [bench.on_networks(lambda models: _scale(bench, models, style, None))]
    if bench.family.takes_layout:
        labels = segment_nuclei(tissue, bench.family.mpp)
        if not labels.any():
            labels[64:96, 64:96] = 1
        scales.append(bench.on_networks(lambda models: _scale(bench, models, style, labels)))
    worst = max(scales, key=_error)
    with_layout = f"; {scales[1].found:.2f} with a layout" if len(scales) > 1 else ""
    asked_layout = f"; {scales[1].asked:g} with a layout" if len(scales) > 1 else ""
    return bench.row(
        "guidance",
        GUIDANCE,
        _error(worst),
        f"{scales[0].found:.2f}{with_layout}",
        "The prediction is not u + g · (c − u), with u of no style and c of the style, so pictures "
        "follow their style too weakly or are burnt.",
        "Report this with the JSON: the formula is not a setting.",
        f"{scales[0].asked:g}{asked_layout}",
        asked=worst.asked,
        found=worst.found,
        rest=worst.rest,
    )


def _error(scale: _Scale) -> float:
    return max(abs(scale.found / scale.asked - 1), scale.rest)


def _scale(
    bench: Bench, models: LoadedFamily, style: NDArray[np.float32], labels: NDArray[np.int32] | None
) -> _Scale:
    settings = GenerationSettings.for_family(
        bench.family, layout=labels is not None, steps=STEPS, seed=bench.request.seed, count=1
    )
    family = bench.family
    request = generate_request(
        family, settings, size=tile_size(family), embedding=style, layout=labels
    )
    asked = settings.guidance
    more = replace(request, guidance=2 * asked + 1)
    plain = replace(request, guidance=1.0)
    nothing = replace(plain, embedding=None, layout=None)
    guided, further, styled, empty = (
        first_prediction(bench, models, one) for one in (request, more, plain, nothing)
    )
    # c − u. Half precision rounds both alike at either scale, so that no rounding is left.
    change = (further - guided) / (more.guidance - asked)
    found = float(((guided - empty) * change).sum() / change.square().sum().clamp_min(1e-30))
    rest = 0.0
    if models.dtype == torch.float32:
        left = (guided - empty - found * change).norm() / (guided - empty).norm()
        rest = max(float(left), 1 - _cosine(change, styled - empty))
    return _Scale(asked, found, rest)


def _cosine(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-30))


def first_prediction(bench: Bench, models: LoadedFamily, request: GenerateRequest) -> Tensor:
    """Return the clean latents predicted at the first step, as float64."""
    setting = bench.engine.loaded.setting
    two_passes = setting is not None and setting.two_passes
    prepared: PreparedRequest = prepare(request, models, two_passes=two_passes)
    found: list[Tensor] = []

    def on_step(step: int, steps: int, clean: Tensor) -> None:
        bench.check()
        found.append(clean)

    denoise_together([(prepared, request.seed)], on_step)
    return found[0].double().cpu()

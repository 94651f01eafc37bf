"""Golden numbers on the GPU, in float32, with and without TF32 in convolutions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from card_figures import Options, say
from torch import Tensor

from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.engine.sampler import denoise
from napari_pixcell.models.loading import pick_device
from napari_pixcell.models.weights import load_file, load_weights
from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.networks.stain_flow import StainFlowMLP
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

# As in tests/golden.
ONE_PASS, SAMPLING = 1e-4, 1e-3
SAMPLED: dict[str, dict[str, Any]] = {
    "plain_10steps_g1": {"guidance": 1.0},
    "plain_10steps_g2.5": {"guidance": 2.5},
    "control_conditional_only_10steps_g2.5_scale1": {"guidance": 2.5},
    "control_both_10steps_g2.5_scale1": {"guidance": 2.5, "control_both": True},
}


@torch.inference_mode()
def measure(options: Options) -> None:
    """Print the largest relative error of each kind, and whether the tests would accept it."""
    if not options.golden.is_dir():
        say("golden", left_out="the folder of golden numbers is missing; set it with --golden")
        return
    device, kept = pick_device(), torch.backends.cudnn.allow_tf32
    for tf32 in dict.fromkeys((kept, False, True)):
        torch.backends.cudnn.allow_tf32 = tf32
        worst: dict[str, float] = {"one pass": 0.0, "ten steps": 0.0, "flow": 0.0}
        for tokens in ("1tok", "4tok", "16tok"):
            for kind, error in _errors(options.golden, tokens, device):
                worst[kind] = max(worst[kind], error)
        worst["flow"] = max(_flow_errors(options.golden, device))
        limits = {"one pass": ONE_PASS, "ten steps": SAMPLING, "flow": ONE_PASS}
        within = all(worst[kind] < limit for kind, limit in limits.items())
        say("golden", tf32=tf32, product=tf32 == kept, errors=worst, within_limits=within)
    torch.backends.cudnn.allow_tf32 = kept


def _errors(golden: Path, tokens: str, device: torch.device) -> Iterator[tuple[str, float]]:
    def read(name: str) -> dict[str, Tensor]:
        found = load_file(golden / f"transformer-{tokens}.{name}.safetensors")
        return {key: value.to(device) for key, value in found.items()}

    config = json.loads((golden / f"transformer-{tokens}.config.json").read_text())
    transformer = PixCellTransformer2DModel(**config["transformer"]).eval().to(device)
    load_weights(transformer, read("weights"), tokens, device=device)
    controlnet = PixCellControlNet(**config["controlnet"]).eval().to(device)
    load_weights(controlnet, read("controlnet"), tokens, device=device)
    io, scale = read("io"), config["conditioning_scale"]
    latents, style, time = io["hidden_states"], io["encoder_hidden_states"], io["timestep"]
    yield "one pass", _error(transformer(latents, style, time).sample, io["output"])
    residuals = controlnet(latents, io["conditioning"], style, time, scale)
    steered = transformer(latents, style, time, residuals).sample
    yield "one pass", _error(steered, io[f"output_with_controlnet_scale_{scale}"])
    io, scheduler = read("sampling"), json.loads((golden / "scheduler.json").read_text())
    for name, settings in SAMPLED.items():
        with_cells = name.startswith("control")
        network = {"controlnet": controlnet} if with_cells else {}
        made = denoise(
            Denoiser(transformer, scheduler, steps=10, **settings, **network),
            io["initial_latents"],
            io["encoder_hidden_states"],
            io["conditioning"] if with_cells else None,
        )
        yield "ten steps", _error(made, io[name])


def _flow_errors(golden: Path, device: torch.device) -> Iterator[float]:
    config = json.loads((golden / "stain-flow.config.json").read_text())
    steps, first, last = (config.pop(key) for key in ("euler_steps", "t_first", "t_last"))
    flow = StainFlowMLP(**config).eval().to(device)
    load_weights(flow, load_file(golden / "stain-flow.pth"), "stain-flow", device=device)
    io = {k: v.to(device) for k, v in load_file(golden / "stain-flow.io.safetensors").items()}
    moved = flow.translate(io["embedding"], steps, first, last)
    yield _error(moved, io[f"translated_{steps}_euler_steps"])


def _error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())

"""Full-size PixCell-256 with random weights, compared with a plain loop on the same weights.

    python benchmarks/exact_path.py [--steps 20] [--repeats 3]

The plain loop runs the published classes as a diffusers pipeline would. It computes diffusers' own
blocks, cross-attention, caption projection and time embedding at every step. Guidance runs in one
batch, and the ControlNet on all of it, although only the conditional half uses its residuals. Ours
is the path of every generation. The two alternate, with the same noise. Needs about 8 GB of memory.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import time
from functools import partial

import torch
from diffusers import DPMSolverMultistepScheduler
from random_checkpoints import SCHEDULER
from torch import Tensor

from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.engine.sampler import denoise
from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

GUIDANCE = 2.0


def plain_blocks(network, hidden: Tensor, styles: Tensor, times: Tensor, residuals=()):
    """Run a network's blocks as diffusers does, and return the hidden state after each."""
    modulation, embedded = network.adaln_single(
        times, None, batch_size=len(hidden), hidden_dtype=hidden.dtype
    )
    tokens = network.caption_projection(styles)
    states = []
    for index, block in enumerate(network.transformer_blocks):
        hidden = block(hidden, encoder_hidden_states=tokens, timestep=modulation)
        if index < len(residuals):
            hidden = hidden + residuals[index]
        states.append(hidden)
    return states, embedded


def plain_loop(transformer, controlnet, latents, embedding, condition, steps) -> Tensor:
    """Denoise like a pipeline for arbitrary conditioning."""
    scheduler = DPMSolverMultistepScheduler.from_config(SCHEDULER)
    scheduler.set_timesteps(steps)
    styles = torch.cat([transformer.unconditional(1), embedding])
    for time_ in scheduler.timesteps:
        noisy = torch.cat([latents, latents])
        times = time_.expand(2)
        residuals: list[Tensor] = []
        if controlnet is not None:
            both = torch.cat([condition, condition])
            start = controlnet.pos_embed(noisy) + controlnet.cond_pos_embed(both)
            states, _ = plain_blocks(controlnet, start, styles, times)
            linears = zip(controlnet.controlnet_blocks, states, strict=True)
            residuals = [linear(state) for linear, state in linears]
            for residual in residuals:
                residual[:1] = 0
        start = transformer.pos_embed(noisy)
        states, embedded = plain_blocks(transformer, start, styles, times, residuals)
        shift, scale = (transformer.scale_shift_table[None] + embedded[:, None]).chunk(2, dim=1)
        out = transformer.proj_out(transformer.norm_out(states[-1]) * (1 + scale) + shift)
        out = out.reshape(2, 16, 16, 2, 2, 32).permute(0, 5, 1, 3, 2, 4).reshape(2, 32, 32, 32)
        without, within = out[:, :16].chunk(2)
        predicted = without + GUIDANCE * (within - without)
        latents = scheduler.step(predicted, time_, latents).prev_sample
    return latents


def randomise(network: torch.nn.Module) -> None:
    """Set weights of a usual size in every layer, including those initialised to zero."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        fan = parameter[0].numel() if parameter.ndim > 1 else 0
        parameter.data.normal_(0, fan**-0.5 if fan else 0.02, generator=generator)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    transformer = PixCellTransformer2DModel().eval().requires_grad_(False)
    controlnet = PixCellControlNet().eval().requires_grad_(False)
    randomise(transformer)
    randomise(controlnet)
    half_transformer = copy.deepcopy(transformer).bfloat16()
    half_controlnet = copy.deepcopy(controlnet).bfloat16()
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(1, 16, 32, 32, generator=generator)
    embedding = torch.randn(1, 1, 1536, generator=generator)
    condition = torch.randn(1, 16, 32, 32, generator=generator)
    figures: dict[str, object] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "steps": options.steps,
    }

    def timed(work) -> tuple[float, Tensor]:
        started = time.perf_counter()
        result = work()
        return time.perf_counter() - started, result

    for name, control in (("without ControlNet", None), ("with ControlNet", controlnet)):

        def ours(network=transformer, control=control) -> Tensor:
            settings = {"steps": options.steps, "guidance": GUIDANCE, "controlnet": control}
            denoiser = Denoiser(network, SCHEDULER, **settings)
            cells = condition if control is not None else None
            return denoise(denoiser, latents, embedding, cells)

        def plain(control=control) -> Tensor:
            return plain_loop(transformer, control, latents, embedding, condition, options.steps)

        halved = half_transformer, half_controlnet if control is not None else None
        ratios, halves = [], []
        with torch.inference_mode():
            for _ in range(options.repeats):
                slow, reference = timed(plain)
                fast, result = timed(ours)
                ratios.append(slow / fast)
                half, _ = timed(partial(ours, *halved))
                halves.append(slow / half)
        difference = (result - reference).abs().max() / reference.abs().max()
        figures[name] = {
            "plain, s": round(slow, 1),
            "speed-up, fp32": round(sorted(ratios)[len(ratios) // 2], 2),
            "speed-up, bf16": round(sorted(halves)[len(halves) // 2], 2),
            "relative difference, fp32": float(difference),
        }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

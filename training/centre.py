"""Centre the embeddings: same pictures, but distances between embeddings that mean something.

The encoder, trained through the denoising loss alone, puts everything close to one direction.
This moves the mean of the training tiles to zero and their spread to one, and folds the way
back into the layer of transformer and ControlNet that reads embeddings, so no picture changes.
"""

from __future__ import annotations

import argparse

import torch
from common import DEMO, Crops, load_run, load_tissue, save_run, setup
from torch import nn
from train_controlnet import load_controlnet
from train_transformer import Pair


@torch.no_grad()
def fold(model: nn.Module, mean: torch.Tensor, spread: torch.Tensor) -> None:
    """Let ``model`` read ``(e - mean) / spread`` as it read ``e``."""
    part = model.caption_projection
    part.linear_1.bias.add_(part.linear_1.weight @ mean)
    part.linear_1.weight.mul_(spread)
    part.uncond_embedding.sub_(mean).div_(spread)


@torch.no_grad()
def main() -> None:
    """Centre the last run's encoder, transformer and ControlNet, together."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    setup()
    state = load_run("transformer")
    start = "fresh" if state else "demo"
    if not state and not (DEMO / "transformer").exists():
        raise SystemExit("Nothing to centre: run train_transformer first.")
    pair = Pair(start)
    if state:
        pair.load_state_dict(state["model"], strict=False)
    controlnet = load_controlnet(pair.transformer, "run" if load_run("controlnet") else start)
    crops = Crops(load_tissue(False), 256, seed=9)
    embeds = torch.cat([pair.encoder(crops.batch(20) / 2 + 0.5) for _ in range(12)])
    mean = embeds.mean(0)
    spread = (embeds - mean).square().mean().sqrt()
    print(f"length of the mean {mean.norm():.3f}, spread {spread:.4f}", flush=True)
    fold(pair.transformer, mean, spread)
    fold(controlnet, mean, spread)
    norm = pair.encoder.norm
    norm.bias.sub_(mean).div_(spread)
    norm.weight.div_(spread)
    save_run("transformer", model=pair.state_dict())
    save_run("controlnet", model=controlnet.state_dict())


if __name__ == "__main__":
    main()

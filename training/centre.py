"""Centre the embeddings, so that distances between them are meaningful and no image changes.

Trained with the denoising loss alone, the encoder maps everything close to one direction.
This script shifts the mean of the training tiles to zero and scales their spread to one. It folds
the inverse into the layer of the transformer and ControlNet that reads embeddings.
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
    """Adapt ``model`` to read ``(e - mean) / spread`` instead of ``e``."""
    part = model.caption_projection
    part.linear_1.bias.add_(part.linear_1.weight @ mean)
    part.linear_1.weight.mul_(spread)
    part.uncond_embedding.sub_(mean).div_(spread)


@torch.no_grad()
def main() -> None:
    """Centre the encoder, transformer and ControlNet of the last run together."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    setup()
    state = load_run("transformer")
    start = "fresh" if state else "demo"
    if not state and not (DEMO / "transformer").exists():
        raise SystemExit("Nothing to centre. Run train_transformer.py first.")
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

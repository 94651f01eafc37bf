"""Stage 2: train the tile encoder, before the transformer and without it.

The embedding has to say what a transformer must draw, and to tell one tissue from another. So it is
trained to predict, from a shifted and flipped view, mean and spread of a crop's colours and of each
channel of its latent, and the mean of features that another network sees in it (vision.py). A
contrast (InfoNCE, arXiv 1807.03748) separates two views of one tissue from other tissue, mostly of
the same field in the same colours. Half of the views come out of the autoencoder, so that the
encoder does not learn to see it.

At the end the embeddings are centred: without, cosine distances are close to zero for any tissue.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from common import Clock, Crops, Ema, Place, load_run, load_tissue, save_run, setup, to_tensor
from diffusion import CHANNELS, decoded, encode_all, load_vae, other_view
from torch import nn
from torch.nn.functional import cross_entropy, normalize
from vision import WIDTHS, Vision, tokens

from napari_pixcell.networks.tile_encoder import TileEncoder

FROM_ONE_FIELD = 4  # crops of a field in a batch, in the same colours: hard negatives
TEMPERATURE = 0.15
TARGETS = 2 * (CHANNELS + 3) + WIDTHS[16]


def info_nce(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the contrast of two views (N, D) of N crops: each must identify its other view."""
    likeness = normalize(a, dim=1) @ normalize(b, dim=1).T / TEMPERATURE
    own = torch.arange(len(a))
    return (cross_entropy(likeness, own) + cross_entropy(likeness.T, own)) / 2


def looks(latents: torch.Tensor, images: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Return what an embedding must say of crops: means and spreads of colours and latents."""
    values = torch.cat([latents, torch.nn.functional.avg_pool2d(images, 8)], dim=1)
    spread, mean = torch.var_mean(values, dim=(2, 3))
    return torch.cat([mean, (spread + 1e-3).sqrt(), seen.float().mean((2, 3))], dim=1)


def draw(crops: Crops, count: int) -> list[Place]:
    """Draw places, a few of each field in the same colours."""
    places: list[Place] = []
    while len(places) < count:
        first = crops.place()
        places.append(first)
        places += [
            crops.place(first.name)._replace(colours=first.colours)
            for _ in range(FROM_ONE_FIELD - 1)
        ]
    return places[:count]


@torch.no_grad()
def centre(encoder: TileEncoder, crops: Crops) -> None:
    """Fold the mean of embeddings of tiles, and their spread, into the last norm."""
    embeds = torch.cat([encoder(crops.batch(20) / 2 + 0.5) for _ in range(12)])
    mean = embeds.mean(0)
    spread = (embeds - mean).square().mean().sqrt()
    encoder.norm.bias.sub_(mean).div_(spread)
    encoder.norm.weight.div_(spread)


def main() -> None:
    """Train for the given minutes, resuming from a checkpoint if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recoloured", type=float, default=0.6)
    args = parser.parse_args()
    setup(args.threads)
    vae, vision = load_vae(), Vision()
    crops = Crops(load_tissue(False), 128, seed=21, recoloured=args.recoloured)
    test = Crops(load_tissue(True), 128, seed=2)
    sources = [crops.fields, decoded(vae, crops.fields)]
    model = nn.ModuleDict({"encoder": TileEncoder(), "head": nn.Linear(128, TARGETS)})
    model.to(memory_format=torch.channels_last)
    state = load_run("encoder") or {}
    if state:
        model.load_state_dict(state["last"])
    ema = Ema(model, 0.99)
    optimiser = torch.optim.AdamW(model.parameters(), args.lr, betas=(0.9, 0.98), weight_decay=1e-4)
    if state:
        ema.model.load_state_dict(state["model"])
        ema.count = state["step"]
        optimiser.load_state_dict(state["optimiser"])
    clock = Clock("encoder", args.minutes, state.get("spent", 0.0), state.get("step", 0))

    def targets(places: list[Place]) -> torch.Tensor:
        pictures = np.stack([crops.picture(p) for p in places])
        latents = encode_all(vae, list(pictures)).float()
        return looks(latents, to_tensor(pictures), tokens(vision, pictures))

    some = torch.cat([targets(draw(crops, 64)) for _ in range(6)])
    mean, spread = some.mean(0), some.std(0) + 1e-3

    def checkpoint() -> None:
        states = {"model": ema.model, "last": model, "optimiser": optimiser}
        states = {name: part.state_dict() for name, part in states.items()}
        save_run("encoder", **states, spent=clock.spent, step=clock.step)
        with torch.no_grad():
            places = draw(test, 96)
            views = [to_tensor(np.stack([other_view(test, p) for p in places])) for _ in "ab"]
            a, b = (ema.model["encoder"](view / 2 + 0.5) for view in views)
        likeness = normalize(a, dim=1) @ normalize(b, dim=1).T
        own = (likeness.argmax(1) == torch.arange(len(a))).float().mean()
        print(f"held out: own view among 96 found {own:.2f}", flush=True)

    while clock.done < 1:
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(args.lr)
        places = draw(crops, args.batch)
        wanted = (targets(places) - mean) / spread
        views = [other_view(crops, p, sources[crops.rng.integers(2)]) for _ in "ab" for p in places]
        x = to_tensor(np.stack(views)).to(memory_format=torch.channels_last) / 2 + 0.5
        with torch.autocast("cpu", torch.bfloat16):
            embeds = model["encoder"](x).float()
        contrast = info_nce(*embeds.chunk(2))
        look = (model["head"](embeds) - wanted.repeat(2, 1)).square().mean()
        loss = contrast + look
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        ema.update(model)
        if clock.tick(contrast=contrast.item(), look=look.item()) and clock.step % 200 == 0:
            checkpoint()
    checkpoint()
    encoder = ema.model["encoder"]
    centre(encoder, Crops(load_tissue(False), 256, seed=9))
    save_run("embedding", model=encoder.state_dict())


if __name__ == "__main__":
    main()

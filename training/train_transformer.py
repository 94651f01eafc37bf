"""Stages 2 and 3: train transformer and tile encoder jointly, at 128 px and then at 256 px.

The encoder is trained with three losses. The denoising loss makes the embedding describe the image.
A contrast (InfoNCE, arXiv 1807.03748) between two views of the same tissue and other tissue, mostly
of the same field, makes it specific. Half of the views come out of the autoencoder. A second
contrast is between real images and images that the current model generates from their embeddings,
so that the encoder learns to read what the transformer can draw. The transformer receives no
gradient from it, so it cannot learn to please the encoder.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from bank import Bank
from common import (
    DEMO,
    RUNS,
    Clock,
    Crops,
    Ema,
    load_run,
    load_tissue,
    save_run,
    save_sheet,
    setup,
    to_images,
    to_tensor,
)
from diffusion import (
    TRANSFORMER,
    antithetic_steps,
    crop_position,
    encode_all,
    noised,
    other_view,
    predict,
    sample,
)
from torch.nn.functional import cross_entropy, normalize

from napari_pixcell.networks.autoencoder import DemoAutoencoder
from napari_pixcell.networks.tile_encoder import TileEncoder
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

# Crops of one field in a batch, the hard negatives of the contrast.
FROM_ONE_FIELD = 4
TEMPERATURE = 0.15
# Share of the sharpened decoder in the shipped one; the rest is the decoder before sharpening.
SHARPNESS = 0.65


def info_nce(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the contrast of two views (N, D) of N crops: each must identify its other view."""
    likeness = normalize(a, dim=1) @ normalize(b, dim=1).T / TEMPERATURE
    own = torch.arange(len(a))
    return (cross_entropy(likeness, own) + cross_entropy(likeness.T, own)) / 2


@torch.no_grad()
def decoded(vae: DemoAutoencoder, fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Pass whole fields through the autoencoder, cropped to multiples of its stride."""
    out = {}
    for name, field in fields.items():
        height, width = (side - side % 8 for side in field.shape[:2])
        x = to_tensor(field[None, :height, :width]).to(memory_format=torch.channels_last)
        out[name] = field.copy()
        out[name][:height, :width] = to_images(vae(x))[0]
    return out


class Pair(torch.nn.Module):
    """Transformer and encoder as one model, with one running mean and one optimiser."""

    def __init__(self, init: str) -> None:
        super().__init__()
        if init == "demo":
            load = {"torch_dtype": torch.float32}
            self.transformer = PixCellTransformer2DModel.from_pretrained(
                DEMO / "transformer", **load
            )
            self.encoder = TileEncoder.from_pretrained(DEMO / "encoder", **load)
        else:
            self.transformer = PixCellTransformer2DModel(**TRANSFORMER)
            self.encoder = TileEncoder()
            self.transformer.caption_projection.uncond_embedding.zero_()


def load_vae(init: str = "run") -> DemoAutoencoder:
    """Load the autoencoder of the last run, or the shipped one."""
    state = (load_run("sharpened") or load_run("autoencoder")) if init != "demo" else None
    if state is None:
        return DemoAutoencoder.from_pretrained(DEMO / "vae", torch_dtype=torch.float32).eval()
    vae = DemoAutoencoder()
    vae.load_state_dict(state["model"])
    if "before" in state:
        # The fully sharpened decoder adds a faint grid and black nuclei.
        for name, weight in vae.state_dict().items():
            weight.lerp_(state["before"][name], 1 - SHARPNESS)
    return vae.eval().to(memory_format=torch.channels_last)


def main() -> None:
    """Train for the given minutes, resuming from a checkpoint if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=16)
    parser.add_argument("--size", type=int, default=128, choices=[128, 256])
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--decay", type=float, default=0.998)
    parser.add_argument("--cache", type=int, default=8000, help="crops with cached latents")
    parser.add_argument("--compile", action="store_true", help="2 to 3 times faster; needs g++")
    parser.add_argument("--contrast", type=float, default=0.05, help="weight of the contrast")
    parser.add_argument("--own", type=float, default=0.05, help="weight of the second contrast")
    parser.add_argument("--bank", type=int, default=640, help="generated images kept; 0: none")
    parser.add_argument("--refresh", type=int, default=16, help="steps between new ones")
    parser.add_argument("--bf16-convolutions", action="store_true", help="faster with AMX only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", choices=["run", "demo", "fresh"], default="run")
    args = parser.parse_args()
    generator = setup(seed=args.seed)
    crops = Crops(load_tissue(False), args.size, seed=args.seed)
    test = Crops(load_tissue(True), args.size, seed=1)
    vae, side = load_vae(args.init), args.size // 8

    pair = Pair(args.init)
    state = load_run("transformer") if args.init == "run" else None
    if state:
        pair.load_state_dict(state["model"])
    pair.encoder.to(memory_format=torch.channels_last)
    ema = Ema(pair, args.decay)
    trained = [p for p in pair.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, args.lr, betas=(0.9, 0.98), weight_decay=0.0)

    places = [crops.place() for _ in range(args.cache)]
    latents = encode_all(vae, [crops.cut(p) for p in places])
    fields = {name: np.flatnonzero([p[0] == name for p in places]) for name, *_ in places}
    sources = [crops.fields, decoded(vae, crops.fields)]
    held = [test.place() for _ in range(8)]
    held_images = to_tensor(np.stack([test.cut(p) for p in held]))
    print(f"cached {tuple(latents.shape)} latents, std {latents.float().std():.3f}", flush=True)

    forward, mean = pair.transformer, ema.model.transformer
    if args.compile:
        forward, mean = torch.compile(forward), torch.compile(mean)
    bank = Bank(crops, args.bank)

    def generate() -> None:
        bank.add(mean, ema.model.encoder, vae, args.batch, generator)

    while len(bank.pairs) < min(args.bank, 4 * args.batch):
        generate()
    clock = Clock(f"transformer{args.size}", args.minutes)
    while clock.done < 1:
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(args.lr)
        chosen = np.concatenate(
            [
                crops.rng.choice(fields[places[first][0]], FROM_ONE_FIELD)
                for first in crops.rng.integers(0, len(places), args.batch // FROM_ONE_FIELD)
            ]
        )
        z = latents[torch.from_numpy(chosen)].float()
        views = [
            other_view(crops, places[i], sources[crops.rng.integers(2)])
            for _ in "ab"
            for i in chosen
        ]
        if args.bank:
            if clock.step % args.refresh == 0:
                generate()
            views += [picture for half in bank.views(args.batch // 2) for picture in half]
        views = to_tensor(np.stack(views)).to(memory_format=torch.channels_last) / 2 + 0.5
        noise = torch.randn(z.shape, generator=generator)
        steps = antithetic_steps(args.batch, generator)
        x, target, weight = noised(z, steps, noise)
        crop_position(pair.transformer, side // 2, generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16_convolutions):
            embeds = pair.encoder(views)
        parts = embeds.float().split(args.batch)
        contrast = info_nce(*parts[:2])
        own = info_nce(*parts[2].chunk(2)) if args.bank else torch.zeros(())
        embeds = embeds[: args.batch].unsqueeze(1)
        with torch.autocast("cpu", torch.bfloat16):
            drop = torch.rand(args.batch, 1, 1, generator=generator) < 0.15
            embeds = torch.where(drop, pair.transformer.caption_projection.uncond_embedding, embeds)
            v = predict(forward, x, steps, embeds)
        denoising = (weight * (v.float() - target).square()).mean()
        loss = denoising + args.contrast * contrast + args.own * own
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        ema.update(pair)
        figures = {"loss": denoising, "contrast": contrast, "own": own}
        if clock.tick(**{k: v.item() for k, v in figures.items()}) and clock.step % 300 == 0:
            save_run("transformer", model=ema.model.state_dict())
            sheet(ema.model, vae, held_images, side, generator)
    save_run("transformer", model=ema.model.state_dict())
    sheet(ema.model, vae, held_images, side, generator)


@torch.no_grad()
def sheet(
    pair: Pair, vae: DemoAutoencoder, images: torch.Tensor, side: int, generator: torch.Generator
) -> None:
    """Write a contact sheet: real images above those generated from their embeddings."""
    crop_position(pair.transformer, side // 2, generator)
    embeds = pair.encoder(images / 2 + 0.5).unsqueeze(1)
    z = sample(pair.transformer, embeds, side, steps=15)
    save_sheet(RUNS / f"transformer{side * 8}.png", images, vae.decode(z).sample)


if __name__ == "__main__":
    main()

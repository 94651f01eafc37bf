"""Stage 5: train the decoder against discriminators, with a frozen encoder.

This stage improves images most for its time: nuclei get rims and chromatin, and no other network
has to be retrained, because the latents stay the same. One discriminator sees pixels, the others
features of a network trained on ImageNet at several scales (after *Projected GANs*, arXiv
2111.01007). A perceptual term in the same features keeps encoded tissue what it was.

Generated latents are smoother than encoded ones. A decoder trained on encoded latents alone paints
generated ones like watercolours. So transformer and ControlNet of the last run generate a part of
each batch. There, only the discriminators constrain the details, and the decoder before them the
colours.
"""

from __future__ import annotations

import argparse
import copy
import itertools

import numpy as np
import torch
from common import (
    RUNS,
    Clock,
    Crops,
    Ema,
    load_breast,
    load_run,
    load_tissue,
    save_run,
    save_sheet,
    setup,
)
from diffusion import ALPHA_BAR, CHANNELS, control, crop_position, encode_all, load_encoder, predict
from torch import nn
from torch.nn.functional import avg_pool2d
from torch.nn.utils.parametrizations import spectral_norm
from train_autoencoder import gradient_l1, psnr
from train_together import WITHOUT_MASKS, conditions, load_networks
from vision import WIDTHS, Vision

from napari_pixcell.networks.autoencoder import DemoAutoencoder

STRIDES = (2, 4, 8)  # of the features that discriminators and perceptual term see


def _convolution(inside: int, outside: int, stride: int = 1) -> nn.Module:
    return spectral_norm(nn.Conv2d(inside, outside, 3 if stride == 1 else 4, stride, 1))


class Judges(nn.Module):
    """Discriminators of overlapping patches, with spectral norm throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = nn.Sequential(
            nn.PixelUnshuffle(2),
            _convolution(12, 48),
            nn.LeakyReLU(0.2),
            _convolution(48, 96, 2),
            nn.LeakyReLU(0.2),
            _convolution(96, 1),
        )
        self.features = nn.ModuleList(
            nn.Sequential(_convolution(WIDTHS[stride], 64), nn.LeakyReLU(0.2), _convolution(64, 1))
            for stride in STRIDES
        )

    def forward(self, images: torch.Tensor, features: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return the opinions on pixels and on features, each (N, 1, h, w)."""
        seen = zip(self.features, features, strict=True)
        return [self.pixels(images), *(judge(part) for judge, part in seen)]


def mean_of(opinions: list[torch.Tensor]) -> torch.Tensor:
    """Return the mean over all discriminators."""
    return torch.stack([opinion.float().mean() for opinion in opinions]).mean()


@torch.no_grad()
def generated_latents(
    vae: DemoAutoencoder, crops: Crops, count: int, guidance: float = 1.5, batch: int = 48
) -> torch.Tensor:
    """Generate latents (count, channels, 16, 16) of the crops' styles by DDIM.

    They begin at high noise levels, and two thirds of them follow the mask of their crop.
    """
    networks, encoder = load_networks().eval().requires_grad_(False), load_encoder()
    base, controlnet = networks["base"], networks["controlnet"]
    fields = {n: f for n, f in crops.fields.items() if not n.startswith(WITHOUT_MASKS)}
    masks = conditions(fields)
    generator = torch.Generator().manual_seed(3)
    window = generator.get_state()
    for model in (base, controlnet):
        generator.set_state(window)
        crop_position(model, 8, generator)
    uncond = base.caption_projection.uncond_embedding.expand(batch, 1, -1)
    out = []
    for turn in range(-(-count // batch)):
        masked = turn % 3 > 0
        places = []
        while len(places) < batch:
            place = crops.place()
            if place.name in masks or not masked:
                places.append(place)
        images = np.stack([crops.picture(p) for p in places])
        z = encode_all(vae, list(images)).float()
        embeds = encoder.embed(images).float().unsqueeze(1)
        hint = encode_all(vae, [crops.cut(p, masks) for p in places]).float() if masked else None
        first = int(torch.randint(500, 1000, (1,), generator=generator))
        times = torch.linspace(first, 0, 15).long()
        bar = ALPHA_BAR[times[0]]
        x = bar.sqrt() * z + (1 - bar).sqrt() * torch.randn(z.shape, generator=generator)
        for now, later in itertools.pairwise(times):
            with torch.autocast("cpu", torch.bfloat16):
                t = now.expand(batch)
                held = control(controlnet, x, hint, t, embeds) if masked else None
                c = predict(base, x, t, embeds, held).float()
                u = predict(base, x, t, uncond).float()
            v = u + guidance * (c - u)
            bar = ALPHA_BAR[now]
            clean = bar.sqrt() * x - (1 - bar).sqrt() * v
            noise = (1 - bar).sqrt() * x + bar.sqrt() * v
            bar = ALPHA_BAR[later]
            x = bar.sqrt() * clean + (1 - bar).sqrt() * noise
        out.append(clean)
    return torch.cat(out)[:count]


def main() -> None:
    """Train for the given minutes, resuming from a checkpoint if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--weight", type=float, default=0.06, help="weight of the discriminators")
    parser.add_argument("--perceptual", type=float, default=0.02)
    parser.add_argument("--generated", type=int, default=1500, help="number of generated latents")
    parser.add_argument("--recoloured", type=float, default=0.3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    state = load_run("sharpened") or {}
    setup(args.threads, state.get("step", 0))
    crops = Crops(load_tissue(False), 128, state.get("step", 0) + 7, recoloured=args.recoloured)
    test = Crops(load_breast(True), 128, seed=1)
    model, judges, vision = DemoAutoencoder(latent_channels=CHANNELS), Judges(), Vision()
    model.load_state_dict(load_run("latents")["model"])
    before = copy.deepcopy(model).eval().requires_grad_(False)
    for part in (model, before, judges):
        part.to(memory_format=torch.channels_last)
    made = generated_latents(before, crops, args.generated)
    print(f"{len(made)} generated latents, std {made.std():.3f}", flush=True)
    model.encoder.requires_grad_(False)
    ema = Ema(model, 0.995)
    betas = (0.5, 0.9)
    optimiser = torch.optim.Adam(model.decoder.parameters(), args.lr, betas=betas)
    judging = torch.optim.Adam(judges.parameters(), 2 * args.lr, betas=betas)
    if state:
        model.load_state_dict(state["last"])
        judges.load_state_dict(state["judges"])
        ema.model.load_state_dict(state["model"])
        ema.count = state["step"]
        optimiser.load_state_dict(state["optimiser"])
        judging.load_state_dict(state["judging"])
    clock = Clock("sharpen", args.minutes, state.get("spent", 0.0), state.get("step", 0))
    held = test.batch(8)

    def checkpoint() -> None:
        parts = {"model": ema.model, "last": model, "judges": judges}
        parts |= {"optimiser": optimiser, "judging": judging}
        states = {name: part.state_dict() for name, part in parts.items()}
        save_run("sharpened", **states, spent=clock.spent, step=clock.step)
        with torch.no_grad():
            rows = (held, ema.model(held), before.decoder(made[:8]), ema.model.decoder(made[:8]))
        save_sheet(RUNS / "sharpened.png", *rows)
        print("held out: {:.2f} dB, finest octave {:.2f}".format(*psnr(ema.model, test, 48)))

    while clock.done < 1:
        x = crops.batch(args.batch).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                z = model.encoder(x)
                # Generated latents never lie exactly on the encoder's manifold.
                z = z + 0.1 * torch.rand(len(z), 1, 1, 1) * torch.randn_like(z)
            chosen = made[torch.randint(len(made), (args.batch // 2,))]
            chosen = chosen.to(memory_format=torch.channels_last)
            both = model.decoder(torch.cat([z, chosen])).float()
            y, free = both.split([len(z), len(chosen)])
            with torch.no_grad():
                plain = before.decoder(chosen).float()
                real_seen = vision(x, STRIDES)
            seen = vision(both, STRIDES)
            real = judges(x, real_seen)
            fake = judges(both.detach(), [part.detach() for part in seen])
        hinge = mean_of([(1 - part).relu() for part in real])
        hinge = hinge + mean_of([(1 + part).relu() for part in fake])
        judging.zero_grad(set_to_none=True)
        hinge.backward()
        judging.step()
        judges.requires_grad_(False)
        l1 = (y - x).abs().mean()
        perceptual = torch.stack(
            [
                (part[: len(z)].float() - wanted.float()).abs().mean()
                for part, wanted in zip(seen, real_seen, strict=True)
            ]
        ).sum()
        with torch.autocast("cpu", torch.bfloat16):
            opinion = mean_of(judges(both, seen))
        colours = (avg_pool2d(free, 8) - avg_pool2d(plain, 8)).abs().mean()
        # Untrained discriminators would only add noise, so their first steps do not count.
        weight = args.weight * min(1.0, clock.step / 50)
        loss = l1 + 0.3 * gradient_l1(y, x) + args.perceptual * perceptual + colours
        loss = loss - weight * opinion
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.decoder.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(args.lr, warmup=20, floor=0.2)
        optimiser.step()
        judges.requires_grad_(True)
        ema.update(model)
        figures = {"l1": l1, "perceptual": perceptual, "hinge": hinge, "colours": colours}
        if clock.tick(**{k: v.item() for k, v in figures.items()}) and clock.step % 200 == 0:
            checkpoint()
    checkpoint()


if __name__ == "__main__":
    main()

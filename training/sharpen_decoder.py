"""Stage 5: train the decoder against a patch discriminator, with a frozen encoder.

This stage improves images most for its time. Soft blobs become nuclei with rims and chromatin, and
no other network has to be retrained, because the latents stay the same.

Generated latents are smoother than encoded ones. A decoder trained on encoded latents alone paints
generated ones like watercolours. So the transformer of the last run generates a part of each batch.
There, only the discriminator constrains the details, and the previous decoder the colours.
"""

from __future__ import annotations

import argparse
import copy
import itertools

import numpy as np
import torch
from common import DEMO, RUNS, Clock, Crops, Ema, load_run, load_tissue, save_run, save_sheet, setup
from diffusion import ALPHA_BAR, crop_position, encode_all, predict
from torch import nn
from torch.nn.functional import avg_pool2d
from torch.nn.utils.parametrizations import spectral_norm
from train_autoencoder import gradient_l1
from train_transformer import Pair

from napari_pixcell.networks.autoencoder import DemoAutoencoder


def make_discriminator() -> nn.Module:
    """Discriminator of overlapping patches, with spectral norm throughout."""
    widths, layers, channels = (48, 96, 128), [nn.PixelUnshuffle(2)], 12
    for index, width in enumerate(widths):
        stride = 1 if index == 0 else 2
        layers += [
            spectral_norm(nn.Conv2d(channels, width, 3 if stride == 1 else 4, stride, 1)),
            nn.LeakyReLU(0.2),
        ]
        channels = width
    layers += [spectral_norm(nn.Conv2d(channels, 1, 3, padding=1))]
    return nn.Sequential(*layers)


@torch.no_grad()
def generated_latents(
    vae: DemoAutoencoder, crops: Crops, count: int, guidance: float = 1.5, batch: int = 50
) -> torch.Tensor:
    """Generate latents (count, 4, 16, 16) of the crops' styles by DDIM, from all noise levels."""
    state = load_run("transformer")
    pair = Pair("fresh" if state else "demo")
    if state:
        pair.load_state_dict(state["model"])
    pair.eval()
    generator = torch.Generator().manual_seed(3)
    crop_position(pair.transformer, 8, generator)
    uncond = pair.transformer.caption_projection.uncond_embedding.expand(batch, 1, -1)
    out = []
    for _ in range(count // batch):
        images = [crops.cut(crops.place()) for _ in range(batch)]
        z = encode_all(vae, images).float()
        views = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
        embeds = pair.encoder(views).unsqueeze(1)
        first = int(torch.randint(350, 1000, (1,), generator=generator))
        times = torch.linspace(first, 0, 9).long()
        bar = ALPHA_BAR[times[0]]
        x = bar.sqrt() * z + (1 - bar).sqrt() * torch.randn(z.shape, generator=generator)
        for now, later in itertools.pairwise(times):
            with torch.autocast("cpu", torch.bfloat16):
                t = now.expand(batch)
                c, u = (predict(pair.transformer, x, t, e).float() for e in (embeds, uncond))
            v = u + guidance * (c - u)
            bar = ALPHA_BAR[now]
            clean = bar.sqrt() * x - (1 - bar).sqrt() * v
            noise = (1 - bar).sqrt() * x + bar.sqrt() * v
            bar = ALPHA_BAR[later]
            x = bar.sqrt() * clean + (1 - bar).sqrt() * noise
        out.append(clean)
    return torch.cat(out)


def main() -> None:
    """Train for the given minutes, resuming from a checkpoint if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--weight", type=float, default=0.06, help="weight of the discriminator")
    parser.add_argument("--generated", type=int, default=1500, help="number of generated latents")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", choices=["run", "demo"], default="run")
    args = parser.parse_args()
    setup(seed=args.seed)
    crops = Crops(load_tissue(False), 128, seed=args.seed + 7)
    test = Crops(load_tissue(True), 128, seed=1)
    model, judge = DemoAutoencoder(), make_discriminator()
    state = load_run("sharpened") or load_run("autoencoder") if args.init == "run" else None
    if state:
        model.load_state_dict(state["model"])
        if "judge" in state:
            judge.load_state_dict(state["judge"])
    else:
        model = DemoAutoencoder.from_pretrained(DEMO / "vae", torch_dtype=torch.float32)
    model.to(memory_format=torch.channels_last)
    before = copy.deepcopy(model).eval().requires_grad_(False)
    made = generated_latents(model, crops, args.generated)
    print(f"{len(made)} generated latents, std {made.std():.3f}", flush=True)
    judge.to(memory_format=torch.channels_last)
    model.encoder.requires_grad_(False)
    ema = Ema(model, 0.99)
    betas = (0.5, 0.9)
    optimiser = torch.optim.Adam(model.decoder.parameters(), args.lr, betas=betas)
    judging = torch.optim.Adam(judge.parameters(), 2 * args.lr, betas=betas)
    clock = Clock("sharpen", args.minutes)
    held = test.batch(8)
    while clock.done < 1:
        x = crops.batch(args.batch).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                z = model.encoder(x)
                # Generated latents never lie exactly on the encoder's manifold.
                z = z + 0.1 * torch.rand(len(z), 1, 1, 1) * torch.randn_like(z)
            chosen = made[torch.randint(len(made), (args.batch // 2,))]
            chosen = chosen.to(memory_format=torch.channels_last)
            y, free = model.decoder(torch.cat([z, chosen])).float().split([len(z), len(chosen)])
            with torch.no_grad():
                plain = before.decoder(chosen).float()
            real, fake = judge(x).float(), judge(torch.cat([y, free]).detach()).float()
        hinge = (1 - real).relu().mean() + (1 + fake).relu().mean()
        judging.zero_grad(set_to_none=True)
        hinge.backward()
        judging.step()
        judge.requires_grad_(False)
        l1 = (y - x).abs().mean()
        with torch.autocast("cpu", torch.bfloat16):
            opinion = judge(torch.cat([y, free])).float().mean()
        colours = (avg_pool2d(free, 8) - avg_pool2d(plain, 8)).abs().mean()
        # An untrained discriminator would only add noise, so its first steps do not count.
        weight = args.weight * min(1.0, clock.step / 50)
        loss = l1 + 0.3 * gradient_l1(y, x) + colours - weight * opinion
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.decoder.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(args.lr, warmup=20, floor=0.2)
        optimiser.step()
        judge.requires_grad_(True)
        ema.update(model)
        if (
            clock.tick(l1=l1.item(), hinge=hinge.item(), colours=colours.item())
            and clock.step % 200 == 0
        ):
            save(ema.model, judge, before, held, made)
    save(ema.model, judge, before, held, made)


@torch.no_grad()
def save(
    model: DemoAutoencoder,
    judge: nn.Module,
    before: nn.Module,
    held: torch.Tensor,
    made: torch.Tensor,
) -> None:
    """Write the checkpoint, and a contact sheet of real, decoded and generated images."""
    states = {"model": model, "judge": judge, "before": before}
    save_run("sharpened", **{name: part.state_dict() for name, part in states.items()})
    save_sheet(RUNS / "sharpened.png", held, model(held), model.decoder(made[: len(held)]))


if __name__ == "__main__":
    main()

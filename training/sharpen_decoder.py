"""Stage 5: the decoder against a patch discriminator, the encoder frozen.

The largest gain for the least time: generated latents turn from soft blobs into nuclei
with rims and chromatin, and nothing that was trained on the latents has to be repeated.
"""

from __future__ import annotations

import argparse

import torch
from common import DEMO, RUNS, Clock, Crops, Ema, load_run, load_tissue, save_run, save_sheet, setup
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from train_autoencoder import gradient_l1

from napari_pixcell.networks.autoencoder import DemoAutoencoder


def make_discriminator() -> nn.Module:
    """Judge of overlapping patches, spectral norm throughout."""
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


def main() -> None:
    """Train for the given minutes, from a checkpoint where there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--weight", type=float, default=0.06, help="of the discriminator")
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
                # Generated latents are never exactly on the encoder's manifold.
                z = z + 0.1 * torch.rand(len(z), 1, 1, 1) * torch.randn_like(z)
            y = model.decoder(z).float()
            real, fake = judge(x).float(), judge(y.detach()).float()
        hinge = (1 - real).relu().mean() + (1 + fake).relu().mean()
        judging.zero_grad(set_to_none=True)
        hinge.backward()
        judging.step()
        judge.requires_grad_(False)
        l1 = (y - x).abs().mean()
        with torch.autocast("cpu", torch.bfloat16):
            opinion = judge(y).float().mean()
        # The judge needs some steps to know anything; until then it would only add noise.
        weight = args.weight * min(1.0, clock.step / 50)
        loss = l1 + 0.3 * gradient_l1(y, x) - weight * opinion
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.decoder.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(args.lr, warmup=20, floor=0.2)
        optimiser.step()
        judge.requires_grad_(True)
        ema.update(model)
        if clock.tick(l1=l1.item(), hinge=hinge.item()) and clock.step % 200 == 0:
            save(ema.model, judge, held)
    save(ema.model, judge, held)


@torch.no_grad()
def save(model: DemoAutoencoder, judge: nn.Module, held: torch.Tensor) -> None:
    """Checkpoint and contact sheet, real above."""
    save_run("sharpened", model=model.state_dict(), judge=judge.state_dict())
    save_sheet(RUNS / "sharpened.png", held, model(held))


if __name__ == "__main__":
    main()

"""Stage 1: train the autoencoder in fp32 channels_last, with L1, gradients and latent noise."""

from __future__ import annotations

import argparse

import torch
from common import DEMO, RUNS, Clock, Crops, Ema, load_run, load_tissue, save_run, save_sheet, setup

from napari_pixcell.networks.autoencoder import DemoAutoencoder


def gradient_l1(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the mean error of differences between neighbouring pixels, so that edges count."""
    d = a - b
    return d.diff(dim=-1).abs().mean() + d.diff(dim=-2).abs().mean()


@torch.no_grad()
def standardise(model: DemoAutoencoder, crops: Crops, batches: int = 12) -> None:
    """Fold the mean and spread of each latent channel into the weights: scale 1, shift 0."""
    z = torch.cat([model.encoder(crops.batch(32)) for _ in range(batches)])
    mean, std = z.mean((0, 2, 3)), z.std((0, 2, 3))
    last, first = model.encoder[-1], model.decoder[0]
    # Zero padding of the decoder's first convolution now means the mean latent, not zero. This
    # affects only the outermost latents, and the sharpening stage continues from there.
    first.bias.add_(torch.einsum("oikl,i->o", first.weight, mean))
    first.weight.mul_(std.view(1, -1, 1, 1))
    last.weight.div_(std.view(-1, 1, 1, 1))
    last.bias.sub_(mean).div_(std)


def main() -> None:
    """Train for the given minutes, resuming from a checkpoint if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--init", choices=["run", "demo", "fresh"], default="run")
    args = parser.parse_args()
    setup()
    crops, test = Crops(load_tissue(False), 128), Crops(load_tissue(True), 128, seed=1)
    model = DemoAutoencoder()
    state = load_run("autoencoder") if args.init == "run" else None
    if state:
        model.load_state_dict(state["model"])
    elif args.init == "demo":
        model = DemoAutoencoder.from_pretrained(DEMO / "vae", torch_dtype=torch.float32)
    model = model.to(memory_format=torch.channels_last)
    ema = Ema(model, 0.995)
    optimiser = torch.optim.AdamW(model.parameters(), args.lr, betas=(0.9, 0.98), weight_decay=1e-4)
    clock = Clock("autoencoder", args.minutes)
    held = test.batch(8)
    while clock.done < 1:
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(args.lr)
        x = crops.batch(args.batch).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            z = model.encoder(x)
            y = model.decoder(z + 0.1 * torch.randn_like(z))
        y = y.float()
        l1 = (y - x).abs().mean()
        loss = l1 + 0.5 * gradient_l1(y, x) + 2e-3 * z.float().square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        ema.update(model)
        if clock.tick(l1=l1.item(), loss=loss.item()) and clock.step % 200 == 0:
            save_run("autoencoder", model=ema.model.state_dict())
            with torch.no_grad():
                save_sheet(RUNS / "autoencoder.png", held, ema.model(held))
    model = ema.model
    standardise(model, crops)
    save_run("autoencoder", model=model.state_dict())
    # A sharpened decoder belongs to the latents it was trained on.
    (RUNS / "sharpened.pt").unlink(missing_ok=True)
    with torch.no_grad():
        x = torch.cat([test.batch(16) for _ in range(8)])
        y = torch.cat([model(part).clamp(-1, 1) for part in x.split(16)])
        psnr = 10 * torch.log10(4 / (x - y).square().mean((1, 2, 3))).mean()
        print(f"held-out PSNR {psnr:.2f} dB after {clock.step} steps", flush=True)
        save_sheet(RUNS / "autoencoder.png", held, model(held))


if __name__ == "__main__":
    main()

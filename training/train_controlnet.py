"""Stage 4: train the Cell ControlNet from a copy of the first blocks, with a frozen base."""

from __future__ import annotations

import argparse

import numpy as np
import torch
from common import (
    DEMO,
    RUNS,
    Clock,
    Crops,
    Ema,
    load_labels,
    load_run,
    load_tissue,
    save_run,
    save_sheet,
    setup,
    to_tensor,
)
from diffusion import (
    antithetic_steps,
    control,
    crop_position,
    encode_all,
    noised,
    other_view,
    predict,
    sample,
)
from torch import nn
from train_transformer import Pair, load_vae

from napari_pixcell.cells import condition_image, segment_nuclei
from napari_pixcell.networks.controlnet import PixCellControlNet

BLOCKS = 4


def load_controlnet(transformer: nn.Module, init: str) -> PixCellControlNet:
    """Load the ControlNet of the last run, the shipped one, or an untrained one."""
    if init == "demo":
        return PixCellControlNet.from_pretrained(DEMO / "controlnet", torch_dtype=torch.float32)
    controlnet = PixCellControlNet.from_transformer(transformer, BLOCKS)
    trained = load_run("controlnet") if init == "run" else None
    if trained:
        controlnet.load_state_dict(trained["model"])
    return controlnet


def conditions(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the condition images of fields, from true nuclei if available, else segmented ones."""
    out = {}
    for name, field in fields.items():
        labels = load_labels(name)
        out[name] = condition_image(segment_nuclei(field) if labels is None else labels)
    return out


def main() -> None:
    """Train for the given minutes, resuming from a checkpoint if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--size", type=int, default=128, choices=[128, 256])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=6e-4)
    parser.add_argument("--compile", action="store_true", help="2 to 3 times faster; needs g++")
    parser.add_argument("--decay", type=float, default=0.99)
    parser.add_argument("--cache", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", choices=["run", "demo", "fresh"], default="run")
    args = parser.parse_args()
    generator = setup(seed=args.seed)
    fields, held_fields = load_tissue(False), load_tissue(True)
    masks, held_masks = conditions(fields), conditions(held_fields)
    crops, test = Crops(fields, args.size, args.seed + 5), Crops(held_fields, args.size, seed=1)
    vae, side = load_vae(args.init), args.size // 8

    state = load_run("transformer") if args.init != "demo" else None
    pair = Pair("fresh" if state else "demo")
    if state:
        pair.load_state_dict(state["model"])
    pair.eval().requires_grad_(False)
    model = load_controlnet(pair.transformer, args.init)
    ema = Ema(model, args.decay)
    optimiser = torch.optim.AdamW(model.parameters(), args.lr, betas=(0.9, 0.98), weight_decay=0.0)

    places = [crops.place() for _ in range(args.cache)]
    latents = encode_all(vae, [crops.cut(p) for p in places])
    hints = encode_all(vae, [crops.cut(p, masks) for p in places])
    held = [test.place() for _ in range(8)]
    held_images = to_tensor(np.stack([test.cut(p) for p in held]))
    held_masks = np.stack([test.cut(p, held_masks) for p in held])
    held_hints = encode_all(vae, list(held_masks)).float()

    clock = Clock(f"controlnet{args.size}", args.minutes)

    def checkpoint() -> None:
        save_run("controlnet", model=ema.model.state_dict())
        for part in (pair.transformer, ema.model):
            crop_position(part, side // 2, generator)
        with torch.no_grad():
            embeds = pair.encoder(held_images / 2 + 0.5).unsqueeze(1)
        z = sample(
            pair.transformer,
            embeds,
            side,
            steps=15,
            guidance=2.0,
            controlnet=ema.model,
            condition=held_hints,
        )
        with torch.no_grad():
            rows = (held_images, to_tensor(held_masks), vae.decode(z).sample)
        save_sheet(RUNS / f"controlnet{args.size}.png", *rows)

    base, branch = pair.transformer, model
    if args.compile:
        base, branch = torch.compile(pair.transformer), torch.compile(model)
    while clock.done < 1:
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(args.lr)
        chosen = crops.rng.integers(0, len(places), args.batch)
        index = torch.from_numpy(chosen)
        z, hint = latents[index].float(), hints[index].float()
        views = to_tensor(np.stack([other_view(crops, places[i]) for i in chosen])) / 2 + 0.5
        noise = torch.randn(z.shape, generator=generator)
        steps = antithetic_steps(args.batch, generator)
        x, target, weight = noised(z, steps, noise)
        # Both need the same window of positions, so that the residuals align.
        window = generator.get_state()
        crop_position(pair.transformer, side // 2, generator)
        generator.set_state(window)
        crop_position(model, side // 2, generator)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                embeds = pair.encoder(views).unsqueeze(1)
            residuals = control(branch, x, hint, steps, embeds)
            v = predict(base, x, steps, embeds, residuals)
        loss = (weight * (v.float() - target).square()).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        ema.update(model)
        if clock.tick(loss=loss.item()) and clock.step % 200 == 0:
            checkpoint()
    checkpoint()


if __name__ == "__main__":
    main()

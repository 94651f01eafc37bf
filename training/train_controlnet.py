"""Stage 5: train the Cell ControlNet from a copy of the first blocks, with a frozen base.

Masks are the published ones of the breast fields trained on, where there are any, and segmented
ones for the rest. No label of the pool or the test of benchmarks/utility is among them.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from common import (
    RUNS,
    Clock,
    Crops,
    Ema,
    load_breast,
    load_labels,
    load_run,
    load_tissue,
    save_run,
    save_sheet,
    setup,
    to_tensor,
)
from diffusion import (
    TRANSFORMER,
    antithetic_steps,
    control,
    crop_position,
    encode_all,
    load_encoder,
    load_vae,
    noised,
    other_view,
    predict,
    sample,
)
from train_transformer import VIEWS, falling

from napari_pixcell.cells import condition_image, segment_nuclei
from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

BLOCKS = 4


def load_transformer() -> PixCellTransformer2DModel:
    """Load the transformer of the last run, frozen."""
    state = load_run("transformer256") or load_run("transformer128")
    if state is None:
        raise SystemExit("There is no transformer. Run train_transformer.py first.")
    model = PixCellTransformer2DModel(**TRANSFORMER)
    model.load_state_dict(state["model"])
    return model.eval().requires_grad_(False)


def conditions(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the condition images of fields, from true nuclei if available, else segmented ones."""
    out = {}
    for name, field in fields.items():
        labels = load_labels(name)
        out[name] = condition_image(segment_nuclei(field) if labels is None else labels)
    return out


class MaskedExamples:
    """Latents of crops and of their condition images, and embeddings of their views."""

    def __init__(self, crops: Crops, masks: dict, count: int, vae, encoder) -> None:
        latents, hints, embeds = [], [], []
        for start in range(0, count, 256):
            places = [crops.place() for _ in range(min(256, count - start))]
            latents.append(encode_all(vae, [crops.picture(p) for p in places]))
            hints.append(encode_all(vae, [crops.cut(p, masks) for p in places]))
            views = np.stack([other_view(crops, p) for p in places for _ in range(VIEWS)])
            embeds.append(encoder.embed(views).unflatten(0, (-1, VIEWS)))
        self.latents, self.hints = torch.cat(latents), torch.cat(hints)
        self.embeds = torch.cat(embeds)

    def __len__(self) -> int:
        return len(self.latents)


def main() -> None:
    """Train for the given minutes, resuming from a checkpoint if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--size", type=int, default=128, choices=[128, 256])
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--lr", type=float, default=6e-4)
    parser.add_argument("--decay", type=float, default=0.995)
    parser.add_argument("--compile", action="store_true", help="2 to 3 times faster; needs g++")
    parser.add_argument("--cache", type=int, default=8000)
    parser.add_argument("--recoloured", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    state = load_run("controlnet") or {}
    seed = args.seed + state.get("step", 0)
    generator = setup(args.threads, seed)
    fields, held_fields = load_tissue(False), load_breast(True)
    # Nuclei of the camera photographs, many of them blue, are not segmented well enough.
    fields = {name: field for name, field in fields.items() if not name.startswith("OSCC")}
    masks, held_masks = conditions(fields), conditions(held_fields)
    crops = Crops(fields, args.size, seed + 5, recoloured=args.recoloured)
    test = Crops(held_fields, args.size, seed=1)
    vae, encoder, base = load_vae(), load_encoder(), load_transformer()
    side = args.size // 8
    model = PixCellControlNet.from_transformer(base, BLOCKS).requires_grad_(True)
    ema = Ema(model, args.decay)
    optimiser = torch.optim.AdamW(model.parameters(), args.lr, betas=(0.9, 0.98), weight_decay=0.0)
    if state:
        model.load_state_dict(state["last"])
        ema.model.load_state_dict(state["model"])
        ema.count = state["step"]
        optimiser.load_state_dict(state["optimiser"])

    examples = MaskedExamples(crops, masks, args.cache, vae, encoder)
    held = [test.place() for _ in range(8)]
    held_images = to_tensor(np.stack([test.cut(p) for p in held]))
    held_masks = np.stack([test.cut(p, held_masks) for p in held])
    held_hints = encode_all(vae, list(held_masks)).float()
    held_embeds = encoder.embed(held_images).float().unsqueeze(1)
    clock = Clock("controlnet", args.minutes, state.get("spent", 0.0), state.get("step", 0))

    def checkpoint() -> None:
        states = {"model": ema.model, "last": model, "optimiser": optimiser}
        states = {name: part.state_dict() for name, part in states.items()}
        save_run("controlnet", **states, spent=clock.spent, step=clock.step)
        for part in (base, ema.model):
            crop_position(part, side // 2, generator)
        z = sample(
            base,
            held_embeds,
            side,
            steps=12,
            guidance=1.5,
            controlnet=ema.model,
            condition=held_hints,
        )
        with torch.no_grad():
            rows = (held_images, to_tensor(held_masks), vae.decode(z).sample)
        save_sheet(RUNS / "controlnet.png", *rows)

    frozen, branch = base, model
    if args.compile:
        frozen, branch = torch.compile(base), torch.compile(model)
    while clock.done < 1:
        for group in optimiser.param_groups:
            group["lr"] = args.lr * min(1.0, (clock.step + 1) / 50) * falling(clock.done)
        index = torch.randint(len(examples), (args.batch,), generator=generator)
        view = torch.randint(VIEWS, (args.batch,), generator=generator)
        z, hint = examples.latents[index].float(), examples.hints[index].float()
        embeds = examples.embeds[index, view].float().unsqueeze(1)
        noise = torch.randn(z.shape, generator=generator)
        steps = antithetic_steps(args.batch, generator)
        x, target, weight = noised(z, steps, noise)
        # Both need the same window of positions, so that the residuals align.
        window = generator.get_state()
        crop_position(base, side // 2, generator)
        generator.set_state(window)
        crop_position(model, side // 2, generator)
        with torch.autocast("cpu", torch.bfloat16):
            residuals = control(branch, x, hint, steps, embeds)
            v = predict(frozen, x, steps, embeds, residuals)
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

"""Stage 4: train the transformer on, together with the Cell ControlNet, at tile size.

Most examples follow a mask, so the transformer also learns to finish what the ControlNet begins.
The rest keep what it draws without a layout. Masks are the published ones of the breast fields
trained on, where there are any, and segmented ones for the others. No label of the pool or the
test of benchmarks/utility is among them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

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
    Embedder,
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
from torch import nn
from train_transformer import DROPPED, VIEWS, falling

from napari_pixcell.cells import condition_image, segment_nuclei
from napari_pixcell.engine.training.control.steps import predict_controlled
from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.networks.transformer import PixCellTransformer2DModel, pass_block

BLOCKS = 4
MASKED = 2 / 3  # share of a batch that follows masks
# Nuclei of the camera photographs, many of them blue, are not segmented well enough.
WITHOUT_MASKS = "OSCC"


def load_networks() -> nn.ModuleDict:
    """Load transformer and ControlNet of the last run, or start them from the 128 px stage."""
    base = PixCellTransformer2DModel(**TRANSFORMER)
    state = load_run("together")
    if state is None:
        first = load_run("transformer")
        if first is None:
            raise SystemExit("There is no transformer. Run train_transformer.py first.")
        base.load_state_dict(first["model"])
    pair = {"base": base, "controlnet": PixCellControlNet.from_transformer(base, BLOCKS)}
    networks = nn.ModuleDict(pair)
    if state is not None:
        networks.load_state_dict(state["model"])
    return networks


def conditions(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the condition images of fields, from true nuclei if available, else segmented ones."""
    out = {}
    for name, field in fields.items():
        labels = load_labels(name)
        out[name] = condition_image(segment_nuclei(field) if labels is None else labels)
    return out


class MaskedExamples:
    """Latents of crops and of their condition images, and embeddings of their views.

    Attributes
    ----------
    latents, hints : tensor, float16, (N, channels, h, w)
        Those with a mask come first.
    embeds : tensor, float16, (N, VIEWS, 128)
    masked : int
        Number of examples with a mask.
    """

    def __init__(
        self, crops: Crops, masks: dict, count: int, vae: nn.Module, encoder: Embedder
    ) -> None:
        latents, hints, embeds = [], [], []
        drawn = [crops.place() for _ in range(count)]
        drawn.sort(key=lambda place: place.name not in masks)
        self.masked = sum(place.name in masks for place in drawn)
        for start in range(0, count, 128):
            places = drawn[start : start + 128]
            latents.append(encode_all(vae, [crops.picture(p) for p in places], batch=16))
            with_masks = [crops.cut(p, masks) for p in places if p.name in masks]
            if with_masks:
                hints.append(encode_all(vae, with_masks, batch=16))
            views = np.stack([other_view(crops, p) for p in places for _ in range(VIEWS)])
            embeds.append(encoder.embed(views, batch=16).unflatten(0, (-1, VIEWS)))
        self.latents, self.hints = torch.cat(latents), torch.cat(hints)
        self.embeds = torch.cat(embeds)

    @classmethod
    def kept(cls, path: Path, size: int, count: int, share: float) -> MaskedExamples:
        """Return the examples of an earlier run, or new ones, which are kept."""
        if path.exists():
            return torch.load(path, weights_only=False)
        fields = load_tissue(False)
        masks = conditions({n: f for n, f in fields.items() if not n.startswith(WITHOUT_MASKS)})
        crops = Crops(fields, size, seed=5, recoloured=share)
        examples = cls(crops, masks, count, load_vae(), load_encoder())
        torch.save(examples, path)
        return examples

    def draw(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Return latents, embeddings (count, 1, 128), and hints of the first of them."""
        followed = round(count * MASKED)
        index = torch.cat(
            [
                torch.randint(self.masked, (followed,), generator=generator),
                torch.randint(len(self.latents), (count - followed,), generator=generator),
            ]
        )
        view = torch.randint(VIEWS, (count,), generator=generator)
        embeds = self.embeds[index, view].float().unsqueeze(1)
        return self.latents[index].float(), embeds, self.hints[index[:followed]].float()


def main() -> None:
    """Train for the given minutes, resuming from a checkpoint if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--size", type=int, default=256, choices=[128, 256])
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--lr", type=float, default=6e-4)
    parser.add_argument("--decay", type=float, default=0.996)
    parser.add_argument("--compile", action="store_true", help="2 to 3 times faster; needs g++")
    parser.add_argument("--cache", type=int, default=3600)
    parser.add_argument("--recoloured", type=float, default=0.4)
    parser.add_argument("--prepare", action="store_true", help="only compute the latents")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    state = load_run("together") or {}
    generator = setup(args.threads, args.seed + state.get("step", 0))
    kept = RUNS / f"masked{args.size}.pt"  # remove it for other crops
    examples = MaskedExamples.kept(kept, args.size, args.cache, args.recoloured)
    print(f"{len(examples.latents)} examples, {examples.masked} with masks", flush=True)
    if args.prepare:
        return
    side = args.size // 8
    networks = load_networks()
    ema = Ema(networks, args.decay)
    # With one token, softmax over one key is 1: queries and keys have no effect.
    for name, weight in networks.named_parameters():
        weight.requires_grad_("attn2.to_q" not in name and "attn2.to_k" not in name)
    trained = [p for p in networks.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, args.lr, betas=(0.9, 0.98), weight_decay=0.0)
    if state:
        networks.load_state_dict(state["last"])
        ema.count = state["step"]
        optimiser.load_state_dict(state["optimiser"])
    base, controlnet = networks["base"], networks["controlnet"]

    held_fields = load_breast(True)
    held_masks = conditions(held_fields)
    test = Crops(held_fields, args.size, seed=1)
    places = [test.place() for _ in range(6)]
    held_images = to_tensor(np.stack([test.cut(p) for p in places]))
    held_shown = np.stack([test.cut(p, held_masks) for p in places])
    vae, encoder = load_vae(), load_encoder()
    held_hints = encode_all(vae, list(held_shown)).float()
    held_embeds = encoder.embed(held_images).float().unsqueeze(1)
    held_z = encode_all(vae, [test.cut(p) for p in places]).float().repeat(8, 1, 1, 1)
    clock = Clock("together", args.minutes, state.get("spent", 0.0), state.get("step", 0))

    @torch.no_grad()
    def held_out() -> tuple[float, float]:
        """Return the losses of held-out tiles with and without their masks, for fixed noise."""
        fixed = torch.Generator().manual_seed(5)
        steps = antithetic_steps(len(held_z), fixed)
        x, target, weight = noised(held_z, steps, torch.randn(held_z.shape, generator=fixed))
        embeds, hints = held_embeds.repeat(8, 1, 1), held_hints.repeat(8, 1, 1, 1)
        pair, losses = ema.model, []
        for masked in (True, False):
            with torch.autocast("cpu", torch.bfloat16):
                own = control(pair["controlnet"], x, hints, steps, embeds) if masked else None
                v = predict(pair["base"], x, steps, embeds, own).float()
            losses.append(float((weight * (v - target).square()).mean()))
        return losses[0], losses[1]

    def checkpoint() -> None:
        states = {"model": ema.model, "last": networks, "optimiser": optimiser}
        states = {name: part.state_dict() for name, part in states.items()}
        save_run("together", **states, spent=clock.spent, step=clock.step)
        if args.size < 256:
            for part in ema.model.values():
                crop_position(part, side // 2, torch.Generator().manual_seed(7))
        print("held-out loss {:.5f} with masks, {:.5f} without".format(*held_out()), flush=True)

    def sheet() -> None:
        drawn = {"controlnet": ema.model["controlnet"], "condition": held_hints}
        z = sample(ema.model["base"], held_embeds, side, steps=16, **drawn)
        free = sample(ema.model["base"], held_embeds, side, steps=16)
        with torch.no_grad():
            rows = [held_images, to_tensor(held_shown), vae.decode(z).sample]
            save_sheet(RUNS / "together.png", *rows, vae.decode(free).sample)

    if args.compile:
        base.pass_block = controlnet.pass_block = torch.compile(pass_block)
    while clock.done < 1:
        for group in optimiser.param_groups:
            group["lr"] = args.lr * min(1.0, (clock.step + 1) / 60) * falling(clock.done)
        z, embeds, hints = examples.draw(args.batch, generator)
        noise = torch.randn(z.shape, generator=generator)
        # Steps are mirrored, so they are shuffled between examples with and without masks.
        order = torch.randperm(args.batch, generator=generator)
        steps = antithetic_steps(args.batch, generator)[order]
        x, target, weight = noised(z, steps, noise)
        if args.size < 256:
            # Both need the same window of positions, so that the residuals align.
            window = generator.get_state()
            for part in (base, controlnet):
                generator.set_state(window)
                crop_position(part, side // 2, generator)
        drop = torch.rand(args.batch, 1, 1, generator=generator) < DROPPED
        embeds = torch.where(drop, base.caption_projection.uncond_embedding, embeds)
        count = len(hints)
        with torch.autocast("cpu", torch.bfloat16):
            v = predict_controlled(base, controlnet, x, steps, embeds, hints)
        each = (weight * (v.float() - target).square()).flatten(1).mean(1)
        optimiser.zero_grad(set_to_none=True)
        each.mean().backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        ema.update(networks)
        losses = {"masked": each[:count].mean().item(), "free": each[count:].mean().item()}
        if clock.tick(**losses) and clock.step % 200 == 0:
            checkpoint()
            sheet()
    checkpoint()
    sheet()


if __name__ == "__main__":
    main()

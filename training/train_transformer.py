"""Stage 3: train the transformer at 128 px, for fixed embeddings.

Latents and embeddings of many crops are computed once in each run, so a step costs the transformer
alone. Each crop has two embeddings of shifted and flipped views, so nothing can be copied. The
learning rate stays high and falls at the end of the minutes only. A run with more minutes continues
from the checkpoint.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import (
    RUNS,
    Clock,
    Crops,
    Ema,
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
from torch.nn.functional import cosine_similarity
from vision import WIDTHS, Vision, tokens

from napari_pixcell.networks.transformer import PixCellTransformer2DModel, pass_block

STAGE, SIZE = "transformer", 128
VIEWS = 2
ALIGNED = 2  # block whose tokens are aligned, of 8
DROPPED = 0.12  # share of the embeddings dropped, for guidance
FALLING = 0.25  # last share of the minutes in which the learning rate falls


class Tap:
    """Keeps the tokens after one block, in the place of a cache of the transformer."""

    def __init__(self) -> None:
        self.inner = torch.empty(0)

    def enter(self, index: int, hidden: torch.Tensor) -> torch.Tensor:
        """Return the tokens before a block unchanged."""
        return hidden

    def skips(self, index: int) -> bool:
        """Return False: every block is computed."""
        return False

    def leave(self, index: int, hidden: torch.Tensor) -> None:
        """Keep the tokens after the aligned block."""
        if index == ALIGNED:
            self.inner = hidden


class Alignment(nn.Module):
    """Asks the tokens of an inner block for what another network sees in the clean crop.

    After Yu et al., *Representation alignment for generation* (arXiv 2410.06940).
    """

    def __init__(self, model: PixCellTransformer2DModel) -> None:
        super().__init__()
        width = model.config.num_attention_heads * model.config.attention_head_dim
        self.head = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, WIDTHS[16])
        )
        self.register_buffer("centre", torch.zeros(WIDTHS[16]))
        self.register_buffer("spread", torch.ones(WIDTHS[16]))

    def measure(self, seen: torch.Tensor) -> None:
        """Take mean and spread of each feature from examples (N, 112, h, w)."""
        flat = seen[:4000].float().transpose(0, 1).flatten(1)
        self.centre.copy_(flat.mean(1))
        self.spread.copy_(flat.std(1) + 1e-3)

    def loss(self, inner: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Return 1 - cosine of tokens (N, h w, width) with the features (N, 112, h, w)."""
        inner = self.head(inner.float())
        wanted = (seen.float().flatten(2).transpose(1, 2) - self.centre) / self.spread
        return 1 - cosine_similarity(inner, wanted, dim=-1).mean()


class Examples:
    """Latents of crops, and the embeddings of their views.

    Attributes
    ----------
    latents : tensor, float16, (N, channels, h, w)
    seen : tensor, float16, (N, 112, h/2, w/2)
        What another network sees in the crops, one feature for each token.
    embeds : tensor, float16, (N, VIEWS, 128)
    """

    def __init__(
        self, crops: Crops, count: int, vae: nn.Module, encoder: Embedder, vision: Vision
    ) -> None:
        latents, embeds, seen = [], [], []
        for start in range(0, count, 256):
            places = [crops.place() for _ in range(min(256, count - start))]
            pictures = [crops.picture(p) for p in places]
            latents.append(encode_all(vae, pictures))
            seen.append(tokens(vision, np.stack(pictures)))
            views = np.stack([other_view(crops, p) for p in places for _ in range(VIEWS)])
            embeds.append(encoder.embed(views).unflatten(0, (-1, VIEWS)))
        self.latents, self.seen = torch.cat(latents), torch.cat(seen)
        self.embeds = torch.cat(embeds)

    @classmethod
    def kept(cls, path: Path, *given: Any) -> Examples:
        """Return the examples of an earlier run, or new ones, which are kept."""
        if path.exists():
            return torch.load(path, weights_only=False)
        examples = cls(*given)
        torch.save(examples, path)
        return examples

    def __len__(self) -> int:
        return len(self.latents)

    def draw(self, index: torch.Tensor, view: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return latents and embeddings (count, 1, 128) of crops, each by one of its views."""
        return self.latents[index].float(), self.embeds[index, view].float().unsqueeze(1)


def falling(done: float) -> float:
    """Return the share of the peak learning rate at a fraction of the minutes."""
    return min(1.0, max(0.02, (1 - done) / FALLING))


@torch.no_grad()
def held_out_loss(model: nn.Module, held: Examples, side: int) -> float:
    """Return the loss of held-out crops for noise that is always the same."""
    generator = torch.Generator().manual_seed(5)
    total = []
    for start in range(0, len(held), 64):
        index = torch.arange(start, min(start + 64, len(held)))
        z, embeds = held.draw(index, torch.zeros_like(index))
        steps = antithetic_steps(len(z), generator)
        x, target, weight = noised(z, steps, torch.randn(z.shape, generator=generator))
        crop_position(model, side // 2, generator)
        with torch.autocast("cpu", torch.bfloat16):
            v = predict(model, x, steps, embeds)
        total.append((weight * (v.float() - target).square()).mean())
    return float(torch.stack(total).mean())


def main() -> None:
    """Train for the given minutes, resuming from a checkpoint if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--decay", type=float, default=0.998)
    parser.add_argument("--cache", type=int, default=16000, help="crops with cached latents")
    parser.add_argument("--recoloured", type=float, default=0.5)
    parser.add_argument("--compile", action="store_true", help="2 to 3 times faster; needs g++")
    parser.add_argument("--align", type=float, default=0.3, help="weight of the alignment")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    state = load_run(STAGE) or {}
    generator = setup(args.threads, args.seed + state.get("step", 0))
    seed = args.seed + state.get("step", 0)
    crops = Crops(load_tissue(False), SIZE, seed=seed, recoloured=args.recoloured)
    test = Crops(load_tissue(True), SIZE, seed=1)
    vae, encoder, vision, side = load_vae(), load_encoder(), Vision(), SIZE // 8

    model = PixCellTransformer2DModel(**TRANSFORMER)
    model.caption_projection.uncond_embedding.zero_()
    ema = Ema(model, args.decay)
    aligned = Alignment(model)
    trained = nn.ModuleList([model, aligned.head])
    # With one token, softmax over one key is 1: queries and keys have no effect.
    for name, weight in model.named_parameters():
        weight.requires_grad_("attn2.to_q" not in name and "attn2.to_k" not in name)
    learning = [weight for weight in trained.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(learning, args.lr, betas=(0.9, 0.98), weight_decay=0.0)
    if state:
        model.load_state_dict(state["last"])
        aligned.load_state_dict(state["aligned"])
        ema.model.load_state_dict(state["model"])
        ema.count = state["step"]
        optimiser.load_state_dict(state["optimiser"])

    kept = RUNS / "examples.pt"  # remove it for other crops
    examples = Examples.kept(kept, crops, args.cache, vae, encoder, vision)
    if not state:
        aligned.measure(examples.seen)
    held = Examples(test, 256, vae, encoder, vision)
    shown = [test.place() for _ in range(8)]
    shown_images = to_tensor(np.stack([test.picture(p) for p in shown]))
    print(f"{tuple(examples.latents.shape)} latents, std {examples.latents.float().std():.3f}")

    if args.compile:
        model.pass_block = torch.compile(pass_block)
    clock = Clock(STAGE, args.minutes, state.get("spent", 0.0), state.get("step", 0))

    def checkpoint() -> None:
        states = {"model": ema.model.state_dict(), "last": model.state_dict()}
        states["aligned"] = aligned.state_dict()
        states["optimiser"] = optimiser.state_dict()
        save_run(STAGE, **states, spent=clock.spent, step=clock.step)
        print(f"held-out loss {held_out_loss(ema.model, held, side):.5f}", flush=True)

    def sheet() -> None:
        crop_position(ema.model, side // 2, generator)
        embeds = encoder.embed(shown_images).float().unsqueeze(1)
        z = sample(ema.model, embeds, side, steps=12)
        with torch.no_grad():
            save_sheet(RUNS / f"{STAGE}.png", shown_images, vae.decode(z).sample)

    while clock.done < 1:
        rate = args.lr * min(1.0, (clock.step + 1) / 100) * falling(clock.done)
        for group in optimiser.param_groups:
            group["lr"] = rate
        index = torch.randint(len(examples), (args.batch,), generator=generator)
        view = torch.randint(VIEWS, (args.batch,), generator=generator)
        z, embeds = examples.draw(index, view)
        noise = torch.randn(z.shape, generator=generator)
        steps = antithetic_steps(args.batch, generator)
        x, target, weight = noised(z, steps, noise)
        crop_position(model, side // 2, generator)
        drop = torch.rand(args.batch, 1, 1, generator=generator) < DROPPED
        embeds = torch.where(drop, model.caption_projection.uncond_embedding, embeds)
        with torch.autocast("cpu", torch.bfloat16):
            tap = Tap()
            v = predict(model, x, steps, embeds, cache=tap)
        denoising = (weight * (v.float() - target).square()).mean()
        alignment = aligned.loss(tap.inner, examples.seen[index])
        loss = denoising + args.align * alignment
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
        ema.update(model)
        if clock.tick(loss=denoising.item(), alignment=alignment.item()) and clock.step % 400 == 0:
            checkpoint()
            if clock.step % 800 == 0:
                sheet()
    checkpoint()
    sheet()


if __name__ == "__main__":
    main()

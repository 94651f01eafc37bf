"""Speed of training a stain on the GPU, at full width with random weights and pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from card_figures import Options, peak, say, settle, timed
from torch import Tensor

from napari_pixcell.engine.training.denoising import Examples
from napari_pixcell.engine.training.flow import TrainingProgress, train_flow
from napari_pixcell.engine.training.lora import train_lora
from napari_pixcell.models.families import get_family
from napari_pixcell.models.loading import load_part, pick_device
from napari_pixcell.models.store import require
from napari_pixcell.networks.stain_flow import StainFlowMLP

FLOW_STEPS, LORA_STEPS = 300, 30
# Family, tiles in a batch, precision of the frozen weights. All compute in half precision.
CASES = (
    ("pixcell-256", 8, torch.bfloat16),
    ("pixcell-256", 8, torch.float32),
    ("pixcell-256", 32, torch.bfloat16),
    ("pixcell-1024", 1, torch.bfloat16),
    ("pixcell-1024", 1, torch.float32),
    ("pixcell-1024", 4, torch.bfloat16),
)


@dataclass
class Pairs:
    """Random pairs on the GPU, drawn in batches."""

    latents: Tensor
    embeddings: Tensor
    batch: int

    def draw(self, generator: torch.Generator) -> Examples:
        chosen = torch.randint(len(self.latents), (self.batch,), generator=generator)
        chosen = chosen.to(self.latents.device)
        return Examples(self.latents[chosen], self.embeddings[chosen])


def measure(options: Options) -> None:
    """Print the steps per second of the flow and of the adapter."""
    device = pick_device()
    _flow(options, device)
    options.write("pixcell-256", "pixcell-1024")
    for case in CASES:
        try:
            _adapter(*case, device)
        except torch.OutOfMemoryError as error:
            say("training", case=case, failed=str(error)[:200])
        settle()


def _flow(options: Options, device: torch.device) -> None:
    width = options.widths.flow
    sizes = dict.fromkeys(("model_channels", "time_embed_dim", "bottleneck_channels"), width)
    wide = options.widths.embed_dim
    flow = StainFlowMLP(in_channels=wide, out_channels=wide, **sizes).to(device)
    source, target, held, wanted = torch.randn(4, 512, wide, device=device)
    most: dict[str, float] = {}
    found: list[TrainingProgress] = []

    def work() -> None:
        train_flow(flow, source, target, held, wanted, steps=FLOW_STEPS, on_progress=found.append)

    def run() -> None:
        most.update(peak(work))

    seconds, _ = timed(run)
    last = found[-1]
    what = {"steps_a_second": FLOW_STEPS / seconds, "loss": last.loss, "held_out": last.held_out}
    say("training", what="flow, batch of 64", **what, **most)


def _adapter(name: str, batch: int, dtype: torch.dtype, device: torch.device) -> None:
    family = get_family(name)
    part = family.part("transformer")
    assert part is not None
    transformer: Any = load_part(family, require(family, part), device, dtype)
    config = transformer.config
    side, tokens = config.sample_size, config.caption_num_tokens
    latents = torch.randn(16, config.in_channels, side, side, device=device)
    embeddings = torch.randn(16, tokens, config.caption_channels, device=device, dtype=dtype)
    pairs = Pairs(latents, embeddings, batch)
    found: list[TrainingProgress] = []

    def train(steps: int) -> dict[str, Tensor]:
        return train_lora(
            transformer,
            {"prediction_type": "epsilon", "beta_start": 1e-4, "beta_end": 0.02},
            pairs.draw,
            steps=steps,
            precision=torch.bfloat16,
            on_progress=found.append,
        )

    most = peak(lambda: train(2))
    seconds, adapter = timed(lambda: train(LORA_STEPS))
    kept = {str(w.dtype) for n, w in transformer.named_parameters() if ".lora_" in n}
    moved = sum(float(value.abs().sum()) for key, value in adapter.items() if "lora_B" in key)
    say(
        "training",
        what="adapter",
        family=name,
        batch=batch,
        weights=dtype,
        adapter_dtype=sorted(kept),
        steps_a_second=LORA_STEPS / seconds,
        tiles_a_second=batch * LORA_STEPS / seconds,
        loss=found[-1].loss,
        moved=moved,
        **most,
    )

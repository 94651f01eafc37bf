"""Training of the adapter (LoRA) that makes a transformer generate a stain."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from napari_pixcell.engine.training.denoising import Examples, Noising, drop_styles
from napari_pixcell.engine.training.flow import OnCheckpoint, OnProgress, TrainingProgress
from napari_pixcell.engine.training.optimisation import Checkpoint, Optimisation
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.lora import without_lora

# Layers of each block that the published stains adapt.
PUBLISHED_TARGETS = ("attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0")
PUBLISHED_RANK = 4


def train_lora(
    transformer: Any,
    scheduler: Mapping[str, Any],
    draw: Callable[[torch.Generator], Examples],
    *,
    rank: int = PUBLISHED_RANK,
    targets: Iterable[str] = PUBLISHED_TARGETS,
    steps: int = 1000,
    rate: float = 1e-4,
    without_style: float = 0.1,
    from_start: float = 0.0,
    precision: torch.dtype | None = None,
    every: int = 50,
    seed: int = 0,
    on_progress: OnProgress = lambda progress: None,
    on_checkpoint: OnCheckpoint = lambda checkpoint: None,
    resume: Checkpoint | None = None,
    run: Callable[..., Any] | None = None,
) -> dict[str, Tensor]:
    """Train a transformer's adapter to generate a stain. The transformer itself is frozen.

    The denoising loss is weighted by Min-SNR (Hang et al., 2303.09556). If pairs are aligned, a
    fraction of the examples can start from the H&E instead of the stain. At each time they retain
    as much of the H&E as the solver retains of its start. The adapter thus learns to finish what a
    :class:`~napari_pixcell.engine.request_values.GenerateRequest` with ``start`` begins.

    Parameters
    ----------
    transformer : PixCellTransformer2DModel
        Gets an adapter if it has none. Its own weights do not change.
    scheduler : mapping
        The family's configuration of noise and prediction.
    draw : callable
        Returns a random batch on the transformer's device, given a random generator.
    rank, targets : int, iterable of str
        Rank of the adapter, and suffixes of the names of the adapted layers.
    steps, rate, seed : int, float, int
        Total number of steps, peak learning rate, and seed of all random choices.
    without_style, from_start : float
        Fractions of the examples trained without their embedding, for guidance, and of those
        that start from the H&E.
    precision : torch.dtype, optional
        Precision of autocast. By default that of the weights.
    every : int
        Steps between calls of ``on_progress`` and ``on_checkpoint``.
    resume : mapping, optional
        Checkpoint to resume from.
    run : callable, optional
        A compiled version of the transformer to run instead.

    Returns
    -------
    dict of str to Tensor
        The adapter's tensors under the published names.
    """
    add_adapter(transformer, rank, targets)
    learning = _adapter_parameters(transformer)
    for weight in learning.values():
        weight.data = weight.data.float()  # steps are too small for half precision
        weight.requires_grad_(True)
    if resume is not None:
        with torch.no_grad():
            for name, weight in learning.items():
                weight.copy_(resume["adapter"][name])
    training = Optimisation(
        learning.values(), rate, steps, seed, resume, betas=(0.9, 0.99), weight_decay=0.0
    )
    noising, generator = Noising(scheduler), training.generator
    predict = _prediction(transformer if run is None else run)  # a compiled module has no length
    losses: list[float] = []
    for step in training.remaining():
        examples = draw(generator)
        styles = drop_styles(transformer, examples.embeddings, without_style, generator)
        examples = examples._replace(embeddings=styles)
        errors = noising.errors(predict, examples, generator, precision, from_start)
        losses.append(training.take_step(errors.mean()))
        if step % every and step != steps:
            continue
        on_checkpoint(
            {
                "adapter": {name: weight.detach().clone() for name, weight in learning.items()},
                **copy.deepcopy(training.state()),
            }
        )
        on_progress(TrainingProgress(step, steps, sum(losses) / len(losses)))
        losses = []
    for weight in learning.values():
        weight.requires_grad_(False)
    return adapter_tensors(transformer)


@torch.no_grad()
def adapter_loss(
    transformer: Any,
    scheduler: Mapping[str, Any],
    batches: Iterable[Examples],
    from_start: float,
    precision: torch.dtype,
) -> tuple[float, float]:
    """Return the loss on examples with the adapter and without it, under identical noise."""
    noising, found = Noising(scheduler), []
    predict, half = _prediction(transformer), None if precision == torch.float32 else precision
    for switch in (nullcontext, lambda: without_lora(transformer)):
        generator, losses = torch.Generator().manual_seed(0), []
        with switch():
            for examples in batches:
                errors = noising.errors(predict, examples, generator, half, from_start)
                losses.append(float(errors.mean()))
        found.append(sum(losses) / len(losses))
    return found[0], found[1]


def _prediction(transformer: Any) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def predict(noisy: Tensor, embeddings: Tensor, times: Tensor) -> Tensor:
        made: Tensor = transformer(noisy, embeddings, times).sample
        return made

    return predict


def add_adapter(transformer: Any, rank: int, targets: Iterable[str]) -> None:
    """Add an adapter to a transformer that has none. It has no effect until it is trained."""
    from peft import LoraConfig

    if _adapter_parameters(transformer):
        return
    ends = tuple(targets)
    found = [
        name
        for name, module in transformer.named_modules()
        if isinstance(module, nn.Linear) and any(name == e or name.endswith("." + e) for e in ends)
    ]
    if not found:
        raise PixCellError(
            f"The transformer has no layer named {', '.join(ends)}, so there is nothing to adapt. "
            "Name layers that it has."
        )
    transformer.requires_grad_(False)
    transformer.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=found))


def adapter_tensors(transformer: Any) -> dict[str, Tensor]:
    """Return the adapter's tensors under the published names, on the CPU in float32."""
    return {
        name: weight.detach().float().cpu().clone().contiguous()
        for name, weight in _adapter_parameters(transformer).items()
    }


def _adapter_parameters(transformer: Any) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in transformer.named_parameters() if ".lora_" in name}

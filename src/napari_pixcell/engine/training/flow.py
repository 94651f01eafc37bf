"""Teaching a stain by pairs: the flow that moves its embeddings, and its adapter.

Both work on what the frozen networks of a family make of the pairs, embeddings and latents, and
know nothing of slides or files. What a caller's ``on_progress`` raises ends the teaching, so that
cancelling needs no more than that.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.lora import without_lora

# Where the published stains adapt PixCell; a pattern of names within each block.
PUBLISHED_TARGETS = ("attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0")
PUBLISHED_RANK = 4
MOST_SNR = 5.0
WARM_UP = 30

Checkpoint = Mapping[str, Any]


@dataclass(frozen=True)
class Progress:
    """How far a teaching is.

    Parameters
    ----------
    step, steps : int
        Steps taken, and in all.
    loss : float
        Mean over the steps since it was last told.
    held_out : float, optional
        Error on what was kept apart: of the embeddings' distance between H&E and stain the part
        that is still there, 1 being as far away as without a flow.
    """

    step: int
    steps: int
    loss: float
    held_out: float | None = None


OnProgress = Callable[[Progress], None]
OnCheckpoint = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class TrainedFlow:
    """A flow and how well it does.

    Parameters
    ----------
    flow : StainFlowMLP
        With the weights of the step that was best on what was kept apart.
    held_out : float
        Its error there, see :class:`Progress`.
    step : int
        When that was.
    stopped : bool
        Whether it stopped early because it got no better.
    """

    flow: Any
    held_out: float
    step: int
    stopped: bool


def train_flow(
    flow: Any,
    source: Tensor,
    target: Tensor,
    held_source: Tensor,
    held_target: Tensor,
    *,
    steps: int = 3000,
    batch: int = 64,
    rate: float = 1e-3,
    every: int = 50,
    patience: int = 10,
    seed: int = 0,
    on_progress: OnProgress = lambda progress: None,
    on_checkpoint: OnCheckpoint = lambda checkpoint: None,
    resume: Checkpoint | None = None,
) -> TrainedFlow:
    """Teach a flow to move the embedding of H&E to that of the stain.

    Rectified flow matching (Liu et al., 2209.03003): along the straight line between the two
    embeddings of a pair the velocity is their difference.

    Parameters
    ----------
    flow : StainFlowMLP
        Changed in place, on its own device.
    source, target : Tensor, (pairs, dimension)
        Embeddings of H&E and of the stain at the same places.
    held_source, held_target : Tensor, (pairs, dimension)
        Others that are not taught: its error on them says when to stop.
    steps, batch : int
        Steps at most, and pairs in each.
    rate : float
        Learning rate at its highest.
    every, patience : int
        Steps from one look at the held-out pairs to the next, and looks without progress after
        which it stops.
    seed : int
    on_progress, on_checkpoint : callable
        Told at each look; a checkpoint can be given back as ``resume``.
    resume : mapping, optional
        Go on from a checkpoint.

    Raises
    ------
    PixCellError
        If the embeddings do not pair up.
    """
    for one, other in ((source, target), (held_source, held_target)):
        if one.shape != other.shape or one.ndim != 2 or not len(one):
            raise PixCellError(
                f"The embeddings of H&E and stain do not pair up: {tuple(one.shape)} and "
                f"{tuple(other.shape)}; give one of each for every place."
            )
    device = next(flow.parameters()).device
    source, target, held_source, held_target = (
        values.float().to(device) for values in (source, target, held_source, held_target)
    )
    flow.requires_grad_(True).train()
    optimiser = torch.optim.AdamW(flow.parameters(), rate, weight_decay=0.01)
    generator, first, best = torch.Generator().manual_seed(seed), 0, None
    if resume is not None:
        flow.load_state_dict(resume["flow"])
        optimiser.load_state_dict(resume["optimiser"])
        generator.set_state(resume["generator"])
        first, best = resume["step"], resume["best"]
    best = best or {"held_out": math.inf, "step": 0, "flow": _copied(flow)}
    losses: list[float] = []
    step = first
    for step in range(first + 1, steps + 1):
        _set_rate(optimiser, rate, step, steps)
        chosen = torch.randint(len(source), (batch,), generator=generator).to(device)
        time = torch.rand(batch, generator=generator).to(device)
        away = target[chosen] - source[chosen]
        loss = (flow(source[chosen] + time[:, None] * away, time) - away).square().mean()
        losses.append(_take_step(optimiser, loss))
        if step % every and step != steps:
            continue
        error = flow_error(flow, held_source, held_target)
        if error < best["held_out"]:
            best = {"held_out": error, "step": step, "flow": _copied(flow)}
        on_checkpoint(
            {
                "flow": _copied(flow),
                "optimiser": copy.deepcopy(optimiser.state_dict()),
                "generator": generator.get_state(),
                "step": step,
                "best": best,
            }
        )
        on_progress(Progress(step, steps, sum(losses) / len(losses), error))
        losses = []
        if step - best["step"] >= every * patience:
            break
    flow.load_state_dict(best["flow"])
    flow.requires_grad_(False).eval()
    return TrainedFlow(flow, best["held_out"], best["step"], step < steps)


@torch.no_grad()
def flow_error(flow: Any, source: Tensor, target: Tensor, steps: int = 20) -> float:
    """Give the part of the distance from source to target that is left after the flow."""
    moved = flow.translate(source, steps)
    left = (moved - target).square().sum() / (source - target).square().sum().clamp_min(1e-12)
    return float(left.sqrt())


class Examples(NamedTuple):
    """A batch to learn from.

    Parameters
    ----------
    latents : Tensor, (batch, channels, height, width)
        Clean latents of the stain.
    embeddings : Tensor, (batch, tokens, dimension)
        What they look like.
    starts : Tensor, like the latents, optional
        Clean latents of the H&E at the same places, where the pairs are aligned.
    """

    latents: Tensor
    embeddings: Tensor
    starts: Tensor | None = None


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
    """Teach a transformer's adapter to make a stain, the transformer itself frozen.

    The loss is that of denoising, weighted by Min-SNR (Hang et al., 2303.09556). Where pairs are
    aligned a part of the examples can begin at the H&E instead of the stain: what is then left of
    it at a time is what the solver has left of its start there, so that the adapter learns to
    finish what :class:`~.request.GenerateRequest` begins with ``start`` and ``strength``.

    Parameters
    ----------
    transformer : PixCellTransformer2DModel
        Given an adapter, if it has none; its own weights stay what they are.
    scheduler : mapping
        The family's configuration: noise and what is predicted.
    draw : callable
        Gives a batch on the transformer's device; draws at random from the generator it is given.
    rank : int
        Of the adapter.
    targets : iterable of str
        Ends of the names of the layers that are adapted.
    steps : int
        In all.
    rate : float
        Learning rate at its highest.
    without_style : float
        Part of the examples that is taught without its embedding, for guidance.
    from_start : float
        Part of the examples that begins at the H&E.
    precision : torch.dtype, optional
        Of autocast; the weights' own without it.
    every : int
        Steps from one progress and checkpoint to the next.
    seed : int
    on_progress, on_checkpoint : callable
        Told every so many steps; a checkpoint can be given back as ``resume``.
    resume : mapping, optional
        Go on from a checkpoint.
    run : callable, optional
        Instead of the transformer itself: a compiled one.

    Returns
    -------
    dict of str to Tensor
        The adapter's tensors under the published names.
    """
    add_adapter(transformer, rank, targets)
    device = next(transformer.parameters()).device
    learning = _adapter_parameters(transformer)
    for weight in learning.values():
        weight.data = weight.data.float()  # steps are too small for half precision
        weight.requires_grad_(True)
    optimiser = torch.optim.AdamW(learning.values(), rate, betas=(0.9, 0.99), weight_decay=0.0)
    generator, first = torch.Generator().manual_seed(seed), 0
    if resume is not None:
        with torch.no_grad():
            for name, weight in learning.items():
                weight.copy_(resume["adapter"][name])
        optimiser.load_state_dict(resume["optimiser"])
        generator.set_state(resume["generator"])
        first = resume["step"]
    noising = Noising(scheduler)
    losses: list[float] = []
    for step in range(first + 1, steps + 1):
        _set_rate(optimiser, rate, step, steps)
        examples = draw(generator)
        count = len(examples.latents)
        drop = torch.rand(count, 1, 1, generator=generator).to(device) < without_style
        nothing = transformer.unconditional(count).to(examples.embeddings)
        embeddings = torch.where(drop, nothing, examples.embeddings)
        noisy, wanted, weight, times = noising(examples, from_start, generator)
        with torch.autocast(device.type, precision, enabled=precision is not None):
            made = (run or transformer)(noisy, embeddings, times.to(device)).sample
        made = made[:, : noisy.shape[1]].float()
        loss = (weight * (made - wanted).square()).mean()
        losses.append(_take_step(optimiser, loss))
        if step % every and step != steps:
            continue
        on_checkpoint(
            {
                "adapter": {name: weight.detach().clone() for name, weight in learning.items()},
                "optimiser": copy.deepcopy(optimiser.state_dict()),
                "generator": generator.get_state(),
                "step": step,
            }
        )
        on_progress(Progress(step, steps, sum(losses) / len(losses)))
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
    """Give the loss on examples with the adapter and without it, under the very same noise."""
    noising, found = Noising(scheduler), []
    for switch in (nullcontext, lambda: without_lora(transformer)):
        generator, losses = torch.Generator().manual_seed(0), []
        with switch():
            for examples in batches:
                noisy, wanted, weight, times = noising(examples, from_start, generator)
                device = noisy.device
                enabled = precision != torch.float32
                with torch.autocast(device.type, precision, enabled=enabled):
                    made = transformer(noisy, examples.embeddings, times.to(device)).sample
                away = made[:, : noisy.shape[1]].float() - wanted
                losses.append(float((weight * away.square()).mean()))
        found.append(sum(losses) / len(losses))
    return found[0], found[1]


class Noising:
    """Noisy latents with what is to be predicted from them.

    Parameters
    ----------
    scheduler : mapping
        Configuration of a ``DPMSolverMultistepScheduler``.
    """

    def __init__(self, scheduler: Mapping[str, Any]) -> None:
        from diffusers import DPMSolverMultistepScheduler

        made = DPMSolverMultistepScheduler.from_config(dict(scheduler))
        self._kept = made.alphas_cumprod.float()
        self._velocity = made.config.prediction_type == "v_prediction"

    def __call__(
        self, examples: Examples, from_start: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Give noisy latents, what is wanted of the network, its weight, and the times."""
        clean, device = examples.latents.float(), examples.latents.device
        count, last = len(clean), len(self._kept) - 1
        # Spread evenly over the times, so that batches differ little.
        spread = (torch.arange(count) + torch.rand(count, generator=generator)) / count
        times = (spread * (last + 1)).long().clamp(0, last)
        begun = times + (torch.rand(count, generator=generator) * (last + 1 - times)).long()
        snr = self._kept / (1 - self._kept)
        left = (snr[begun.clamp(max=last)] / snr[times]).sqrt()
        left = left * (torch.rand(count, generator=generator) < from_start)
        shape = (-1, 1, 1, 1)
        alpha, sigma = (
            values[times].sqrt().view(shape).to(device) for values in (self._kept, 1 - self._kept)
        )
        weight = snr[times].clamp(max=MOST_SNR) / (snr[times] + (1 if self._velocity else 0))
        noise = torch.randn(clean.shape, generator=generator).to(device)
        mixed = clean
        if examples.starts is not None:
            mixed = clean + left.view(shape).to(device) * (examples.starts.float() - clean)
        noisy = alpha * mixed + sigma * noise
        # Not the noise that was added: what leads from here to the clean latents.
        wanted = (alpha * noisy - clean if self._velocity else noisy - alpha * clean) / sigma
        return noisy, wanted, weight.view(shape).to(device), times


def add_adapter(transformer: Any, rank: int, targets: Iterable[str]) -> None:
    """Give a transformer an adapter that changes nothing yet, if it has none."""
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
            f"The transformer has no layer named {', '.join(ends)}, so there is nothing to adapt; "
            "name layers that it has."
        )
    transformer.requires_grad_(False)
    transformer.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=found))


def adapter_tensors(transformer: Any) -> dict[str, Tensor]:
    """Give the adapter's tensors under the published names, on the CPU in float32."""
    return {
        name: weight.detach().float().cpu().clone().contiguous()
        for name, weight in _adapter_parameters(transformer).items()
    }


def _adapter_parameters(transformer: Any) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in transformer.named_parameters() if ".lora_" in name}


def _set_rate(optimiser: torch.optim.Optimizer, peak: float, step: int, steps: int) -> None:
    """Warm up, then fall to a fiftieth along a cosine."""
    fall = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps))
    for group in optimiser.param_groups:
        group["lr"] = peak * min(1.0, step / WARM_UP) * fall


def _take_step(optimiser: torch.optim.Optimizer, loss: Tensor) -> float:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    nn.utils.clip_grad_norm_(weights, 1.0)
    optimiser.step()
    return float(loss.detach())


def _copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}

"""Training of the flow that moves embeddings of H&E to those of a stain.

It needs only embeddings, no slides or files. An exception raised in a caller's ``on_progress``
ends the training, which makes cancelling simple.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from napari_pixcell.engine.training.optimisation import Checkpoint, Optimisation
from napari_pixcell.errors import PixCellError


@dataclass(frozen=True)
class TrainingProgress:
    """Progress of a training stage.

    Parameters
    ----------
    step, steps : int
        Steps done, and total.
    loss : float
        Mean since the last report.
    held_out : float, optional
        Held-out error: the fraction of the distance from H&E to stain embeddings that remains.
        1 is the error without a flow.
    """

    step: int
    steps: int
    loss: float
    held_out: float | None = None


OnProgress = Callable[[TrainingProgress], None]
OnCheckpoint = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class TrainedFlow:
    """A trained flow and its error.

    Parameters
    ----------
    flow : StainFlowMLP
        With the weights of the ``step`` with the least held-out error.
    held_out : float
        That error, see :class:`TrainingProgress`.
    stopped : bool
        Whether training stopped early because the error no longer improved.
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
    """Train a flow to move the embedding of H&E to that of the stain.

    Rectified flow matching (Liu et al., 2209.03003): along the straight line between the two
    embeddings of a pair the velocity is their difference.

    Parameters
    ----------
    flow : StainFlowMLP
        Changed in place, on its own device.
    source, target : Tensor, (pairs, dimension)
        Embeddings of H&E and of the stain for the same tissue.
    held_source, held_target : Tensor, (pairs, dimension)
        Held-out pairs, whose error decides when to stop.
    steps, batch : int
        Largest number of steps, and pairs per step.
    rate : float
        Peak learning rate.
    every, patience : int
        Steps between evaluations of the held-out pairs, and evaluations without improvement
        after which training stops.
    on_progress, on_checkpoint : callable
        Called at each evaluation. A checkpoint can be passed as ``resume``.
    resume : mapping, optional
        Checkpoint to resume from.

    Raises
    ------
    PixCellError
        If the embeddings do not pair up.
    """
    for one, other in ((source, target), (held_source, held_target)):
        if one.shape != other.shape or one.ndim != 2 or not len(one):
            raise PixCellError(
                f"The embeddings of H&E and stain do not pair up: {tuple(one.shape)} and "
                f"{tuple(other.shape)}. Pass one of each per tile."
            )
    device = next(flow.parameters()).device
    source, target, held_source, held_target = (
        values.float().to(device) for values in (source, target, held_source, held_target)
    )
    flow.requires_grad_(True).train()
    best = None
    if resume is not None:
        flow.load_state_dict(resume["flow"])
        best = resume["best"]
    best = best or {"held_out": math.inf, "step": 0, "flow": _copied(flow)}
    training = Optimisation(flow.parameters(), rate, steps, seed, resume, weight_decay=0.01)
    generator = training.generator
    losses: list[float] = []
    for step in training.remaining():
        chosen = torch.randint(len(source), (batch,), generator=generator).to(device)
        time = torch.rand(batch, generator=generator).to(device)
        away = target[chosen] - source[chosen]
        loss = (flow(source[chosen] + time[:, None] * away, time) - away).square().mean()
        losses.append(training.take_step(loss))
        if step % every and step != steps:
            continue
        error = flow_error(flow, held_source, held_target)
        if error < best["held_out"]:
            best = {"held_out": error, "step": step, "flow": _copied(flow)}
        on_checkpoint({"flow": _copied(flow), **copy.deepcopy(training.state()), "best": best})
        on_progress(TrainingProgress(step, steps, sum(losses) / len(losses), error))
        losses = []
        if step - best["step"] >= every * patience:
            break
    flow.load_state_dict(best["flow"])
    flow.requires_grad_(False).eval()
    return TrainedFlow(flow, best["held_out"], best["step"], training.step < steps)


@torch.no_grad()
def flow_error(flow: Any, source: Tensor, target: Tensor, steps: int = 20) -> float:
    """Return the fraction of the distance from source to target that remains after the flow."""
    moved = flow.translate(source, steps)
    left = (moved - target).square().sum() / (source - target).square().sum().clamp_min(1e-12)
    return float(left.sqrt())


def _copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}

"""Steps of an optimiser from a checkpoint to the last one, and what a step needs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as compute_again

WARM_UP = 30

Checkpoint = Mapping[str, Any]


class Optimisation:
    """AdamW with a warm-up and a cosine decay, and the random generator of a training.

    Parameters
    ----------
    weights : iterable of Tensor
        What is trained, in float32.
    rate, steps, seed : float, int, int
        Peak learning rate, total number of steps, and seed of all random choices.
    resume : mapping, optional
        A checkpoint with the values of :meth:`state`. The caller restores its weights.
    settings
        Passed to AdamW.
    """

    def __init__(
        self,
        weights: Iterable[Tensor],
        rate: float,
        steps: int,
        seed: int,
        resume: Checkpoint | None,
        **settings: Any,
    ) -> None:
        self.rate, self.steps, self.step = rate, steps, 0
        self.optimiser = torch.optim.AdamW(weights, rate, **settings)
        self.generator = torch.Generator().manual_seed(seed)
        if resume is not None:
            self.optimiser.load_state_dict(resume["optimiser"])
            self.generator.set_state(resume["generator"])
            self.step = resume["step"]

    def remaining(self) -> Iterator[int]:
        """Iterate over the steps that are left, counted from 1, with the learning rate of each."""
        while self.step < self.steps:
            self.step += 1
            fall = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.step / self.steps))
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate * min(1.0, self.step / WARM_UP) * fall
            yield self.step

    def take_step(self, loss: Tensor, keep: bool = False) -> float:
        """Take one step with clipped gradients, and return the loss.

        With ``keep``, gradients of earlier passes count as well.
        """
        if not keep:
            self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        weights = [weight for group in self.optimiser.param_groups for weight in group["params"]]
        nn.utils.clip_grad_norm_(weights, 1.0)
        self.optimiser.step()
        return float(loss.detach())

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds beside the weights.

        The optimiser's tensors are not copied: they change with the next step.
        """
        return {
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
        }


def recompute_blocks(network: Any) -> None:
    """Make a network compute each block again in the backward pass, to save memory."""
    block = network.pass_block
    network.pass_block = lambda *values: compute_again(block, *values, use_reentrant=False)

"""Training on crops, with the same steps for every arm: real pairs, synthetic pairs or both."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from utility.augmentation import strong, turned
from utility.network import UNet, as_tensor, targets_of

CROP, BATCH = 96, 8
STEPS, WARM_UP = 300, 20
RATE = 6e-3


@dataclass(frozen=True)
class Arm:
    """Training data of one comparison arm.

    Parameters
    ----------
    real : str
        ``few`` labelled tiles, ``none``, or the whole ``pool``.
    synthetic : bool
        Pairs generated from the few tiles. With real tiles, they are half of each batch.
    strong : bool
        Augment colours, sizes, angles and sharpness too, not only symmetries.
    """

    real: str
    synthetic: bool = False
    strong: bool = False


ARMS = {
    "few real": Arm("few"),
    "few real, strong augmentation": Arm("few", strong=True),
    "synthetic": Arm("none", synthetic=True),
    "few real + synthetic": Arm("few", synthetic=True),
    "all of the pool": Arm("pool"),
}


class Pairs:
    """Images and their targets, from which crops are drawn.

    Parameters
    ----------
    images : array, uint8, (N, height, width, 3)
    labels : array, int32, (N, height, width)
    """

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> None:
        self.images = as_tensor(images)
        self.targets = torch.from_numpy(np.stack([targets_of(one) for one in labels]))

    def crops(self, count: int, harder: bool, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw images (count, 3, 96, 96) and targets (count, 2, 96, 96)."""
        crop = strong if harder else turned
        which = torch.randint(len(self.images), (count,), generator=rng).tolist()
        made = [crop(self.images[one], self.targets[one], CROP, rng) for one in which]
        images, targets = zip(*made, strict=True)
        return torch.stack(images), torch.stack(targets)


def train(sources: list[Pairs], harder: bool, seed: int, steps: int = STEPS) -> UNet:
    """Train a network from scratch. Batches are split equally between the sources."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    net = UNet().to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-2)
    for step in range(steps):
        half = 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP) * half
        drawn = [source.crops(BATCH // len(sources), harder, rng) for source in sources]
        images, targets = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        loss = loss_of(net(images.to(memory_format=torch.channels_last)), targets)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
    return net


def loss_of(said: Tensor, targets: Tensor) -> Tensor:
    """Return the sum of cross entropy and Dice loss of nucleus and core."""
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(said, targets)
    chance, dims = torch.sigmoid(said), (0, 2, 3)
    dice = 2 * (chance * targets).sum(dims) / (chance + targets).sum(dims).clamp(min=1)
    return entropy + (1 - dice).mean()

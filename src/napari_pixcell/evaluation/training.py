"""Training of the small U-Net on crops of real tiles and of pairs."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_pixcell.evaluation.arms import BATCH, Schedule
from napari_pixcell.evaluation.augmentation import strong, turned
from napari_pixcell.evaluation.learner import Segmenting, Tiles
from napari_pixcell.evaluation.network import NucleusUNet, segment_tile, targets_of
from napari_pixcell.evaluation.tiles import CROP, LabelledTile

FORMAT = 1  # increase it when the same tiles and settings yield other numbers
RATE = 6e-3  # peak
LARGEST = 384  # px; larger tiles are cut, as each crop costs time by the tile it is cut from
_FIRST_WEIGHTS = threading.Lock()


class TrainingCrops:
    """Tiles and their targets, from which crops are drawn.

    Parameters
    ----------
    tiles : sequence of LabelledTile
        Each side has at least :data:`~napari_pixcell.evaluation.tiles.CROP` px.
    """

    def __init__(self, tiles: Sequence[LabelledTile]) -> None:
        self._parts: list[Tensor] = []  # uint8, (5, height, width): image and target
        for tile in tiles:
            both = np.concatenate([tile.image.transpose(2, 0, 1), 255 * targets_of(tile.labels)])
            rows, columns = (math.ceil(side / LARGEST) for side in both.shape[1:])
            for strip in np.array_split(both, rows, 1):
                for part in np.array_split(strip, columns, 2):
                    self._parts.append(torch.from_numpy(np.ascontiguousarray(part)))

    def draw(self, count: int, harder: bool, rng: torch.Generator) -> list[tuple[Tensor, Tensor]]:
        """Draw crops: images (3, 96, 96) in [-1, 1], and targets (2, 96, 96)."""
        crop = strong if harder else turned
        which = torch.randint(len(self._parts), (count,), generator=rng).tolist()
        parts = (self._parts[one] for one in which)
        return [crop(p[:3].float() / 127.5 - 1, (p[3:] > 0).float(), CROP, rng) for p in parts]


class SmallNetwork:
    """The small U-Net, trained from scratch.

    On one thread (``torch.set_num_threads(1)``) the result is the same each time.
    """

    most_at_once = 8
    note = ""

    def __init__(self) -> None:
        self.identity: list[Any] = ["u-net", FORMAT, BATCH]
        self._crops: dict[Tiles, TrainingCrops] = {}
        self._lock = threading.Lock()

    def learn(
        self,
        real: Tiles,
        made: Tiles,
        plan: Schedule,
        harder: bool,
        seed: int,
        on_step: Callable[[], None] = lambda: None,
    ) -> Segmenting:
        """Train a network from scratch, see :meth:`.learner.Learner.learn`."""
        sources = self._crops_of(real), self._crops_of(made)
        with _FIRST_WEIGHTS, torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = NucleusUNet()
        net = net.to(memory_format=torch.channels_last).train()
        rng = torch.Generator().manual_seed(seed)
        optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-2)
        for counts, rate in zip(plan.crops.tolist(), plan.rates.tolist(), strict=True):
            on_step()
            for group in optimiser.param_groups:
                group["lr"] = RATE * rate
            drawn = [
                crop
                for source, count in zip(sources, counts, strict=True)
                if count
                for crop in source.draw(count, harder, rng)
            ]
            images, targets = (torch.stack(parts) for parts in zip(*drawn, strict=True))
            loss = loss_of(net(images.to(memory_format=torch.channels_last)), targets)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
        return lambda image: segment_tile(net, image)

    def _crops_of(self, tiles: Tiles) -> TrainingCrops:
        with self._lock:
            if tiles not in self._crops:
                self._crops[tiles] = TrainingCrops(tiles)
            return self._crops[tiles]


def loss_of(said: Tensor, targets: Tensor) -> Tensor:
    """Return the sum of cross entropy and Dice loss of nucleus and core."""
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(said, targets)
    chance, dims = torch.sigmoid(said), (0, 2, 3)
    dice = 2 * (chance * targets).sum(dims) / (chance + targets).sum(dims).clamp(min=1)
    return entropy + (1 - dice).mean()

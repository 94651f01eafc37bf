"""Fine-tuning of the user's Cellpose model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell.evaluation.arms import BATCH, Schedule
from napari_pixcell.evaluation.augmentation import strong, turned
from napari_pixcell.evaluation.learner import Segmenting, Tiles
from napari_pixcell.evaluation.tiles import LabelledTile
from napari_pixcell.models.loading_segmenter import LoadedSegmenter, load_segmenter
from napari_pixcell.models.weights import cached_sha256

FORMAT = 1  # increase it when the same tiles and settings yield other numbers
SIDE = 256  # px, of the network's input
# Of Cellpose's own training: learning rate, weight decay and the scale of the flows.
RATE, DECAY, FLOW = 1e-5, 0.1, 5.0
SLOW = (
    "Without a GPU, each training step of Cellpose takes minutes. Use fewer --steps, or the small "
    "network."
)


class FineTunedCellpose:
    """A Cellpose model, fine-tuned as its authors do (Pachitariu, Rariden and Stringer, 2025).

    Parameters
    ----------
    path : Path
        File of the model.
    device : torch.device
    """

    most_at_once = 1  # it fills a GPU

    def __init__(self, path: Path, device: torch.device) -> None:
        self._path, self._device = path, device
        self.note = SLOW if device.type == "cpu" else ""

    @property
    def identity(self) -> list[Any]:
        """File of the model, version of Cellpose, and kind of device."""
        model = cached_sha256(self._path), version("cellpose")
        return ["cellpose", FORMAT, BATCH, *model, self._device.type]

    def learn(
        self,
        real: Tiles,
        made: Tiles,
        plan: Schedule,
        harder: bool,
        seed: int,
        on_step: Callable[[], None] = lambda: None,
    ) -> Segmenting:
        """Fine-tune the model, see :meth:`.learner.Learner.learn`."""
        segmenter = load_segmenter(self._path, self._device, torch.float32)
        net = segmenter.model.net.requires_grad_(True).train()
        rng = torch.Generator().manual_seed(seed)
        optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
        crop = strong if harder else turned
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)  # the network skips some of its blocks at random
            for counts, rate in zip(plan.crops.tolist(), plan.rates.tolist(), strict=True):
                on_step()
                for group in optimiser.param_groups:
                    group["lr"] = RATE * rate
                optimiser.zero_grad()
                for source, count in zip((real, made), counts, strict=True):
                    for _ in range(count):  # one by one, to bound memory
                        image, labels = crop(*_drawn(source, rng), SIDE, rng)
                        said = net(as_input(image)[None].to(self._device))[0][0]
                        wanted = cellpose_target(labels[0].numpy()).to(self._device)
                        (cellpose_loss(said, wanted) / sum(counts)).backward()
                optimiser.step()
        net.requires_grad_(False).eval()
        return lambda image: _segment(segmenter, image)


def _drawn(tiles: Sequence[LabelledTile], rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw a tile of at least the network's size: image in [-1, 1], and labels, (1, h, w)."""
    tile = tiles[int(torch.randint(len(tiles), (), generator=rng))]
    image = torch.from_numpy(tile.image.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1)
    labels = torch.from_numpy(tile.labels[None].astype(np.float32))
    right, below = (max(0, SIDE - side) for side in (image.shape[2], image.shape[1]))
    padding = (0, right, 0, below)
    return (
        torch.nn.functional.pad(image, padding, value=float(image.median())),
        torch.nn.functional.pad(labels, padding),
    )


def as_input(image: Tensor) -> Tensor:
    """Return an image in [-1, 1], (3, height, width), with the contrast that Cellpose gives it."""
    values = image.flatten(1)
    low, high = (torch.quantile(values, q, 1)[:, None, None] for q in (0.01, 0.99))
    return (image - low) / (high - low).clamp(min=1e-3)


def cellpose_target(labels: NDArray[Any]) -> Tensor:
    """Return the flows down and right and the mask of cells: float, (3, height, width)."""
    from cellpose.dynamics import labels_to_flows
    from skimage.measure import label

    cells = np.asarray(label(labels.astype(np.int32), connectivity=1), np.int32)
    out = np.zeros((3, *cells.shape), np.float32)
    if cells.any():  # Cellpose fails without cells
        out[:2] = labels_to_flows([cells], device=torch.device("cpu"))[0][-2:]
        out[2] = cells > 0
    return torch.from_numpy(out)


def cellpose_loss(said: Tensor, wanted: Tensor) -> Tensor:
    """Return half the squared error of the flows, and the cross entropy of the mask."""
    flows = torch.nn.functional.mse_loss(said[:2], FLOW * wanted[:2]) / 2
    mask = torch.nn.functional.binary_cross_entropy_with_logits(said[2], wanted[2])
    return flows + mask


def _segment(segmenter: LoadedSegmenter, image: NDArray[np.uint8]) -> NDArray[np.int32]:
    masks = segmenter.model.eval(image, batch_size=1, channel_axis=-1)[0]
    return np.asarray(masks, np.int32).reshape(image.shape[:2])

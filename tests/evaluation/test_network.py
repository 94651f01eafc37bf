"""The small U-Net, its targets, crops and loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pixcell.datasets.quality.agreement import agreement
from napari_pixcell.evaluation.augmentation import strong, turned
from napari_pixcell.evaluation.network import (
    NucleusUNet,
    as_tensor,
    instances,
    segment_tile,
    targets_of,
)
from napari_pixcell.evaluation.training import loss_of

ROWS, COLUMNS = np.mgrid[:128, :128]


def two_touching_discs() -> np.ndarray:
    labels = np.zeros((128, 128), np.int32)
    labels[np.hypot(ROWS - 60, COLUMNS - 50) < 12] = 1
    labels[(np.hypot(ROWS - 60, COLUMNS - 72) < 12) & (labels == 0)] = 2
    return labels


def test_nuclei_are_recovered_from_the_targets_of_the_network() -> None:
    truth = two_touching_discs()
    alike = agreement(truth, instances(*targets_of(truth)))
    assert alike.count == 1 and alike.aji > 0.95


@pytest.mark.parametrize("crop", [turned, strong])
def test_crops_transform_image_and_nuclei_alike(crop) -> None:
    truth = two_touching_discs()
    target = torch.from_numpy(targets_of(truth)).float()
    image = as_tensor(np.repeat(np.where(truth > 0, 60, 220)[None, ..., None], 3, -1).astype("u1"))
    rng = torch.Generator().manual_seed(0)
    for _ in range(8):
        pixels, wanted = crop(image[0], target, 96, rng)
        assert pixels.shape == (3, 96, 96) and wanted.shape == (2, 96, 96)
        dark, nucleus = -pixels.mean(0).flatten(), wanted[0].flatten()
        if nucleus.any():
            assert np.corrcoef(dark, nucleus)[0, 1] > 0.8


def test_the_network_is_small_and_learns() -> None:
    torch.manual_seed(0)
    net = NucleusUNet()
    assert sum(weight.numel() for weight in net.parameters()) < 1e6
    truth = two_touching_discs()
    image = as_tensor(np.repeat(np.where(truth > 0, 60, 220)[None, ..., None], 3, -1).astype("u1"))
    target = torch.from_numpy(targets_of(truth))[None].float()
    optimiser = torch.optim.AdamW(net.parameters(), lr=6e-3)
    losses = []
    for _ in range(30):
        losses.append(loss_of(net(image), target))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.6 * losses[0]


def test_any_size_can_be_segmented() -> None:
    torch.manual_seed(0)
    image = np.random.default_rng(0).integers(0, 256, (101, 130, 3), dtype=np.uint8)
    assert segment_tile(NucleusUNet(), image).shape == (101, 130)

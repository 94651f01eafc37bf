"""The utility benchmark of synthetic pairs has sound splits and components."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from utility.augmentation import strong, turned
from utility.data import FEW, tasks
from utility.network import UNet, as_tensor, instances, targets_of
from utility.synthetic import layouts
from utility.training import loss_of

from napari_pixcell.datasets.quality.agreement import agreement

ROWS, COLUMNS = np.mgrid[:128, :128]


def two_touching_discs() -> np.ndarray:
    labels = np.zeros((128, 128), np.int32)
    labels[np.hypot(ROWS - 60, COLUMNS - 50) < 12] = 1
    labels[(np.hypot(ROWS - 60, COLUMNS - 72) < 12) & (labels == 0)] = 2
    return labels


def test_nuclei_are_recovered_from_the_targets_of_the_network():
    truth = two_touching_discs()
    alike = agreement(truth, instances(*targets_of(truth)))
    assert alike.count == 1 and alike.aji > 0.95


@pytest.mark.parametrize("crop", [turned, strong])
def test_crops_transform_image_and_nuclei_alike(crop):
    truth = two_touching_discs()
    target = torch.from_numpy(targets_of(truth))
    image = as_tensor(np.repeat(np.where(truth > 0, 60, 220)[None, ..., None], 3, -1).astype("u1"))
    rng = torch.Generator().manual_seed(0)
    for _ in range(8):
        pixels, wanted = crop(image[0], target, 96, rng)
        assert pixels.shape == (3, 96, 96) and wanted.shape == (2, 96, 96)
        dark, nucleus = -pixels.mean(0).flatten(), wanted[0].flatten()
        if nucleus.any():
            assert np.corrcoef(dark, nucleus)[0, 1] > 0.8


def test_the_network_is_small_and_learns():
    torch.manual_seed(0)
    net = UNet()
    assert sum(weight.numel() for weight in net.parameters()) < 1e6
    truth = two_touching_discs()
    image = as_tensor(np.repeat(np.where(truth > 0, 60, 220)[None, ..., None], 3, -1).astype("u1"))
    target = torch.from_numpy(targets_of(truth))[None]
    optimiser = torch.optim.AdamW(net.parameters(), lr=6e-3)
    losses = []
    for _ in range(30):
        losses.append(loss_of(net(image), target))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.6 * losses[0]


def test_no_group_is_in_both_training_and_test_data(shared_data):
    for task in tasks(shared_data):
        test = {tile.group for tile in task.test}
        assert not test & {tile.group for tile in task.pool}
        for seed in (1, 2, 3):
            few = task.few(seed)
            assert len({tile.name for tile in few}) == FEW
            assert len({tile.group for tile in few}) == min(FEW, len({t.group for t in task.pool}))


def test_breast_is_tested_on_images_held_out_from_the_demo_family(shared_data):
    text = (Path(__file__).parents[2] / "training" / "common.py").read_text()
    held_out = ast.literal_eval(re.search(r"^HELD_OUT = (\{.*\})$", text, re.M)[1])
    breast, _ = tasks(shared_data)
    assert len(breast.test) == 4
    assert {tile.name for tile in breast.test} <= held_out


def test_layouts_are_different_tiles_with_cells(shared_data):
    breast, _ = tasks(shared_data)
    made = list(layouts(breast.few(1), 12, 1))
    assert {one.shape for one in made} == {(256, 256)}
    assert all(one.any() for one in made)
    assert len({one.tobytes() for one in made}) == 12

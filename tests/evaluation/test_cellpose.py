"""Fine-tuning of Cellpose's own network, small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_cellpose import discs

from napari_pixcell.errors import PixCellError
from napari_pixcell.evaluation.arms import Schedule
from napari_pixcell.evaluation.cellpose import FineTunedCellpose, cellpose_target
from napari_pixcell.evaluation.job import evaluate
from napari_pixcell.evaluation.request import EvaluateRequest
from napari_pixcell.evaluation.tiles import LabelledTile

CPU = torch.device("cpu")


def test_a_step_of_fine_tuning_changes_the_network_and_is_reproduced(tiny_cellpose: Path) -> None:
    torch.set_num_threads(1)
    tiles = tuple(
        LabelledTile(str(seed), str(seed), *(part[:200] for part in discs(seed))) for seed in (1, 2)
    )
    learner, cells, steps = FineTunedCellpose(tiny_cellpose, CPU), [], []
    for rate in (0.0, 1000.0, 1000.0):
        plan = Schedule(np.array([[1, 1]]), np.array([rate]))
        segment = learner.learn(tiles[:1], tiles[1:], plan, True, 7, lambda: steps.append(1))
        cells.append(segment(tiles[0].image))
    assert cells[0].shape == (200, 256) and cells[0].max() > 3 and len(steps) == 3
    assert (cells[1] == cells[2]).all() and (cells[0] != cells[1]).any()
    assert learner.identity[-1] == "cpu" and "takes minutes" in learner.note


def test_flows_point_to_the_centre_of_each_cell() -> None:
    labels = np.zeros((64, 64), np.int32)
    labels[20:40, 20:40] = 3
    down, right, mask = cellpose_target(labels).numpy()
    assert down[22, 30] > 0.5 and down[37, 30] < -0.5 and right[30, 22] > 0.5
    assert (mask == (labels > 0)).all()
    assert not cellpose_target(np.zeros_like(labels)).any()


def test_a_model_that_is_not_on_this_machine_is_named(tmp_path: Path) -> None:
    request = EvaluateRequest("data", "real", network="cellpose", model=str(tmp_path / "mine"))
    with pytest.raises(PixCellError, match="There is no Cellpose model file mine"):
        evaluate(request, lambda event: None)

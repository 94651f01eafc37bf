"""What was trained is registered whole or not at all, whatever call to the disk fails."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from faults import count, failing, killed

from napari_pixcell.engine.training.control.controlnet_stage import FOLDER, write_controlnet
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.folder import TrainingFolder
from napari_pixcell.engine.training.registering import register
from napari_pixcell.errors import PixCellError
from napari_pixcell.folders import config_folder
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.models.families import families
from napari_pixcell.models.own_families import WEIGHTS
from napari_pixcell.models.weights import cached_sha256, load_file
from napari_pixcell.networks.controlnet import PixCellControlNet

PALETTE = (("small dark", "#2060ff"), ("large pale", "#ff2020"))
SIZES = {"num_attention_heads": 1, "attention_head_dim": 12, "cross_attention_dim": 12}
SIZES |= {"caption_channels": 16, "sample_size": 8, "num_layers": 1, "n_controlnet_blocks": 1}


def network(value: float) -> PixCellControlNet:
    made = PixCellControlNet(**SIZES)
    with torch.no_grad():
        for weight in made.parameters():
            weight.fill_(value)
    return made


def finish(out: Path, value: float) -> None:
    """Do what ends a training: write weights of one value, and register them."""
    request = TrainControlRequest("mine", DEMO.name, "pairs", str(out), classes=True)
    folder = TrainingFolder(out, "ControlNet")
    card = {"signature": "ab", "figures": {}}
    write_controlnet(folder, request.name, network(value), {"classes": "two"}, card)
    settings = {"title": "mine", "notice": DEMO.notice}
    parts = {"controlnet": out / FOLDER / WEIGHTS}
    register(folder, request, DEMO, parts, settings, {"value": value}, palette=PALETTE)


def fails(number: int, out: Path) -> bool:
    """Return whether the end of a training fails if a call to the disk does, with a sentence.

    Whether a folder that exists cannot be created matters to nobody.
    """
    try:
        with failing(number, errno.ENOSPC):
            finish(out, 0.25)
    except PixCellError as error:
        assert "(No space left on device)" in str(error)
        return True
    return False


def check_whole(out: Path, values: tuple[float, ...]) -> bool:
    """Return whether it is registered; if so, its weights are those of its card, and complete."""
    family = families().get("mine")
    if family is None:
        return False
    tensors = load_file(out / FOLDER / WEIGHTS)
    assert tensors.keys() == network(0).state_dict().keys()
    found = {float(tensors[name].flatten()[0]) for name, _ in network(0).named_parameters()}
    assert len(found) == 1 and found <= set(values)
    card = json.loads((out / "trained.json").read_text("utf-8"))
    assert card["weights"]["controlnet"] == cached_sha256(out / FOLDER / WEIGHTS)
    assert card["value"] == found.pop() and family.classes == ("small dark", "large pale")
    assert json.loads((out / FOLDER / "config.json").read_text("utf-8"))["num_layers"] == 1
    return True


@pytest.fixture(params=[False, True], ids=["new", "trained again"])
def begun(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Path]:
    """A function that returns the folder before the end of its first or its second training."""
    config = config_folder()

    def begin() -> Path:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        shutil.rmtree(config / "families", ignore_errors=True)
        if request.param:
            finish(tmp_path / "out", 0.5)
        return tmp_path / "out"

    return begin


def test_a_failing_write_registers_nothing_half_and_the_training_can_be_finished(
    begun: Callable[[], Path],
) -> None:
    out, failed = begun(), 0
    calls = count(lambda: finish(out, 0.25))
    for number in range(calls):
        out = begun()
        failed += fails(number, out)
        check_whole(out, (0.5, 0.25))
        finish(out, 0.25)
        assert check_whole(out, (0.25,))
    assert failed > calls // 2


def test_new_weights_never_stand_beside_the_card_of_old_ones(tmp_path: Path) -> None:
    out = tmp_path / "out"
    finish(out, 0.5)
    calls = count(lambda: finish(out, 0.25))
    for number in range(calls):
        shutil.rmtree(out)
        finish(out, 0.5)
        fails(number, out)
        card = TrainingFolder(out).card()
        if "weights" in card:
            assert card["weights"]["controlnet"] == cached_sha256(out / FOLDER / WEIGHTS)


def test_a_kill_registers_nothing_half(begun: Callable[[], Path]) -> None:
    number = 0
    while True:
        out = begun()
        if not killed(number, lambda: finish(out, 0.25)):  # noqa: B023
            break
        check_whole(out, (0.5, 0.25))
        number += 1
    assert number > 10 and check_whole(out, (0.25,))

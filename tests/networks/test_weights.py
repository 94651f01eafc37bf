"""Weights are loaded only if they are exactly those of the network."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.weights import load_file, load_weights


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    return {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}


def test_matching_weights_are_loaded(tensors) -> None:
    network = nn.Linear(3, 2)
    load_weights(network, tensors, "x")
    assert torch.equal(network.weight, torch.ones(2, 3))


def test_a_prefix_before_all_names_is_accepted(tensors) -> None:
    load_weights(nn.Linear(3, 2), {f"transformer.{k}": v for k, v in tensors.items()}, "x")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("bias"), "missing: bias"),
        (lambda t: t.update({"transformer.bias": torch.ones(2)}), "duplicated: bias"),
        (lambda t: t.update(extra=torch.ones(1)), "unexpected: extra"),
        (lambda t: t.update(bias=torch.ones(5)), "wrong shape: bias"),
    ],
)
def test_wrong_weights_are_refused_by_name(tensors, change, words) -> None:
    change(tensors)
    with pytest.raises(PixCellError, match=f"The weights of x do not belong.*{words}"):
        load_weights(nn.Linear(3, 2), tensors, "x")


@pytest.mark.parametrize("name", ["none.safetensors", "none.pth"])
def test_a_missing_file_is_explained(tmp_path: Path, name: str) -> None:
    with pytest.raises(PixCellError, match=f"The weight file {name} is missing or damaged"):
        load_file(tmp_path / name)


def test_a_pickle_with_code_is_refused(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self):
            return (print, ("boom",))

    path = tmp_path / "bomb.pth"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(PixCellError, match="could run code, so it was not opened"):
        load_file(path)


@pytest.mark.parametrize("content", [torch.ones(1), {"state_dict": {"weight": torch.ones(1)}}])
def test_a_file_without_named_tensors_is_explained(tmp_path: Path, content) -> None:
    path = tmp_path / "odd.bin"
    torch.save(content, path)
    with pytest.raises(PixCellError, match=r"odd\.bin contains something other than named tensors"):
        load_file(path)

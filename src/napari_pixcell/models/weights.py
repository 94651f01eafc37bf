"""Weight files as data: no pickle beyond tensors, and no tensor too many or too few."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file as load_safetensors
from torch import Tensor, nn

from napari_pixcell.errors import PixCellError

SHOWN = 3
PREFIX = "transformer."


def load_file(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.safetensors``, ``.pth`` or ``.bin`` file.

    Raises
    ------
    PixCellError
        If the file is missing, damaged, or holds anything but tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_safetensors(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        raise PixCellError(
            f"The weight file {path.name} is missing or damaged; install the family again."
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(v, Tensor) for v in tensors.values()):
        raise PixCellError(
            f"The weight file {path.name} holds something else than tensors by name; "
            "use the published file of this family."
        )
    return tensors


def load_weights(network: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Load tensors into a network, all of them and no others.

    Parameters
    ----------
    network : nn.Module
        What to fill.
    tensors : mapping of str to Tensor
        Under the published names; a ``transformer.`` before them is accepted, as the authors'
        training script writes it.
    name : str
        What the message calls these weights.

    Raises
    ------
    PixCellError
        If tensors are missing, unexpected, of another shape or there twice; the sentence names
        them.
    """
    given, tensors = tensors, without_prefix(tensors)
    own = network.state_dict()
    problems = {
        "there twice": sorted(key for key in given if PREFIX + key in given),
        "missing": sorted(set(own) - set(tensors)),
        "unexpected": sorted(set(tensors) - set(own)),
        "of another shape": sorted(
            key for key in set(own) & set(tensors) if own[key].shape != tensors[key].shape
        ),
    }
    parts = [f"{kind}: {_some(names)}" for kind, names in problems.items() if names]
    if parts:
        raise PixCellError(
            f"The weights of {name} are not those of this network ({'; '.join(parts)}); "
            "use the published file of this family."
        )
    network.load_state_dict(dict(tensors))


def without_prefix(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drop ``transformer.`` where the names carry it; ``controlnet_blocks`` never does."""
    return {key.removeprefix(PREFIX): value for key, value in tensors.items()}


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

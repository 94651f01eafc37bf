"""Weights of a family into networks on a device."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.weights import load_file, load_weights

WEIGHTS = "diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class LoadedFamily:
    """The networks of a family, ready to run.

    Parameters
    ----------
    family : Family
        What was loaded.
    transformer, controlnet, vae, encoder : nn.Module
        In evaluation mode, on ``device``, float32.
    scheduler : dict
        Configuration of the scheduler.
    preview_weight, preview_bias : Tensor, (3, channels) and (3,)
        Linear map from a latent to RGB in 0..1.
    weights : dict of str to str
        sha256 of each weight file.
    device : torch.device
        Where the networks are.
    """

    family: Family
    transformer: Any
    controlnet: Any
    vae: Any
    encoder: Any
    scheduler: dict[str, Any]
    preview_weight: Tensor
    preview_bias: Tensor
    weights: dict[str, str]
    device: torch.device


def load_family(family: Family, device: torch.device) -> LoadedFamily:
    """Load every part of a family.

    Raises
    ------
    PixCellError
        If a file is missing or does not hold the tensors it should.
    """
    from napari_pixcell.networks import (
        DemoAutoencoder,
        PixCellControlNet,
        PixCellTransformer2DModel,
        TileEncoder,
    )

    classes: dict[str, type[Any]] = {
        "transformer": PixCellTransformer2DModel,
        "controlnet": PixCellControlNet,
        "vae": DemoAutoencoder,
        "encoder": TileEncoder,
    }
    parts = {name: _load_part(cls, family, name, device) for name, cls in classes.items()}
    preview = _read_json(family, "preview.json")
    return LoadedFamily(
        family=family,
        scheduler=_read_json(family, "scheduler/scheduler_config.json"),
        preview_weight=torch.tensor(preview["weight"], device=device),
        preview_bias=torch.tensor(preview["bias"], device=device),
        weights={name: _sha256(family.folder / name / WEIGHTS) for name in classes},
        device=device,
        **parts,
    )


def pick_device() -> torch.device:
    """CUDA where there is a card, then Apple's, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def describe_device(device: torch.device) -> str:
    """Name a device for a record, such as ``cuda: NVIDIA H200``."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return device.type


def _load_part(cls: type[Any], family: Family, name: str, device: torch.device) -> nn.Module:
    network: nn.Module = cls.from_config(_read_json(family, f"{name}/config.json"))
    tensors = load_file(family.folder / name / WEIGHTS)
    tensors = {
        key: value.float() if value.is_floating_point() else value for key, value in tensors.items()
    }
    load_weights(network, tensors, f"{family.name}/{name}")
    return network.to(device).eval().requires_grad_(False)


def _read_json(family: Family, name: str) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads((family.folder / name).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise PixCellError(
            f"The file {name} of the family “{family.name}” is missing or damaged; "
            "reinstall napari-pixcell."
        ) from error
    return value


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Networks built from their configurations, still without weights."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.weights import without_initial_values
from napari_pixcell.untrusted import read_bounded

# Far around every published configuration, and far below what could fill the memory or take long.
WHOLE = {
    "num_layers": (1, 128),
    "n_controlnet_blocks": (0, 128),
    "depth": (1, 128),
    "num_res_blocks": (0, 128),
    "layers_per_block": (1, 16),
    "num_attention_heads": (0, 128),
    "attention_head_dim": (0, 512),
    "sample_size": (1, 1024),
    "patch_size": (1, 64),
    "caption_num_tokens": (1, 1024),
    "block_out_channels": (1, 1024),
    "widths": (1, 1024),
    "num_train_timesteps": (2, 10_000),
    "solver_order": (1, 3),
    "steps_offset": (0, 1000),
}
NUMBERS = {
    "scaling_factor": (1e-6, 1e6),
    "shift_factor": (-1e6, 1e6),
    "norm_eps": (0.0, 1.0),
    "interpolation_scale": (1e-3, 1e3),
    "time_scale": (1e-3, 1e6),
    "dropout": (0.0, 1.0),
    "beta_start": (1e-9, 0.999),
    "beta_end": (1e-9, 0.999),
}
LISTS = {"block_out_channels", "widths"}
OPTIONAL = {"shift_factor", "interpolation_scale"}
INFINITE = "lambda_min_clipped"  # -Infinity in the published schedulers
OTHER_LIMIT = 16_384
MOST_POSITIONS = 2**26  # numbers in the table of positions, which is computed and not read
MAX_BYTES = 1_000_000
MAX_ITEMS = 64  # of a list
MAX_VALUES = 4096
LONGEST_TEXT = 1000

# Module and name of each class, so that only those in use are imported.
_CLASSES = {
    "pixcell-transformer": ("napari_pixcell.networks.transformer", "PixCellTransformer2DModel"),
    "pixcell-controlnet": ("napari_pixcell.networks.controlnet", "PixCellControlNet"),
    "autoencoder-kl": ("diffusers", "AutoencoderKL"),
    "demo-autoencoder": ("napari_pixcell.networks.autoencoder", "DemoAutoencoder"),
    "tile-encoder": ("napari_pixcell.networks.tile_encoder", "TileEncoder"),
    "uni2-h": ("napari_pixcell.networks.uni", "build_uni2_h"),
    "stain-flow": ("napari_pixcell.networks.stain_flow", "StainFlowMLP"),
}


def read_config(path: Path) -> dict[str, Any]:
    """Read a configuration.

    Raises
    ------
    PixCellError
        If it is missing or damaged, or describes a network of absurd size.
    """
    try:
        config = json.loads(read_bounded(path, MAX_BYTES, "configuration").decode())
    except (PixCellError, ValueError, RecursionError) as error:
        raise PixCellError(
            f"The file {path.name} of {path.parent.name} is missing or damaged. Install the "
            "family again."
        ) from error
    if not isinstance(config, dict):
        raise PixCellError(f"{path.name} contains no settings. Install the family again.")
    _check(config, f"in {path.name} is out of range for this family. Use the published file.")
    return config


def read_preview(path: Path) -> tuple[Tensor, Tensor]:
    """Read the linear map from latents to RGB.

    Returns
    -------
    weight, bias : Tensor, (3, channels) and (3,)

    Raises
    ------
    PixCellError
        If the file is missing or damaged.
    """
    values = read_config(path)
    try:
        weight = torch.tensor(values["weight"], dtype=torch.float32)
        bias = torch.tensor(values["bias"], dtype=torch.float32)
        if weight.ndim != 2 or len(weight) != 3 or bias.shape != (3,):
            raise ValueError("other shapes")
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise PixCellError(
            f"The file {path.name} of {path.parent.name} is missing or damaged. Install the "
            "family again."
        ) from error
    return weight, bias


def build_network(network: str, config: dict[str, Any]) -> nn.Module:
    """Build a network without weights.

    Parameters
    ----------
    network : str
        As in ``Part.network``.
    config : dict
        The published configuration, or the sizes of the tensors. Keys that the class does not know
        are ignored.

    Raises
    ------
    PixCellError
        If the network is unknown, or its settings are absurd or contradict each other.
    """
    if network not in _CLASSES:
        raise PixCellError(f"This version of napari-pixcell has no network “{network}”. Update it.")
    module, name = _CLASSES[network]
    make = getattr(import_module(module), name)
    # Published configurations carry keys of older classes, which no network needs.
    known = {
        key: value for key, value in config.items() if key in inspect.signature(make).parameters
    }
    _check(known, f"is out of range for this network ({network}). Use the published files.")
    if network == "autoencoder-kl":
        known["shift_factor"] = known.get("shift_factor") or 0.0
    try:
        with without_initial_values():
            built: nn.Module = make(**known)
    except Exception as error:  # of whatever class a library raises
        raise PixCellError(
            f"The settings of this network ({network}) do not fit together "
            f"({str(error)[:200] or type(error).__name__}). Use the published config.json."
        ) from error
    return built


def _check(config: dict[str, Any], wrong: str) -> None:
    """Raise a PixCellError that ends with ``wrong`` at the first value that is out of range."""
    count = 0
    for key, value in config.items():
        single = key in NUMBERS or (key in WHOLE and key not in LISTS)
        for item in [value] if single else _items(value):
            count += 1
            if count > MAX_VALUES or not _fits(key, item):
                raise PixCellError(f"{key[:40]} = {str(value)[:40]} {wrong}")
    side = config.get("sample_size", 1) // config.get("patch_size", 1)
    width = config.get("num_attention_heads", 1) * config.get("attention_head_dim", 1)
    if side**2 * width > MOST_POSITIONS:
        raise PixCellError(f"sample_size = {config['sample_size']} {wrong}")


def _items(value: Any, depth: int = 0) -> Iterator[Any]:
    """Iterate over the plain values in nested lists. A list that is too long comes as itself."""
    if isinstance(value, list | tuple) and depth < 3 and len(value) <= MAX_ITEMS:
        for item in value:
            yield from _items(item, depth + 1)
    elif isinstance(value, dict) and depth < 3 and len(value) <= MAX_ITEMS:
        for item in value.values():
            yield from _items(item, depth + 1)
    else:
        yield value


def _fits(key: str, value: Any) -> bool:
    if key in WHOLE:
        low, high = WHOLE[key]
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    if key in NUMBERS:
        if value is None:
            return key in OPTIONAL
        least, most = NUMBERS[key]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and least <= value <= most
    match value:
        case None | bool():
            return True
        case int():
            return abs(value) <= OTHER_LIMIT
        case float():
            return key == INFINITE if math.isinf(value) else abs(value) <= 1e9
        case str():
            return len(value) <= LONGEST_TEXT
        case _:
            return False

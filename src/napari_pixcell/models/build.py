"""Networks built from their configurations, still without weights."""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.weights import without_initial_values

# Far above every published configuration, and far below what could fill the memory.
LIMITS = {"num_layers": 256, "n_controlnet_blocks": 256, "sample_size": 1024}
OTHER_LIMIT = 16_384
MAX_BYTES = 1_000_000
MAX_ITEMS = 64

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
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("too long")
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise PixCellError(
            f"The file {path.name} of {path.parent.name} is missing or damaged. Install the "
            "family again."
        ) from error
    if not isinstance(config, dict):
        raise PixCellError(f"{path.name} contains no settings. Install the family again.")
    for key, value in config.items():
        values = value if isinstance(value, list) else [value]
        numbers = [v for v in values if isinstance(v, int)]
        if len(values) > MAX_ITEMS or any(abs(n) > LIMITS.get(key, OTHER_LIMIT) for n in numbers):
            raise PixCellError(
                f"{key} = {str(value)[:40]} in {path.name} is out of range for this family. "
                "Use the published file."
            )
    return config


def build_network(network: str, config: dict[str, Any]) -> nn.Module:
    """Build a network without weights.

    Parameters
    ----------
    network : str
        As in ``Part.network``.
    config : dict
        The published configuration. Keys that the class does not know are ignored.

    Raises
    ------
    PixCellError
        If the network is unknown, or its settings contradict each other.
    """
    if network not in _CLASSES:
        raise PixCellError(f"This version of napari-pixcell has no network “{network}”. Update it.")
    module, name = _CLASSES[network]
    make = getattr(import_module(module), name)
    # Published configurations carry keys of older classes, which no network needs.
    known = {
        key: value for key, value in config.items() if key in inspect.signature(make).parameters
    }
    try:
        with without_initial_values():
            built: nn.Module = make(**known)
    except (TypeError, ValueError, ZeroDivisionError, RuntimeError) as error:
        raise PixCellError(
            f"The settings of this network ({network}) do not fit together ({error}). "
            "Use the published config.json."
        ) from error
    return built

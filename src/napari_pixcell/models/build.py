"""From a configuration to a network of our classes, still without weights."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.weights import without_initial_values

# Far beyond every published config, and far below what could fill a memory.
MOST = {"num_layers": 256, "n_controlnet_blocks": 256, "sample_size": 1024}
MOST_ELSEWHERE = 16_384
MOST_BYTES = 1_000_000
MOST_ITEMS = 64


def read_config(path: Path) -> dict[str, Any]:
    """Read a configuration.

    Raises
    ------
    PixCellError
        If it is missing, damaged, or asks for a network of an absurd size.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("too long")
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise PixCellError(
            f"The file {path.name} of {path.parent.name} is missing or damaged; install the "
            "family again."
        ) from error
    if not isinstance(config, dict):
        raise PixCellError(f"{path.name} holds no settings; install the family again.")
    for key, value in config.items():
        values = value if isinstance(value, list) else [value]
        numbers = [v for v in values if isinstance(v, int)]
        if len(values) > MOST_ITEMS or any(abs(n) > MOST.get(key, MOST_ELSEWHERE) for n in numbers):
            raise PixCellError(
                f"{path.name} says {key} = {str(value)[:40]}, which no network of this family has; "
                "use the published file."
            )
    return config


def build_network(network: str, config: dict[str, Any]) -> nn.Module:
    """Build a network without weights.

    Parameters
    ----------
    network : str
        As in ``Part.network``.
    config : dict
        The published configuration; keys that the class does not know are left out.
    """
    if network not in _CLASSES:
        raise PixCellError(f"“{network}” is no network that this version of napari-pixcell knows.")
    make = _CLASSES[network]()
    # Published configs carry keys of older classes; what is not known is not needed.
    known = {
        key: value for key, value in config.items() if key in inspect.signature(make).parameters
    }
    try:
        with without_initial_values():
            built: nn.Module = make(**known)
    except (TypeError, ValueError, ZeroDivisionError, RuntimeError) as error:
        raise PixCellError(
            f"The settings of this network ({network}) do not fit together ({error}); "
            "use the published config.json."
        ) from error
    return built


def _transformer() -> Callable[..., nn.Module]:
    from napari_pixcell.networks import PixCellTransformer2DModel

    return PixCellTransformer2DModel


def _controlnet() -> Callable[..., nn.Module]:
    from napari_pixcell.networks import PixCellControlNet

    return PixCellControlNet


def _autoencoder_kl() -> Callable[..., nn.Module]:
    from diffusers import AutoencoderKL

    return AutoencoderKL


def _demo_autoencoder() -> Callable[..., nn.Module]:
    from napari_pixcell.networks import DemoAutoencoder

    return DemoAutoencoder


def _tile_encoder() -> Callable[..., nn.Module]:
    from napari_pixcell.networks import TileEncoder

    return TileEncoder


def _uni() -> Callable[..., nn.Module]:
    from napari_pixcell.networks.uni import build_uni2_h

    return build_uni2_h


def _stain_flow() -> Callable[..., nn.Module]:
    from napari_pixcell.networks import StainFlowMLP

    return StainFlowMLP


_CLASSES: dict[str, Callable[[], Callable[..., nn.Module]]] = {
    "pixcell-transformer": _transformer,
    "pixcell-controlnet": _controlnet,
    "autoencoder-kl": _autoencoder_kl,
    "demo-autoencoder": _demo_autoencoder,
    "tile-encoder": _tile_encoder,
    "uni2-h": _uni,
    "stain-flow": _stain_flow,
}

"""Networks with the tensor names of the published checkpoints, imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_pixcell.networks.autoencoder import DemoAutoencoder
    from napari_pixcell.networks.controlnet import PixCellControlNet
    from napari_pixcell.networks.stain_flow import StainFlowMLP
    from napari_pixcell.networks.tile_encoder import TileEncoder
    from napari_pixcell.networks.transformer import PixCellTransformer2DModel

__all__ = [
    "DemoAutoencoder",
    "PixCellControlNet",
    "PixCellTransformer2DModel",
    "StainFlowMLP",
    "TileEncoder",
]

_MODULES = {
    "DemoAutoencoder": "autoencoder",
    "PixCellControlNet": "controlnet",
    "PixCellTransformer2DModel": "transformer",
    "StainFlowMLP": "stain_flow",
    "TileEncoder": "tile_encoder",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

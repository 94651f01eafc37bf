"""Networks under the names of their published checkpoints."""

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

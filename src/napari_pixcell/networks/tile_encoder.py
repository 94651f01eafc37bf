"""The demo family's tile encoder, which replaces UNI2-h: 128 numbers for each tile."""

from __future__ import annotations

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

_MEAN = (0.72, 0.54, 0.68)
_STD = (0.20, 0.22, 0.17)


class TileEncoder(ModelMixin, ConfigMixin):
    """Small convolutional encoder that describes the style of a tile, not its layout.

    It keeps only mean and standard deviation over the whole tile, so an embedding holds colours,
    textures and densities, but no positions.

    Parameters
    ----------
    embed_dim : int
        Embedding dimension.
    widths : tuple of int
        Channels after each of the three stages, at 1/4, 1/8 and 1/16 of the side.
    """

    @register_to_config
    def __init__(self, embed_dim: int = 128, widths: tuple[int, ...] = (48, 96, 192)) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.PixelUnshuffle(4)]
        channels = 48
        for index, width in enumerate(widths):
            stride = 1 if index == 0 else 2
            layers += [
                nn.Conv2d(channels, width, 3, stride=stride, padding=1),
                nn.GroupNorm(8, width),
                nn.SiLU(),
                nn.Conv2d(width, width, 3, padding=1),
                nn.SiLU(),
            ]
            channels = width
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(2 * channels, embed_dim)
        # Scale and offset centre the embeddings (training/centre.py): without, cosine distances
        # are close to zero for any tissue.
        self.norm = nn.LayerNorm(embed_dim)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Embed tiles, (N, 3, H, W), to (N, embed_dim).

        They are RGB in [0, 1] at 0.5 µm/px, usually 256 px; 128 px works as well.
        """
        height, width = images.shape[-2:]
        if height % 16 or width % 16:
            images = nn.functional.interpolate(
                images, size=(256, 256), mode="bilinear", antialias=True, align_corners=False
            )
        hidden = self.features((images - self.mean) / self.std)
        # Float32 from here on: the variance over a tile needs more than half precision.
        hidden = hidden.float()
        spread, mean = torch.var_mean(hidden, dim=(2, 3), correction=0)
        pooled = torch.cat([mean, (spread + 1e-5).sqrt()], dim=1)
        embedded: torch.Tensor = self.norm(self.head(pooled.to(self.head.weight.dtype)))
        return embedded

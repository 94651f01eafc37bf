"""The demo family's small autoencoder, with latents at an eighth of the size.

It implements the part of ``AutoencoderKL`` of diffusers that the engine uses, so the demo family
and PixCell run through the same code.
"""

from __future__ import annotations

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from diffusers.models.modeling_utils import ModelMixin
from torch import nn


class ConvBlock(nn.Module):
    """Residual block of two 3 × 3 convolutions. It starts as the identity, so it needs no norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a feature map to one of the same shape."""
        hidden = self.conv1(nn.functional.silu(x))
        change: torch.Tensor = self.conv2(nn.functional.silu(hidden))
        return x + change


class Upsample(nn.Module):
    """Convolution and pixel shuffle by two, initialised as nearest-neighbour (ICNR).

    With the default initialisation the four sub-pixels differ from the first step and leave a
    checkerboard. Initialised equal, they learn only the differences that the images need.
    """

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_width, 4 * out_width, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        with torch.no_grad():
            start = torch.empty(out_width, in_width, 3, 3)
            nn.init.kaiming_uniform_(start, a=5**0.5)
            self.conv.weight.copy_(start.repeat_interleave(4, dim=0))
            self.conv.bias.zero_()  # type: ignore[union-attr]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Double the height and width of ``x``."""
        larger: torch.Tensor = self.shuffle(self.conv(x))
        return larger


class DemoAutoencoder(ModelMixin, ConfigMixin):
    """Deterministic convolutional autoencoder with latents at an eighth of the size.

    Parameters
    ----------
    in_channels : int
        Channels of the image, RGB in [-1, 1].
    latent_channels : int
        Channels of the latent.
    block_out_channels : tuple of int
        Widths at a quarter and at an eighth of the image's side. The decoder uses half of the
        first width at half the side.
    layers_per_block : int
        Residual blocks at each size.
    scaling_factor, shift_factor : float
        The model's latent is ``(mean - shift_factor) * scaling_factor``. The training
        script folds both into the weights, so they stay 1 and 0.
    """

    @register_to_config
    def __init__(
        self,
        in_channels: int = 3,
        latent_channels: int = 4,
        block_out_channels: tuple[int, int] = (64, 128),
        layers_per_block: int = 3,
        scaling_factor: float = 1.0,
        shift_factor: float = 0.0,
    ) -> None:
        super().__init__()
        fine, coarse = block_out_channels
        half, depth = fine // 2, layers_per_block
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(16 * in_channels, fine, 3, padding=1),
            *(ConvBlock(fine) for _ in range(depth - 1)),
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * fine, coarse, 1),
            *(ConvBlock(coarse) for _ in range(depth - 1)),
            nn.Conv2d(coarse, latent_channels, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(latent_channels, coarse, 3, padding=1),
            *(ConvBlock(coarse) for _ in range(depth)),
            Upsample(coarse, fine),
            *(ConvBlock(fine) for _ in range(depth)),
            Upsample(fine, half),
            ConvBlock(half),
            nn.SiLU(),
            Upsample(half, half // 2),
            # A last convolution across sub-pixels smooths artefacts of the shuffles.
            nn.SiLU(),
            nn.Conv2d(half // 2, in_channels, 3, padding=1),
        )

    def encode(self, x: torch.Tensor) -> AutoencoderKLOutput:
        """Encode images in [-1, 1], (N, 3, H, W), H and W multiples of 8.

        ``latent_dist.mode()`` and ``.sample()`` of the result both return the latent,
        (N, latent_channels, H/8, W/8).
        """
        mean = self.encoder(x)
        moments = torch.cat([mean, torch.zeros_like(mean)], dim=1)
        posterior = DiagonalGaussianDistribution(moments, deterministic=True)
        return AutoencoderKLOutput(latent_dist=posterior)

    def decode(self, z: torch.Tensor) -> DecoderOutput:
        """Decode latents, (N, latent_channels, h, w).

        ``sample`` of the result is (N, 3, 8 h, 8 w), about [-1, 1], not clipped.
        """
        return DecoderOutput(sample=self.decoder(z))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Reconstruct images, for training."""
        reconstructed: torch.Tensor = self.decoder(self.encoder(x))
        return reconstructed

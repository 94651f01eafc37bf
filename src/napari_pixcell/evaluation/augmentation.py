"""Training crops: rotated and mirrored, or with strong augmentation."""

from __future__ import annotations

import math

import numpy as np
import torch
from skimage.color import hed_from_rgb, rgb_from_hed
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

_TO_STAINS = torch.from_numpy(hed_from_rgb.astype(np.float32))
_FROM_STAINS = torch.from_numpy(rgb_from_hed.astype(np.float32))
SIZES = (0.7, 1.4)
STAIN, TINT = 0.35, 0.08  # largest change of a stain: factor and density
BRIGHTNESS, NOISE = 0.15, 0.06


def turned(image: Tensor, target: Tensor, side: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cut a crop, in one of the eight symmetries of a square.

    Parameters
    ----------
    image : Tensor, float, (3, height, width), in [-1, 1]
    target : Tensor, float, (channels, height, width)
        Labels or masks, which are not interpolated.
    side : int
        Side of the crop, in px.
    rng : torch.Generator
    """
    both = torch.cat([image, target])
    top, left = (int(torch.randint(n - side + 1, (), generator=rng)) for n in both.shape[1:])
    both = both[:, top : top + side, left : left + side]
    both = torch.rot90(both, int(torch.randint(4, (), generator=rng)), (1, 2))
    if torch.rand((), generator=rng) < 0.5:
        both = both.flip(2)
    return both[:3], both[3:]


def strong(image: Tensor, target: Tensor, side: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cut a crop with random angle, size, stains, brightness, blur and noise; see :func:`turned`.

    Stains are changed in the optical densities of haematoxylin, eosin and DAB (Ruifrok and
    Johnston, 2001).
    """
    grid = _resizing(image.shape[1:], side, rng)
    image, target = (
        grid_sample(part[None], grid, mode, padding_mode="reflection", align_corners=False)[0]
        for part, mode in ((image, "bilinear"), (target, "nearest"))
    )
    image = _stained(image, rng)
    if torch.rand((), generator=rng) < 0.3:
        image = avg_pool2d(image[None], 3, 1, 1, count_include_pad=False)[0]
    amount = NOISE * torch.rand((), generator=rng)
    image = image + amount * torch.randn(image.shape, generator=rng)
    return image.clamp(-1, 1), target


def _resizing(shape: torch.Size, side: int, rng: torch.Generator) -> Tensor:
    """Return the sampling grid of a crop that is rotated by any angle and scaled."""
    u = torch.rand(5, generator=rng).tolist()
    scale = SIZES[0] * (SIZES[1] / SIZES[0]) ** u[0]
    angle = 2 * math.pi * u[1]
    high, wide = (side / scale / n for n in shape)  # visible fractions of the tile
    right, down = (2 * u[2] - 1) * max(0.0, 1 - wide), (2 * u[3] - 1) * max(0.0, 1 - high)
    cos, sin = math.cos(angle), math.sin(angle)
    mirror = -1.0 if u[4] < 0.5 else 1.0
    rows = [[mirror * wide * cos, -wide * sin, right], [mirror * high * sin, high * cos, down]]
    return affine_grid(torch.tensor([rows]), [1, 1, side, side], align_corners=False)


def _stained(image: Tensor, rng: torch.Generator) -> Tensor:
    """Change the amounts of haematoxylin, eosin and the rest, and the brightness."""
    density = -torch.log((image.permute(1, 2, 0) + 1).div(2).clamp(1 / 255, 1))
    u = 2 * torch.rand(7, generator=rng) - 1
    stains = (density @ _TO_STAINS) * (1 + STAIN * u[:3]) + TINT * u[3:6]
    rgb = torch.exp(-(stains @ _FROM_STAINS)).clamp(0, 1) * (1 + BRIGHTNESS * u[6])
    return rgb.clamp(0, 1).mul(2).sub(1).permute(2, 0, 1)

"""Linear map from latents to small RGB images: a preview of a running generation at no cost."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

SIDE = 64
IMAGES = 12


@torch.no_grad()
def fit_preview(vae: Any) -> tuple[Tensor, Tensor]:
    """Fit the map to an autoencoder by least squares on smooth random colours.

    Parameters
    ----------
    vae : AutoencoderKL or compatible
        Of any family. It encodes a dozen images of 64 px.

    Returns
    -------
    weight : Tensor, (3, channels)
    bias : Tensor, (3,)
        RGB in 0..1 is ``weight · latent + bias``, at an eighth of the image's size.
    """
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(IMAGES, 3, SIDE // 16, SIDE // 16, generator=generator)
    images = torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
    encoded = vae.encode((images * 2 - 1).to(next(vae.parameters())))
    latents = encoded.latent_dist.mode().float()
    latents = (latents - vae.config.shift_factor) * vae.config.scaling_factor
    channels, side = latents.shape[1], latents.shape[-1]
    small = torch.nn.functional.adaptive_avg_pool2d(images, side)
    x = latents.permute(0, 2, 3, 1).reshape(-1, channels).cpu()
    y = small.permute(0, 2, 3, 1).reshape(-1, 3)
    design = torch.cat([x, torch.ones(len(x), 1)], dim=1).double()
    # Ridge regression, because some channels hardly vary on smooth images.
    gram = design.T @ design + 1e-3 * torch.eye(channels + 1, dtype=torch.float64)
    solution = torch.linalg.solve(gram, design.T @ y.double()).float()
    return solution[:-1].T.contiguous(), solution[-1].contiguous()

"""A linear map from latents to small pictures: what a running generation looks like, for free."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

SIDE = 64
PICTURES = 12


@torch.no_grad()
def fit_preview(vae: Any) -> tuple[Tensor, Tensor]:
    """Fit the map to an autoencoder by least squares on smooth random colours.

    Parameters
    ----------
    vae : AutoencoderKL or alike
        Of any family; it is run on a dozen pictures of 64 px.

    Returns
    -------
    weight : Tensor, (3, channels)
    bias : Tensor, (3,)
        RGB in 0..1 is ``weight · latent + bias``, at an eighth of the picture's size.
    """
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(PICTURES, 3, SIDE // 16, SIDE // 16, generator=generator)
    pictures = torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
    parameter = next(vae.parameters())
    images = (pictures * 2 - 1).to(parameter)
    latents = vae.encode(images).latent_dist.mode().float()
    latents = (latents - vae.config.shift_factor) * vae.config.scaling_factor
    channels, side = latents.shape[1], latents.shape[-1]
    small = torch.nn.functional.adaptive_avg_pool2d(pictures, side)
    x = latents.permute(0, 2, 3, 1).reshape(-1, channels).cpu()
    y = small.permute(0, 2, 3, 1).reshape(-1, 3)
    design = torch.cat([x, torch.ones(len(x), 1)], dim=1).double()
    # A little ridge: some channels hardly vary on smooth pictures.
    gram = design.T @ design + 1e-3 * torch.eye(channels + 1, dtype=torch.float64)
    solution = torch.linalg.solve(gram, design.T @ y.double()).float()
    return solution[:-1].T.contiguous(), solution[-1].contiguous()

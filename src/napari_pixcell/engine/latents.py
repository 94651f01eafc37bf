"""Between pixels and latents: a family's autoencoder, and its preview."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell.models.loading import LoadedFamily

OVERFLOWED = (
    "The result is not an image, because numbers overflowed. Lower the guidance scale or the "
    "layout strength, and generate again."
)


class Overflow(Exception):
    """Half precision overflowed: the result holds values that are not finite."""


def decode(latents: Tensor, models: LoadedFamily) -> NDArray[np.float32]:
    """Decode (1, channels, h, w) to pixels in about 0 to 1, float32 (3, 8 h, 8 w).

    Raises
    ------
    Overflow
        If the numbers are not finite.
    """
    config = models.vae.config
    scaled = latents / config.scaling_factor + config.shift_factor
    scaled = scaled.to(models.dtype).contiguous(memory_format=torch.channels_last)
    decoded = models.vae.decode(scaled).sample[0].float()
    if not torch.isfinite(decoded).all():
        raise Overflow
    pixels: NDArray[np.float32] = (decoded / 2 + 0.5).cpu().numpy()
    return pixels


def encode(image: NDArray[np.uint8], models: LoadedFamily) -> Tensor:
    """Return the latents of an image, uint8 (h, w, 3): float32, (1, channels, h / 8, w / 8)."""
    config = models.vae.config
    tensor = torch.from_numpy(np.ascontiguousarray(image)).to(models.device)
    tensor = tensor.permute(2, 0, 1)[None].float() / 127.5 - 1
    tensor = tensor.to(models.dtype).contiguous(memory_format=torch.channels_last)
    latent: Tensor = models.vae.encode(tensor).latent_dist.mode().float()
    scaled: Tensor = (latent - config.shift_factor) * config.scaling_factor
    return scaled


def encode_picture(image: NDArray[np.uint8], models: LoadedFamily) -> Tensor:
    """Return the latents of an image, uint8 (h, w, 3): float32, (1, channels, h / 8, w / 8).

    Raises
    ------
    Overflow
        If the numbers are not finite.
    """
    latents = encode(image, models)
    if not torch.isfinite(latents).all():
        raise Overflow
    return latents


def picture_preview(clean: Tensor, models: LoadedFamily) -> NDArray[np.uint8]:
    """Return a preview of predicted clean latents, (channels, h, w), by a cheap linear map."""
    weight, bias = models.preview_weight, models.preview_bias
    rgb = torch.einsum("oc,chw->ohw", weight, clean.float().to(weight.device))
    return to_image(rgb + bias[:, None, None])


def to_image(tensor: Tensor) -> NDArray[np.uint8]:
    """Convert float (3, h, w) in [0, 1] to uint8 (h, w, 3)."""
    image = (tensor.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy())

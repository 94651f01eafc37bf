"""What the networks of a loaded family compute: embeddings, conditions and pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell.cells import check_layout, condition_image
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.engine.sampler import OnStep, denoise, make_scheduler
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.loading import LoadedFamily


class Overflow(Exception):
    """The numbers of a picture overflowed: it holds values that are not finite."""


def embed_tissue(encoder: Any, models: LoadedFamily, pixels: NDArray[np.uint8]) -> NDArray[Any]:
    """Embed a tile, in parts where the family reads a grid.

    Parameters
    ----------
    encoder : nn.Module
        On the family's device.
    models : LoadedFamily
        Whose tile it is.
    pixels : array, uint8 (tile, tile, 3)
        Tissue at the family's pixel size.

    Returns
    -------
    array, float32 (grid², dimension)
        Row by row, top left first.
    """
    tile, grid = models.family.tile, models.family.grid
    if pixels.shape != (tile, tile, 3):
        raise PixCellError(
            f"The region gives an image of {pixels.shape}, but an embedding needs "
            f"{tile} × {tile} px; use a region of the model's tile size."
        )
    image = _to_tensor(pixels, models.device) / 2 + 0.5
    side = tile // grid
    parts = image.unfold(2, side, side).unfold(3, side, side)[0]
    parts = parts.permute(1, 2, 0, 3, 4).reshape(-1, 3, side, side)
    values: NDArray[Any] = encoder(parts).float().cpu().numpy()
    return values


def read_style(request: GenerateRequest, models: LoadedFamily) -> Tensor:
    """Give the request's embeddings, (1, tokens, dimension), moved by the family's flow if any."""
    config = models.transformer.config
    wanted = (config.caption_num_tokens, config.caption_channels)
    if request.embedding is None:
        unconditional: Tensor = models.transformer.unconditional(1)
        return unconditional.to(models.device)
    values = request.embedding.unpack()
    if values.shape != wanted:
        raise PixCellError(
            f"The style is of the shape {values.shape}, but {models.family.title} needs "
            f"{wanted}; embed the region again with this model."
        )
    style = torch.from_numpy(values.astype(np.float32)).to(models.device)
    if models.flow is not None:
        style = models.flow.translate(style)
    return style[None]


def read_layout(request: GenerateRequest, models: LoadedFamily) -> Tensor | None:
    """Give the latents of the picture of the cells, (1, channels, height, width), or None."""
    if request.layout is None:
        return None
    if models.controlnet is None:
        raise PixCellError(
            f"{models.family.title} takes no layout of cells; take the layout away, or choose "
            "a family with cells, such as pixcell-256-cells."
        )
    labels = request.layout.unpack()
    check_layout(labels, (models.family.tile, models.family.tile))
    cells = _to_tensor(condition_image(labels), models.device)
    config = models.vae.config
    latent: Tensor = models.vae.encode(cells.to(models.dtype)).latent_dist.mode().float()
    return (latent - config.shift_factor) * config.scaling_factor


def make_picture(
    request: GenerateRequest,
    models: LoadedFamily,
    style: Tensor,
    condition: Tensor | None,
    two_passes: bool,
    on_step: OnStep,
) -> NDArray[np.uint8]:
    """Make the one variant of a request, uint8 (tile, tile, 3).

    Raises
    ------
    Overflow
        If the numbers are not finite.
    """
    latents = denoise(
        models.transformer,
        make_scheduler(models.scheduler),
        _noise(request.seed, models),
        style,
        guidance=request.guidance,
        steps=request.steps,
        controlnet=models.controlnet if condition is not None else None,
        condition=condition,
        layout_strength=request.layout_strength,
        layout_until=request.layout_until,
        control_both=request.control_both,
        two_passes=two_passes,
        on_step=on_step,
    )
    config = models.vae.config
    scaled = latents / config.scaling_factor + config.shift_factor
    decoded = models.vae.decode(scaled.to(models.dtype)).sample.float()
    if not torch.isfinite(decoded).all():
        raise Overflow
    return _to_image(decoded[0] / 2 + 0.5)


def picture_preview(clean: Tensor, models: LoadedFamily) -> NDArray[np.uint8]:
    """Picture the predicted clean latent by a linear map: nearly free."""
    rgb = torch.einsum("oc,chw->ohw", models.preview_weight, clean[0].float())
    return _to_image(rgb + models.preview_bias[:, None, None])


def _noise(seed: int, models: LoadedFamily) -> Tensor:
    """Draw on the CPU, so that a seed means the same on every device."""
    config = models.transformer.config
    side = config.sample_size
    generator = torch.Generator("cpu").manual_seed(seed)
    noise = torch.randn(1, config.in_channels, side, side, generator=generator)
    return noise.to(models.device)


def _to_tensor(image: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Turn uint8 (h, w, 3) into float32 (1, 3, h, w) in [-1, 1]."""
    tensor = torch.from_numpy(np.ascontiguousarray(image)).to(device).permute(2, 0, 1)[None]
    return tensor.float() / 127.5 - 1


def _to_image(tensor: Tensor) -> NDArray[np.uint8]:
    """Turn float (3, h, w) in [0, 1] into uint8 (h, w, 3)."""
    image = (tensor.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy())

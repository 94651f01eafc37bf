"""Requests in, events out: the one place where a generation happens."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell import __version__
from napari_pixcell.cells import check_layout, condition_image
from napari_pixcell.engine.events import Embedding, Event, Finished, Preview, Progress, Variant
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.request import (
    EmbedRequest,
    GenerateRequest,
    Request,
)
from napari_pixcell.engine.sampler import denoise, make_scheduler
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import get_family
from napari_pixcell.models.identity import encoder_identity
from napari_pixcell.models.loading import LoadedFamily, describe_device, load_family, pick_device

PREVIEWS_PER_SECOND = 8

Emit = Callable[[Event], None]


class Cancelled(Exception):
    """The user stopped the request; raised between two steps."""


class Engine:
    """Runs requests, keeping the networks of the last family loaded.

    Parameters
    ----------
    device : torch.device, optional
        Where to run; the best one there is by default.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or pick_device()
        self._loaded: LoadedFamily | None = None
        self._encoder = ""

    def run(
        self, request: Request, emit: Emit, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        """Run one request.

        Parameters
        ----------
        request : Request
            What to do.
        emit : callable
            Gets every event as it happens; the last one is ``Finished``.
        cancelled : callable
            Asked between steps; once it is true the request ends, as no error.

        Raises
        ------
        PixCellError
            If the request cannot be run as it is.
        """
        try:
            if cancelled():
                raise Cancelled
            with torch.inference_mode():
                if isinstance(request, EmbedRequest):
                    self._embed(request, emit)
                else:
                    self._generate(request, emit, cancelled)
        except Cancelled:
            emit(Finished(cancelled=True))
        else:
            emit(Finished())

    def load(self, name: str) -> LoadedFamily:
        """Give the networks of a family, loading them if they are not in memory."""
        family = get_family(name)
        if self._loaded is None or self._loaded.family != family:
            self._loaded = None
            # Before loading: files that are exchanged afterwards must not pass for these.
            self._encoder = encoder_identity(family) or ""
            self._loaded = load_family(family, self.device)
        return self._loaded

    def _embed(self, request: EmbedRequest, emit: Emit) -> None:
        models = self.load(request.family)
        pixels = request.pixels.unpack()
        tile, grid = models.family.tile, models.family.grid
        if pixels.shape != (tile, tile, 3):
            raise PixCellError(
                f"The region gives an image of {pixels.shape}, but an embedding needs "
                f"{tile} × {tile} px; use a region of the model's tile size."
            )
        image = _to_tensor(pixels, self.device) / 2 + 0.5
        side = tile // grid
        # Row by row, top left first: (1, 3, tile, tile) to (grid², 3, side, side).
        tiles = image.unfold(2, side, side).unfold(3, side, side)[0]
        tiles = tiles.permute(1, 2, 0, 3, 4).reshape(-1, 3, side, side)
        emit(Embedding(models.encoder(tiles).float().cpu().numpy(), self._encoder))

    def _generate(
        self, request: GenerateRequest, emit: Emit, cancelled: Callable[[], bool]
    ) -> None:
        total = request.count * request.steps
        emit(Progress(0, total, "Loading the model"))
        models = self.load(request.family)
        embedding = self._embedding(request, models)
        condition = self._condition(request, models)
        for index, variant in enumerate(request.variants()):
            image = self._variant(
                variant, index, total, models, embedding, condition, emit, cancelled
            )
            record = Record(
                request=variant,
                weights=models.weights,
                versions=_versions(),
                device=describe_device(self.device, models.dtype),
                sha256=pixels_sha256(image),
                licence=models.family.licence,
                notice=models.family.notice,
            )
            emit(Variant(index, image, record))

    def _variant(
        self,
        request: GenerateRequest,
        index: int,
        total: int,
        models: LoadedFamily,
        embedding: Tensor,
        condition: Tensor | None,
        emit: Emit,
        cancelled: Callable[[], bool],
    ) -> NDArray[np.uint8]:
        last_preview = 0.0

        def on_step(step: int, _steps: int, clean: Tensor) -> None:
            nonlocal last_preview
            if cancelled():
                raise Cancelled
            now = time.monotonic()
            if now - last_preview >= 1 / PREVIEWS_PER_SECOND:
                last_preview = now
                emit(Preview(index, _preview(clean, models)))
            done = index * request.steps + step
            emit(Progress(done, total, f"Variant {index + 1} of {total // request.steps}"))

        if cancelled():
            raise Cancelled
        latents = denoise(
            models.transformer,
            make_scheduler(models.scheduler),
            self._noise(request.seed, models),
            embedding,
            guidance=request.guidance,
            steps=request.steps,
            controlnet=models.controlnet if condition is not None else None,
            condition=condition,
            layout_strength=request.layout_strength,
            layout_until=request.layout_until,
            control_both=request.control_both,
            on_step=on_step,
        )
        config = models.vae.config
        scaled = latents / config.scaling_factor + config.shift_factor
        decoded = models.vae.decode(scaled.to(models.dtype)).sample.float()
        if not torch.isfinite(decoded).all():
            raise PixCellError(
                "The result is not a picture (numbers overflowed); lower the guidance or the "
                "layout strength and generate again."
            )
        return _to_image(decoded[0] / 2 + 0.5)

    def _noise(self, seed: int, models: LoadedFamily) -> Tensor:
        """Draw on the CPU, so that a seed means the same on every device."""
        config = models.transformer.config
        side = config.sample_size
        generator = torch.Generator("cpu").manual_seed(seed)
        noise = torch.randn(1, config.in_channels, side, side, generator=generator)
        return noise.to(self.device)

    def _embedding(self, request: GenerateRequest, models: LoadedFamily) -> Tensor:
        config = models.transformer.config
        wanted = (config.caption_num_tokens, config.caption_channels)
        if request.embedding is None:
            unconditional: Tensor = models.transformer.unconditional(1)
            return unconditional.to(self.device)
        values = request.embedding.unpack()
        if values.shape != wanted:
            raise PixCellError(
                f"The style is of the shape {values.shape}, but {models.family.title} needs "
                f"{wanted}; embed the region again with this model."
            )
        style = torch.from_numpy(values.astype(np.float32)).to(self.device)
        if models.flow is not None:
            style = models.flow.translate(style.to(models.dtype)).float()
        return style[None]

    def _condition(self, request: GenerateRequest, models: LoadedFamily) -> Tensor | None:
        if request.layout is None:
            return None
        if models.controlnet is None:
            raise PixCellError(
                f"{models.family.title} takes no layout of cells; take the layout away, or choose "
                "a family with cells, such as pixcell-256-cells."
            )
        labels = request.layout.unpack()
        check_layout(labels, (models.family.tile, models.family.tile))
        cells = _to_tensor(condition_image(labels), self.device)
        config = models.vae.config
        latent: Tensor = models.vae.encode(cells.to(models.dtype)).latent_dist.mode().float()
        return (latent - config.shift_factor) * config.scaling_factor


def _to_tensor(image: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Turn uint8 (h, w, 3) into float32 (1, 3, h, w) in [-1, 1]."""
    tensor = torch.from_numpy(np.ascontiguousarray(image)).to(device).permute(2, 0, 1)[None]
    return tensor.float() / 127.5 - 1


def _to_image(tensor: Tensor) -> NDArray[np.uint8]:
    """Turn float (3, h, w) in [0, 1] into uint8 (h, w, 3)."""
    image = (tensor.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy())


def _preview(clean: Tensor, models: LoadedFamily) -> NDArray[np.uint8]:
    """Picture the predicted clean latent by a linear map: nearly free."""
    rgb = torch.einsum("oc,chw->ohw", models.preview_weight, clean[0].float())
    return _to_image(rgb + models.preview_bias[:, None, None])


def _versions() -> dict[str, str]:
    versions: dict[str, Any] = {"napari-pixcell": __version__, "python": platform.python_version()}
    return versions | {name: version(name) for name in ("torch", "diffusers", "numpy")}

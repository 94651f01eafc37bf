"""The computations of a loaded family: conditions and images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from cachetools import LRUCache
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell.cells import check_layout, condition_image
from napari_pixcell.engine.canvas.painter import CanvasPainter
from napari_pixcell.engine.canvas.plan import FACTOR, Canvas, CanvasWindow, Turn, spread_style
from napari_pixcell.engine.canvas.store import CanvasStore
from napari_pixcell.engine.colour_match import ColourMatch, colour_setting, match, match_rows
from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.engine.inversion import CanvasInverter, invert
from napari_pixcell.engine.presets import EXACT, get_preset
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.requests import size_of
from napari_pixcell.engine.sampler import OnStep, denoise, noise_at
from napari_pixcell.engine.solver import FIRST_ORDER
from napari_pixcell.engine.start_image import CanvasStart, faded, free_latents
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.loading import LoadedFamily
from napari_pixcell.models.lora import without_lora
from napari_pixcell.slides.stored_picture import Picture

CONDITIONS_KEPT = 4096  # windows whose encoded cells are cached from step to step
DECODED = 128  # side in latents of the decoder's windows: 1024 px
DECODED_TILED = 64  # if memory is short

OnDone = Callable[[int, int], None]


class Overflow(Exception):
    """Half precision overflowed: the result holds values that are not finite."""


def canvas_of(request: GenerateRequest, family: Family) -> Canvas:
    """Return the canvas of a request: one tile, unless it asks for a size.

    If only an area is regenerated, windows that do not touch it are skipped.
    """
    size = size_of(request, family)
    if min(size) < family.tile:
        raise PixCellError(
            f"An image of {size[1]} × {size[0]} px is smaller than one tile of {family.title} "
            f"({family.tile} px). Choose a larger one."
        )
    canvas = Canvas(size, family.tile, family.grid, request.published)
    if request.part is not None:
        canvas.free = free_latents(request.part.unpack(), canvas)
    return canvas


def read_style(
    request: GenerateRequest, models: LoadedFamily, canvas: Canvas, moved: bool = True
) -> NDArray[np.float32]:
    """Return the embeddings of a canvas, moved by the family's flow if it has one.

    With ``moved`` false they are those of the request, of the tissue before it is stained.

    Returns
    -------
    array, float32, (rows, columns, dimension)
        The unconditional embedding in every cell if the request has no style.
    """
    config, grid = models.transformer.config, models.family.grid
    if request.embedding is None:
        values = models.transformer.unconditional(1)[0].float().cpu().numpy()
    else:
        values = request.embedding.unpack().astype(np.float32)
        tile = (config.caption_num_tokens, config.caption_channels)
        if values.shape != tile and (values.ndim != 3 or values.shape[-1] != tile[-1]):
            raise PixCellError(
                f"The style has the shape {values.shape}, but {models.family.title} needs {tile}. "
                "Embed the region again with this model."
            )
        if models.flow is not None and moved:
            flat = torch.from_numpy(values.reshape(-1, values.shape[-1])).to(models.device)
            values = models.flow.translate(flat).cpu().numpy().reshape(values.shape)
    return spread_style(values.reshape(grid, grid, -1) if values.ndim == 2 else values, canvas)


class LayoutLatents:
    """The latents of a layout image in any window.

    Parameters
    ----------
    labels : array, (height, width)
        Label image. There are no cells beyond it, where the plane of the canvas is larger.
    gap : bool
        Keep touching cells apart.
    """

    def __init__(
        self, labels: NDArray[Any], canvas: Canvas, models: LoadedFamily, gap: bool
    ) -> None:
        self._models = models
        self._picture = np.zeros((canvas.height * FACTOR, canvas.width * FACTOR), np.uint8)
        self._picture[: labels.shape[0], : labels.shape[1]] = condition_image(labels, gap)[..., 0]
        self._latents: LRUCache[CanvasWindow, Tensor] = LRUCache(CONDITIONS_KEPT)

    def __call__(self, window: CanvasWindow) -> Tensor:
        """Return the latents of a window, float32, (1, channels, height, width)."""
        latents = self._latents.get(window)
        if latents is None:
            y, x = (slice(s.start * FACTOR, s.stop * FACTOR) for s in (window.y, window.x))
            latents = _encode(np.repeat(self._picture[y, x, None], 3, axis=-1), self._models)
            self._latents[window] = latents
        return latents


def read_layout(
    request: GenerateRequest, models: LoadedFamily, canvas: Canvas
) -> LayoutLatents | None:
    """Return the latents of the request's layout, or None if it has none."""
    if request.layout is None:
        return None
    if models.controlnet is None:
        raise PixCellError(
            f"{models.family.title} does not support layouts. Remove the layout, or choose a model "
            "that supports them, such as pixcell-256-cells."
        )
    labels = request.layout.unpack()
    check_layout(labels, canvas.size)
    return LayoutLatents(labels, canvas, models, request.cell_gap)


def make_denoiser(
    request: GenerateRequest, models: LoadedFamily, cells: LayoutLatents | None, two_passes: bool
) -> Denoiser:
    """Build the denoiser of a request.

    The published method samples by DDIM. A stain of one tile is published with the checkpoint's
    own solver.
    """
    scheduler = models.scheduler
    if request.published and (models.flow is None or request.size is not None):
        scheduler = scheduler | FIRST_ORDER
    return Denoiser(
        models.transformer,
        scheduler,
        steps=request.steps,
        guidance=request.guidance,
        controlnet=models.controlnet if cells is not None else None,
        layout_strength=request.layout_strength,
        layout_until=request.layout_until,
        control_both=request.control_both,
        two_passes=two_passes,
        preset=get_preset(request.preset),
        first=request.first_step,
    )


@dataclass(frozen=True)
class Inversion:
    """Settings of an inversion. It uses the base model, as a stain's adapter knows no H&E.

    Parameters
    ----------
    denoiser : Denoiser
        Without guidance.
    style : array, float32, (rows, columns, dimension)
        Style of the start image.
    on_done : callable
        Receives (work done, total work).
    """

    denoiser: Denoiser
    style: NDArray[np.float32]
    on_done: OnDone


@dataclass(frozen=True)
class PreparedRequest:
    """A request read for the networks of a family: everything its variants share.

    ``style`` holds the embeddings of the canvas, float32, (rows, columns, dimension).
    """

    models: LoadedFamily
    canvas: Canvas
    denoiser: Denoiser
    style: NDArray[np.float32]
    cells: LayoutLatents | None
    start: CanvasStart | None
    inversion: Inversion | None
    colour_match: ColourMatch | None = None


def prepare(
    request: GenerateRequest,
    models: LoadedFamily,
    *,
    two_passes: bool = False,
    on_inverted: OnDone = lambda done, total: None,
) -> PreparedRequest:
    """Read everything that the variants of a request share.

    Parameters
    ----------
    two_passes : bool
        See :class:`~.denoiser.Denoiser`.
    on_inverted : callable
        Receives (work done, total work) while a start is inverted.
    """
    if request.colour_match is not None:
        colour_setting(request.colour_match.how, models.family, request.preset)  # not of a stain
    canvas = canvas_of(request, models.family)
    style = read_style(request, models, canvas)
    cells = read_layout(request, models, canvas)
    start = inversion = None
    if request.start is not None:
        part = request.part.unpack() if request.part is not None else None
        start = CanvasStart(request.start.unpack(), canvas, part, request.feather)
    denoiser = make_denoiser(request, models, cells, two_passes)
    if request.invert:
        plain = replace(request, guidance=1.0, preset=EXACT.name)
        own = read_style(request, models, canvas, moved=False)
        inversion = Inversion(make_denoiser(plain, models, cells, False), own, on_inverted)
    return PreparedRequest(
        models, canvas, denoiser, style, cells, start, inversion, request.colour_match
    )


def make_tiles(
    prepared: PreparedRequest, seeds: list[int], on_step: OnStep
) -> list[NDArray[np.uint8]]:
    """Generate the images of several seeds in one batch, each uint8 (tile, tile, 3).

    With an inversion they are all the same, as it does not depend on a seed.

    Raises
    ------
    Overflow
        If the numbers are not finite.
    """
    models, canvas, start = prepared.models, prepared.canvas, prepared.start
    denoiser, inversion = prepared.denoiser, prepared.inversion
    if start is not None and denoiser.solver.first == denoiser.solver.steps:
        return [start.picture.copy() for _ in seeds]
    channels, side = models.transformer.config.in_channels, canvas.window
    noise = np.stack([noise_at(seed, channels, 0, 0, side, side) for seed in seeds])

    def tokens(style: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(style.reshape(1, -1, style.shape[-1])).to(models.device)

    before = begun = condition = None
    if prepared.cells is not None:
        condition = prepared.cells(canvas.rows(Turn())[0].windows[0])
    if start is not None:
        before = encode_picture(start.read(0, side, 0, side), models)
    if inversion is not None and before is not None:
        own = tokens(inversion.style)
        with without_lora(models.transformer):
            begun = invert(inversion.denoiser, before, own, condition, inversion.on_done)
    free = torch.from_numpy(canvas.free).to(models.device) if canvas.free is not None else None
    latents = denoise(
        denoiser,
        torch.from_numpy(noise).to(models.device),
        tokens(prepared.style).expand(len(seeds), -1, -1),
        condition.expand(len(seeds), -1, -1, -1) if condition is not None else None,
        on_step,
        start=before,
        free=free,
        begun=begun.expand(len(seeds), -1, -1, -1) if begun is not None else None,
    )
    # One by one, because decoding takes the most memory of all.
    pictures = (_decode(one[None], models) for one in latents)
    images = [_to_image(torch.from_numpy(picture)) for picture in pictures]
    if start is None:
        return [match(image, prepared.colour_match) for image in images]
    seen = None if start.part is None else start.seen(0, canvas.size[0])
    return [match(start.merge(0, image), prepared.colour_match, seen) for image in images]


def match_tile(request: GenerateRequest, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Match the colours of a tile as its request asks, if it was generated without a match.

    ``image`` is uint8 (tile, tile, 3). The result equals that of :func:`make_tiles`.
    """
    seen = None
    if request.first_step == request.steps:  # it keeps the start as it is
        return image
    if request.part is not None:
        seen = faded(request.part.unpack() != 0, request.feather, 0, len(image))
    return match(image, request.colour_match, seen)


def paint_canvas(
    prepared: PreparedRequest,
    store: CanvasStore,
    seed: int,
    *,
    batch: int,
    tiled: bool,
    on_windows: Callable[[int], None],
    on_rows: OnDone,
    on_encoded: OnDone,
    on_matched: OnDone,
) -> Picture:
    """Generate an image of any size, uint8 (height, width, 3), or resume it from the store.

    Parameters
    ----------
    batch : int
        Windows per pass.
    tiled : bool
        Decode in smaller windows, which takes less memory.
    on_windows, on_rows, on_encoded : callable
        See :meth:`CanvasPainter.paint`.
    on_matched : callable
        Receives (rows done, total rows) while colours are matched.

    Raises
    ------
    Overflow
        If the numbers are not finite.
    """
    models, canvas, inversion = prepared.models, prepared.canvas, prepared.inversion
    where: dict[str, Any] = {
        "seed": seed,
        "condition": prepared.cells,
        "device": models.device,
        "batch": batch,
    }
    painter = CanvasPainter(
        prepared.denoiser, canvas, store, styles=prepared.style, start=prepared.start, **where
    )
    if inversion is not None:
        inverter = CanvasInverter(
            inversion.denoiser, canvas, store, styles=inversion.style, **where
        )

        def begin() -> None:
            with without_lora(models.transformer):
                inverter.invert(inversion.on_done)

        painter.begin_by = begin
    target, start = prepared.colour_match, prepared.start
    if target is not None:
        seen = None if start is None or start.part is None else start.seen
        painter.finish_by = lambda picture: match_rows(picture, target, seen, on_matched)
    return painter.paint(
        lambda latents: _decode(latents, models),
        DECODED_TILED if tiled else DECODED,
        on_windows,
        on_rows,
        lambda pixels: encode_picture(pixels, models),
        on_encoded,
    )


def _decode(latents: Tensor, models: LoadedFamily) -> NDArray[np.float32]:
    """Decode (1, channels, h, w) to pixels in about 0 to 1, float32 (3, 8 h, 8 w)."""
    config = models.vae.config
    scaled = latents / config.scaling_factor + config.shift_factor
    scaled = scaled.to(models.dtype).contiguous(memory_format=torch.channels_last)
    decoded = models.vae.decode(scaled).sample[0].float()
    if not torch.isfinite(decoded).all():
        raise Overflow
    pixels: NDArray[np.float32] = (decoded / 2 + 0.5).cpu().numpy()
    return pixels


def _encode(image: NDArray[np.uint8], models: LoadedFamily) -> Tensor:
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
    latents = _encode(image, models)
    if not torch.isfinite(latents).all():
        raise Overflow
    return latents


def picture_preview(clean: Tensor, models: LoadedFamily) -> NDArray[np.uint8]:
    """Return a preview of predicted clean latents, (channels, h, w), by a cheap linear map."""
    weight, bias = models.preview_weight, models.preview_bias
    rgb = torch.einsum("oc,chw->ohw", weight, clean.float().to(weight.device))
    return _to_image(rgb + bias[:, None, None])


def _to_image(tensor: Tensor) -> NDArray[np.uint8]:
    """Convert float (3, h, w) in [0, 1] to uint8 (h, w, 3)."""
    image = (tensor.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy())

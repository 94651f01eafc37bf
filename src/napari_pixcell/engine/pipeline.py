"""What the networks of a loaded family compute: embeddings, conditions and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell.cells import check_layout, condition_image
from napari_pixcell.engine.canvas.painter import CanvasPainter
from napari_pixcell.engine.canvas.plan import FACTOR, Canvas, CanvasWindow, Turn, spread_style
from napari_pixcell.engine.canvas.store import CanvasStore
from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.engine.inversion import CanvasInverter, invert
from napari_pixcell.engine.noise import noise_at
from napari_pixcell.engine.presets import EXACT, get_preset
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.engine.sampler import OnStep, denoise
from napari_pixcell.engine.start_image import StartImage, free_latents
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.loading import LoadedFamily
from napari_pixcell.models.lora import without_lora
from napari_pixcell.models.memory import Setting
from napari_pixcell.slides.stored_picture import Picture

EMBEDDED_AT_ONCE = 16  # tiles of one pass of the encoder
CONDITIONS_KEPT = 4096  # windows whose cells are kept encoded, from step to step
DECODED = 128  # side in latents of the decoder's windows: 1024 px
DECODED_TILED = 64  # where memory is short


class Overflow(Exception):
    """The numbers of a picture overflowed: it holds values that are not finite."""


def embed_tissue(
    encoder: Any,
    models: LoadedFamily,
    pixels: NDArray[np.uint8],
    on_tiles: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[Any]:
    """Embed a tile, in parts where the family reads a grid, or a larger region.

    Parameters
    ----------
    encoder : nn.Module
        On the family's device.
    models : LoadedFamily
        Whose tile it is.
    pixels : array, uint8 (height, width, 3)
        Tissue at the family's pixel size: a tile, or whole tiles of one embedding.
    on_tiles : callable
        Told (tiles done, tiles in all) between two batches.

    Returns
    -------
    array, float32
        (grid², dimension) of a tile, row by row, top left first; (rows, columns, dimension) of
        anything larger.
    """
    tile, grid = models.family.tile, models.family.grid
    side = tile // grid
    height, width = pixels.shape[:2]
    if min(height, width) < tile or height % side or width % side:
        raise PixCellError(
            f"The region gives an image of {pixels.shape}, but an embedding needs "
            f"{tile} × {tile} px, or more by whole steps of {side} px."
        )
    rows, columns = height // side, width // side
    found = embed_tiles(encoder, models.device, cut_tiles(pixels, side), on_tiles)
    return found if pixels.shape == (tile, tile, 3) else found.reshape(rows, columns, -1)


def cut_tiles(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Cut a picture of whole tiles, row by row: uint8 (tiles, side, side, 3)."""
    rows, columns = pixels.shape[0] // side, pixels.shape[1] // side
    tiles = pixels.reshape(rows, side, columns, side, 3).swapaxes(1, 2)
    return tiles.reshape(-1, side, side, 3)


def embed_tiles(
    encoder: Any,
    device: torch.device,
    tiles: NDArray[np.uint8],
    on_tiles: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[Any]:
    """Embed tiles, uint8 (count, side, side, 3): float32, (count, dimension)."""
    values = []
    for first in range(0, len(tiles), EMBEDDED_AT_ONCE):
        if first:
            on_tiles(first, len(tiles))
        part = torch.from_numpy(np.ascontiguousarray(tiles[first : first + EMBEDDED_AT_ONCE]))
        image = part.to(device).permute(0, 3, 1, 2).contiguous().float() / 255
        values.append(encoder(image).float().cpu().numpy())
    found: NDArray[Any] = np.concatenate(values)
    return found


def canvas_of(request: GenerateRequest, family: Family) -> Canvas:
    """Give the canvas of a request: one tile, unless it asks for a size.

    Where only a part changes, it has no windows that give none of it.
    """
    size = request.size or (family.tile, family.tile)
    if min(size) < family.tile:
        raise PixCellError(
            f"A picture of {size[1]} × {size[0]} px is smaller than one tile of {family.title} "
            f"({family.tile} px); ask for a larger one."
        )
    canvas = Canvas(size, family.tile, family.grid)
    if request.part is not None:
        canvas.free = free_latents(request.part.unpack(), canvas)
    return canvas


def read_start(request: GenerateRequest, canvas: Canvas) -> StartImage | None:
    """Give the picture that a request starts from, or None."""
    if request.start is None:
        return None
    part = request.part.unpack() if request.part is not None else None
    return StartImage(request.start.unpack(), canvas, part, request.feather)


def read_style(
    request: GenerateRequest, models: LoadedFamily, canvas: Canvas, moved: bool = True
) -> NDArray[np.float32]:
    """Give the embeddings of a canvas, moved by the family's flow if it has one.

    With ``moved`` false they are those of the request, as the tissue is before it is stained.

    Returns
    -------
    array, float32, (rows, columns, dimension)
        The unconditional embedding in every cell where the request has no style.
    """
    config, grid = models.transformer.config, models.family.grid
    if request.embedding is None:
        values = models.transformer.unconditional(1)[0].float().cpu().numpy()
    else:
        values = request.embedding.unpack().astype(np.float32)
        tile = (config.caption_num_tokens, config.caption_channels)
        if values.shape != tile and (values.ndim != 3 or values.shape[-1] != tile[-1]):
            raise PixCellError(
                f"The style is of the shape {values.shape}, but {models.family.title} needs "
                f"{tile}; embed the region again with this model."
            )
        if models.flow is not None and moved:
            flat = torch.from_numpy(values.reshape(-1, values.shape[-1])).to(models.device)
            values = models.flow.translate(flat).cpu().numpy().reshape(values.shape)
    return spread_style(values.reshape(grid, grid, -1) if values.ndim == 2 else values, canvas)


class CellPicture:
    """The picture of a layout's cells, as latents of any window.

    Parameters
    ----------
    labels : array, (height, width)
        Label image of the whole picture.
    canvas : Canvas
        Which may be larger; there are no cells beyond the picture.
    models : LoadedFamily
        Whose autoencoder.
    """

    def __init__(self, labels: NDArray[Any], canvas: Canvas, models: LoadedFamily) -> None:
        self._models = models
        self._picture = np.zeros((canvas.height * FACTOR, canvas.width * FACTOR), np.uint8)
        self._picture[: labels.shape[0], : labels.shape[1]] = condition_image(labels)[..., 0]
        self._latents: dict[CanvasWindow, Tensor] = {}

    def __call__(self, window: CanvasWindow) -> Tensor:
        """Give the latents of a window, float32, (1, channels, height, width)."""
        latents = self._latents.get(window)
        if latents is None:
            y, x = (slice(s.start * FACTOR, s.stop * FACTOR) for s in (window.y, window.x))
            part = np.repeat(self._picture[y, x, None], 3, axis=-1)
            latents = _encode(part, self._models)
            if len(self._latents) >= CONDITIONS_KEPT:
                self._latents.pop(next(iter(self._latents)))
            self._latents[window] = latents
        return latents


def read_layout(
    request: GenerateRequest, models: LoadedFamily, canvas: Canvas
) -> CellPicture | None:
    """Give the request's cells, or None."""
    if request.layout is None:
        return None
    if models.controlnet is None:
        raise PixCellError(
            f"{models.family.title} takes no layout of cells; take the layout away, or choose "
            "a family with cells, such as pixcell-256-cells."
        )
    labels = request.layout.unpack()
    check_layout(labels, canvas.size)
    return CellPicture(labels, canvas, models)


def make_denoiser(
    request: GenerateRequest, models: LoadedFamily, cells: CellPicture | None, two_passes: bool
) -> Denoiser:
    """Make what predicts the clean latents of a request."""
    return Denoiser(
        models.transformer,
        models.scheduler,
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
    """How a start is followed back: by the base, for a stain's adapter knows no H&E.

    Parameters
    ----------
    denoiser : Denoiser
        Without guidance.
    style : array, float32, (rows, columns, dimension)
        What the start looks like.
    on_back : callable
        Told (done, in all) on the way.
    """

    denoiser: Denoiser
    style: NDArray[np.float32]
    on_back: Callable[[int, int], None]


def read_inversion(
    request: GenerateRequest,
    models: LoadedFamily,
    canvas: Canvas,
    cells: CellPicture | None,
    on_back: Callable[[int, int], None],
) -> Inversion | None:
    """Give how a request wants its start to be followed back, or None."""
    if not request.invert:
        return None
    plain = replace(request, guidance=1.0, preset=EXACT.name)
    denoiser = make_denoiser(plain, models, cells, two_passes=False)
    return Inversion(denoiser, read_style(request, models, canvas, moved=False), on_back)


def make_tiles(
    seeds: list[int],
    denoiser: Denoiser,
    models: LoadedFamily,
    canvas: Canvas,
    style: NDArray[np.float32],
    cells: CellPicture | None,
    on_step: OnStep,
    start: StartImage | None = None,
    inversion: Inversion | None = None,
) -> list[NDArray[np.uint8]]:
    """Make the pictures of several seeds in one batch, each uint8 (tile, tile, 3).

    With an inversion they are all the same, for it has no use for a seed.

    Raises
    ------
    Overflow
        If the numbers are not finite.
    """
    if start is not None and denoiser.solver.first == denoiser.solver.steps:
        return [start.picture.copy() for _ in seeds]
    channels, side = models.transformer.config.in_channels, canvas.window
    noise = np.stack([noise_at(seed, channels, 0, 0, side, side) for seed in seeds])
    tokens = torch.from_numpy(style.reshape(1, -1, style.shape[-1])).to(models.device)
    condition = None
    if cells is not None:
        condition = cells(canvas.rows(Turn())[0].windows[0]).expand(len(seeds), -1, -1, -1)
    before, free = None, canvas.free
    if start is not None:
        before = encode_picture(start.read(0, side, 0, side), models)
    begun = None
    if inversion is not None and before is not None:
        own = torch.from_numpy(inversion.style.reshape(1, -1, style.shape[-1])).to(models.device)
        one = condition[:1] if condition is not None else None
        with without_lora(models.transformer):
            begun = invert(inversion.denoiser, before, own, one, inversion.on_back)
    latents = denoise(
        denoiser,
        torch.from_numpy(noise).to(models.device),
        tokens.expand(len(seeds), -1, -1),
        condition=condition,
        on_step=on_step,
        start=before,
        free=torch.from_numpy(free).to(models.device) if free is not None else None,
        begun=begun.expand(len(seeds), -1, -1, -1) if begun is not None else None,
    )
    # One by one: decoding takes the most memory of all.
    pictures = (_decode(one[None], models) for one in latents)
    images = [_to_image(torch.from_numpy(picture)) for picture in pictures]
    return images if start is None else [start.merge(0, image) for image in images]


def paint_canvas(
    seed: int,
    denoiser: Denoiser,
    models: LoadedFamily,
    canvas: Canvas,
    store: CanvasStore,
    style: NDArray[np.float32],
    cells: CellPicture | None,
    setting: Setting | None,
    batch: int,
    on_windows: Callable[[int], None],
    on_rows: Callable[[int, int], None],
    start: StartImage | None,
    on_encoded: Callable[[int, int], None],
    inversion: Inversion | None = None,
) -> Picture:
    """Make a picture of any size, uint8 (height, width, 3), going on where the store stopped.

    Raises
    ------
    Overflow
        If the numbers are not finite.
    """
    painter = CanvasPainter(
        denoiser, canvas, store, seed, style, cells, models.device, batch, start
    )
    if inversion is not None:
        inverter = CanvasInverter(
            inversion.denoiser, canvas, store, seed, inversion.style, cells, models.device, batch
        )

        def begin() -> None:
            with without_lora(models.transformer):
                inverter.invert(inversion.on_back)

        painter.begin_by = begin
    tiled = setting is not None and setting.tile_vae
    side = DECODED_TILED if tiled else DECODED
    return painter.paint(
        lambda latents: _decode(latents, models),
        side,
        on_windows,
        on_rows,
        lambda pixels: encode_picture(pixels, models),
        on_encoded,
    )


def _decode(latents: Tensor, models: LoadedFamily) -> NDArray[np.float32]:
    """Decode (1, channels, h, w) to pixels around 0 to 1, float32 (3, 8 h, 8 w)."""
    config = models.vae.config
    scaled = latents / config.scaling_factor + config.shift_factor
    scaled = scaled.to(models.dtype).contiguous(memory_format=torch.channels_last)
    decoded = models.vae.decode(scaled).sample[0].float()
    if not torch.isfinite(decoded).all():
        raise Overflow
    pixels: NDArray[np.float32] = (decoded / 2 + 0.5).cpu().numpy()
    return pixels


def _encode(image: NDArray[np.uint8], models: LoadedFamily) -> Tensor:
    """Give the latents of a picture, uint8 (h, w, 3): float32, (1, channels, h / 8, w / 8)."""
    config = models.vae.config
    tensor = torch.from_numpy(np.ascontiguousarray(image)).to(models.device)
    tensor = tensor.permute(2, 0, 1)[None].float() / 127.5 - 1
    tensor = tensor.to(models.dtype).contiguous(memory_format=torch.channels_last)
    latent: Tensor = models.vae.encode(tensor).latent_dist.mode().float()
    return (latent - config.shift_factor) * config.scaling_factor


def encode_picture(image: NDArray[np.uint8], models: LoadedFamily) -> Tensor:
    """Encode a picture, uint8 (h, w, 3), as :func:`_encode` does.

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
    """Picture predicted clean latents, (channels, h, w), by a linear map: nearly free."""
    weight, bias = models.preview_weight, models.preview_bias
    rgb = torch.einsum("oc,chw->ohw", weight, clean.float().to(weight.device))
    return _to_image(rgb + bias[:, None, None])


def _to_image(tensor: Tensor) -> NDArray[np.uint8]:
    """Turn float (3, h, w) in [0, 1] into uint8 (h, w, 3)."""
    image = (tensor.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy())

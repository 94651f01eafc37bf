"""The images of a prepared request: tiles in one batch, or a canvas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell.cells import condition_image
from napari_pixcell.engine.canvas.painter import CanvasPainter
from napari_pixcell.engine.canvas.plan import Turn
from napari_pixcell.engine.canvas.store import CanvasStore
from napari_pixcell.engine.colour_match import match, match_rows
from napari_pixcell.engine.conditions import OnDone, PreparedRequest
from napari_pixcell.engine.inversion import CanvasInverter, invert
from napari_pixcell.engine.latents import Overflow, decode, encode_picture, to_image
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.sampler import OnStep, denoise, noise_at
from napari_pixcell.engine.start_image import faded
from napari_pixcell.models.loading import LoadedFamily
from napari_pixcell.models.lora import without_lora
from napari_pixcell.slides.stored_picture import Picture

DECODED = 128  # side in latents of the decoder's windows: 1024 px
DECODED_TILED = 64  # if memory is short


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
    side, condition = canvas.window, _condition(prepared)
    before = begun = None
    if start is not None:
        before = encode_picture(start.read(0, side, 0, side), models)
    if inversion is not None and before is not None:
        own = _tokens(inversion.style, models)
        with without_lora(models.transformer):
            begun = invert(inversion.denoiser, before, own, condition, inversion.on_done)
    free = torch.from_numpy(canvas.free).to(models.device) if canvas.free is not None else None
    latents = denoise(
        denoiser,
        _noise(prepared, seeds),
        _tokens(prepared.style, models).expand(len(seeds), -1, -1),
        condition.expand(len(seeds), -1, -1, -1) if condition is not None else None,
        on_step,
        start=before,
        free=free,
        begun=begun.expand(len(seeds), -1, -1, -1) if begun is not None else None,
    )
    # One by one, because decoding takes the most memory of all.
    pictures = (decode(one[None], models) for one in latents)
    images = [to_image(torch.from_numpy(picture)) for picture in pictures]
    if start is None:
        return [_matched(prepared, image) for image in images]
    seen = None if start.part is None else start.seen(0, canvas.size[0])
    return [_matched(prepared, start.merge(0, image), seen) for image in images]


Members = list[tuple[PreparedRequest, int]]


def denoise_together(members: Members, on_step: OnStep | None = None) -> Tensor:
    """Denoise the tiles of several requests in one batch.

    Parameters
    ----------
    members : list of (PreparedRequest, int)
        Request and seed of each. All start from noise, agree in their denoiser, and have a layout
        or have none.
    on_step : callable, optional
        See :func:`~.sampler.denoise`.

    Returns
    -------
    Tensor, float32, (members, channels, height, width)
        Clean latents.
    """
    requests = [prepared for prepared, _ in members]
    models = requests[0].models
    conditions = [one for one in map(_condition, requests) if one is not None]
    return denoise(
        requests[0].denoiser,
        torch.cat([_noise(prepared, [seed]) for prepared, seed in members]),
        torch.cat([_tokens(prepared.style, models) for prepared in requests]),
        torch.cat(conditions) if conditions else None,
        on_step,
    )


def make_together(members: Members, on_step: OnStep) -> list[NDArray[np.uint8] | None]:
    """Generate the images of several requests in one batch, each uint8 (tile, tile, 3).

    The parameters are those of :func:`denoise_together`. An image is None if its numbers are not
    finite.
    """
    images: list[NDArray[np.uint8] | None] = []
    latents = denoise_together(members, on_step)
    for (prepared, _), one in zip(members, latents, strict=True):
        try:
            image = to_image(torch.from_numpy(decode(one[None], prepared.models)))
        except Overflow:
            images.append(None)
        else:
            images.append(_matched(prepared, image))
    return images


def _matched(
    prepared: PreparedRequest, image: NDArray[np.uint8], seen: NDArray[np.float32] | None = None
) -> NDArray[np.uint8]:
    """Match the colours of a tile as far as it was ``seen``; the layout tells nuclei apart."""
    cells = prepared.cells
    nuclei = cells.inside(0, prepared.canvas.size[0]) if cells is not None else None
    return match(image, prepared.colour_match, seen, nuclei=nuclei)


def _noise(prepared: PreparedRequest, seeds: list[int]) -> Tensor:
    models, side = prepared.models, prepared.canvas.window
    channels = models.transformer.config.in_channels
    noise = np.stack([noise_at(seed, channels, 0, 0, side, side) for seed in seeds])
    return torch.from_numpy(noise).to(models.device)


def _tokens(style: NDArray[np.float32], models: LoadedFamily) -> Tensor:
    return torch.from_numpy(style.reshape(1, -1, style.shape[-1])).to(models.device)


def _condition(prepared: PreparedRequest) -> Tensor | None:
    """Return the latents of the layout of a tile, (1, channels, height, width)."""
    if prepared.cells is None:
        return None
    return prepared.cells(prepared.canvas.rows(Turn())[0].windows[0])


def match_tile(request: GenerateRequest, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Match the colours of a tile as its request asks, if it was generated without a match.

    ``image`` is uint8 (tile, tile, 3). The result equals that of :func:`make_tiles`.
    """
    seen = nuclei = None
    if request.first_step == request.steps:  # it keeps the start as it is
        return image
    if request.layout is not None:
        nuclei = condition_image(request.layout.unpack(), request.cell_gap)[..., 0] > 0
    if request.part is not None:
        seen = faded(request.part.unpack() != 0, request.feather, 0, len(image))
    return match(image, request.shown_match, seen, nuclei=nuclei)


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
        nuclei = prepared.cells.inside if prepared.cells is not None else None
        painter.finish_by = lambda picture: match_rows(
            picture, target, seen, on_matched, nuclei=nuclei
        )
    return painter.paint(
        lambda latents: decode(latents, models),
        DECODED_TILED if tiled else DECODED,
        on_windows,
        on_rows,
        lambda pixels: encode_picture(pixels, models),
        on_encoded,
    )

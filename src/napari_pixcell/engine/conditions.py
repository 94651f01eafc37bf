"""A request read for the networks of a family: canvas, style, layout, start and denoiser."""

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
from napari_pixcell.cells.class_map import ClassMap
from napari_pixcell.engine.canvas.plan import FACTOR, Canvas, CanvasWindow, spread_style
from napari_pixcell.engine.colour_match import ColourMatch, colour_setting
from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.engine.latents import encode
from napari_pixcell.engine.presets import EXACT, get_preset
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.requests import size_of
from napari_pixcell.engine.solver import FIRST_ORDER
from napari_pixcell.engine.start_image import CanvasStart, free_latents
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.loading import LoadedFamily

CONDITIONS_KEPT = 4096  # windows whose encoded cells are cached from step to step

OnDone = Callable[[int, int], None]


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
    classes : ClassMap, optional
        Draw each cell in the colour of its class.
    """

    def __init__(
        self,
        labels: NDArray[Any],
        canvas: Canvas,
        models: LoadedFamily,
        gap: bool,
        classes: ClassMap | None = None,
    ) -> None:
        self._models, self._width = models, labels.shape[1]
        # One channel of a binary picture: the others are the same.
        drawn = condition_image(labels, gap, classes)[..., :: 1 if classes else 3]
        shape = canvas.height * FACTOR, canvas.width * FACTOR, drawn.shape[-1]
        self._picture = np.zeros(shape, np.uint8)
        self._picture[: labels.shape[0], : labels.shape[1]] = drawn
        self._latents: LRUCache[CanvasWindow, Tensor] = LRUCache(CONDITIONS_KEPT)

    def inside(self, top: int, stop: int) -> NDArray[np.bool_]:
        """Return which pixels of some rows lie in cells: bool (rows, width)."""
        return np.asarray(np.any(self._picture[top:stop, : self._width] > 0, axis=-1))

    def inside_in_preview(self, shape: tuple[int, ...], every: int) -> NDArray[np.bool_]:
        """Return which pixels of a preview lie in cells: bool (height, width)."""
        step = every * FACTOR
        picture = self._picture[FACTOR // 2 :: step, FACTOR // 2 :: step]
        return np.asarray(np.any(picture[: shape[0], : shape[1]] > 0, axis=-1))

    def __call__(self, window: CanvasWindow) -> Tensor:
        """Return the latents of a window, float32, (1, channels, height, width)."""
        latents = self._latents.get(window)
        if latents is None:
            y, x = (slice(s.start * FACTOR, s.stop * FACTOR) for s in (window.y, window.x))
            picture = self._picture[y, x]
            latents = encode(np.repeat(picture, 3 // picture.shape[-1], -1), self._models)
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
    return LayoutLatents(labels, canvas, models, request.cell_gap, request.classes)


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
    denoiser: Denoiser | None = None,
) -> PreparedRequest:
    """Read everything that the variants of a request share.

    Parameters
    ----------
    two_passes : bool
        See :class:`~.denoiser.Denoiser`.
    on_inverted : callable
        Receives (work done, total work) while a start is inverted.
    denoiser : Denoiser, optional
        Of another request with the same settings. By default a new one.
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
    denoiser = denoiser or make_denoiser(request, models, cells, two_passes)
    if request.invert:
        plain = replace(request, guidance=1.0, preset=EXACT.name)
        own = read_style(request, models, canvas, moved=False)
        inversion = Inversion(make_denoiser(plain, models, cells, False), own, on_inverted)
    return PreparedRequest(
        models, canvas, denoiser, style, cells, start, inversion, request.shown_match
    )

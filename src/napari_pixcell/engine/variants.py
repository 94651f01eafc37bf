"""The variants of one request, as tiles or as a canvas."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from napari_pixcell import __version__
from napari_pixcell.engine.cancelling import Cancelled
from napari_pixcell.engine.canvas.store import CanvasStore, drop_old
from napari_pixcell.engine.events import PREVIEW_SIDE, Emit, Preview, Progress
from napari_pixcell.engine.pipeline import (
    canvas_of,
    make_denoiser,
    make_tiles,
    paint_canvas,
    picture_preview,
    read_inversion,
    read_layout,
    read_start,
    read_style,
)
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.models.loading import LoadedFamily, describe_device
from napari_pixcell.models.memory import Setting
from napari_pixcell.slides.stored_picture import Picture, drop_old_pictures

PREVIEWS_PER_SECOND = 8  # at most
FEWER = 1  # where the processor computes: while the window draws one, a core waits for the other


class VariantGenerator:
    """The variants of one request, with the networks where they are now.

    Parameters
    ----------
    request : GenerateRequest
        All of its variants.
    models : LoadedFamily
    setting : Setting, optional
        What was done for memory.
    emit : callable
        Gets progress and previews.
    cancelled : callable
        Asked between steps.
    previews : bool
        Whether to show how pictures look by now.
    """

    def __init__(
        self,
        request: GenerateRequest,
        models: LoadedFamily,
        setting: Setting | None,
        emit: Emit,
        cancelled: Callable[[], bool],
        previews: bool,
    ) -> None:
        self.request, self.models, self.setting = request, models, setting
        self._emit, self._cancelled = emit, cancelled
        self._previewed = 0.0 if previews else math.inf
        # Beside a card the window has the processor to itself.
        self._pause = 1 / (PREVIEWS_PER_SECOND if models.device.type != "cpu" else FEWER)
        self.canvas = canvas_of(request, models.family)
        self.style = read_style(request, models, self.canvas)
        self.cells = read_layout(request, models, self.canvas)
        self.start = read_start(request, self.canvas)
        two_passes = setting is not None and setting.two_passes
        self.denoiser = make_denoiser(request, models, self.cells, two_passes)
        self.inversion = read_inversion(request, models, self.canvas, self.cells, self._on_back)
        self._at = 0, 1  # work done, and in all, for what goes before the first step

    def make(self, waiting: list[tuple[int, GenerateRequest]], size: int) -> list[Picture]:
        """Make the first of the waiting variants: of tiles as many as go in one batch."""
        if self._cancelled():
            raise Cancelled
        if self.canvas.single:
            return self._tiles(waiting[:size])
        return [self._canvas(*waiting[0], size)]

    def _tiles(self, variants: list[tuple[int, GenerateRequest]]) -> list[Picture]:
        first, count = variants[0][0], self.request.count

        def on_step(step: int, steps: int, clean: Tensor) -> None:
            self._check()
            self._preview(first, lambda: clean[0], 1)
            done = first * steps + step * len(variants)
            last = first + len(variants)
            which = f"Variant {last}" if len(variants) == 1 else f"Variants {first + 1} to {last}"
            self._emit(Progress(done, count * steps, f"{which} of {count}"))

        solver = self.denoiser.solver
        each = solver.steps - solver.first
        self._at = first * each, self.request.count * each
        seeds = [variant.seed for _, variant in variants]
        images = make_tiles(
            seeds,
            self.denoiser,
            self.models,
            self.canvas,
            self.style,
            self.cells,
            on_step,
            self.start,
            self.inversion,
        )
        return list(images)

    def _canvas(self, index: int, variant: GenerateRequest, size: int) -> Picture:
        solver = self.denoiser.solver
        windows = self.canvas.count(self.canvas.turns(solver.steps - solver.first))
        channels = self.models.transformer.config.in_channels
        self._at = index * windows, self.request.count * windows
        drop_old()
        drop_old_pictures()
        store = CanvasStore(
            self._key(variant, size),
            self.canvas,
            channels,
            with_start=self.start is not None,
        )

        def tell(done: int, words: str) -> None:
            self._check()
            total = windows * self.request.count
            self._emit(Progress(index * windows + done, total, words))

        def on_windows(done: int) -> None:
            tell(done, f"Window {done} of {windows}")
            every = _thinning(store.clean.shape[1:])
            clean = store.clean[:, ::every, ::every]
            self._preview(index, lambda: torch.from_numpy(np.array(clean)), every)

        def on_rows(done: int, rows: int) -> None:
            tell(windows, f"Decoding, {100 * done // rows} %")

        def on_encoded(done: int, rows: int) -> None:
            tell(0, f"Reading the start, {100 * done // rows} %")

        try:
            image = paint_canvas(
                variant.seed,
                self.denoiser,
                self.models,
                self.canvas,
                store,
                self.style,
                self.cells,
                self.setting,
                size,
                on_windows,
                on_rows,
                self.start,
                on_encoded,
                self.inversion,
            )
        except BaseException:
            store.close(remove=False)
            raise
        store.close(remove=True)
        return image

    def _key(self, variant: GenerateRequest, size: int) -> str:
        """Name everything that the pixels of a canvas depend on."""
        how = describe_device(self.models.device, self.models.dtype)
        what = [variant.to_dict(), self.models.weights, how, str(self.setting), size, __version__]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]

    def _on_back(self, done: int, total: int) -> None:
        self._check()
        self._emit(Progress(*self._at, f"Following the tissue back, {100 * done // total} %"))

    def _check(self) -> None:
        if self._cancelled():
            raise Cancelled

    def _preview(self, index: int, clean: Callable[[], Tensor], every: int) -> None:
        now = time.monotonic()
        if now - self._previewed >= self._pause:
            self._previewed = now
            picture = picture_preview(clean(), self.models)
            if self.start is not None:
                picture = self.start.preview(picture, every)
            self._emit(Preview(index, picture))


def _thinning(sides: tuple[int, ...]) -> int:
    """Say which of the latents a preview shows: each so manieth."""
    return -(-max(sides) // PREVIEW_SIDE)

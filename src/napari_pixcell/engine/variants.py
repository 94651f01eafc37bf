"""The variants of one request, as tiles or as a canvas."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_pixcell import __version__
from napari_pixcell.engine.canvas.plan import FACTOR
from napari_pixcell.engine.canvas.store import CanvasStore, drop_old, remove_canvas
from napari_pixcell.engine.colour_match import ColourMatch, match
from napari_pixcell.engine.conditions import prepare
from napari_pixcell.engine.events import PREVIEW_SIDE, Emit, Preview, Progress
from napari_pixcell.engine.latents import picture_preview
from napari_pixcell.engine.pipeline import make_tiles, paint_canvas
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.models.loading import LoadedFamily, describe_device
from napari_pixcell.models.memory import Setting
from napari_pixcell.slides.stored_picture import Picture, drop_old_pictures

Check = Callable[[], None]

PREVIEWS_PER_SECOND = 8  # at most, with a GPU
PREVIEWS_PER_SECOND_ON_CPU = 1  # drawing a preview in the window delays the computation


class VariantGenerator:
    """Generates the variants of one request on the networks at their current device.

    Parameters
    ----------
    request : GenerateRequest
        With all of its variants.
    shown_match : ColourMatch, optional
        Colour match of the previews. It is the request's own, or the one that follows a repair.
    setting : Setting, optional
        How memory is saved.
    emit : callable
        Receives progress and previews.
    check : callable
        Called between steps. It raises once the user has cancelled.
    previews : bool
        Whether to emit previews.
    """

    def __init__(
        self,
        request: GenerateRequest,
        shown_match: ColourMatch | None,
        models: LoadedFamily,
        setting: Setting | None,
        emit: Emit,
        check: Check,
        previews: bool,
    ) -> None:
        self.request, self.models, self.setting = request, models, setting
        self._emit, self._check, self._shown_match = emit, check, shown_match
        self._finished: list[Path] = []
        self._previewed = 0.0 if previews else math.inf
        on_cpu = models.device.type == "cpu"
        self._pause = 1 / (PREVIEWS_PER_SECOND_ON_CPU if on_cpu else PREVIEWS_PER_SECOND)
        self._prepared = prepare(
            request,
            models,
            two_passes=setting is not None and setting.two_passes,
            on_inverted=self._on_inverted,
        )
        self.canvas = self._prepared.canvas
        solver = self._prepared.denoiser.solver
        self._steps = solver.steps - solver.first
        self._before = 0, 1  # work done and total work, shown until the first step

    def make(self, waiting: list[tuple[int, GenerateRequest]], size: int) -> list[Picture]:
        """Generate the first of the waiting variants. Of tiles, as many as fit in one batch.

        Parameters
        ----------
        waiting : list of (int, GenerateRequest)
            Index and request of each variant.
        size : int
            Tiles or windows per batch.
        """
        self._check()
        if self.canvas.single:
            return self._tiles(waiting[:size])
        return [self._canvas(*waiting[0], size)]

    def _tiles(self, variants: list[tuple[int, GenerateRequest]]) -> list[Picture]:
        first, count = variants[0][0], self.request.count
        last = first + len(variants)
        which = f"Variant {last}" if len(variants) == 1 else f"Variants {first + 1} to {last}"

        def on_step(step: int, steps: int, clean: Tensor) -> None:
            self._check()
            self._preview(first, lambda: clean[0], 1)
            done = first * steps + step * len(variants)
            self._emit(Progress(done, count * steps, f"{which} of {count}"))

        self._before = first * self._steps, count * self._steps
        return list(make_tiles(self._prepared, [one.seed for _, one in variants], on_step))

    def _canvas(self, index: int, variant: GenerateRequest, size: int) -> Picture:
        windows = self.canvas.count(self.canvas.turns(self._steps))
        total = windows * self.request.count
        self._before = index * windows, total
        drop_old()
        drop_old_pictures()
        store = CanvasStore(
            self._key(variant, size),
            self.canvas,
            self.models.transformer.config.in_channels,
            with_start=self._prepared.start is not None,
        )

        def report(done: int, words: str) -> None:
            self._check()
            self._emit(Progress(index * windows + done, total, words))

        def on_windows(done: int) -> None:
            report(done, f"Window {done} of {windows}")
            every = -(-max(store.clean.shape[1:]) // PREVIEW_SIDE)
            clean = store.clean[:, ::every, ::every]
            self._preview(index, lambda: torch.from_numpy(np.array(clean)), every)

        try:
            image = paint_canvas(
                self._prepared,
                store,
                variant.seed,
                batch=size,
                tiled=self.setting is not None and self.setting.tile_vae,
                on_windows=on_windows,
                on_rows=lambda done, rows: report(windows, f"Decoding, {100 * done // rows} %"),
                on_encoded=lambda done, rows: report(
                    0, f"Reading the start image, {100 * done // rows} %"
                ),
                on_matched=lambda done, rows: report(
                    windows, f"Matching colours, {100 * done // rows} %"
                ),
            )
        except BaseException:
            store.close(remove=False)
            raise
        store.close(remove=False)
        self._finished.append(store.folder)
        return image

    def forget_finished(self) -> None:
        """Remove the canvases of finished variants, once all of them have been used."""
        for folder in self._finished:
            remove_canvas(folder)

    def _key(self, variant: GenerateRequest, size: int) -> str:
        """Return a hash of everything that the pixels of a canvas depend on."""
        how = describe_device(self.models.device, self.models.dtype)
        what = [variant.to_dict(), self.models.weights, how, str(self.setting), size, __version__]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]

    def _on_inverted(self, done: int, total: int) -> None:
        self._check()
        self._emit(Progress(*self._before, f"Inverting the tissue, {100 * done // total} %"))

    def _preview(self, index: int, clean: Callable[[], Tensor], every: int) -> None:
        now = time.monotonic()
        if now - self._previewed >= self._pause:
            self._previewed = now
            picture, start = picture_preview(clean(), self.models), self._prepared.start
            cells, shape = self._prepared.cells, picture.shape
            seen = start.seen_in_preview(shape, every) if start is not None else None
            inside = cells.inside_in_preview(shape, every) if cells is not None else None
            each = (FACTOR * every) ** 2
            picture = match(picture, self._shown_match, seen, each, inside)
            if start is not None:
                picture = start.preview(picture, every)
            self._emit(Preview(index, picture))

"""Requests in, events out: the one place where a generation happens."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell import __version__
from napari_pixcell.cells import segment_nuclei
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.computing import (
    Overflow,
    embed_tissue,
    make_picture,
    picture_preview,
    read_layout,
    read_style,
)
from napari_pixcell.engine.events import (
    Embedding,
    Event,
    Finished,
    Layout,
    Preview,
    Progress,
    Variant,
)
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.request import EmbedRequest, GenerateRequest, Request, SegmentRequest
from napari_pixcell.engine.residence import Residence
from napari_pixcell.engine.segmenting import find_cells
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.loading import LoadedFamily, describe_device
from napari_pixcell.models.segmenters import segmenter_licence

PREVIEWS_PER_SECOND = 8

Emit = Callable[[Event], None]
T = TypeVar("T")


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
        self.residence = Residence(device)

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
                elif isinstance(request, SegmentRequest):
                    self._segment(request, emit, cancelled)
                else:
                    self._generate(request, emit, cancelled)
        except Cancelled:
            emit(Finished(cancelled=True))
        else:
            emit(Finished())

    def load(self, name: str) -> LoadedFamily:
        """Give the networks of a family, loading them if they are not in memory."""
        return self.residence.load(name)

    def unload(self) -> None:
        """Give all memory back that networks hold."""
        self.residence.unload()

    def _embed(self, request: EmbedRequest, emit: Emit) -> None:
        def work() -> NDArray[Any]:
            models = self.load(request.family)
            with self.residence.encoder() as encoder:
                return embed_tissue(encoder, models, request.pixels.unpack())

        values = self._fitting(work, lambda words: emit(Progress(0, 1, words)))
        emit(Embedding(values, self.residence.encoder_id))

    def _segment(self, request: SegmentRequest, emit: Emit, cancelled: Callable[[], bool]) -> None:
        how = request.how
        if how.method == "builtin":
            labels = segment_nuclei(request.pixels.unpack(), request.mpp)
            emit(Layout(labels, LayoutSource(how.method)))
            return

        def on_tile(done: int, total: int) -> None:
            if cancelled():
                raise Cancelled
            words = "Outlining the cells" if done == total else f"Tile {done + 1} of {total}"
            emit(Progress(done, total, words))

        def work() -> tuple[NDArray[np.int32], str]:
            segmenter = self.residence.load_segmenter(how.model)
            return find_cells(segmenter, request, on_tile), segmenter.sha256

        emit(Progress(0, 0, "Loading Cellpose"))
        labels, sha256 = self._fitting(
            work,
            lambda words: emit(Progress(0, 0, words)),
            self.residence.step_segmenter_down,
        )
        licence = segmenter_licence(how.model)
        emit(Layout(labels, LayoutSource(how.method, how.model_name, sha256, licence)))

    def _generate(
        self, request: GenerateRequest, emit: Emit, cancelled: Callable[[], bool]
    ) -> None:
        total = request.count * request.steps
        emit(Progress(0, total, "Loading the model"))
        ready: tuple[LoadedFamily, Tensor, Tensor | None] | None = None
        for index, variant in enumerate(request.variants()):
            done = index * request.steps

            def work(
                variant: GenerateRequest = variant, index: int = index
            ) -> tuple[NDArray[np.uint8], LoadedFamily, str]:
                nonlocal ready
                models = self.load(request.family)
                if ready is None or ready[0] is not models:
                    # Again after a step down: everything is on another device, or another way.
                    ready = models, read_style(request, models), read_layout(request, models)
                image = self._variant(variant, index, total, *ready, emit, cancelled)
                return image, models, self._how(models)

            def tell(words: str, done: int = done) -> None:
                nonlocal ready
                ready = None
                emit(Progress(done, total, words))

            image, models, how = self._fitting(work, tell)
            record = Record(
                request=variant,
                weights=models.weights,
                versions=_versions(),
                device=how,
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
        style: Tensor,
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
                emit(Preview(index, picture_preview(clean, models)))
            done = index * request.steps + step
            emit(Progress(done, total, f"Variant {index + 1} of {total // request.steps}"))

        if cancelled():
            raise Cancelled
        setting = self.residence.setting
        two_passes = setting is not None and setting.two_passes
        return make_picture(request, models, style, condition, two_passes, on_step)

    def _fitting(
        self,
        work: Callable[[], T],
        tell: Callable[[str], None],
        step_down: Callable[[], str | None] | None = None,
    ) -> T:
        """Run ``work``; where memory or numbers overflow, change one thing and run it again.

        Where memory is full ``step_down`` makes room, the family's own ladder by default.

        Raises
        ------
        PixCellError
            If there is nothing left to change.
        """
        while True:
            try:
                return work()
            except torch.OutOfMemoryError:
                full = True
            except Overflow:
                full = False
            # Outside of the handlers: what they caught holds the memory that must go first.
            if full:
                words = (step_down or self.residence.step_down)()
                if words is None:
                    raise PixCellError(
                        "There is not enough memory for this model in any way; close other "
                        "programs, or choose a smaller model."
                    )
                tell(f"Memory is full; again, {words}")
            elif self.residence.full_precision():
                tell("Numbers overflowed in half precision; again in full precision")
            else:
                raise PixCellError(
                    "The result is not a picture (numbers overflowed); lower the guidance or the "
                    "layout strength and generate again."
                )

    def _how(self, models: LoadedFamily) -> str:
        """Name device, precision and what was done for memory, for the record."""
        device, setting = describe_device(models.device, models.dtype), self.residence.setting
        plain = setting is None or setting.plain
        return device if plain or setting is None else f"{device}, {setting.name}"


def _versions() -> dict[str, str]:
    versions: dict[str, Any] = {"napari-pixcell": __version__, "python": platform.python_version()}
    return versions | {name: version(name) for name in ("torch", "diffusers", "numpy")}

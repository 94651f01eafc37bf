"""The engine: runs requests and emits events."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.events import Embedding, Emit, Finished, Progress, SegmentedLayout
from napari_pixcell.engine.generating import ImageGenerator
from napari_pixcell.engine.latents import OVERFLOWED, Overflow
from napari_pixcell.engine.loaded_models import MOST_AT_ONCE, LoadedModels, memory_is_full
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request_values import BatchRequest, EmbedRequest, Request, SegmentRequest
from napari_pixcell.engine.segmenting import output_cache, run_cellpose, search_key
from napari_pixcell.engine.tile_embedding import embed_tissue
from napari_pixcell.engine.training.context import TrainingContext
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.engine.variants import Check
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family, segmenter_file, segmenter_licence
from napari_pixcell.models.loading import LoadedFamily
from napari_pixcell.models.weights import cached_sha256
from napari_pixcell.slides.stored_picture import Picture

OUTLINING = "Outlining the cells"
# Measured by benchmarks/throughput.py --passes on the demo family: two images in a pass take 3 to
# 6 % less CPU time than one by one. More gain nothing more, and eight took up to 13 % longer.
AT_ONCE_ON_CPU = 2

T = TypeVar("T")


class Cancelled(Exception):
    """The user cancelled the request. Raised between two steps."""


class Engine:
    """Runs requests, and keeps the networks of the last family loaded.

    Parameters
    ----------
    device : torch.device, optional
        By default the best one available.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self.loaded = LoadedModels(device)
        self.outputs = output_cache()
        self._images = ImageGenerator(self.loaded, self._fitting, self._segment)

    def run(
        self,
        request: Request,
        emit: Emit,
        cancelled: Callable[[], bool] = lambda: False,
        previews: bool = True,
    ) -> None:
        """Run one request.

        Parameters
        ----------
        emit : callable
            Receives every event as it happens. The last one is ``Finished``.
        cancelled : callable
            Called between steps, and between the tensors of a model being loaded. Once it
            returns true, the request ends without an error.
        previews : bool
            Whether to emit previews.

        Raises
        ------
        PixCellError
            If the request cannot be run.
        """

        def check() -> None:
            if cancelled():
                raise Cancelled

        try:
            check()
            # Only training needs gradients.
            with torch.inference_mode(not isinstance(request, TrainRequest | TrainControlRequest)):
                if isinstance(request, TrainRequest | TrainControlRequest):
                    _train(request, TrainingContext(self.loaded, emit, check, self._fitting))
                elif isinstance(request, EmbedRequest):
                    self._embed(request, emit, check)
                elif isinstance(request, SegmentRequest):
                    self._segment(request, emit, check)
                elif isinstance(request, BatchRequest):
                    self._images.generate_batch(request, emit, check)
                else:
                    self._images.generate(request, emit, check, previews=previews)
        except Cancelled:
            emit(Finished(cancelled=True))
        else:
            emit(Finished())

    def load(self, name: str) -> LoadedFamily:
        """Return the networks of a family, loading them if they are not in memory."""
        return self.loaded.load(name)

    def at_once(self, name: str) -> int:
        """Return how many images of different requests a pass of a family best holds.

        A dataset keeps this number, as its pixels depend on it by rounding.
        """
        tile = get_family(name).tile
        if self.loaded.device.type == "cuda":
            return max(1, MOST_AT_ONCE * 256**2 // tile**2)
        return AT_ONCE_ON_CPU if tile <= 256 else 1

    def on_networks(
        self,
        name: str,
        work: Callable[[LoadedFamily], T],
        tell: Callable[[str], None] = lambda words: None,
    ) -> T:
        """Run ``work`` on the networks of a family, with less memory or more precision if need be.

        ``tell`` receives what was changed, in words.
        """
        with torch.inference_mode():
            return self._fitting(lambda: work(self.loaded.load(name)), tell)

    def unload(self) -> None:
        """Free all memory held by networks and their outputs."""
        self.loaded.unload()
        self.outputs.clear()

    def _embed(self, request: EmbedRequest, emit: Emit, check: Check) -> None:
        def on_tiles(done: int, total: int) -> None:
            check()
            emit(Progress(done, total, "Embedding"))

        def work() -> NDArray[Any]:
            models = self.loaded.load(request.family, check=check)
            with self.loaded.encoder() as encoder:
                return embed_tissue(encoder, models, request.pixels.unpack(), on_tiles)

        values = self._fitting(work, lambda words: emit(Progress(0, 0, words)))
        emit(Embedding(values, self.loaded.encoder_id))

    def _segment(self, request: SegmentRequest, emit: Emit, check: Check) -> None:
        how = request.how
        if how.method == "builtin":
            pixels = request.pixels.unpack()
            labels = segment_nuclei(
                pixels, request.mpp, how.sensitivity, how.smallest_um2, largest_um2=how.largest_um2
            )
            emit(SegmentedLayout(labels, LayoutSource(how.method)))
            return

        def on_tile(done: int, total: int) -> None:
            check()
            words = OUTLINING if done == total else f"Tile {done + 1} of {total}"
            emit(Progress(done, total, words))

        sha256 = cached_sha256(segmenter_file(how.model))
        key = search_key(request, sha256)

        def work() -> NDArray[np.int32]:
            outputs = self.outputs.get(key)
            if outputs is None:
                segmenter = self.loaded.load_segmenter(how.model)
                outputs = run_cellpose(segmenter, request, on_tile)
                with contextlib.suppress(ValueError):  # larger than the whole cache
                    self.outputs[key] = outputs
            return outputs.outline(how, request.mpp, self.loaded.segmenter_device)

        emit(Progress(0, 0, OUTLINING if key in self.outputs else "Loading Cellpose"))
        labels = self._fitting(
            work, lambda words: emit(Progress(0, 0, words)), self.loaded.step_segmenter_down
        )
        licence = segmenter_licence(how.model)
        emit(SegmentedLayout(labels, LayoutSource(how.method, how.model_name, sha256, licence)))

    def reproduce(self, record: Record) -> Picture:
        """Reproduce the pixels of a record, in a batch of the same size as the original."""
        with torch.inference_mode():
            return self._images.reproduce(record)

    def _fitting(
        self,
        work: Callable[[], T],
        tell: Callable[[str], None],
        step_down: Callable[[], str | None] | None = None,
        forget: Callable[[], None] = lambda: None,
    ) -> T:
        """Run ``work``. If memory or numbers overflow, change one setting and run it again.

        If memory is full, ``step_down`` makes room, by default on the family's own ladder. Before
        that, ``forget`` releases the networks that the caller holds.

        Raises
        ------
        PixCellError
            If there is nothing left to change.
        """
        while True:
            try:
                return work()
            except Overflow:
                full = False
            except RuntimeError as error:
                if not memory_is_full(error):
                    raise
                full = True
            # Outside the handlers, because the exceptions they caught hold memory.
            forget()
            if full:
                words = (step_down or self.loaded.step_down)()
                if words is None:
                    raise PixCellError(
                        "There is not enough memory for this model in any mode. Close other "
                        "programs, or choose a smaller model."
                    )
                tell(f"Memory is full. Trying again {words}")
            elif self.loaded.full_precision():
                tell("Half precision overflowed. Trying again in full precision")
            else:
                raise PixCellError(OVERFLOWED)


def _train(request: TrainRequest | TrainControlRequest, context: TrainingContext) -> None:
    # Imported here, because other requests need nothing of it.
    if isinstance(request, TrainRequest):
        from napari_pixcell.engine.training.job import TrainingRun

        TrainingRun(request, context).run()
    else:
        from napari_pixcell.engine.training.control.job import ControlTrainingRun

        ControlTrainingRun(request, context).run()

"""Requests in, events out: the one place where a generation happens."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pixcell import __version__
from napari_pixcell.cells import segment_nuclei
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.cancelling import Cancelled, checking
from napari_pixcell.engine.events import (
    Embedding,
    Emit,
    Event,
    Finished,
    Notice,
    Progress,
    SegmentedLayout,
    Variant,
)
from napari_pixcell.engine.loaded_models import LoadedModels, memory_is_full
from napari_pixcell.engine.pipeline import (
    Overflow,
    canvas_of,
    embed_tissue,
)
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.request import (
    MAX_SEED,
    EmbedRequest,
    GenerateRequest,
    Request,
    SegmentRequest,
)
from napari_pixcell.engine.segmenting import KeptOutputs, read_cells, search_key
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.engine.variants import VariantGenerator
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import get_family
from napari_pixcell.models.loading import LoadedFamily, describe_device
from napari_pixcell.models.segmenters import segmenter_file, segmenter_licence
from napari_pixcell.models.weights import sha256_of
from napari_pixcell.slides.stored_picture import Picture

NO_ROOM = (
    "The graphics card has too little free memory for this model, so it runs on the processor, "
    "slowly; close other programs that use the card, then press “Free memory”"
)
OUTLINING = "Outlining the cells"

T = TypeVar("T")


class Engine:
    """Runs requests, keeping the networks of the last family loaded.

    Parameters
    ----------
    device : torch.device, optional
        Where to run; the best one there is by default.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self.loaded = LoadedModels(device)
        self.outputs = KeptOutputs()

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
        request : Request
            What to do.
        emit : callable
            Gets every event as it happens; the last one is ``Finished``.
        cancelled : callable
            Asked between steps, and between tensors of a model that is loaded; once it is true
            the request ends, as no error.
        previews : bool
            Whether to emit how pictures look by now.

        Raises
        ------
        PixCellError
            If the request cannot be run as it is.
        """
        try:
            if cancelled():
                raise Cancelled
            # Only teaching needs gradients.
            with torch.inference_mode(not isinstance(request, TrainRequest)):
                if isinstance(request, TrainRequest):
                    self._teach(request, emit, cancelled)
                elif isinstance(request, EmbedRequest):
                    self._embed(request, emit, cancelled)
                elif isinstance(request, SegmentRequest):
                    self._segment(request, emit, cancelled)
                else:
                    self._generate(request, emit, cancelled, previews=previews)
        except Cancelled:
            emit(Finished(cancelled=True))
        else:
            emit(Finished())

    def load(self, name: str) -> LoadedFamily:
        """Give the networks of a family, loading them if they are not in memory."""
        return self.loaded.load(name)

    def unload(self) -> None:
        """Give all memory back that networks and their outputs hold."""
        self.loaded.unload()
        self.outputs.clear()

    def _embed(self, request: EmbedRequest, emit: Emit, cancelled: Callable[[], bool]) -> None:
        check = checking(cancelled)

        def on_tiles(done: int, total: int) -> None:
            check()
            emit(Progress(done, total, "Embedding"))

        def work() -> NDArray[Any]:
            models = self.loaded.load(request.family, check=check)
            with self.loaded.encoder() as encoder:
                return embed_tissue(encoder, models, request.pixels.unpack(), on_tiles)

        values = self._fitting(work, lambda words: emit(Progress(0, 0, words)))
        emit(Embedding(values, self.loaded.encoder_id))

    def _segment(self, request: SegmentRequest, emit: Emit, cancelled: Callable[[], bool]) -> None:
        how = request.how
        if how.method == "builtin":
            pixels = request.pixels.unpack()
            labels = segment_nuclei(pixels, request.mpp, how.sensitivity, how.smallest_um2)
            emit(SegmentedLayout(labels, LayoutSource(how.method)))
            return

        def on_tile(done: int, total: int) -> None:
            if cancelled():
                raise Cancelled
            emit(
                Progress(done, total, OUTLINING if done == total else f"Tile {done + 1} of {total}")
            )

        sha256 = sha256_of(segmenter_file(how.model))
        key = search_key(request, sha256)

        def work() -> NDArray[np.int32]:
            outputs = self.outputs.get(key)
            if outputs is None:
                segmenter = self.loaded.load_segmenter(how.model)
                outputs = read_cells(segmenter, request, on_tile)
                self.outputs.keep(key, outputs)
            return outputs.outline(how, request.mpp, self.loaded.segmenter_device)

        known = self.outputs.get(key) is not None
        emit(Progress(0, 0, OUTLINING if known else "Loading Cellpose"))
        labels = self._fitting(
            work,
            lambda words: emit(Progress(0, 0, words)),
            self.loaded.step_segmenter_down,
        )
        licence = segmenter_licence(how.model)
        emit(SegmentedLayout(labels, LayoutSource(how.method, how.model_name, sha256, licence)))

    def _teach(self, request: TrainRequest, emit: Emit, cancelled: Callable[[], bool]) -> None:
        from napari_pixcell.engine.training.job import Teaching

        check = checking(cancelled)
        Teaching(request, self.loaded, emit, check, self._fitting).run()

    def _generate(
        self,
        request: GenerateRequest,
        emit: Emit,
        cancelled: Callable[[], bool],
        batch: int | None = None,
        previews: bool = True,
    ) -> None:
        waiting = list(enumerate(request.variants()))
        emit(Progress(0, 0, "Loading the model"))
        job: VariantGenerator | None = None
        told = False
        while waiting:

            def work() -> tuple[list[Picture], LoadedFamily, str, int]:
                nonlocal job
                models = self.loaded.load(request.family, check=checking(cancelled))
                if self.loaded.beside_card and not told:
                    tell(NO_ROOM)
                if job is None or job.models is not models:
                    # Again after a step down: everything is on another device, or another way.
                    setting = self.loaded.setting
                    job = VariantGenerator(request, models, setting, emit, cancelled, previews)
                size = batch or self.loaded.batch
                images = job.make(waiting if job.canvas.single else waiting[:1], size)
                return images, models, self._how(models), size

            def forget() -> None:
                nonlocal job
                job = None

            def tell(words: str) -> None:
                nonlocal told
                told = True
                emit(Progress(0, 0, words))
                emit(Notice(words))

            images, models, how, size = self._fitting(work, tell, forget=forget)
            assert job is not None
            for place, image in enumerate(images):
                index, variant = waiting.pop(0)
                record = Record(
                    request=variant,
                    weights=models.weights,
                    versions=_versions(),
                    device=how,
                    sha256=pixels_sha256(image),
                    licence=models.family.licence,
                    notice=models.family.notice,
                    batch=(len(images), place) if job.canvas.single else (size, 0),
                )
                emit(Variant(index, image, record))
            del models  # else it would be held while a step down loads it again

    def again(self, record: Record) -> Picture:
        """Make the pixels of a record again, in a batch of the same size as then."""
        size, place = record.batch
        request = record.request
        found: dict[int, Picture] = {}

        def take(event: Event) -> None:
            if isinstance(event, Variant):
                found[event.index] = event.image

        if canvas_of(request, get_family(request.family)).single:
            seed = (request.seed - place) % (MAX_SEED + 1)
            request = replace(request, seed=seed, count=size)
        with torch.inference_mode():
            self._generate(request, take, lambda: False, size)
        return found[place]

    def _fitting(
        self,
        work: Callable[[], T],
        tell: Callable[[str], None],
        step_down: Callable[[], str | None] | None = None,
        forget: Callable[[], None] = lambda: None,
    ) -> T:
        """Run ``work``; where memory or numbers overflow, change one thing and run it again.

        Where memory is full ``step_down`` makes room, the family's own ladder by default; before
        anything is changed ``forget`` lets go of the networks that the caller holds.

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
            # Outside of the handlers: what they caught holds the memory that must go first.
            forget()
            if full:
                words = (step_down or self.loaded.step_down)()
                if words is None:
                    raise PixCellError(
                        "There is not enough memory for this model in any way; close other "
                        "programs, or choose a smaller model."
                    )
                tell(f"Memory is full; again, {words}")
            elif self.loaded.full_precision():
                tell("Numbers overflowed in half precision; again in full precision")
            else:
                raise PixCellError(
                    "The result is not a picture (numbers overflowed); lower the guidance or the "
                    "layout strength and generate again."
                )

    def _how(self, models: LoadedFamily) -> str:
        """Name device, precision and what was done for memory, for the record."""
        parts = [describe_device(models.device, models.dtype)]
        setting = self.loaded.setting
        if setting is not None and not setting.plain:
            parts.append(setting.name)
        if self.loaded.compiled:
            parts.append("compiled")
        return ", ".join(parts)


def _versions() -> dict[str, str]:
    versions: dict[str, Any] = {"napari-pixcell": __version__, "python": platform.python_version()}
    return versions | {name: version(name) for name in ("torch", "diffusers", "numpy")}

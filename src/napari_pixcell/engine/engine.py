"""The engine: runs requests and emits events."""

from __future__ import annotations

import contextlib
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
from napari_pixcell.cells.methods import METHODS, LayoutSource
from napari_pixcell.engine.conditions import canvas_of
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
from napari_pixcell.engine.latents import Overflow
from napari_pixcell.engine.loaded_models import LoadedModels, memory_is_full
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.pipeline import match_tile
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.repair import ONE_TILE
from napari_pixcell.engine.repairing import RepairedVariant, RepairProgress, repair_variant
from napari_pixcell.engine.request_values import (
    MAX_SEED,
    EmbedRequest,
    GenerateRequest,
    Request,
    SegmentRequest,
)
from napari_pixcell.engine.segmenting import output_cache, run_cellpose, search_key
from napari_pixcell.engine.tile_embedding import embed_tissue
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.engine.variants import Check, VariantGenerator
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family, segmenter_file, segmenter_licence
from napari_pixcell.models.loading import LoadedFamily, describe_device
from napari_pixcell.models.weights import cached_sha256
from napari_pixcell.slides.stored_picture import Picture

NO_ROOM = (
    "The GPU has too little free memory for this model, so it runs slowly on the CPU. Close other "
    "programs that use the GPU, then press “Free memory”"
)
OUTLINING = "Outlining the cells"

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
            with torch.inference_mode(not isinstance(request, TrainRequest)):
                if isinstance(request, TrainRequest):
                    from napari_pixcell.engine.training.job import TrainingRun

                    TrainingRun(request, self.loaded, emit, check, self._fitting).run()
                elif isinstance(request, EmbedRequest):
                    self._embed(request, emit, check)
                elif isinstance(request, SegmentRequest):
                    self._segment(request, emit, check)
                else:
                    self._generate(request, emit, check, previews=previews)
        except Cancelled:
            emit(Finished(cancelled=True))
        else:
            emit(Finished())

    def load(self, name: str) -> LoadedFamily:
        """Return the networks of a family, loading them if they are not in memory."""
        return self.loaded.load(name)

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
            labels = segment_nuclei(pixels, request.mpp, how.sensitivity, how.smallest_um2)
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

    def _generate(
        self,
        request: GenerateRequest,
        emit: Emit,
        check: Check,
        batch: int | None = None,
        previews: bool = True,
    ) -> None:
        waiting = list(enumerate(request.variants()))
        repairs = self._repairs(request)
        plain = replace(request, repair=None)
        if repairs:  # whose rounds begin from unmatched images
            plain = replace(plain, colour_match=None)
        rounds = 0
        if request.repair is not None and repairs:
            rounds, method = request.repair.rounds, request.repair.method
            if method.method != METHODS[0]:
                segmenter_file(method.model)  # raises before anything heavy is loaded
        elif request.repair is not None and request.layout is not None:
            emit(Notice(ONE_TILE))
        progress = RepairProgress(emit, request.count, rounds)
        emit(Progress(0, 0, "Loading the model"))
        job: VariantGenerator | None = None
        explained = False
        while waiting:

            def work() -> tuple[list[Picture], LoadedFamily, str, int]:
                nonlocal job
                models = self.loaded.load(request.family, check=check)
                if self.loaded.bypasses_gpu and not explained:
                    tell(NO_ROOM)
                if job is None or job.models is not models:
                    # Also after a step down, which moves or splits the networks.
                    setting = self.loaded.setting
                    shown, on_event = request.colour_match, progress.generated
                    job = VariantGenerator(plain, shown, models, setting, on_event, check, previews)
                size = batch or self.loaded.batch
                images = job.make(waiting if job.canvas.single else waiting[:1], size)
                return images, models, self._how(models), size

            def forget() -> None:
                nonlocal job
                job = None

            def tell(words: str) -> None:
                nonlocal explained
                explained = True
                emit(Progress(0, 0, words))
                emit(Notice(words))

            images, models, how, size = self._fitting(work, tell, forget=forget)
            assert job is not None
            family, weights, single = models.family, models.weights, job.canvas.single
            del models  # or a step down would load it while it still takes memory
            if repairs:
                forget()  # likewise, as rounds and segmentation load what they need themselves
            for index_in_batch, image in enumerate(images):
                index, variant = waiting.pop(0)
                outcome = None
                if repairs:
                    repaired = self._repair(variant, np.asarray(image), progress.repairing, check)
                    image, outcome = repaired.image, repaired.outcome
                    variant = repaired.request
                    progress.repaired()
                record = Record(
                    request=variant,
                    weights=weights,
                    versions=_versions(),
                    device=how,
                    sha256=pixels_sha256(image),
                    licence=family.licence,
                    notice=family.notice,
                    batch=(len(images), index_in_batch) if single else (size, 0),
                    repair=outcome,
                )
                emit(Variant(index, image, record))
        if job is not None:
            job.forget_finished()

    @staticmethod
    def _repairs(request: GenerateRequest) -> bool:
        """Whether the variants of a request are compared with their layout, and repaired."""
        if request.repair is None or request.layout is None:
            return False
        return canvas_of(request, get_family(request.family)).single

    def _repair(
        self,
        variant: GenerateRequest,
        image: NDArray[np.uint8],
        on_event: Callable[[int, Event], None],
        check: Check,
    ) -> RepairedVariant:
        """Repair the image of a variant.

        ``on_event`` receives the events of each round, with its number.
        """
        assert variant.repair is not None
        method = variant.repair.method

        def segment(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
            check()
            found: list[Event] = []
            how = SegmentRequest(PackedArray.pack(pixels), variant.mpp, method)
            self._segment(how, found.append, check)
            return next(one.labels for one in found if isinstance(one, SegmentedLayout))

        def regenerate(again: GenerateRequest, number: int) -> NDArray[np.uint8]:
            found: list[Picture] = []

            def receive(event: Event) -> None:
                if isinstance(event, Variant):
                    found.append(event.image)
                else:
                    on_event(number, event)

            self._generate(again, receive, check, previews=False)
            return np.asarray(found[0])

        def finish(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
            return match_tile(variant, raw)

        return repair_variant(variant, image, segment, regenerate, finish)

    def reproduce(self, record: Record) -> Picture:
        """Reproduce the pixels of a record, in a batch of the same size as the original."""
        size, index_in_batch = record.batch
        request = record.request
        found: dict[int, Picture] = {}

        def collect(event: Event) -> None:
            if isinstance(event, Variant):
                found[event.index] = event.image

        if canvas_of(request, get_family(request.family)).single:
            seed = (request.seed - index_in_batch) % (MAX_SEED + 1)
            request = replace(request, seed=seed, count=size)
        with torch.inference_mode():
            repairs = self._repairs(record.request)
            match = None if repairs else request.colour_match
            plain = replace(request, repair=None, colour_match=match)
            self._generate(plain, collect, lambda: None, size)
            image = found[index_in_batch]
            if not repairs:
                return image
            pixels = np.asarray(image)
            return self._repair(record.request, pixels, lambda *_: None, lambda: None).image

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
                raise PixCellError(
                    "The result is not an image, because numbers overflowed. Lower the guidance "
                    "scale or the layout strength, and generate again."
                )

    def _how(self, models: LoadedFamily) -> str:
        """Return device, precision and memory setting, for the record."""
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

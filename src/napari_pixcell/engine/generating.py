"""Images of requests: generated, repaired, and stored with their records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import METHODS
from napari_pixcell.engine.batching import TilePasses, shared_settings
from napari_pixcell.engine.conditions import canvas_of
from napari_pixcell.engine.events import (
    Emit,
    Event,
    Notice,
    Progress,
    SegmentedLayout,
    Variant,
    VariantFailure,
)
from napari_pixcell.engine.loaded_models import LoadedModels
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.pipeline import match_tile
from napari_pixcell.engine.record import Record, installed_versions, pixels_sha256
from napari_pixcell.engine.repair import ONE_TILE
from napari_pixcell.engine.repairing import RepairedVariant, RepairProgress, repair_variant
from napari_pixcell.engine.request_values import (
    MAX_SEED,
    BatchRequest,
    GenerateRequest,
    SegmentRequest,
)
from napari_pixcell.engine.variants import Check, VariantGenerator
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import get_family, segmenter_file
from napari_pixcell.models.loading import LoadedFamily, describe_device
from napari_pixcell.slides.stored_picture import Picture

NO_ROOM = (
    "The GPU has too little free memory for this model, so it runs slowly on the CPU. Close other "
    "programs that use the GPU, then press “Free memory”"
)

T = TypeVar("T")
Indexed = tuple[int, GenerateRequest]


class Fitting(Protocol):
    """Runs work again with less memory, see :class:`~.engine.Engine`."""

    def __call__(
        self,
        work: Callable[[], T],
        tell: Callable[[str], None],
        step_down: Callable[[], str | None] | None = None,
        forget: Callable[[], None] = lambda: None,
    ) -> T:
        """Return what ``work`` returns."""


@dataclass(frozen=True)
class _MadeBy:
    """What a record says of the networks. It does not hold them, as a step down loads others."""

    family: Family
    weights: dict[str, str]
    device: str


class _Told:
    """Emits sentences about memory, and remembers that there was one."""

    def __init__(self, emit: Emit) -> None:
        self._emit, self.any = emit, False

    def __call__(self, words: str) -> None:
        self.any = True
        self._emit(Progress(0, 0, words))
        self._emit(Notice(words))


class ImageGenerator:
    """Generates the images of requests.

    Parameters
    ----------
    loaded : LoadedModels
    fitting : callable
        Runs work again with less memory.
    segment : callable
        Runs a ``SegmentRequest``: ``segment(request, emit, check)``.
    """

    def __init__(
        self,
        loaded: LoadedModels,
        fitting: Fitting,
        segment: Callable[[SegmentRequest, Emit, Check], None],
    ) -> None:
        self._loaded, self._fitting, self._segment = loaded, fitting, segment

    def generate(
        self,
        request: GenerateRequest,
        emit: Emit,
        check: Check,
        batch: int | None = None,
        previews: bool = True,
    ) -> None:
        """Generate the variants of one request.

        Parameters
        ----------
        emit : callable
            Receives progress, previews, notices and variants.
        check : callable
            Called between steps. It raises once the user has cancelled.
        batch : int, optional
            Tiles or windows per pass. By default as many as are fastest.
        previews : bool
            Whether to emit previews.
        """
        waiting = list(enumerate(request.variants()))
        repairs = _repairs(request)
        plain, rounds = _raw(request), 0
        if request.repair is not None and repairs:
            rounds = request.repair.rounds
            _check_segmenter(request)
        elif request.repair is not None and request.layout is not None:
            emit(Notice(ONE_TILE))
        progress = RepairProgress(emit, request.count, rounds)
        emit(Progress(0, 0, "Loading the model"))
        job: VariantGenerator | None = None
        tell = _Told(emit)
        while waiting:

            def work() -> tuple[list[Picture], _MadeBy, int]:
                nonlocal job
                models = self._load(request.family, check, tell)
                if job is None or job.models is not models:
                    # Also after a step down, which moves or splits the networks.
                    setting = self._loaded.setting
                    shown, on_event = request.shown_match, progress.generated
                    job = VariantGenerator(plain, shown, models, setting, on_event, check, previews)
                size = batch or self._loaded.batch
                images = job.make(waiting if job.canvas.single else waiting[:1], size)
                return images, self._made_by(models), size

            def forget() -> None:
                nonlocal job
                job = None

            images, made_by, size = self._fitting(work, tell, forget=forget)
            assert job is not None
            single = job.canvas.single
            if repairs:
                forget()  # as rounds and segmentation load what they need themselves
            for place, image in enumerate(images):
                index, variant = waiting.pop(0)
                batch_of = (len(images), place) if single else (size, 0)
                emit(self._finished(index, variant, image, made_by, batch_of, progress, check))
        if job is not None:
            job.forget_finished()

    def generate_batch(self, request: BatchRequest, emit: Emit, check: Check) -> None:
        """Generate the variants of several requests, see :class:`BatchRequest`.

        Parameters
        ----------
        emit : callable
            Receives progress, notices, variants, and failures of single variants.
        check : callable
            Called between steps. It raises once the user has cancelled.
        """
        family, variants = get_family(request.family), request.variants()
        together: dict[Hashable, list[Indexed]] = defaultdict(list)
        alone: list[Indexed] = []
        rounds = 0
        for number, variant in enumerate(variants):
            try:
                settings = shared_settings(variant, family)
                if variant.repair is not None and _repairs(variant):
                    rounds = max(rounds, variant.repair.rounds)
                    _check_segmenter(variant)
            except PixCellError as error:
                emit(VariantFailure(number, str(error)))
            else:
                (alone if settings is None else together[settings]).append((number, variant))
        progress = RepairProgress(emit, len(variants), rounds)
        emit(Progress(0, 0, "Loading the model"))
        for group in together.values():
            self._generate_together(group, request.at_once, len(variants), progress, emit, check)
        for number, variant in alone:
            self._generate_alone(number, variant, emit, check)

    def _generate_together(
        self,
        waiting: list[Indexed],
        at_once: int,
        count: int,
        progress: RepairProgress,
        emit: Emit,
        check: Check,
    ) -> None:
        """Generate the variants of requests with the same settings."""
        passes: TilePasses | None = None
        tell, size = _Told(emit), 1

        def on_step(step: int, steps: int, clean: object) -> None:
            check()
            first, last = waiting[0][0], waiting[:size][-1][0]
            words = f"Images {first + 1:,} to {last + 1:,} of {count:,}"
            done = first * steps + step * min(size, len(waiting))
            progress.generated(Progress(done, count * steps, words))

        def work() -> tuple[list[NDArray[np.uint8] | PixCellError], _MadeBy]:
            nonlocal passes, size
            models = self._load(waiting[0][1].family, check, tell)
            if passes is None or passes.models is not models:
                passes = TilePasses(models, self._loaded.setting)
            size = min(at_once, self._loaded.most)
            check()
            images = passes.make([_raw(one) for _, one in waiting[:size]], size, on_step)
            return images, self._made_by(models)

        def forget() -> None:
            nonlocal passes
            passes = None

        while waiting:
            images, made_by = self._fitting(
                work, tell, lambda: self._loaded.step_down(size), forget
            )
            if any(_repairs(variant) for _, variant in waiting[: len(images)]):
                forget()  # as rounds and segmentation load what they need themselves
            for place, image in enumerate(images):
                number, variant = waiting.pop(0)
                batch = size, place
                try:
                    if isinstance(image, PixCellError):
                        raise image
                    made = self._finished(number, variant, image, made_by, batch, progress, check)
                except PixCellError as error:
                    emit(VariantFailure(number, str(error)))
                else:
                    emit(made)

    def _generate_alone(
        self, number: int, variant: GenerateRequest, emit: Emit, check: Check
    ) -> None:
        def receive(event: Event) -> None:
            emit(replace(event, index=number) if isinstance(event, Variant) else event)

        try:
            self.generate(variant, receive, check, previews=False)
        except PixCellError as error:
            emit(VariantFailure(number, str(error)))

    def _finished(
        self,
        index: int,
        variant: GenerateRequest,
        image: Picture,
        made_by: _MadeBy,
        batch: tuple[int, int],
        progress: RepairProgress,
        check: Check,
    ) -> Variant:
        """Return a variant with its record, after its repair if it asks for one."""
        outcome = None
        if _repairs(variant):
            repaired = self._repair(variant, np.asarray(image), progress.repairing, check)
            image, outcome, variant = repaired.image, repaired.outcome, repaired.request
            progress.repaired()
        record = Record(
            request=variant,
            weights=made_by.weights,
            versions=installed_versions(),
            device=made_by.device,
            sha256=pixels_sha256(image),
            licence=made_by.family.licence,
            notice=made_by.family.notice,
            batch=batch,
            repair=outcome,
        )
        return Variant(index, image, record)

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

            self.generate(again, receive, check, previews=False)
            return np.asarray(found[0])

        def finish(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
            return match_tile(variant, raw)

        return repair_variant(variant, image, segment, regenerate, finish)

    def reproduce(self, record: Record) -> Picture:
        """Reproduce the pixels of a record, in a batch of the same size as the original.

        The images beside it have the seeds next to its own. In the batch of a dataset they were
        others, but its pixels do not depend on them.
        """
        size, index_in_batch = record.batch
        request = record.request
        found: dict[int, Picture] = {}

        def collect(event: Event) -> None:
            if isinstance(event, Variant):
                found[event.index] = event.image

        if canvas_of(request, get_family(request.family)).single:
            seed = (request.seed - index_in_batch) % (MAX_SEED + 1)
            request = replace(request, seed=seed, count=size)
        repairs = _repairs(record.request)
        match = None if repairs else request.colour_match
        plain = replace(request, repair=None, colour_match=match)
        self.generate(plain, collect, lambda: None, size)
        image = found[index_in_batch]
        if not repairs:
            return image
        pixels = np.asarray(image)
        return self._repair(record.request, pixels, lambda *_: None, lambda: None).image

    def _load(self, name: str, check: Check, tell: _Told) -> LoadedFamily:
        models = self._loaded.load(name, check=check)
        if self._loaded.bypasses_gpu and not tell.any:
            tell(NO_ROOM)
        return models

    def _made_by(self, models: LoadedFamily) -> _MadeBy:
        return _MadeBy(models.family, models.weights, self._how(models))

    def _how(self, models: LoadedFamily) -> str:
        """Return device, precision and memory setting, for the record."""
        parts = [describe_device(models.device, models.dtype)]
        setting = self._loaded.setting
        if setting is not None and not setting.plain:
            parts.append(setting.name)
        if self._loaded.compiled:
            parts.append("compiled")
        return ", ".join(parts)


def _raw(request: GenerateRequest) -> GenerateRequest:
    """Return the request of an image before its repair, whose rounds begin from unmatched ones."""
    match = None if _repairs(request) else request.colour_match
    return replace(request, repair=None, colour_match=match)


def _check_segmenter(request: GenerateRequest) -> None:
    """Raise PixCellError if the segmenter of a repair is missing, before anything is loaded."""
    assert request.repair is not None
    method = request.repair.method
    if method.method != METHODS[0]:
        segmenter_file(method.model)


def _repairs(request: GenerateRequest) -> bool:
    """Whether the variants of a request are compared with their layout, and repaired."""
    if request.repair is None or request.layout is None:
        return False
    return canvas_of(request, get_family(request.family)).single

"""A client that follows a script instead of running models, for tests of session and dock."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.engine.canvas.plan import cells_of
from napari_pixcell.engine.events import Embedding, Failure, Finished, Preview, Progress, Variant
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest, SegmentRequest
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.evaluation.request import EvaluateRequest
from napari_pixcell.models.families import get_family
from napari_pixcell.models.store import encoder_identity
from napari_pixcell.studio.tasks import JobHandle
from napari_pixcell.verification.request import VerifyRequest
from napari_pixcell.worker.requests import AnyRequest

SIDE = 256


class ScriptedClient:
    """Answers embeddings at once, and generations when :meth:`play` is called.

    Attributes
    ----------
    requests : list of Request
        All requests in order.
    previews : list of bool
        For each generation, whether previews were requested.
    waiting : list
        Generations to play, with the receivers of their events.
    segmenting : list
        Unanswered segmentations, with the receivers of their events.
    datasets : list
        Unanswered datasets, with the receivers of their events.
    trainings : list
        Unanswered trainings of stains and ControlNets, with the receivers of their events.
    evaluations : list
        Unanswered evaluations of datasets, with the receivers of their events.
    checks : list
        Unanswered checks of families, with the receivers of their events.
    embedding_failure : str
        If not empty, embeddings fail with this message.
    restarted, closed : bool
        Whether these methods were called.
    """

    def __init__(self) -> None:
        self.requests: list[AnyRequest] = []
        self.previews: list[bool] = []
        self.waiting: list[tuple[GenerateRequest, Any]] = []
        self.segmenting: list[tuple[SegmentRequest, Any]] = []
        self.datasets: list[tuple[DatasetRequest, Any]] = []
        self.trainings: list[tuple[TrainRequest | TrainControlRequest, Any]] = []
        self.evaluations: list[tuple[EvaluateRequest, Any]] = []
        self.checks: list[tuple[VerifyRequest, Any]] = []
        self.embedding_failure = ""
        self.closed = self.restarted = False

    def submit(self, request: AnyRequest, on_event: Any = None, previews: bool = True) -> JobHandle:
        """Receive a request."""
        self.requests.append(request)
        if isinstance(request, GenerateRequest):
            self.previews.append(previews)
            self.waiting.append((request, on_event))
        elif isinstance(request, SegmentRequest):
            self.segmenting.append((request, on_event))
        elif isinstance(request, DatasetRequest):
            self.datasets.append((request, on_event))
        elif isinstance(request, TrainRequest | TrainControlRequest):
            self.trainings.append((request, on_event))
        elif isinstance(request, EvaluateRequest):
            self.evaluations.append((request, on_event))
        elif isinstance(request, VerifyRequest):
            self.checks.append((request, on_event))
        elif isinstance(request, EmbedRequest) and self.embedding_failure:
            on_event(Failure(self.embedding_failure))
        else:
            mean = request.pixels.unpack().mean() / 255
            values = np.full((*_shape(request), 128), mean, np.float32)
            on_event(Embedding(values, encoder_identity(get_family(request.family)) or ""))
            on_event(Finished())
        return _Handle(on_event)

    def play(self, variants: int | None = None) -> None:
        """Run the next generation, or only its first ``variants`` without the end."""
        request, on_event = self.waiting[0]
        total = request.count * request.steps
        size = request.size or (SIDE, SIDE)
        for index, single in enumerate(request.variants()[:variants]):
            on_event(Preview(index, preview(request)))
            on_event(Progress((index + 1) * request.steps, total, "Variant"))
            image = np.full((*size, 3), single.seed % 251, np.uint8)
            on_event(Variant(index, image, Record(single, sha256=pixels_sha256(image))))
        if variants is None:
            self.waiting.pop(0)
            on_event(Finished())

    def restart(self) -> None:
        """Record the call."""
        self.restarted = True

    def close(self) -> None:
        """Record the call."""
        self.closed = True


def preview(request: GenerateRequest, value: int = 100) -> np.ndarray:
    """Return a preview like the engine's: one pixel for 8, whole embedding cells."""
    family = get_family(request.family)
    cells = cells_of(request.size or (SIDE, SIDE), family.tile, family.grid)
    side = family.tile // family.grid // 8
    return np.full((cells[0] * side, cells[1] * side, 3), value, np.uint8)


def _shape(request: EmbedRequest) -> tuple[int, ...]:
    """Return the shape of the embeddings, with the engine's checks."""
    family, (height, width, _) = get_family(request.family), request.pixels.shape
    side = family.tile // family.grid
    assert min(height, width) >= family.tile and not height % side and not width % side
    if (height, width) == (family.tile, family.tile):
        return (family.grid**2,)
    return height // side, width // side


class _Handle:
    def __init__(self, on_event: Any) -> None:
        self._on_event = on_event

    def cancel(self) -> None:
        self._on_event(Finished(cancelled=True))

"""A client that follows a script instead of running networks, for tests of session and dock."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_pixcell.datasets.recipe.request import AnyRequest, DatasetRequest
from napari_pixcell.engine.canvas.plan import cells_of
from napari_pixcell.engine.events import Embedding, Failure, Finished, Preview, Progress, Variant
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.request import EmbedRequest, GenerateRequest, SegmentRequest
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.models.catalogue import get_family
from napari_pixcell.models.identity import encoder_identity
from napari_pixcell.studio.results.results import JobHandle

SIDE = 256


class ScriptedClient:
    """Answers embeddings at once, and generations when :meth:`play` is called.

    Attributes
    ----------
    requests : list of Request
        All that came, in order.
    previews : list of bool
        For each generation, whether its pictures were asked for while they are made.
    waiting : list
        Generations to play: request, who gets the events.
    segmenting : list
        Searches for cells that nobody has answered: request, who gets the events.
    datasets : list
        Datasets that nobody has made: request, who gets the events.
    teaching : list
        Stains to teach that nobody has answered: request, who gets the events.
    embedding_failure : str
        Answer embeddings with this sentence.
    restarted, closed : bool
        What was asked for.
    """

    def __init__(self) -> None:
        self.requests: list[AnyRequest] = []
        self.previews: list[bool] = []
        self.waiting: list[tuple[GenerateRequest, Any]] = []
        self.segmenting: list[tuple[SegmentRequest, Any]] = []
        self.datasets: list[tuple[DatasetRequest, Any]] = []
        self.teaching: list[tuple[TrainRequest, Any]] = []
        self.embedding_failure = ""
        self.closed = self.restarted = False

    def submit(self, request: AnyRequest, on_event: Any = None, previews: bool = True) -> JobHandle:
        """Take a request."""
        self.requests.append(request)
        if isinstance(request, GenerateRequest):
            self.previews.append(previews)
            self.waiting.append((request, on_event))
        elif isinstance(request, SegmentRequest):
            self.segmenting.append((request, on_event))
        elif isinstance(request, DatasetRequest):
            self.datasets.append((request, on_event))
        elif isinstance(request, TrainRequest):
            self.teaching.append((request, on_event))
        elif isinstance(request, EmbedRequest) and self.embedding_failure:
            on_event(Failure(self.embedding_failure))
        else:
            mean = request.pixels.unpack().mean() / 255
            values = np.full((*_shape(request), 128), mean, np.float32)
            on_event(Embedding(values, encoder_identity(get_family(request.family)) or ""))
            on_event(Finished())
        return _Handle(on_event)

    def play(self, variants: int | None = None) -> None:
        """Run the next generation; with ``variants``, only so many and not its end."""
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
        """Note that memory was asked back."""
        self.restarted = True

    def close(self) -> None:
        """Note the end."""
        self.closed = True


def preview(request: GenerateRequest, value: int = 100) -> np.ndarray:
    """Give a preview as the engine does: a pixel for 8, of whole cells."""
    family = get_family(request.family)
    cells = cells_of(request.size or (SIDE, SIDE), family.tile, family.grid)
    side = family.tile // family.grid // 8
    return np.full((cells[0] * side, cells[1] * side, 3), value, np.uint8)


def _shape(request: EmbedRequest) -> tuple[int, ...]:
    """Give the shape of the embeddings as the engine does, and refuse what it refuses."""
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

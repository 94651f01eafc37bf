"""An engine that draws: the requests and events of the real one, without its models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from drawn_dataset import labels_of
from numpy.typing import NDArray

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.engine.events import (
    Embedding,
    Event,
    Finished,
    SegmentedLayout,
    Variant,
    VariantFailure,
)
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.request_values import (
    BatchRequest,
    EmbedRequest,
    GenerateRequest,
    Request,
    SegmentRequest,
)
from napari_pixcell.errors import PixCellError

TILE = 256
DIMENSION = 128  # of the embeddings of the scripted client


def flat_picture(labels: NDArray[np.int32], seed: int) -> NDArray[np.uint8]:
    """Draw purple cells on pink, and the seed in the first pixels."""
    image = np.where(labels[..., None] > 0, (90, 60, 140), (235, 190, 215)).astype(np.uint8)
    image[0, :4, 0] = np.frombuffer(np.uint32(seed).tobytes(), np.uint8)
    return image


def mean_colours(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return an embedding of each tile, in the shapes that the real encoder returns."""
    rows, columns = (length // TILE for length in pixels.shape[:2])
    tiles = pixels.reshape(rows, TILE, columns, TILE, 3)
    colours = tiles.mean(axis=(1, 3)) / 255
    repeated = np.tile(colours, DIMENSION // 3 + 1)[..., :DIMENSION].astype(np.float32)
    return repeated[0] if rows * columns == 1 else repeated


class DrawnEngine:
    """Runs requests by drawing. Each variant shows its layout and seed.

    Attributes
    ----------
    asked : list of Request
        Requests received so far.
    refuses : set of int
        Seeds for which it fails.
    forgets : set of int
        Seeds whose images lack the first cell of the layout.
    weights : dict of str to str
        Stored in the records.
    """

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.refuses: set[int] = set()
        self.forgets: set[int] = set()
        self.weights: dict[str, str] = {}

    def run(
        self,
        request: Request,
        emit: Callable[[Event], None],
        cancelled: Callable[[], bool] = lambda: False,
        previews: bool = True,
    ) -> None:
        self.asked.append(request)
        if cancelled():
            emit(Finished(cancelled=True))
            return
        match request:
            case EmbedRequest():
                emit(Embedding(mean_colours(request.pixels.unpack()), "drawn"))
            case SegmentRequest():
                found = segment_nuclei(request.pixels.unpack(), request.mpp)
                emit(SegmentedLayout(found, LayoutSource("builtin")))
            case BatchRequest():
                for place, one in enumerate(request.variants()):
                    try:
                        (made,) = self.draw(one)
                    except PixCellError as error:
                        emit(VariantFailure(place, str(error)))
                    else:
                        batch = request.at_once, place % request.at_once
                        emit(Variant(place, made.image, replace(made.record, batch=batch)))
            case GenerateRequest():
                for made in self.draw(request):
                    emit(made)
        emit(Finished())

    def at_once(self, name: str) -> int:
        """Return how many pairs of a dataset are generated together."""
        return 1

    def draw(self, request: GenerateRequest) -> list[Variant]:
        """Return the variants of a request."""
        if request.seed in self.refuses:
            raise PixCellError("This seed is refused; choose another.")
        labels = np.zeros((TILE, TILE), np.int32)
        if request.layout is not None:
            labels = request.layout.unpack().astype(np.int32)
        found = []
        for number, one in enumerate(request.variants()):
            shown = np.where(labels == 1, 0, labels) if one.seed in self.forgets else labels
            image = flat_picture(shown, one.seed)
            record = Record(
                one, dict(self.weights), sha256=pixels_sha256(image), batch=(request.count, number)
            )
            found.append(Variant(number, image, record))
        return found


def drawn_recipe(**changes: object) -> DatasetRecipe:
    """Return a recipe of two styles and three layouts by value, and two seeds."""
    rng = np.random.default_rng(0)
    styles = tuple(
        {
            "from": "embedding",
            "name": f"Style {number}",
            "embedding": PackedArray.pack(
                rng.normal(size=(1, 1, DIMENSION)).astype(np.float32)
            ).to_dict(),
        }
        for number in range(2)
    )
    layouts = tuple(
        {"from": "labels", "labels": PackedArray.pack(labels_of(number, TILE)).to_dict()}
        for number in range(3)
    )
    given: dict[str, object] = {"styles": styles, "layouts": layouts, "seeds": 2} | changes
    return DatasetRecipe("Drawn", **given)  # type: ignore[arg-type]

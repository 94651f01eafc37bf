"""A family on its device, with the patches that it is checked on."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.engine import Cancelled, Engine
from napari_pixcell.engine.events import Event, Progress, VariantFailure
from napari_pixcell.engine.request_values import Request
from napari_pixcell.engine.tile_embedding import cut_tiles, embed_tiles, embed_tissue
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO_FOLDER, Family, Kind
from napari_pixcell.models.loading import LoadedFamily
from napari_pixcell.verification.figures import Figures
from napari_pixcell.verification.report import CheckRow
from napari_pixcell.verification.request import VerifyRequest
from napari_pixcell.verification.samples import GRID, SIDE, SamplePatch

T = TypeVar("T")
TILE = SIDE // GRID  # px of one embedding
# Tiles of a patch that pictures are generated from: those in its middle first.
ORDER = 5, 10, 6, 9, 0, 15, 3, 12, 1, 14, 2, 13, 4, 11, 7, 8

Tell = Callable[[int, int, str], None]


class Bench:
    """What every check needs.

    Parameters
    ----------
    engine : Engine
    family : Family
    patches : list of SamplePatch
    figures : Figures
    request : VerifyRequest
    tell : callable
        Receives (done, total, what is being done).
    cancelled : callable
        Called between steps.
    """

    def __init__(
        self,
        engine: Engine,
        family: Family,
        patches: list[SamplePatch],
        figures: Figures,
        request: VerifyRequest,
        tell: Tell,
        cancelled: Callable[[], bool],
    ) -> None:
        self.engine, self.family, self.patches = engine, family, patches
        self.figures, self.request = figures, request
        self.tell, self._cancelled = tell, cancelled

    def check(self) -> None:
        """Raise Cancelled once the user has cancelled."""
        if self._cancelled():
            raise Cancelled

    def on_networks(self, work: Callable[[LoadedFamily], T]) -> T:
        """Run ``work`` on the networks of the family; see :meth:`Engine.on_networks`."""
        self.check()
        return self.engine.on_networks(self.family.name, work, lambda words: self.tell(0, 0, words))

    def ask(self, request: Request) -> list[Event]:
        """Run a request as everywhere else, and return its events.

        Raises
        ------
        PixCellError
            If it fails, or one of its variants does.
        """
        events: list[Event] = []

        def receive(event: Event) -> None:
            if isinstance(event, Progress):
                self.tell(event.done, event.total, event.message)
            else:
                events.append(event)

        self.engine.run(request, receive, self._cancelled, previews=False)
        self.check()
        for event in events:
            if isinstance(event, VariantFailure):
                raise PixCellError(event.message)
        return events

    def is_own(self, kind: Kind) -> bool:
        """Whether a part of the family is the user's, of which nothing is published."""
        part = self.family.part(kind)
        return part is not None and part.folder not in (None, DEMO_FOLDER)

    @cached_property
    def embeddings(self) -> NDArray[np.float32]:
        """Embeddings of the tiles of all patches, row by row: float32, (patches, 16, dimension)."""
        found = []
        for number, patch in enumerate(self.patches):
            self.tell(number, len(self.patches), "Embedding the patches")
            found.append(self._embed_patch(patch.read_pixels()))
        return np.stack(found)

    def _embed_patch(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed a patch as a region: float32, (16, dimension)."""

        def work(models: LoadedFamily) -> NDArray[np.float32]:
            with self.engine.loaded.encoder() as encoder:
                return np.asarray(embed_tissue(encoder, models, pixels))

        values = self.on_networks(work)
        return values.reshape(GRID**2, values.shape[-1])

    def embed(self, tiles: NDArray[Any]) -> NDArray[np.float32]:
        """Embed tiles, 0 to 255, (count, side, side, 3), by the family's encoder."""

        def work(models: LoadedFamily) -> NDArray[np.float32]:
            with self.engine.loaded.encoder() as encoder:
                return np.asarray(embed_tiles(encoder, models.device, tiles))

        return self.on_networks(work)

    @cached_property
    def sources(self) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        """Tissue of the family's tile and its embeddings, one for each picture to generate."""
        whole, found = self.family.grid == GRID, []
        for number in range(self.request.pictures):
            index = number % len(self.patches)
            pixels = self.patches[index].read_pixels()
            if whole:
                found.append((pixels, self.embeddings[index]))
                continue
            tile = ORDER[number // len(self.patches) % len(ORDER)]
            tissue = cut_tiles(pixels, TILE)[tile]
            found.append((tissue, self.embeddings[index, tile : tile + 1]))
        return found

    @property
    def steps(self) -> int:
        """Denoising steps of each picture."""
        return self.request.steps or self.family.steps

    def row(
        self,
        key: str,
        title: str,
        value: float,
        measured: str,
        meaning: str,
        advice: str,
        figure: str = "",
        **values: float,
    ) -> CheckRow:
        """Return the row of a check, judged by the figures."""
        bounds = self.figures.bounds(key)
        numbers = {"value": value, **values}
        return CheckRow(
            key,
            title,
            bounds.judge(value),
            measured,
            figure or bounds.figure,
            meaning,
            advice,
            {name: float(n) for name, n in numbers.items() if math.isfinite(n)},
        )

"""Pairs of a dataset, generated and checked, but not written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from napari_pixcell.datasets.quality import Checker, Verdict, best_of
from napari_pixcell.datasets.recipe.preparing import kept_checks, kept_repair, real_tiles
from napari_pixcell.datasets.recipe.runner import Runner
from napari_pixcell.datasets.recipe.same_weights import OtherWeights, check_record
from napari_pixcell.datasets.store.dataset import (
    LAYOUTS,
    STYLES,
    Dataset,
    DatasetLayout,
    DatasetStyle,
)
from napari_pixcell.datasets.store.pair_files import PairFiles
from napari_pixcell.datasets.store.plan import PlannedPair
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.engine.colour_match import colour_match
from napari_pixcell.engine.events import Emit, Event, Progress, Variant
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.repair import RepairOutcome
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.requests import GenerationSettings, generate_request, source_of
from napari_pixcell.engine.styles.blending import for_family
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.slides.region import Region

CACHED = 64  # styles and layouts in memory

Candidates = Sequence[tuple[NDArray[np.uint8], Record]]


@dataclass(frozen=True, eq=False)
class MadePair:
    """A pair, checked and ready to be written.

    Parameters
    ----------
    pair : PlannedPair
    image : array, uint8, (height, width, 3)
        The best of its candidates.
    record : Record
        Of this candidate.
    verdict : Verdict
        Its scores, flags and embedding.
    """

    pair: PlannedPair
    image: NDArray[np.uint8]
    record: Record
    verdict: Verdict

    def write(self, files: PairFiles) -> JsonRow:
        """Write the pair, as :meth:`PairFiles.write` does, and return its row."""
        verdict = self.verdict
        return files.write(
            self.pair,
            self.image,
            self.record.mask,
            self.record,
            verdict.scores,
            verdict.flags,
            nuclei=verdict.nuclei.to_row() if verdict.nuclei is not None else None,
            kept=self.record.request.seed - self.pair.seed,
            embedding=verdict.embedding,
        )


@dataclass(frozen=True, eq=False)
class FailedPair:
    """A pair that could not be made, and why."""

    pair: PlannedPair
    error: PixCellError


class StoredItems(LRUCache[int, Any]):
    """Styles or layouts of a dataset by number; the most recent ones stay in memory."""

    def __init__(self, dataset: Dataset, name: str, read: Callable[[JsonRow], Any]) -> None:
        super().__init__(CACHED)
        self._dataset, self._name, self._read = dataset, name, read
        self._offsets = {row["number"]: offset for offset, row in dataset.offsets(name)}

    def __missing__(self, number: int) -> Any:
        if number not in self._offsets:
            raise PixCellError(
                f"{self._name} lacks number {number} of this dataset. Restore it from a copy."
            )
        self[number] = item = self._read(self._dataset.row_at(self._name, self._offsets[number]))
        return item


class PairMaker:
    """Generates and checks pairs of a dataset. It writes nothing.

    Parameters
    ----------
    dataset : Dataset
        Its styles and layouts are complete.
    runner : Runner
        Runs requests on an engine.
    emit : callable
        Receives ``Progress`` while models are loaded.

    Attributes
    ----------
    outcome : RepairOutcome or None
        Of all pairs made so far. None without a repair.
    """

    def __init__(self, dataset: Dataset, runner: Runner, emit: Emit) -> None:
        self._dataset, self._runner, self._emit = dataset, runner, emit
        description = dataset.description
        self._family = get_family(description.family)
        self._styles = StoredItems(dataset, STYLES, dataset.style)
        self._layouts = StoredItems(dataset, LAYOUTS, dataset.layout)
        self._repair = kept_repair(dataset)
        self.outcome: RepairOutcome | None = None
        self.checker = Checker(
            kept_checks(dataset), self._family, description.mpp, runner.run, real_tiles(dataset)
        )

    def inputs(self, pair: PlannedPair) -> tuple[DatasetStyle, DatasetLayout | None]:
        """Return the style and the layout of a pair.

        Raises
        ------
        PixCellError
            If one of them is missing or damaged.
        """
        return self._styles[pair.style], (
            self._layouts[pair.layout] if pair.layout is not None else None
        )

    def make(self, pairs: Sequence[PlannedPair]) -> list[MadePair | FailedPair]:
        """Generate pairs and check them, in their order.

        Raises
        ------
        MakingCancelled
            If the user cancelled.
        OtherWeights
            If the weights are not those of the dataset, so that every pair would fail.
        """
        return [self._made(pair, self._generate) for pair in pairs]

    def judge(self, pair: PlannedPair, candidates: Candidates) -> MadePair | FailedPair:
        """Check images that exist already, and choose the best. Raises as :meth:`make` does."""
        return self._made(pair, lambda _: candidates)

    def shared(self, made: MadePair) -> dict[str, Any]:
        """Return what all pairs share, as changes for :meth:`Dataset.describe`.

        These are weights, versions, device, segmenter, and the limit for copies.
        """
        segmenter, description = self.checker.segmenter, self._dataset.description
        limit = self.checker.most_copy_pixels
        return {
            "weights": description.weights | made.record.weights,
            "versions": made.record.versions,
            "device": made.record.device,
            "segmenter": segmenter.to_dict() if segmenter is not None else {},
            "checks": replace(description.checks, most_copy_pixels=limit),
        }

    def _made(
        self, pair: PlannedPair, candidates_of: Callable[[PlannedPair], Candidates]
    ) -> MadePair | FailedPair:
        try:
            return self._judged(pair, candidates_of(pair))
        except OtherWeights:
            raise
        except PixCellError as error:
            return FailedPair(pair, error)

    def _judged(self, pair: PlannedPair, candidates: Candidates) -> MadePair:
        style, _ = self.inputs(pair)
        if self._dataset.description.drop_wrong:
            candidates = [(image, record.without_wrong()) for image, record in candidates]
        for _, record in candidates:  # weights may be exchanged at any time
            check_record(self._dataset, record)
        verdicts = [self.checker.check(image, record.mask, style) for image, record in candidates]
        best = best_of(verdicts)
        return MadePair(pair, *candidates[best], verdicts[best])

    def _generate(self, pair: PlannedPair) -> Candidates:
        """Generate the candidates for a pair. Each is one tile, so it is in memory."""
        events = self._runner.run(self._request(pair), self._emit_loading)
        variants = [event for event in events if isinstance(event, Variant)]
        for variant in variants:
            if variant.record.repair is not None:
                self.outcome = variant.record.repair.plus(self.outcome)
        return [(np.asarray(variant.image), variant.record) for variant in variants]

    def _emit_loading(self, event: Event) -> None:
        if isinstance(event, Progress) and not event.total:
            self._emit(event)

    def _request(self, pair: PlannedPair) -> GenerateRequest:
        style, layout = self.inputs(pair)
        description, region = self._dataset.description, style.source.get("region")
        settings, grid = asdict(description.settings), style.embedding
        how = settings.pop("colour_match")
        request = generate_request(
            self._family,
            GenerationSettings(seed=pair.seed, count=pair.candidates, **settings),
            size=description.size,
            embedding=for_family(grid, self._family) if grid is not None else None,
            layout=layout.labels if layout is not None else None,
            source=source_of(
                f"{description.name} {pair.index}",
                Region(*region) if region else None,
                style.source.get("mpp"),
                layout=layout.made if layout is not None else None,
                style=[(style.name, 1.0)],
            ),
            colour_match=colour_match(how, style.colours),
        )
        return replace(request, repair=self._repair if layout is not None else None)

"""Pairs of a dataset, generated and checked, but not written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, repeat
from typing import Any

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from napari_pixcell.datasets.quality import (
    Checker,
    MaskedImage,
    MeasuredImage,
    Nearest,
    Verdict,
    best_of,
)
from napari_pixcell.datasets.recipe.blocks import Block
from napari_pixcell.datasets.recipe.preparing import kept_checks, kept_repair, real_tiles
from napari_pixcell.datasets.recipe.runner import Runner
from napari_pixcell.datasets.recipe.same_weights import check_record
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
from napari_pixcell.engine.events import Emit, Event, Progress, Variant, VariantFailure
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.repair import RepairOutcome
from napari_pixcell.engine.request_values import BatchRequest, GenerateRequest
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
    classes : mapping
        Class name of each label of its layout that has one.
    """

    pair: PlannedPair
    image: NDArray[np.uint8]
    record: Record
    verdict: Verdict
    classes: Mapping[int, str] = field(default_factory=dict)

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
            classes=self.classes,
        )


@dataclass(frozen=True, eq=False)
class GeneratedPair:
    """The candidates for a pair, and what networks found in each.

    Parameters
    ----------
    pair : PlannedPair
    style : DatasetStyle
        The requested style.
    candidates : sequence of (array, Record)
    measured : sequence of MeasuredImage
    classes : mapping
        Class name of each label of its layout that has one.
    """

    pair: PlannedPair
    style: DatasetStyle
    candidates: Candidates
    measured: Sequence[MeasuredImage]
    classes: Mapping[int, str] = field(default_factory=dict)

    def without_wrong(self) -> GeneratedPair:
        """Return the same without the nuclei of the masks that the images do not show."""
        candidates = [(image, record.without_wrong()) for image, record in self.candidates]
        return replace(self, candidates=candidates)

    def masked(self) -> list[MaskedImage]:
        """Return the images with their masks and what networks found in them."""
        return [
            (image, record.mask, measured)
            for (image, record), measured in zip(self.candidates, self.measured, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class FailedPair:
    """A pair that could not be made, and why."""

    pair: PlannedPair
    error: PixCellError

    def without_wrong(self) -> FailedPair:
        """Return itself."""
        return self


class StoredItems(LRUCache[int, Any]):
    """Styles or layouts of a dataset by number; the most recent ones stay in memory."""

    def __init__(self, dataset: Dataset, name: str, read: Callable[[JsonRow], Any]) -> None:
        super().__init__(CACHED)
        self._dataset, self._name, self._read = dataset, name, read
        plan = dataset.unmatched_plan
        count = plan.styles if name == STYLES else plan.layouts
        self._offsets = np.full(count, -1, np.int64)  # there may be millions
        for offset, row in dataset.offsets(name):
            if row["number"] < count:
                self._offsets[row["number"]] = offset

    def __missing__(self, number: int) -> Any:
        if not 0 <= number < len(self._offsets) or self._offsets[number] < 0:
            raise PixCellError(
                f"{self._name} lacks number {number} of this dataset. Restore it from a copy."
            )
        self[number] = item = self._read(
            self._dataset.row_at(self._name, int(self._offsets[number]))
        )
        return item


class PairMaker:
    """Generates and checks pairs of a dataset. It writes nothing.

    :meth:`generate` uses the engine. :meth:`judge` does not, so that it may run in another thread.

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

    def generate(self, block: Block) -> list[GeneratedPair | FailedPair]:
        """Generate the wanted pairs of a block with all that checking them asks of the engine.

        Raises
        ------
        MakingCancelled
            If the user cancelled.
        """
        requests = self._requests(block)
        if self._dataset.description.block == 1:
            alone = {index: self._generate(request) for index, request in requests.items()}
            found = self._measured(block, alone)
        else:
            found = self._measured(block, self._generate_together(block, requests))
        for one in found:
            self._count_repairs(one)
        return found

    def judge(self, block: Sequence[GeneratedPair | FailedPair]) -> Iterator[MadePair | FailedPair]:
        """Check the candidates for each pair, and choose the best. It asks nothing of the engine.

        Raises
        ------
        OtherWeights
            If the weights are not those of the dataset.
        """
        if self._dataset.description.drop_wrong:
            block = [one.without_wrong() for one in block]
        made = [one for one in block if isinstance(one, GeneratedPair)]
        for _, record in chain.from_iterable(pair.candidates for pair in made):
            check_record(self._dataset, record)  # weights may be exchanged at any time
        images = list(chain.from_iterable(pair.masked() for pair in made))
        nearest: Iterator[Nearest | None] = repeat(None)
        with suppress(PixCellError):  # then each is compared alone, so that the others can be made
            nearest = iter(self.checker.nearest(images))
        for one in block:
            if isinstance(one, FailedPair):
                yield one
            else:
                yield self._judged(one, [next(nearest) for _ in one.candidates])

    def _judged(
        self, generated: GeneratedPair, nearest: Sequence[Nearest | None]
    ) -> MadePair | FailedPair:
        pair, style, candidates = generated.pair, generated.style, generated.candidates
        try:
            verdicts = [
                self.checker.judge(image, labels, style, measured, near)
                for (image, labels, measured), near in zip(generated.masked(), nearest, strict=True)
            ]
        except PixCellError as error:
            return FailedPair(pair, error)
        best = best_of(verdicts)
        return MadePair(pair, *candidates[best], verdicts[best], generated.classes)

    def recovered(self, pair: PlannedPair, candidates: Candidates) -> GeneratedPair | FailedPair:
        """Return images that exist already with all that checking them asks of the engine."""
        (measured,) = self._measured(
            Block((pair,), frozenset((pair.index,))), {pair.index: candidates}
        )
        return measured

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

    def _requests(self, block: Block) -> dict[int, GenerateRequest | PixCellError]:
        """Return the request of each pair by its index, or why there is none."""
        found: dict[int, GenerateRequest | PixCellError] = {}
        for pair in block.pairs:
            try:
                request = self._request(pair)
            except PixCellError as error:
                found[pair.index] = error
            else:
                # What is not kept needs no repair, which would not change the others.
                keep = pair.index in block.wanted
                found[pair.index] = request if keep else replace(request, repair=None)
        return found

    def _generate(self, request: GenerateRequest | PixCellError) -> Candidates | PixCellError:
        """Generate the candidates for a pair. Each is one tile, so it is in memory."""
        if isinstance(request, PixCellError):
            return request
        try:
            events = self._runner.run(request, self._emit_loading)
        except PixCellError as error:
            return error
        found = [event for event in events if isinstance(event, Variant)]
        return [(np.asarray(variant.image), variant.record) for variant in found]

    def _generate_together(
        self, block: Block, requests: dict[int, GenerateRequest | PixCellError]
    ) -> Mapping[int, Candidates | PixCellError]:
        """Generate the candidates for all pairs of a block, by their index."""
        known = [one for one in requests.values() if isinstance(one, GenerateRequest)]
        if not known:
            return {index: one for index, one in requests.items() if isinstance(one, PixCellError)}
        # Any other request holds the place of one that cannot be made.
        asked = [one if isinstance(one, GenerateRequest) else known[0] for one in requests.values()]
        batch = BatchRequest(tuple(asked), self._dataset.description.block)
        each = block.pairs[0].candidates
        made: dict[int, list[tuple[NDArray[np.uint8], Record]]] = {i: [] for i in requests}
        failed = {index: one for index, one in requests.items() if isinstance(one, PixCellError)}
        indices = list(requests)
        try:
            events = self._runner.run(batch, self._emit_loading)
        except PixCellError as error:
            return dict.fromkeys(indices, error)
        for event in events:
            if isinstance(event, Variant):
                index = indices[event.index // each]
                made[index].append((np.asarray(event.image), event.record))
            elif isinstance(event, VariantFailure):
                failed.setdefault(indices[event.index // each], PixCellError(event.message))
        return made | failed

    def _measured(
        self, block: Block, made: Mapping[int, Candidates | PixCellError]
    ) -> list[GeneratedPair | FailedPair]:
        """Return the wanted pairs with what networks find in their images.

        Also those that are not wanted are embedded, because the size of a batch matters to others.
        """
        images, masked = [], []
        for index, candidates in made.items():
            for image, record in [] if isinstance(candidates, PixCellError) else candidates:
                images.append(image)
                masked.append(index in block.wanted and record.request.layout is not None)
        measured: Iterator[MeasuredImage] = iter(())
        failure: PixCellError | None = None
        try:
            measured = iter(self.checker.measure(images, masked))
        except PixCellError as error:
            failure = error
        found: list[GeneratedPair | FailedPair] = []
        for pair in block.pairs:
            candidates = made[pair.index]
            if isinstance(candidates, PixCellError):
                one: GeneratedPair | FailedPair = FailedPair(pair, candidates)
            elif failure is not None:
                one = FailedPair(pair, failure)
            else:
                own = [next(measured) for _ in candidates]
                style, layout = self.inputs(pair)
                classes = layout.classes if layout is not None else {}
                one = GeneratedPair(pair, style, candidates, own, classes)
            if pair.index in block.wanted:
                found.append(one)
        return found

    def _count_repairs(self, one: GeneratedPair | FailedPair) -> None:
        for _, record in one.candidates if isinstance(one, GeneratedPair) else ():
            if record.repair is not None:
                self.outcome = record.repair.plus(self.outcome)

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
            classes=layout.classes if layout is not None else None,
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

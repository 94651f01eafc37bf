"""Makes the pairs of a dataset: generate, check, write. It can be interrupted and resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from napari_pixcell.datasets.quality import Checker, best_of
from napari_pixcell.datasets.recipe.preparing import (
    Preparation,
    begin,
    count_pairs,
    is_of,
    keep_recipe,
    kept_checks,
    kept_recipe,
    kept_repair,
    real_tiles,
)
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.same_weights import (
    OtherWeights,
    check_installed,
    check_record,
    installed_weights,
    keep_encoder,
)
from napari_pixcell.datasets.recipe.style_sources import with_library_styles
from napari_pixcell.datasets.store.dataset import (
    DESCRIPTION,
    LAYOUTS,
    STYLES,
    Dataset,
    DatasetLayout,
    DatasetStyle,
    check_free,
)
from napari_pixcell.datasets.store.embeddings import keep_embedding, mend_embeddings
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.pair_files import DiskProblem, PairFiles, disk_problems
from napari_pixcell.datasets.store.plan import PlannedPair
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.engine.colour_match import colour_match
from napari_pixcell.engine.events import Emit, Event, Finished, Notice, Progress, Variant
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.repair import RepairOutcome
from napari_pixcell.engine.request_values import GenerateRequest, Request
from napari_pixcell.engine.requests import GenerationSettings, generate_request, source_of
from napari_pixcell.engine.styles.blending import for_family
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.slides.region import Region
from napari_pixcell.words import counted

CACHED = 64  # styles and layouts in memory
MOST_FAILURES = 3  # in a row; after that, every pair would probably fail
OTHER_ENCODER = (
    "Earlier pictures were not embedded: the encoder has other weights than the one the dataset "
    "was made with. Install those to compare the pictures with the real tissue."
)

Run = Callable[..., None]  # run(request, emit, cancelled, previews=…): see engine.Engine.run


class MakingCancelled(Exception):
    """The user cancelled; raised between pairs, and between the steps of one."""


def make_dataset(
    request: DatasetRequest, run: Run, emit: Emit, cancelled: Callable[[], bool] = lambda: False
) -> None:
    """Make the missing pairs of a dataset.

    Parameters
    ----------
    request : DatasetRequest
        Saved styles that its recipe names are looked up in the library.
    run : callable
        Runs requests like :meth:`napari_pixcell.engine.engine.Engine.run`.
    emit : callable
        Receives ``Progress`` in pairs, ``Notice`` of failures, and ``Finished`` at the end.
    cancelled : callable
        Called between steps; complete pairs are kept.

    Raises
    ------
    PixCellError
        If the recipe cannot be followed, the disk is full, or another process is working on the
        dataset.
    """
    folder = Path(request.folder)
    recipe = with_library_styles(request.recipe) if request.recipe is not None else None
    runner = _Runner(run, cancelled)
    with disk_problems(folder):
        dataset = _opened(folder, recipe, runner, emit)
    try:
        with disk_problems(folder), locked(folder):
            if dataset.description.plan is None:
                recipe = recipe or kept_recipe(dataset)
                keep_recipe(dataset.description, recipe)
                keep_encoder(dataset)
                check_installed(dataset)
                Preparation(dataset, recipe, runner.run, emit, runner.check).run()
            _PairMaker(dataset, runner, emit).run(request.most)
    except MakingCancelled:
        emit(Finished(cancelled=True))
    else:
        emit(Finished())


def _opened(folder: Path, recipe: DatasetRecipe | None, runner: _Runner, emit: Emit) -> Dataset:
    if not (folder / DESCRIPTION).exists() and recipe is not None:
        check_free(folder)
        emit(Progress(0, 0, "Checking the recipe"))
        # Nothing is written for a recipe that cannot be followed. After a cancel, a dataset is
        # still begun, so that it can be resumed; preparing it checks its sources again.
        with suppress(MakingCancelled):
            count_pairs(recipe, runner.check)
        return begin(recipe, folder)
    dataset = Dataset(folder)
    if recipe is not None and not is_of(dataset, recipe):
        raise PixCellError(
            f"The folder {folder.name} holds the dataset “{dataset.description.name}”, which was "
            "made from another recipe. Choose a new folder, or resume that dataset without a "
            "recipe."
        )
    return dataset


class _Runner:
    """Runs requests and waits for their events."""

    def __init__(self, run: Run, cancelled: Callable[[], bool]) -> None:
        self._run, self._cancelled = run, cancelled

    def check(self) -> None:
        if self._cancelled():
            raise MakingCancelled

    def run(self, request: Request, on_event: Emit = lambda event: None) -> list[Event]:
        self.check()
        events: list[Event] = []

        def receive(event: Event) -> None:
            on_event(event)
            events.append(event)

        self._run(request, receive, self._cancelled, previews=False)
        if any(isinstance(event, Finished) and event.cancelled for event in events):
            raise MakingCancelled
        return events


class _StoredItems(LRUCache[int, Any]):
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


class _PairMaker:
    def __init__(self, dataset: Dataset, runner: _Runner, emit: Emit) -> None:
        self._dataset, self._runner, self._emit = dataset, runner, emit
        description = dataset.description
        self._family = get_family(description.family)
        self._files = PairFiles(dataset)
        self._styles = _StoredItems(dataset, STYLES, dataset.style)
        self._layouts = _StoredItems(dataset, LAYOUTS, dataset.layout)
        self._repair = kept_repair(dataset)
        self._outcome: RepairOutcome | None = None  # of all pairs made in this run
        self._checker = Checker(
            kept_checks(dataset), self._family, description.mpp, runner.run, real_tiles(dataset)
        )

    def run(self, most: int | None) -> None:
        """Make all missing pairs, or the first of them."""
        total, failures = len(self._files.done), 0
        if not self._files.done.all():
            check_installed(self._dataset)
        in_a_row = made = 0
        first: PixCellError | None = None
        for pair in self._missing():
            if most is not None and made == most:
                break
            self._runner.check()
            done = self._files.count
            self._emit(Progress(done, total, f"Pair {done + 1:,} of {total:,}"))
            try:
                self._make(pair)
            except PixCellError as error:
                if isinstance(error, DiskProblem | OtherWeights):
                    raise
                in_a_row, failures, first = in_a_row + 1, failures + 1, first or error
                if in_a_row == MOST_FAILURES and made:
                    raise PixCellError(
                        f"{MOST_FAILURES} pairs in a row failed, after "
                        f"{counted(made, 'new pair')}. The last: {error}"
                    ) from error
                if in_a_row == MOST_FAILURES:
                    break
                self._emit(Notice(f"Pair {pair.index:,} failed: {error}"))
            else:
                in_a_row, made = 0, made + 1
        if most is None:
            self._embed_others()
        done = self._files.count
        self._emit(Progress(done, total, f"{done:,} of {total:,} pairs"))
        if self._outcome is not None:
            self._emit(Notice(f"{self._outcome.sentence()}."))
        for note in self._files.notes:
            self._emit(Notice(note))
        if first is not None and not made:
            raise PixCellError(
                f"No pair was made: {counted(failures, 'pair')} failed. The first: {first}"
            ) from first
        if failures:
            self._emit(Notice(f"{counted(failures, 'pair')} failed. Resume the dataset to retry."))

    def _missing(self) -> Iterator[PlannedPair]:
        for index in range(len(self._files.done)):
            if not self._files.done[index]:
                yield self._dataset.plan[index]

    def _make(self, pair: PlannedPair) -> None:
        style: DatasetStyle = self._styles[pair.style]
        layout = self._layouts[pair.layout] if pair.layout is not None else None
        found = self._files.recover(pair, style, layout)
        made = [found] if found else self._generate(self._request(pair, style, layout))
        if self._dataset.description.drop_wrong:
            made = [(image, record.without_wrong()) for image, record in made]
        for _, record in made:  # weights may be exchanged at any time
            check_record(self._dataset, record)
        verdicts = [self._checker.check(image, record.mask, style) for image, record in made]
        best = best_of(verdicts)
        (image, record), verdict = made[best], verdicts[best]
        self._files.write(
            pair,
            image,
            record.mask,
            record,
            verdict.scores,
            verdict.flags,
            nuclei=verdict.nuclei.to_row() if verdict.nuclei is not None else None,
            kept=record.request.seed - pair.seed,
            embedding=verdict.embedding,
        )
        if not self._dataset.description.device:
            self._describe(record)

    def _embed_others(self) -> None:
        """Embed the pictures that an earlier version made, or whose embedding was lost."""
        dataset, done = self._dataset, self._files.done
        if self._checker.real is None:  # nothing to compare them with
            return
        kept = mend_embeddings(dataset.folder, len(done))
        missing, embedded = int(np.count_nonzero(done & ~kept.known)), 0
        if missing and not self._encoder_is_unchanged():
            self._emit(Notice(OTHER_ENCODER))
            return
        for row in dataset.rows() if missing else ():
            if kept.known[row["index"]]:
                continue
            self._runner.check()
            embedded += 1
            message = f"Embedding picture {embedded:,} of {missing:,}"
            self._emit(Progress(self._files.count, len(done), message))
            with suppress(PixCellError):  # a damaged image, which “dataset check” reports
                values = self._checker.embed(dataset.image(row))
                keep_embedding(dataset.folder, row["index"], values)

    def _encoder_is_unchanged(self) -> bool:
        known = self._dataset.description.weights.get("encoder")
        return known in (None, installed_weights(self._dataset, "encoder").get("encoder", known))

    def _generate(self, request: GenerateRequest) -> list[tuple[NDArray[np.uint8], Record]]:
        """Generate the candidates for a pair. Each is one tile, so it is in memory."""
        events = self._runner.run(request, self._emit_loading)
        variants = [event for event in events if isinstance(event, Variant)]
        for variant in variants:
            if variant.record.repair is not None:
                self._outcome = variant.record.repair.plus(self._outcome)
        return [(np.asarray(variant.image), variant.record) for variant in variants]

    def _describe(self, record: Record) -> None:
        """Store what all pairs share: weights, versions, segmenter, and the limit for copies."""
        segmenter, checks = self._checker.segmenter, self._dataset.description.checks
        self._dataset.describe(
            weights=self._dataset.description.weights | record.weights,
            versions=record.versions,
            device=record.device,
            segmenter=segmenter.to_dict() if segmenter is not None else {},
            checks=replace(checks, most_copy_pixels=self._checker.most_copy_pixels),
        )

    def _emit_loading(self, event: Event) -> None:
        if isinstance(event, Progress) and not event.total:
            self._emit(event)

    def _request(
        self, pair: PlannedPair, style: DatasetStyle, layout: DatasetLayout | None
    ) -> GenerateRequest:
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

"""Makes the pairs of a dataset: generate, check, write; goes on where it was stopped."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_pixcell.datasets.quality import Checker
from napari_pixcell.datasets.recipe.plan import PlannedPair
from napari_pixcell.datasets.recipe.preparing import (
    Preparation,
    begin,
    is_of,
    keep_recipe,
    kept_checks,
    kept_recipe,
    real_tiles,
)
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.dataset import (
    DESCRIPTION,
    LAYOUTS,
    STYLES,
    Dataset,
    Layout,
    Style,
)
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.pair_files import DiskProblem, PairFiles, explained
from napari_pixcell.datasets.store.rows import read_places, row_at
from napari_pixcell.engine.events import Emit, Event, Finished, Notice, Progress, Variant
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request import GenerateRequest, Request
from napari_pixcell.engine.requests import GenerationSettings, generate_request, source_of
from napari_pixcell.engine.styles.blending import for_family
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.slides.region import Region

KEPT = 64  # styles and layouts in memory
MOST_FAILURES = 3  # one after another, after which something is wrong with all

Run = Callable[..., None]  # run(request, emit, cancelled, previews=…): see engine.Engine.run


class Stopped(Exception):
    """The user cancelled; raised between pairs, and between the steps of one."""


def make_dataset(
    request: DatasetRequest,
    run: Run,
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Make what is missing of a dataset.

    Parameters
    ----------
    request : DatasetRequest
    run : callable
        Runs requests, as :meth:`napari_pixcell.engine.engine.Engine.run` does.
    emit : callable
        Gets ``Progress`` in pairs, ``Notice`` of what failed, and ``Finished`` at the end.
    cancelled : callable
        Asked between steps; what is whole by then stays.

    Raises
    ------
    PixCellError
        If the recipe cannot be followed, the disk is full, or another process is at it.
    """
    folder = Path(request.folder)
    with explained(folder):
        dataset = _opened(folder, request.recipe)
    asking = _Asking(run, cancelled)
    try:
        with explained(folder), locked(folder):
            if dataset.description.plan is None:
                recipe = request.recipe or kept_recipe(dataset)
                keep_recipe(dataset.description, recipe)
                Preparation(dataset, recipe, asking.ask, emit, asking.check).run()
            _Making(dataset, asking, emit).run(request.most)
    except Stopped:
        emit(Finished(cancelled=True))
    else:
        emit(Finished())


def _opened(folder: Path, recipe: DatasetRecipe | None) -> Dataset:
    if not (folder / DESCRIPTION).exists() and recipe is not None:
        return begin(recipe, folder)
    dataset = Dataset(folder)
    if recipe is not None and not is_of(dataset, recipe):
        raise PixCellError(
            f"The folder {folder.name} holds the dataset “{dataset.description.name}”, which was "
            "made of another recipe; choose a new folder, or resume that one without a recipe."
        )
    return dataset


class _Asking:
    """Runs requests and waits for their events."""

    def __init__(self, run: Run, cancelled: Callable[[], bool]) -> None:
        self._run, self._cancelled = run, cancelled

    def check(self) -> None:
        if self._cancelled():
            raise Stopped

    def ask(self, request: Request, on_event: Emit = lambda event: None) -> list[Event]:
        self.check()
        events: list[Event] = []

        def take(event: Event) -> None:
            on_event(event)
            events.append(event)

        self._run(request, take, self._cancelled, previews=False)
        if any(isinstance(event, Finished) and event.cancelled for event in events):
            raise Stopped
        return events


class _Stored:
    """Styles or layouts of a dataset, the last used ones in memory."""

    def __init__(self, path: Path, read: Callable[[dict[str, Any]], Any]) -> None:
        self._path, self._read = path, read
        self._places = {row["number"]: place for place, row in read_places(path)}
        self._kept: OrderedDict[int, Any] = OrderedDict()

    def __getitem__(self, number: int) -> Any:
        if number not in self._kept:
            self._kept[number] = self._read(row_at(self._path, self._places[number]))
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(number)
        return self._kept[number]


class _Making:
    def __init__(self, dataset: Dataset, asking: _Asking, emit: Emit) -> None:
        self._dataset, self._asking, self._emit = dataset, asking, emit
        description = dataset.description
        self._family = get_family(description.family)
        self._files = PairFiles(dataset)
        self._styles = _Stored(dataset.folder / STYLES, dataset.style)
        self._layouts = _Stored(dataset.folder / LAYOUTS, dataset.layout)
        self._checker = Checker(
            kept_checks(dataset), self._family, description.mpp, asking.ask, real_tiles(dataset)
        )

    def run(self, most: int | None) -> None:
        """Make the pairs that are missing, or the first of them."""
        total, failed = len(self._files.done), 0
        in_a_row = made = 0
        for pair in self._missing():
            if most is not None and made == most:
                break
            self._asking.check()
            done = int(self._files.done.sum())
            self._emit(Progress(done, total, f"Pair {done + 1:,} of {total:,}"))
            try:
                self._make(pair)
            except PixCellError as error:
                in_a_row, failed = in_a_row + 1, failed + 1
                if in_a_row == MOST_FAILURES or isinstance(error, DiskProblem):
                    raise
                self._emit(Notice(f"Pair {pair.index:,} was not made: {error}"))
            else:
                in_a_row, made = 0, made + 1
        done = int(self._files.done.sum())
        self._emit(Progress(done, total, f"{done:,} of {total:,} pairs"))
        if failed:
            self._emit(
                Notice(
                    f"{failed:,} pair{' was' if failed == 1 else 's were'} not made; resume the "
                    "dataset to try again."
                )
            )

    def _missing(self) -> Iterator[PlannedPair]:
        for index in range(len(self._files.done)):
            if not self._files.done[index]:
                yield self._dataset.plan[index]

    def _make(self, pair: PlannedPair) -> None:
        style: Style = self._styles[pair.style]
        layout: Layout | None = self._layouts[pair.layout] if pair.layout is not None else None
        events = self._asking.ask(self._request(pair, style, layout), self._tell_loading)
        variant = next(event for event in events if isinstance(event, Variant))
        image = np.asarray(variant.image)  # of a tile, so it is in memory
        labels = layout.labels if layout is not None else None
        verdict = self._checker.look(image, labels, style)
        record: Record = variant.record
        self._files.write(pair, image, labels, record, verdict.scores, verdict.flags)
        if not self._dataset.description.weights:
            self._tell_of(record)

    def _tell_of(self, record: Record) -> None:
        """Describe what all pairs are made with, and the limit for copies that holds for them."""
        segmenter, checks = self._checker.segmenter, self._dataset.description.checks
        self._dataset.describe(
            weights=record.weights,
            versions=record.versions,
            device=record.device,
            segmenter=segmenter.to_dict() if segmenter is not None else {},
            checks=replace(checks, most_copy_pixels=self._checker.most_copy_pixels),
        )

    def _tell_loading(self, event: Event) -> None:
        if isinstance(event, Progress) and not event.total:
            self._emit(event)

    def _request(self, pair: PlannedPair, style: Style, layout: Layout | None) -> GenerateRequest:
        description, region = self._dataset.description, style.source.get("region")
        grid = style.embedding
        return generate_request(
            self._family,
            GenerationSettings(seed=pair.seed, count=1, **asdict(description.settings)),
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
        )

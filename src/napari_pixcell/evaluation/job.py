"""Evaluation of a dataset: tiles are read, segmenters trained, and the answer written."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from napari_pixcell import __version__
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.engine import Cancelled
from napari_pixcell.engine.events import Emit, Evaluated, Finished, Notice, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.evaluation.learner import Learner, Tiles
from napari_pixcell.evaluation.page import PAGE, write_page
from napari_pixcell.evaluation.pairs import read_pairs, without_labels_of
from napari_pixcell.evaluation.record import EvaluationRecord, RecordedRound, RecordedTile
from napari_pixcell.evaluation.request import U_NET, EvaluateRequest
from napari_pixcell.evaluation.results import TrainingStore
from napari_pixcell.evaluation.rounds import Round, Trainings
from napari_pixcell.evaluation.tiles import (
    TileFolder,
    check_apart,
    check_groups,
    halves,
    read_tiles,
)
from napari_pixcell.evaluation.training import SmallNetwork
from napari_pixcell.evaluation.verdict import cost, judge
from napari_pixcell.words import counted

Check = Callable[[], None]


def evaluate(
    request: EvaluateRequest, emit: Emit, cancelled: Callable[[], bool] = lambda: False
) -> None:
    """Measure whether the pairs of a dataset help, or resume the measurement.

    Parameters
    ----------
    emit : callable
        Receives every event as it happens, also from other threads. The last one is ``Finished``.
    cancelled : callable
        Called between steps. Once it returns true, the work ends; trainings that are finished are
        kept.

    Raises
    ------
    PixCellError
        If pairs or tiles are missing or do not fit each other, or nothing can be written.
    """

    def check() -> None:
        if cancelled():
            raise Cancelled

    try:
        _evaluate(request, emit, check)
    except Cancelled:
        emit(Finished(cancelled=True))
    else:
        emit(Finished())


def _evaluate(request: EvaluateRequest, emit: Emit, check: Check) -> None:
    def reading(what: str) -> Callable[[int, int], None]:
        def on_one(done: int, total: int) -> None:
            check()
            emit(Progress(done, total, f"Reading {what} {done + 1} of {total}"))

        return on_one

    learner = _learner(request)
    dataset = Dataset(request.folder)
    mpp, notes = dataset.description.mpp, [learner.note] if learner.note else []

    def read(folder: str) -> TileFolder:
        found = read_tiles(Path(folder), mpp, request.mpp, reading("tile"))
        notes.extend(found.notes)
        return found

    real = read(request.real)
    test = read(request.test) if request.test else None
    if test is not None:
        check_apart(real, test)
    else:
        check_groups(real)
    pairs = read_pairs(dataset, reading("pair"))
    rounds, left_out = _rounds(request, real, test, pairs)
    if left_out:
        notes.append(
            f"Left out up to {counted(left_out, 'pair')} whose layout comes from a test tile, as "
            "test labels must stay unknown."
        )
    for note in notes:
        emit(Notice(note))
    tiles = _recorded(real, test)
    names = dict(zip([*real.tiles, *(test.tiles if test else ())], tiles, strict=True))

    def on_step(done: int, total: int, words: str) -> None:
        check()
        emit(Progress(done, total, words))

    store = TrainingStore(request.results)
    trainings = Trainings(
        rounds,
        request.arms,
        request.steps,
        request.share,
        {tile: recorded.name for tile, recorded in names.items()},
        store,
        learner,
    )
    results = trainings.run(on_step)

    def named(some: Tiles) -> tuple[str, ...]:
        return tuple(names[tile].name for tile in some)

    record = EvaluationRecord(
        dataset=dataset.description.name,
        dataset_id=dataset.description.id,
        mpp=mpp,
        steps=request.steps,
        share=request.share,
        network=request.network,
        arms=request.arms,
        own_test=test is not None,
        tiles=tuple(tiles),
        rounds=tuple(
            RecordedRound(one.seed, named(one.real), named(one.test), len(one.pairs))
            for one in rounds
        ),
        results=tuple(results),
        notes=tuple(notes),
        versions=versions(),
    )
    record.write(request.results)
    write_page(record, request.results)
    found = judge(record.results, record.slides)
    took = cost(record.results)
    emit(Evaluated(found.answer, found.sentence, took, str(request.results / PAGE)))


def versions() -> dict[str, str]:
    """Return the versions of the libraries that the numbers depend on."""
    libraries = ("torch", "numpy", "scipy", "scikit-image")
    return {"napari-pixcell": __version__} | {name: version(name) for name in libraries}


def _learner(request: EvaluateRequest) -> Learner:
    """Return what is trained; raise PixCellError if its weights are not on this machine."""
    if request.network == U_NET:
        return SmallNetwork()
    from napari_pixcell.evaluation.cellpose import FineTunedCellpose
    from napari_pixcell.models.families import segmenter_file
    from napari_pixcell.models.loading import pick_device

    return FineTunedCellpose(segmenter_file(request.model), pick_device())


def _rounds(
    request: EvaluateRequest, real: TileFolder, test: TileFolder | None, pairs: Tiles
) -> tuple[list[Round], int]:
    """Return the tiles of each seed, and the most pairs that were left out of one."""
    rounds, left_out = [], 0
    for seed in range(request.seeds):
        if test is not None:
            train, held_out = real.tiles, test.tiles
        else:
            train, held_out = halves(real.tiles, seed)
        tested = tuple(tile for tile in held_out if tile.labels.any())
        if not tested or not any(tile.labels.any() for tile in train):
            raise PixCellError(
                f"The {'training' if tested else 'test'} tiles have no labelled nucleus. Check "
                "their labels."
            )
        rest, count = without_labels_of(pairs, held_out)
        left_out = max(left_out, count)
        rounds.append(Round(seed, train, rest, tested))
    return rounds, left_out


def _recorded(real: TileFolder, test: TileFolder | None) -> list[RecordedTile]:
    """Return the tiles under neutral names."""
    tiles = [*real.tiles, *(test.tiles if test is not None else ())]
    slides = {
        group: number for number, group in enumerate(dict.fromkeys(t.group for t in tiles), 1)
    }
    return [
        RecordedTile(
            f"tile {number}",
            f"slide {slides[tile.group]}",
            tile.sha256,
            len({*tile.labels.ravel().tolist()} - {0}),
        )
        for number, tile in enumerate(tiles, 1)
    ]

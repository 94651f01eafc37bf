"""Trainings of all arms and seeds: those that are missing run, several at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pixcell.datasets.processes import usable_cores
from napari_pixcell.datasets.quality.agreement import agreement
from napari_pixcell.evaluation.arms import ARMS, Schedule, schedule
from napari_pixcell.evaluation.learner import Learner, Tiles
from napari_pixcell.evaluation.results import (
    MEASURES,
    Scores,
    TrainingResult,
    TrainingStore,
    key_of,
)
from napari_pixcell.evaluation.tiles import LabelledTile
from napari_pixcell.evaluation.training import SmallNetwork


@dataclass(frozen=True, eq=False)
class Round:
    """The tiles of one seed.

    Parameters
    ----------
    seed : int
        Of first weights and crops.
    real, pairs, test : tuple of LabelledTile
        Tiles and pairs for training, and tiles for testing, which have nuclei.
    """

    seed: int
    real: Tiles
    pairs: Tiles
    test: Tiles


class Trainings:
    """Trains each arm on each round, unless its result is stored.

    Parameters
    ----------
    rounds : sequence of Round
    arms : sequence of str
        Names of :data:`napari_pixcell.evaluation.arms.ARMS`.
    steps : int
        Steps on the real tiles alone.
    share : float
        Share of the pairs in the mixture.
    names : mapping
        Names of the test tiles in the results.
    store : TrainingStore
    learner : Learner, optional
        By default the small U-Net.
    """

    def __init__(
        self,
        rounds: Sequence[Round],
        arms: Sequence[str],
        steps: int,
        share: float,
        names: Mapping[LabelledTile, str],
        store: TrainingStore,
        learner: Learner | None = None,
    ) -> None:
        self._names, self._store = names, store
        self._learner: Learner = learner or SmallNetwork()
        self._plans = {name: schedule(ARMS[name], steps, share) for name in arms}
        # By seed, so that a run that is stopped has whole seeds.
        self._jobs = [(one, arm) for one in rounds for arm in arms]
        self._lock = threading.Lock()

    def run(
        self,
        on_step: Callable[[int, int, str], None] = lambda done, total, words: None,
        at_once: int = 0,
    ) -> list[TrainingResult]:
        """Return the results of all trainings, running those that are missing.

        Each training runs on one thread, so that its numbers do not depend on how many run at
        once.

        Parameters
        ----------
        on_step : callable
            Called with the steps done and of all trainings that run, and what they are. An
            exception ends the trainings; those that ended before are kept.
        at_once : int
            Trainings at a time; by default one for each core, as far as the learner allows.
        """
        results = [self._find(one, arm) for one, arm in self._jobs]
        missing = [at for at, result in enumerate(results) if result is None]
        total = sum(len(self._plans[self._jobs[at][1]].crops) for at in missing)
        words = f"Training {{}} of {len(self._jobs)}"
        done = begun = 0
        stop = threading.Event()

        def step() -> None:
            nonlocal done
            with self._lock:
                if stop.is_set():
                    raise StoppedTraining
                on_step(done, total, words.format(len(self._jobs) - len(missing) + begun))
                done += 1

        def work(at: int) -> TrainingResult:
            nonlocal begun
            with self._lock:
                begun += 1
            try:
                return self._train(*self._jobs[at], step)
            except BaseException:
                stop.set()
                raise

        threads = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(
                at_once or min(self._learner.most_at_once, usable_cores()),
                "pixcell-train",
                _one_thread,
            ) as pool:
                waiting = {at: pool.submit(work, at) for at in missing}
                try:
                    _raise_first(waiting.values())
                except BaseException:  # also an interrupt by the user
                    stop.set()
                    pool.shutdown(cancel_futures=True)
                    raise
        finally:
            torch.set_num_threads(threads)
        return [
            result if result is not None else waiting[at].result()
            for at, result in enumerate(results)
        ]

    def _find(self, one: Round, arm: str) -> TrainingResult | None:
        found = self._store.find(self._key(one, arm))
        tested = {self._names[tile] for tile in one.test}
        return found if found is not None and found.tiles.keys() == tested else None

    def _train(self, one: Round, arm: str, step: Callable[[], None]) -> TrainingResult:
        started, plan = time.thread_time(), self._plans[arm]
        strong = ARMS[arm].strong
        segment = self._learner.learn(one.real, one.pairs, plan, strong, one.seed, step)
        scores = {}
        for tile in one.test:
            scores[self._names[tile]] = _scores(tile, segment(tile.image))
        seconds = round(time.thread_time() - started, 1)
        steps = len(plan.crops)
        result = TrainingResult(arm, one.seed, self._key(one, arm), steps, seconds, scores)
        self._store.keep(result)
        return result

    def _key(self, one: Round, arm: str) -> str:
        plan: Schedule = self._plans[arm]
        uses_pairs, uses_real = plan.crops[:, 1].any(), plan.crops[:, 0].any()
        return key_of(
            learner=self._learner.identity,
            torch=version("torch"),
            seed=one.seed,
            arm=[arm, ARMS[arm].strong, plan.crops.tolist(), plan.rates.tolist()],
            real=[tile.sha256 for tile in one.real] if uses_real else [],
            pairs=[tile.sha256 for tile in one.pairs] if uses_pairs else [],
            test=[tile.sha256 for tile in one.test],
            names=[self._names[tile] for tile in one.test],
        )


class StoppedTraining(Exception):
    """Another training failed or was cancelled."""


def _scores(tile: LabelledTile, found: NDArray[np.int32]) -> Scores:
    alike = agreement(tile.labels, found)
    assert alike is not None  # test tiles have nuclei
    return {name: getattr(alike, name) for name in MEASURES}


def _raise_first(futures: Iterable[Future[TrainingResult]]) -> None:
    """Wait for all futures; raise the first error that is not a consequence of another."""
    stopped: BaseException | None = None
    for future in futures:
        try:
            future.result()
        except StoppedTraining as error:
            stopped = error
    if stopped is not None:
        raise stopped


def _one_thread() -> None:
    torch.set_num_threads(1)

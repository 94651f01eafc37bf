"""The chunks of a preparation, phase by phase: which to make next, retries, and progress."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping

from napari_pixcell.datasets.parallel.chunk_queue import MOST_RETRIES
from napari_pixcell.datasets.parallel.claims import Claims
from napari_pixcell.datasets.preparation.parts import LISTING, STYLES, PreparationChunk
from napari_pixcell.datasets.preparation.stages import Preparation, RecipeRefused
from napari_pixcell.datasets.store.lock import LockedElsewhere, locked
from napari_pixcell.datasets.store.pair_files import DiskProblem
from napari_pixcell.engine.events import Emit, Notice, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.words import counted, duration

WAIT = 3600.0  # seconds for another process to release the lock of the dataset


class PreparationQueue:
    """Hands out the chunks of a preparation, joins complete phases, and retries what failed.

    Parameters
    ----------
    preparation : Preparation
    emit : callable
        Receives ``Progress`` and ``Notice``.
    claims : Claims, optional
        For processes that share the work without a coordinator. Without it, the caller has locked
        the dataset.
    styles : bool
        False if the real tissue of styles would be kept in another data folder than that of the
        process which began the dataset. Then styles are left to others, as long as they go on.
    """

    def __init__(
        self,
        preparation: Preparation,
        emit: Emit,
        claims: Claims | None = None,
        styles: bool = True,
    ) -> None:
        self._preparation, self._emit, self._claims = preparation, emit, claims
        self._styles, self._seen = styles, (0, time.monotonic())
        self._refused = 0.0  # since when another process holds the lock
        self._attempts: Counter[PreparationChunk] = Counter()
        self._retries: deque[PreparationChunk] = deque()
        self._out: set[PreparationChunk] = set()
        self._phase: str | None = None
        self._waiting: deque[PreparationChunk] = deque()
        preparation.open()
        self._look_at_phase()
        self.look()

    @property
    def finished(self) -> bool:
        """Whether styles and layouts are complete, and the plan is written."""
        return self._phase is None

    @property
    def needed(self) -> int:
        """Number of workers that have or would have a chunk now; at least one until the end."""
        return max(1, len(self._waiting) + len(self._out) + len(self._retries))

    def look(self) -> None:
        """Look for what other processes have made, and join each phase that is complete."""
        while not self._out and not self._retries and self._phase is not None:
            if self._claims is not None:
                if self._preparation.phase != self._phase:
                    self._look_at_phase()
                    continue
                self._waiting = deque(self._missing(self._phase))
            if self._waiting or not self._join(self._phase):
                return
            self._look_at_phase()

    def _look_at_phase(self) -> None:
        self._phase = self._preparation.phase
        self._began, self._made = time.monotonic(), 0
        self._waiting = deque(self._missing(self._phase) if self._phase else ())

    def _missing(self, phase: str) -> list[PreparationChunk]:
        missing = self._preparation.missing(phase)
        if self._claims is None:
            return missing
        if len(missing) != self._seen[0]:
            self._seen = len(missing), time.monotonic()
        return self._claims.in_turn(missing)

    @property
    def _is_for_others(self) -> bool:
        if self._styles or self._claims is None or self._phase != STYLES:
            return False
        return time.monotonic() - self._seen[1] < self._claims.lease

    def _join(self, phase: str) -> bool:
        """Join a phase; return False if another process holds the lock of the dataset."""
        if self._claims is None:
            self._preparation.join(phase, self._emit)
            return True
        try:
            with locked(self._preparation.dataset.folder):
                self._preparation.join(phase, self._emit)
        except LockedElsewhere as error:
            self._refused = self._refused or time.monotonic()
            if time.monotonic() - self._refused > WAIT:
                raise PixCellError(str(error)) from error
            self._emit(Progress(0, 0, "Waiting for another process that works on the dataset"))
            return self._preparation.phase != phase
        self._refused = 0.0
        return True

    def next(self) -> PreparationChunk | None:
        """Return the next chunk to make, or None if none can be made now."""
        if self._retries:
            chunk = self._retries.popleft()
            self._out.add(chunk)
            return chunk
        for _ in range(0 if self._is_for_others else len(self._waiting)):
            chunk = self._waiting.popleft()
            if self._claims is not None and self._preparation.is_made(chunk):
                continue
            if self._claims is None or self._claims.take(chunk.name):
                self._out.add(chunk)
                return chunk
        return None

    def made(
        self, chunk: PreparationChunk, failed: Mapping[int, str] | None = None, notes: object = None
    ) -> None:
        """Count a chunk whose part is there, and join the phase if it was the last."""
        self._out.discard(chunk)
        self._made += chunk.stop - chunk.first
        if self._claims is not None:
            self._claims.release(chunk.name)
        if not self._waiting:
            self.look()

    def failed(self, chunk: PreparationChunk, reason: str, of_disk: bool = False) -> None:
        """Retry a chunk that failed.

        Raises
        ------
        DiskProblem
            If the disk was full or not writable at every attempt.
        RecipeRefused
            If a source cannot be read.
        PixCellError
            If a style or layout cannot be made.
        """
        self._out.discard(chunk)
        if self._claims is not None and self._preparation.phase != chunk.phase:
            self.look()  # others have made it meanwhile, and removed its folder
            return
        self._attempts[chunk] += 1
        if self._attempts[chunk] <= MOST_RETRIES:
            self._retries.append(chunk)
            return
        if self._claims is not None:
            self._claims.release(chunk.name)
        if of_disk:
            raise DiskProblem(reason)
        if chunk.phase == LISTING:
            raise RecipeRefused(reason)
        raise PixCellError(reason)

    def lost(self, chunk: PreparationChunk, how: str) -> None:
        """Retry a chunk whose worker has ended; ``how`` continues a sentence."""
        self._emit(Notice(f"The preparation of {chunk.words} is retried: {how}."))
        self.failed(
            chunk,
            f"The preparation of {chunk.words} failed: {how}. Check the memory of the workers, and "
            "run the command again.",
        )

    def show(self, workers: int, in_work: int = 0) -> None:
        """Report the progress, with the items of unfinished chunks that are made already."""
        if self._phase is None:
            return
        items = self._preparation.items(self._phase)
        missing = [*self._waiting, *self._out, *self._retries]
        left = sum(chunk.stop - chunk.first for chunk in missing) - in_work
        kinds = {LISTING: "Checking the recipe", STYLES: "Preparing styles"}
        words = f"{kinds.get(self._phase, 'Preparing layouts')}: {items - left:,} of {items:,}"
        if workers > 1:
            words += f", {counted(workers, 'worker')}"
        seconds, made = time.monotonic() - self._began, self._made + in_work
        if made and left and seconds > 0:
            rate = made / seconds
            words += f", {rate:.2g}/s, {duration(left / rate)} left"
        self._emit(Progress(0, 0, words))

"""Looking through the pairs of a dataset: which are listed, which is looked at, what is decided."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.store.decisions import Decision
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.results.lazy_pictures import LazyPictures
from napari_pixcell.studio.review.decision_writer import Decisions, DecisionWriter
from napari_pixcell.studio.review.open_dataset import News, OpenDataset, Pair, PictureKey
from napari_pixcell.studio.review.pair_list import PairList

POLL_S = 2.0
LARGE_BYTES = 32_000_000


class Review(PairList):
    """The state of a review, without Qt; the owner of the main thread calls :meth:`pump`.

    Attributes
    ----------
    opened : OpenDataset or None
        What is reviewed.
    small, large : LazyPictures
        Thumbnails, and the picture of the pair that is looked at.
    outlined : bool
        Whether the outlines of the cells are drawn.
    problem : str
        What went wrong last; empty where nothing did.
    opening : bool
        Whether a dataset is being opened.
    """

    def __init__(self) -> None:
        super().__init__()
        self.background = Background()

        def read(key: PictureKey) -> NDArray[np.uint8]:
            return key.opened.picture(key)

        self.small: LazyPictures[PictureKey] = LazyPictures(self.background, read)
        self.large: LazyPictures[PictureKey] = LazyPictures(self.background, read, LARGE_BYTES)
        self.outlined = True
        self.problem = ""
        self.opening = False
        self._clear()

    def _clear(self) -> None:
        self.opened: OpenDataset | None = None
        self._writer: DecisionWriter | None = None
        self._undo: list[Decisions] = []
        self._redo: list[Decisions] = []
        self._news: News | None = None
        self._looking = False
        self._look_at = 0.0

    # -- which dataset -------------------------------------------------------------------

    def open(self, folder: Path) -> None:
        """Open the dataset of a folder; the one that was open is left once that worked."""
        if self.opening:
            return
        try:
            self._leave()
        except PixCellError as error:
            self._say(str(error))
            return
        self.opening = True
        self._say("")

        def work() -> tuple[OpenDataset, News]:
            opened = OpenDataset(folder)
            return opened, opened.look()

        def done(found: tuple[OpenDataset, News]) -> None:
            self.opening = False
            self._clear()
            self.opened, news = found
            self._writer = DecisionWriter(folder, self.background, self.changed.emit)
            self.start()
            self._take(news)

        def failed(sentence: str) -> None:
            self.opening = False
            self._say(sentence)

        self.background.compute(work, done, failed)

    def _leave(self) -> None:
        """Store what is not stored yet, and go on with a writer for what comes."""
        if self._writer is not None:
            writer = DecisionWriter(self._writer.folder, self.background, self.changed.emit)
            self._writer.close()
            self._writer = writer

    def _look_for_news(self) -> None:
        """See whether pairs or decisions came since."""
        opened, news = self.opened, self._news
        if opened is None or news is None or self._looking or time.monotonic() < self._look_at:
            return
        self._looking = True

        def rest() -> bool:
            """Wait for the next look; whether this one was in vain."""
            if opened is self.opened:
                self._looking, self._look_at = False, time.monotonic() + POLL_S
            return opened is not self.opened

        def done(found: News | None) -> None:
            if rest() or found is None:
                return
            if found.manifest < news.manifest:
                self.open(opened.folder)  # it was made anew in the same place
            else:
                self._take(found)

        def failed(sentence: str) -> None:
            if not rest():
                self._say(sentence)

        self.background.compute(lambda: opened.since(news), done, failed)

    def _take(self, news: News) -> None:
        """Take in what a look at the dataset found."""
        self._news = news
        self.take(news, self._writer.waiting if self._writer else {})

    # -- decisions -----------------------------------------------------------------------

    def decide(self, what: Decision | None, positions: Sequence[int] = ()) -> None:
        """Accept or reject the pair that is looked at and go on to the next; None takes it back.

        With several positions all of them are decided about.
        """
        chosen = list(positions) or ([] if self.current is None else [self.current])
        if not chosen or self.why_no_pair() or self.columns is None:
            return
        after = None
        if len(chosen) == 1 and what is not None:
            row = self.row_of(chosen[0]) + 1
            after = int(self.order[row]) if 0 < row < len(self.order) else None
        numbers = self.columns.index[chosen].tolist()
        changes = {
            number: what
            for number, position in zip(numbers, chosen, strict=True)
            if self.decision(position) != what
        }
        if changes:
            self._undo.append(self._decided(changes))
            self._redo.clear()
        self._apply(changes, after)

    def undo(self) -> None:
        """Take the last decision back, and look at its pair."""
        self._swap(self._undo, self._redo)

    def redo(self) -> None:
        """Do again what :meth:`undo` took back."""
        self._swap(self._redo, self._undo)

    def why_no_undo(self) -> str:
        """Say why there is nothing to undo; empty if there is."""
        return "" if self._undo else "Nothing was decided since the dataset was opened"

    def why_no_redo(self) -> str:
        """Say why there is nothing to redo; empty if there is."""
        return "" if self._redo else "No decision was taken back"

    def why_no_pair(self) -> str:
        """Say why no pair can be decided about; empty if one can."""
        if self.opening:
            return "A dataset is being opened"
        if self.columns is None:
            return "Open a dataset first"
        if not len(self.columns):
            return "The dataset has no pairs yet"
        return "" if self.current is not None else "No pair is listed: show all pairs"

    def _swap(self, taken: list[Decisions], given: list[Decisions]) -> None:
        if taken and not self.opening:
            changes = taken.pop()
            given.append(self._decided(changes))
            self._apply(changes, self.position_of(next(iter(changes))))

    def _decided(self, numbers: Iterable[int]) -> Decisions:
        return {number: self.decision(self.position_of(number)) for number in numbers}

    def _apply(self, changes: Decisions, then: int | None) -> None:
        if changes and self._writer is not None:
            self._writer.put(changes)
        self.mark(changes, then)

    @property
    def unsaved(self) -> int:
        """How many decisions are not on the disk yet."""
        return len(self._writer.waiting) if self._writer is not None else 0

    @property
    def cannot_save(self) -> str:
        """Why decisions are not on the disk; empty where they are, or are on their way."""
        return self._writer.problem if self._writer is not None else ""

    def save_again(self) -> None:
        """Try again to store what could not be stored."""
        if self._writer is not None:
            self._writer.retry()

    # -- pictures ------------------------------------------------------------------------

    def outline(self, on: bool) -> None:
        """Draw the outlines of the cells, or leave them out."""
        if on != self.outlined:
            self.outlined = on
            self.marked.emit()
            self.changed.emit()

    def key(self, position: int, side: int) -> PictureKey:
        """Name the picture of a pair for :attr:`small` or :attr:`large`."""
        assert self.opened is not None
        return PictureKey(self.opened, position, side, self.outlined)

    def read(self, position: int, done: Callable[[Pair], None]) -> None:
        """Read a pair whole, in a thread; a problem is said here."""
        opened = self.opened
        assert opened is not None

        def came(pair: Pair) -> None:
            self._say("")
            done(pair)

        self.background.compute(lambda: opened.pair(position), came, self._say)

    # -- time ----------------------------------------------------------------------------

    def pump(self) -> bool:
        """Take in what came from threads; call it often, in the main thread."""
        came = self.background.pump()
        self._look_for_news()
        return came

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return self.background.busy or self.small.busy or self.large.busy

    def close(self) -> None:
        """Store what is not stored yet, and end the threads.

        Raises
        ------
        PixCellError
            If decisions cannot be stored.
        """
        self.small.close()
        self.large.close()
        try:
            self._leave()
        finally:
            self.background.close()
            self._clear()
            self.start()

    def _say(self, sentence: str) -> None:
        self.problem = sentence
        self.changed.emit()

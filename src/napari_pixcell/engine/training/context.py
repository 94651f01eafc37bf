"""What a training uses of the engine: networks, events, cancelling, and the memory ladder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from napari_pixcell.engine.events import Event, Notice, Progress
from napari_pixcell.engine.loaded_models import LoadedModels

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class TrainingContext:
    """The engine that a training runs on.

    Parameters
    ----------
    loaded : LoadedModels
        Provides the networks of the base.
    emit, check : callable
        Receives events, and raises once the user has cancelled the request.
    fitting : callable
        Runs a function, again with other settings if memory is full.
    """

    loaded: LoadedModels
    emit: Callable[[Event], None]
    check: Callable[[], None]
    fitting: Callable[..., Any]

    def notice(self, words: str) -> None:
        """Tell the user something that stays in view."""
        self.emit(Notice(words))

    def progress(self, done: int, total: int, words: str) -> None:
        """Report progress, after a check whether the user has cancelled."""
        self.check()
        self.emit(Progress(done, total, words))

    def fit(self, work: Callable[[], T], step_down: Callable[[], str | None] | None = None) -> T:
        """Run ``work``; if memory is full, make room by ``step_down`` and run it again."""
        made: T = self.fitting(work, self.notice, step_down)
        return made

"""Runs beside the window: started here or elsewhere, followed, cancelled and resumed."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from psygnal import Signal

from napari_pixcell.datasets import runs
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder, write_whole
from napari_pixcell.studio.datasets.place import DatasetPlace, find_gpus
from napari_pixcell.studio.datasets.uses import SECTION
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.tasks import Task, Tasks

if TYPE_CHECKING:
    from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
    from napari_pixcell.datasets.runs import RunList, RunState

log = logging.getLogger(__name__)
T = TypeVar("T")

LOOKS_EVERY = 1.0  # seconds while a run is shown
LOOKS_SELDOM = 5.0  # otherwise


@dataclass(eq=False, kw_only=True)
class StartTask(Task):
    """Processes beside the window that are being started."""

    section: str = SECTION
    message: str = "Starting the processes"


@dataclass(eq=False)
class OutsideRuns:
    """The runs that make datasets beside this window.

    Those of the user that are under way or have died are found by themselves.
    """

    ended = Signal(object)  # a run that was under way when it was last looked at, with its state

    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self.place = DatasetPlace.remembered()
        self.place.events.connect(self._remember)
        self.gpus: list[str] | None = None  # None until the driver has named them
        self.states: list[RunState] = []
        self.cancelling: set[Path] = set()
        self._followed: set[Path] = set()
        self._started: set[Path] = set()  # in this window
        self._list: RunList | None = None  # once it is first asked
        self._gpus_found: Future[list[str]] | None = None
        self._look: Future[list[RunState]] | None = None  # under way
        self._shown_then = 0
        self._shown = 0  # counts what was shown meanwhile, which a look may not know of
        self._next = 0.0

    @property
    def live(self) -> list[RunState]:
        return [state for state in self.states if state.live]

    @property
    def own(self) -> list[RunState]:
        """Those under way that were started in this window."""
        return [state for state in self.live if state.folder in self._started]

    @property
    def busy(self) -> str:
        return next((task.sentence() for task in self.tasks.of(StartTask)), "")

    # -- the place -------------------------------------------------------------------------

    def _remember(self, *_: object) -> None:
        with self.notices.reporting(SECTION):
            self.place.remember()
        self.notices.changed.emit()

    def why_not(self) -> str:
        """Return what the chosen place lacks, without a full stop."""
        return self.place.why_not(self.gpus or [])

    def find_gpus(self) -> None:
        """Look for the GPUs of this machine, once, in a thread."""
        if self._gpus_found is None:
            self._gpus_found = in_thread(find_gpus, "pixcell-gpus")

    # -- starting --------------------------------------------------------------------------

    def make(self, folder: Path, recipe: Callable[[], DatasetRecipe], most: int | None) -> None:
        """Start processes that make a dataset at the chosen place."""

        def arguments() -> list[str]:
            path = runs.recipe_of(folder)
            private_folder(path.parent)
            write_whole(path, json.dumps(recipe().to_dict()), private=True)
            first = ["--first", str(most)] if most is not None else []
            return ["dataset", "make", str(path), "--out", str(folder), *first]

        self._start(folder, arguments)

    def resume(self, folder: Path) -> None:
        """Start processes at the chosen place that make what a dataset lacks."""
        self._start(folder, lambda: ["dataset", "resume", str(folder)])

    def _start(self, folder: Path, arguments: Callable[[], list[str]]) -> None:
        place = replace(self.place)

        def work() -> RunState:
            gpus = self.gpus if self.gpus is not None else find_gpus()
            options = place.options(gpus)
            try:
                return runs.start_detached(folder, [*arguments(), *options], lower=True)
            except PixCellError:
                runs.recipe_of(folder).unlink(missing_ok=True)  # it holds tissue
                raise

        self.tasks.run_alone(StartTask(), work, self._begun)

    def resume_as_before(self, state: RunState) -> None:
        """Start a run again that has ended early, with as many processes as before."""
        self.cancelling.discard(state.folder)
        self.tasks.run_alone(
            StartTask(), lambda: runs.resume_detached(state, lower=True), self._begun
        )

    # -- following -------------------------------------------------------------------------

    def _begun(self, state: RunState) -> None:
        self._started.add(state.folder)
        self.attach(state)

    def attach(self, state: RunState) -> None:
        """Show a run from now on."""
        self.cancelling.discard(state.folder)
        self._followed.add(state.folder)
        self._show([state, *(one for one in self.states if one.folder != state.folder)])
        self._next = 0.0

    def cancel(self, state: RunState) -> None:
        """Ask a run to stop; complete pairs are kept."""
        self.cancelling.add(state.folder)
        self._followed.add(state.folder)
        self.notices.changed.emit()

        def failed(sentence: str) -> None:
            self.cancelling.discard(state.folder)
            self.notices.say(SECTION, sentence)

        self.tasks.background.talk(lambda: runs.request_stop(state.folder), failed)

    def stop_own(self) -> None:
        """Ask the runs that were started in this window to stop, before the window is gone."""
        for state in self.own:
            with suppress(PixCellError):  # the folder is gone, and soon its run
                runs.request_stop(state.folder)

    def dismiss(self, state: RunState) -> None:
        """Show a run no longer that is over."""
        self._followed.discard(state.folder)
        if state.stage == "died":
            runs.forget_run(state.folder)
        self._show([one for one in self.states if one.folder != state.folder])

    def tick(self) -> None:
        """Look at the runs every so often; called often, in the main thread."""
        if self.gpus is None and self._gpus_found is not None and self._gpus_found.done():
            self.gpus = self._gpus_found.result()
            self.notices.changed.emit()
        if self._look is not None:
            if not self._look.done():
                return
            self._looked(self._look, self._shown_then)
            self._look = None
        if time.monotonic() >= self._next:
            followed, self._shown_then = set(self._followed), self._shown
            self._look = in_thread(lambda: self._listed(followed), "pixcell-runs")

    def _listed(self, followed: set[Path]) -> list[RunState]:
        if self._list is None:
            self._list = runs.RunList()
        return self._list.look(followed)

    def _looked(self, look: Future[list[RunState]], shown: int) -> None:
        if shown != self._shown:
            return
        states = self.states if look.exception() else look.result()
        self._next = time.monotonic() + (LOOKS_EVERY if states or self.states else LOOKS_SELDOM)
        if states != self.states:
            self._show(states)

    def _show(self, states: list[RunState]) -> None:
        were_live = {state.folder for state in self.live}
        self.states, self._shown = states, self._shown + 1
        self._followed |= {state.folder for state in self.live}
        for state in states:
            if not state.live:
                self.cancelling.discard(state.folder)
                if state.folder in were_live:
                    self.ended.emit(state)
        self.notices.changed.emit()


def in_thread(work: Callable[[], T], name: str) -> Future[T]:
    """Run short work in a thread of its own, which no session waits for or counts as busy."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            log.warning("the runs beside the window cannot be listed", exc_info=error)
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future

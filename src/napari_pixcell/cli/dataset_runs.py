"""Runs of ``napari-pixcell dataset``: their log, and the commands that follow and stop them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.exit_codes import ExitCode
from napari_pixcell.cli.messages import note
from napari_pixcell.cli.progress import ProgressLine
from napari_pixcell.cli.tables import print_table
from napari_pixcell.datasets.processes import worker_count
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.runs.detaching import is_detached, start_detached
from napari_pixcell.datasets.runs.listing import RunList
from napari_pixcell.datasets.runs.log import RunLog, request_stop
from napari_pixcell.datasets.runs.state import RunState, run_of
from napari_pixcell.engine.events import Event, Failure, Finished, Progress
from napari_pixcell.errors import PixCellError

LOOKS_EVERY = 0.5  # seconds
FOLLOW = "napari-pixcell dataset status {} --follow"
STOP = "napari-pixcell dataset stop {}"
UNEXPECTED = "An unexpected error occurred ({}). The output of the process has the details."
DETACH = cli.flag("--detach", "run in the background, even after this terminal is closed")
PLACES = ("workers", "gpus", "device", "scheduler", "cluster")
Make = Callable[[DatasetRequest, cli.Options, "RunOutput"], cli.Result]


class RunOutput:
    """Shows a run on the terminal, writes its log, and tells whether it was asked to stop."""

    def __init__(self, request: DatasetRequest, options: cli.Options) -> None:
        self.line = ProgressLine(lines=not is_detached())
        folder = Path(request.folder)
        self._log = RunLog(folder, getattr(options, "arguments", ()), place_of(options))
        self._counted = False
        self._last: Finished | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.line.end()
        last: Finished | Failure = self._last or Finished(cancelled=True)
        if isinstance(error, PixCellError | OSError):
            last = Failure(str(error))
        elif error is not None and isinstance(error, Exception):
            last = Failure(UNEXPECTED.format(type(error).__name__))
        self._log.close(last)

    def emit(self, event: Event) -> None:
        """Show and log an event."""
        if isinstance(event, Progress):
            if self._counted and not event.total:
                return  # one of several workers loads a model
            self._counted = event.total > 0
        if isinstance(event, Finished):
            self._last = event
        self.line.emit(event)
        self._log.add(event)

    def add_dashboard(self, address: str) -> None:
        """Show and log the address of Dask's dashboard."""
        note(f"Dashboard: {address}")
        self._log.add_dashboard(address)

    def cancelled(self) -> bool:
        """Return True if the run was asked to stop."""
        return self._log.stop_wanted

    def check(self) -> None:
        """Raise KeyboardInterrupt if the run ended because it was asked to."""
        if self._last is not None and self._last.cancelled:
            raise KeyboardInterrupt


def place_of(options: cli.Options) -> list[str]:
    """Return the options that say by which processes pairs are made."""
    place = []
    for name in PLACES:
        value = getattr(options, name, None)
        if value is not None:
            value = value.absolute() if isinstance(value, Path) else value
            place += [f"--{name}", str(value)]
    return place


def make_logged(request: DatasetRequest, options: cli.Options, make: Make) -> cli.Result:
    """Make a dataset with a log, or start the process that does.

    Raises
    ------
    PixCellError
        If it cannot be made, or the user is making it already.
    """
    if not options.detach or is_detached():
        with RunOutput(request, options) as run:
            return make(request, options, run)
    if options.shard is not None:
        raise PixCellError(
            "--detach cannot be combined with --shard. A job array outlives the terminal anyway."
        )
    if options.workers is not None:
        worker_count(options.workers)  # raises here rather than in the background
    # Its last line, if it fails, is read by a person.
    arguments = [word for word in options.arguments if word != "--json"]
    state = start_detached(Path(request.folder), arguments)
    assert state.owner is not None
    return {
        "folder": request.folder,
        "process": state.owner.process,
        "follow": FOLLOW.format(request.folder),
        "stop": STOP.format(request.folder),
    }


@cli.command(
    "dataset status",
    cli.path("folder", "DIR", "folder of a dataset; default: all that you are making", nargs="?"),
    cli.flag("--follow", "show the progress until the run ends"),
    cli.examples("dataset status", "dataset status twin --follow"),
)
def status(options: cli.Options) -> cli.Result:
    """Show how far a dataset is, and which process makes it."""
    if options.folder is None:
        if options.follow:
            raise PixCellError("--follow needs the folder of a dataset. Name it.")
        states = RunList().look()
        if options.json:
            return {"runs": [_facts(state) for state in states]}
        if states:
            print_table(("folder", "state"), [[state.folder, state.sentence()] for state in states])
        return {} if states else {"runs": "none"}
    state = run_of(options.folder)
    if options.follow:
        try:
            state = _followed(state)
        except KeyboardInterrupt:
            return cli.cancelled(**(_facts(state) if options.json else {}))
    bad = state.stage in ("failed", "died") or (state.stage == "complete" and state.failed)
    code = {cli.EXIT_CODE: ExitCode.FAILED if bad and options.follow else ExitCode.DONE}
    if options.json:
        return _facts(state) | code
    print(f"{state.sentence()}{_by(state)}")
    return code


@cli.command(
    "dataset stop",
    cli.DATASET,
    cli.flag("--no-wait", "return before it has stopped"),
    cli.examples("dataset stop twin"),
)
def stop(options: cli.Options) -> cli.Result:
    """Stop the process that makes a dataset, on whichever machine. Complete pairs are kept."""
    state = run_of(options.folder)
    if not state.live:
        raise PixCellError(f"No process is making {state.name}: {state.sentence().rstrip('.')}.")
    request_stop(state.folder)
    if state.head is None:  # it may be of an earlier version, or of a window
        return {
            "asked": f"{state.owner.words if state.owner else 'The process'}. It stops if it was "
            "started on the command line or beside a window."
        }
    if not options.no_wait:
        state = _followed(state)
    return _facts(state)


def _followed(state: RunState) -> RunState:
    """Show the progress of a run until it ends, and return its last state."""
    shown = 0
    with ProgressLine() as line:
        while True:
            head = state.head
            dropped = head.earlier if head is not None else 0
            for notice in state.notices[max(0, shown - dropped) :]:
                note(notice)
            shown = dropped + len(state.notices)
            if not state.live:
                return state
            line.show(state.sentence())
            time.sleep(LOOKS_EVERY)
            state = run_of(state.folder)


def _by(state: RunState) -> str:
    if not state.live or state.owner is None:
        return ""
    dashboard = f" · Dashboard: {state.dashboard}" if state.dashboard else ""
    return f" · {state.owner.words}{dashboard}"


def _facts(state: RunState) -> dict[str, Any]:
    """Return a state as a result."""
    facts: dict[str, Any] = {
        "folder": str(state.folder),
        "state": state.stage,
        "pairs": state.done,
        "planned": state.total,
        "failed": state.failed,
        "message": state.sentence(),
    }
    if state.live and state.owner is not None:
        facts |= {"process": state.owner.process, "host": state.owner.host}
    if state.live and state.dashboard:
        facts["dashboard"] = state.dashboard
    return facts

"""The runs of a user on this machine, and of others that are followed."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from napari_pixcell.datasets.runs.log import log_of, runs_folder
from napari_pixcell.datasets.runs.state import RunState, read_log, run_of
from napari_pixcell.errors import PixCellError


class RunList:
    """Lists runs again and again; logs of runs that have ended are read once."""

    def __init__(self) -> None:
        self._ended: dict[Path, tuple[int, RunState | None]] = {}

    def look(self, followed: Collection[Path] = ()) -> list[RunState]:
        """Return the runs of this user that are under way or have died, newest first.

        Parameters
        ----------
        followed : collection of Path
            Folders of datasets whose runs are listed in any case.
        """
        logs = dict[Path, int]()
        for path in runs_folder().glob("*.jsonl"):
            with suppress(OSError):  # forgotten meanwhile
                logs[path] = path.stat().st_mtime_ns
        self._ended = {path: known for path, known in self._ended.items() if path in logs}
        found = dict[Path, RunState]()
        for path in sorted(logs, key=logs.__getitem__, reverse=True):
            state = self._read(path, logs[path])
            if state is not None and (
                state.live or state.stage == "died" or state.folder in followed
            ):
                found[state.folder] = state
        for folder in followed:
            if folder not in found:
                with suppress(PixCellError):  # it is gone
                    found[folder] = run_of(folder)
        return list(found.values())

    def _read(self, path: Path, modified: int) -> RunState | None:
        known = self._ended.get(path)
        if known is not None and known[0] == modified:
            return known[1]
        state = read_log(path)
        if state is None or not state.live:
            self._ended[path] = modified, state
        return state


def forget_run(folder: Path) -> None:
    """Remove the log of a run that is over."""
    for file in log_of(folder).parent.glob(f"{log_of(folder).stem}.*"):
        with suppress(OSError):
            file.unlink()

"""Saved sessions of all slides, for a window in which no slide is open."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from napari_pixcell.files import private_folder, write_whole
from napari_pixcell.folders import data_folder
from napari_pixcell.preferences import read_settings, set_aside_damaged
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.saving.folder import FILE
from napari_pixcell.studio.saving.places import SUFFIX, Offer, own_folder, read_offer, sessions_in
from napari_pixcell.studio.saving.slide_mark import SlideMark

log = logging.getLogger(__name__)

REMEMBERED, LISTED = 200, 20  # at most
KEY = "sessions"
LOCK_S = 2.0  # waited for another window; writing takes milliseconds


@dataclass(eq=False)
class RecentSessions:
    """The sessions that were saved or opened last, of all slides.

    A file in the user's data folder remembers where they are. It only ever names folders: sessions
    that are damaged, or gone for now, stay in it and are not listed.
    """

    background: Background
    notices: Notices

    def __post_init__(self) -> None:
        self.sessions: list[Offer] = []  # newest first
        self.known = False  # they were read at least once
        self._reading = False

    def refresh(self) -> None:
        """Read the sessions in the background; ``notices.changed`` tells if they have changed."""
        if not self._reading:
            self._reading = True
            self.background.compute(_saved_sessions, self._found, self._failed)

    def _found(self, sessions: list[Offer]) -> None:
        self._reading = False
        if sessions != self.sessions or not self.known:
            self.sessions, self.known = sessions, True
            self.notices.changed.emit()

    def _failed(self, message: str) -> None:
        log.warning("saved sessions cannot be listed: %s", message)
        self._found([])

    def remember(self, path: Path) -> None:
        """Remember the folder of a session; called in any thread.

        Nothing is raised: work is saved even if this fails.
        """
        path = path.absolute()
        if path.parent == own_folder().absolute():  # found without the file
            return
        file = _file()
        try:
            private_folder(file.parent)
            with FileLock(file.with_suffix(".lock"), LOCK_S, mode=0o600, thread_local=False):
                values, problem = read_settings(file)
                set_aside_damaged(file, problem)
                others = [str(one) for one in _paths(values) if one != path]
                values[KEY] = [*others, str(path)][-REMEMBERED:]
                write_whole(file, json.dumps(values, indent=1), private=True)
        except (OSError, ValueError, Timeout) as error:
            log.warning("the place of the session cannot be remembered: %s", error)


def _file() -> Path:
    return data_folder() / "recent.json"


def _paths(values: dict[str, object]) -> list[Path]:
    """Return the paths that a file names, as far as they can be those of sessions."""
    listed = values.get(KEY)
    texts = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    paths = (Path(text) for text in texts)
    return [path for path in paths if path.is_absolute() and path.suffix == SUFFIX]


def _saved_sessions() -> list[Offer]:
    """Return the newest sessions, of which only as many as are listed are read."""
    paths = dict.fromkeys([*_paths(read_settings(_file())[0]), *sessions_in(own_folder())])
    times = {path: time for path in paths if (time := _written(path)) is not None}
    offers: list[Offer] = []
    for path in sorted(times, key=times.__getitem__, reverse=True):
        found = read_offer(path)
        if found is not None and _opens(found[1]):
            offers.append(found[0])
        if len(offers) == LISTED:
            break
    return sorted(offers, key=lambda offer: offer.saved, reverse=True)


def _written(path: Path) -> float | None:
    try:
        return (path / FILE).stat().st_mtime
    except (OSError, ValueError):  # gone, or no path at all
        return None


def _opens(mark: SlideMark) -> bool:
    """Return False if there is nothing to open a session with, and no file that could be chosen.

    That is so for a layer without a file, and for a sample of a program that was removed.
    """
    if mark.path is None:
        return False
    return mark.path.name != SAMPLE_SLIDE.name or mark.is_at(mark.path)

"""Folders of sessions: beside their slides, or in the user's data folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import napari_pixcell
from napari_pixcell.folders import data_folder
from napari_pixcell.studio.saving.document import SAVED, read_document
from napari_pixcell.studio.saving.folder import SUFFIX as SUFFIX
from napari_pixcell.studio.saving.folder import SessionFolder
from napari_pixcell.studio.saving.slide_mark import SlideMark
from napari_pixcell.words import counted

OWN = Path(napari_pixcell.__file__).parent  # of the program: nothing is written there


@dataclass(frozen=True)
class Offer:
    """A saved session that can be opened."""

    path: Path
    saved: datetime
    regions: int
    variants: int
    slide: str = ""  # name of its slide

    def sentence(self) -> str:
        return f"Your work of {day(self.saved)} is saved: {self.contents()}."

    def contents(self) -> str:
        return f"{counted(self.regions, 'region')}, {counted(self.variants, 'variant')}"

    def day(self) -> str:
        return day(self.saved)


def day(when: datetime, now: datetime | None = None) -> str:
    """Return a time in words: “today 14:02”, “yesterday 14:02”, “3 May 14:02”."""
    today = (now or datetime.now()).date()
    if when.date() == today:
        return f"today {when:%H:%M}"
    if when.date() == today - timedelta(days=1):
        return f"yesterday {when:%H:%M}"
    year = f" {when.year}" if when.year != today.year else ""
    return f"{when.day} {when:%B}{year} {when:%H:%M}"


def own_folder() -> Path:
    """Return the folder of sessions that cannot be saved beside their slides."""
    return data_folder() / "sessions"


def beside(mark: SlideMark) -> Path | None:
    """Return the folder of a slide's file, or None if sessions cannot be saved in it."""
    if mark.path is None or mark.path.is_relative_to(OWN):
        return None
    folder = mark.path.parent
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def names(stem: str) -> Iterator[str]:
    """Iterate over folder names for a session, the plain one first."""
    plain = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", stem).strip(" .")[:120] or "session"
    yield plain + SUFFIX
    for number in range(2, 10_000):
        yield f"{plain} {number}{SUFFIX}"


def create(folder: Path, stem: str) -> SessionFolder:
    """Create a session's folder under a free name.

    Raises
    ------
    OSError
        If it cannot be created.
    """
    for name in names(stem):
        session = SessionFolder(folder / name)
        try:
            session.create()
        except FileExistsError:
            continue
        return session
    raise FileExistsError(17, "there are too many sessions of this name")


def find(mark: SlideMark, stem: str) -> list[Offer]:
    """Return all sessions of a slide, beside it or in the user's data folder, newest first."""
    pattern = next(names(stem)).removesuffix(SUFFIX)
    folders = [own_folder()] if mark.path is None else [mark.path.parent, own_folder()]
    offers = (_offer(path, mark) for folder in folders for path in sessions_in(folder, pattern))
    found = [offer for offer in offers if offer is not None]
    return sorted(found, key=lambda offer: offer.saved, reverse=True)


def sessions_in(folder: Path, stem: str = "") -> list[Path]:
    """Return the sessions in a folder whose names begin with ``stem``."""
    try:
        return [p for p in folder.iterdir() if p.suffix == SUFFIX and p.name.startswith(stem)]
    except OSError:
        return []


def _offer(path: Path, mark: SlideMark) -> Offer | None:
    found = read_offer(path)
    return found[0] if found is not None and found[1].is_same(mark) else None


def read_offer(path: Path) -> tuple[Offer, SlideMark] | None:
    """Return the offer of a session and its slide; None if it is empty, damaged or gone."""
    try:
        document = read_document(path)
        mark = SlideMark.from_dict(document["slide"])
        saved = datetime.fromisoformat(document[SAVED]).astimezone().replace(tzinfo=None)
        regions, variants = len(document["regions"]), len(document["results"])
    except Exception:  # a damaged session is reported when it is opened
        return None
    if not (regions or variants):
        return None
    return Offer(path, saved, regions, variants, mark.name), mark

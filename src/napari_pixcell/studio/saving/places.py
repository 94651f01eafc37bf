"""Where sessions lie: beside their slides, else in the user's own folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import napari_pixcell
from napari_pixcell.folders import data_folder
from napari_pixcell.studio.saving.folder import SUFFIX, SessionFolder
from napari_pixcell.studio.saving.slide_mark import SlideMark

OWN = Path(napari_pixcell.__file__).parent  # of the program: nothing is written there


@dataclass(frozen=True)
class Offer:
    """A session of the slide that is open, from another day.

    Parameters
    ----------
    path : Path
        Its folder.
    saved : datetime
        When it was saved last.
    regions, variants : int
        How many there are.
    """

    path: Path
    saved: datetime
    regions: int
    variants: int

    def sentence(self) -> str:
        """Say what is there."""
        regions, variants = counted(self.regions, "region"), counted(self.variants, "variant")
        return f"Your work of {day(self.saved)} is here: {regions}, {variants}."


def counted(number: int, noun: str) -> str:
    """Say how many of something there are."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def day(when: datetime, now: datetime | None = None) -> str:
    """Say when that was: “today 14:02”, “yesterday 14:02”, “3 May 14:02”."""
    today = (now or datetime.now()).date()
    if when.date() == today:
        return f"today {when:%H:%M}"
    if when.date() == today - timedelta(days=1):
        return f"yesterday {when:%H:%M}"
    year = f" {when.year}" if when.year != today.year else ""
    return f"{when.day} {when:%B}{year} {when:%H:%M}"


def own_folder() -> Path:
    """Where sessions lie that cannot lie beside their slides."""
    return data_folder() / "sessions"


def beside(mark: SlideMark) -> Path | None:
    """Give the folder of a slide's file, if sessions can lie there."""
    if mark.path is None or mark.path.is_relative_to(OWN):
        return None
    folder = mark.path.parent
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def names(stem: str) -> Iterator[str]:
    """Give names for a session, the plain one first."""
    plain = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", stem).strip(" .")[:120] or "session"
    yield plain + SUFFIX
    for number in range(2, 10_000):
        yield f"{plain} {number}{SUFFIX}"


def create(folder: Path, stem: str) -> SessionFolder:
    """Make a session's folder under a name that is free.

    Raises
    ------
    OSError
        If nothing can be written there.
    """
    for name in names(stem):
        session = SessionFolder(folder / name)
        try:
            session.create()
        except FileExistsError:
            continue
        return session
    raise FileExistsError(17, "there are too many sessions of this name")


def find(mark: SlideMark, stem: str) -> Offer | None:
    """Find the last session of a slide, beside it or in the user's own folder."""
    known = [own_folder()]
    if mark.path is not None:
        known.insert(0, mark.path.parent)
    pattern = next(names(stem)).removesuffix(SUFFIX)
    offers = []
    for folder in known:
        for path in _sessions(folder, pattern):
            offer = _look(path, mark)
            if offer is not None:
                offers.append(offer)
    return max(offers, key=lambda offer: offer.saved, default=None)


def _sessions(folder: Path, stem: str) -> list[Path]:
    try:
        return [p for p in folder.iterdir() if p.suffix == SUFFIX and p.name.startswith(stem)]
    except OSError:
        return []


def _look(path: Path, mark: SlideMark) -> Offer | None:
    """Give the offer of a session, if it is of this slide and has anything in it."""
    from napari_pixcell.studio.saving.document import SAVED, read_document

    try:
        document: dict[str, Any] = read_document(path)
        if not SlideMark.from_dict(document["slide"]).is_same(mark):
            return None
        saved = datetime.fromisoformat(document[SAVED]).astimezone().replace(tzinfo=None)
        regions, variants = len(document["regions"]), len(document["results"])
    except Exception:  # whatever is wrong with it is said when it is opened
        return None
    return Offer(path, saved, regions, variants) if regions or variants else None

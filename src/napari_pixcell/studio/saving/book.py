"""Writing the snapshots of a session into its folder, in a thread."""

from __future__ import annotations

import json
import uuid
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.stored_picture import pictures_folder
from napari_pixcell.studio.saving.arrays import Side, Stored
from napari_pixcell.studio.saving.document import SAVED
from napari_pixcell.studio.saving.feature_mark import with_relative
from napari_pixcell.studio.saving.folder import FILE, SessionFolder
from napari_pixcell.studio.saving.places import Offer
from napari_pixcell.studio.saving.slide_mark import SlideMark


@dataclass(eq=False)
class Book:
    """The saving state of one slide's session."""

    key: str  # of the slide
    stem: str  # name of the slide, from which the folder gets its name
    mark: SlideMark | None = None  # None until the slide was read
    folder: SessionFolder | None = None  # None until there is something to save
    parent: Path | None = None  # of a new folder, instead of the usual one
    names: dict[Hashable, str] = field(default_factory=dict)  # files by the keys of their sides
    offers: list[Offer] = field(default_factory=list)  # earlier sessions of the slide
    dismissed: bool = False  # the user does not want them now
    id: str = field(default_factory=lambda: uuid.uuid4().hex)  # of the session, in any folder
    off: bool = False  # switched off by the user
    saved: datetime | None = None
    elsewhere: bool = False  # the folder of the slide is read-only
    _owners: list[object] = field(default_factory=list)
    _text: str = ""
    _before: set[str] = field(default_factory=set)

    def use(self, folder: SessionFolder | None) -> None:
        """Save to another folder from now on; None for a new one."""
        old, self.folder = self.folder, folder
        if old is not None and old is not folder:
            old.release()
        self._text = ""
        self._before = folder.all() if folder is not None else set()  # its JSON may name them

    def move_to(self, folder: SessionFolder) -> None:
        """Save to another folder from now on, and copy everything to it."""
        if self.folder is not None:
            for name in set(self.names.values()):
                folder.copy_from(self.folder, name)
        self.use(folder)

    def write(self, snapshot: dict[str, Any]) -> bool:
        """Write what has changed, and return whether anything has.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        assert self.folder is not None and self.mark is not None
        folder = self.folder
        known = folder.all()
        lost = {key for key, name in self.names.items() if name not in known}
        self.names = {k: n for k, n in self.names.items() if k not in lost}
        used: dict[Hashable, str] = {}
        owners: list[object] = []

        def settled(value: Any) -> Any:
            match value:
                case Side():
                    name = self.names.get(value.key)
                    if name is None:
                        try:
                            name = folder.put(value.encode(), value.suffix)
                        except PixCellError:  # its pixels are missing from the cache
                            return None
                    used[value.key] = self.names[value.key] = name
                    owners.append(value.owner)
                    self._owners.append(value.owner)  # in case this write is interrupted
                    return name
                case Stored():
                    source = value.picture.folder
                    kept = value.kept or source.parent != pictures_folder()
                    if kept and source.exists():
                        folder.put_folder(source, source.name)
                        used["stored", source.name] = source.name
                    return {"name": source.name, "kept": kept}
                case dict():
                    return {key: settled(part) for key, part in value.items()}
                case list():
                    return [settled(part) for part in value]
            return value

        document = settled(snapshot)
        document["results"] = [one for one in document["results"] if None not in one.values()]
        document["id"] = self.id
        document["slide"] = self.mark.to_dict(folder.path)
        if document["features"] is not None:
            document["features"] = with_relative(document["features"], folder.path)
        text = json.dumps(document | {SAVED: ""}, indent=1)
        self.names, self._owners = used, owners
        if text == self._text and not lost and (folder.path / FILE).exists():
            return False
        now = set(used.values())
        folder.commit(json.dumps(document, indent=1), now | self._before)
        self._text, self._before = text, now
        self.saved = datetime.now()
        return True

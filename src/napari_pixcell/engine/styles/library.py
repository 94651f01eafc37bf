"""The library of saved styles: a folder with one file per style."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from napari_pixcell.engine.styles.style import (
    ID,
    SUFFIX,
    Style,
    checked_name,
    read_style_file,
    style_bytes,
)
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import UNFINISHED, private_folder, write_whole
from napari_pixcell.folders import config_folder

OLD = 3600.0  # seconds after which an unfinished file is a leftover of a crash


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name that is not taken, with a number if necessary."""
    if name not in taken:
        return name
    number = 2
    while f"{name} {number}" in taken:
        number += 1
    return f"{name} {number}"


class StyleLibrary:
    """The saved styles of this user, shared by all sessions.

    Every method reads or writes files, so do not call them in the main thread of a window. Several
    processes may use it at once.

    Parameters
    ----------
    folder : Path, optional
        By default in the configuration folder of the plugin.

    Attributes
    ----------
    problems : list of str
        A sentence for each file that could not be read last time.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.problems: list[str] = []

    @property
    def folder(self) -> Path:
        """Folder of the files."""
        return self._folder or config_folder() / "styles"

    def stamp(self) -> int:
        """Return a number that changes when styles are added, removed or renamed."""
        try:
            return self.folder.stat().st_mtime_ns
        except OSError:
            return 0

    def read(self) -> list[Style]:
        """Return all styles, by name. Damaged files are skipped and listed in ``problems``."""
        found, self.problems = [], []
        for path in self._files():
            try:
                found.append(read_style_file(path))
            except PixCellError as error:
                self.problems.append(str(error))
        return sorted(found, key=lambda style: (style.name.casefold(), style.name))

    def find(self, name: str) -> Style:
        """Return the style of a name, ignoring case, or of an id.

        Raises
        ------
        PixCellError
            If there is none.
        """
        styles = self.read()
        found = (
            [style for style in styles if style.name == name]
            or [style for style in styles if style.id == name]
            or [style for style in styles if style.name.casefold() == name.casefold()]
        )
        if found:
            return found[0]
        known = ", ".join(f"“{style.name}”" for style in styles[:8])
        raise PixCellError(
            f"There is no style “{name}”. Saved styles: {known or 'none'}"
            f"{' and more' if len(styles) > 8 else ''}; see “napari-pixcell styles list”."
        )

    def save(self, style: Style) -> Style:
        """Save a style. If its name is taken, a number is added.

        Raises
        ------
        PixCellError
            If the name is not valid, or the folder cannot be written to.
        """
        taken = {other.name for other in self.read() if other.id != style.id}
        style = replace(style, name=free_name(checked_name(style.name), taken))
        try:
            private_folder(self.folder)
            write_whole(self._path(style.id), style_bytes(style), private=True)
        except OSError as error:
            raise self._refused("saved", error) from error
        return style

    def rename(self, id_: str, name: str) -> Style:
        """Rename a saved style. If the name is taken, a number is added."""
        return self.save(replace(read_style_file(self._path(id_)), name=name))

    def remove(self, id_: str) -> None:
        """Delete a saved style.

        Raises
        ------
        PixCellError
            If its file cannot be deleted.
        """
        try:
            self._path(id_).unlink(missing_ok=True)
        except OSError as error:
            raise self._refused("deleted", error) from error

    def _path(self, id_: str) -> Path:
        if not ID.fullmatch(id_):
            raise PixCellError("This style no longer exists. Choose another one.")
        return self.folder / f"{id_}{SUFFIX}"

    def _files(self) -> Iterator[Path]:
        try:
            paths = sorted(self.folder.iterdir())
        except OSError:
            return
        for path in paths:
            if path.suffix == SUFFIX:
                yield path
            elif path.name.startswith("unfinished-") or path.suffix == UNFINISHED:
                with contextlib.suppress(OSError):  # another session may be writing it
                    if time.time() - path.stat().st_mtime > OLD:
                        path.unlink(missing_ok=True)

    def _refused(self, what: str, error: OSError) -> PixCellError:
        return PixCellError(
            f"The style cannot be {what} ({error.strerror}). Free space in the configuration "
            "folder or make it writable, or set PIXCELL_CONFIG_DIR to another one."
        )

"""The JSON of a session: its version, reading it, and earlier versions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.saving.folder import BEFORE, FILE, SessionFolder, folder_of

VERSION = 1
MARK = "napari-pixcell session"
SAVED = "saved"
OLDER = "older"  # added on reading: True if the JSON is damaged and its previous version was read


def read_document(path: Path) -> dict[str, Any]:
    """Read the JSON of a session and convert it to the present version.

    If it is damaged, its previous version is read and marked as ``OLDER``.

    Parameters
    ----------
    path : Path
        The session's folder, or the JSON in it.

    Raises
    ------
    PixCellError
        If there is no session, or it is damaged, or its version is newer.
    """
    folder = SessionFolder(folder_of(path))
    name = folder.path.name
    if not folder.path.is_dir():
        raise PixCellError(f"There is no session “{name}”. Check its name and folder.")
    for file in (FILE, BEFORE):
        try:
            value = folder.read(file)
        except (OSError, ValueError):
            continue
        if isinstance(value, dict) and MARK in value:
            return {**_migrated(value, name), OLDER: file == BEFORE}
    if not (folder.path / FILE).exists():
        raise PixCellError(
            f"“{name}” contains no session. Choose a folder whose name ends in .pixcell."
        )
    raise _damaged(name)


def _damaged(name: str) -> PixCellError:
    return PixCellError(f"The session “{name}” is damaged. Restore the folder from a backup.")


def _migrated(value: dict[str, Any], name: str) -> dict[str, Any]:
    version = value[MARK]
    if not isinstance(version, int) or version > VERSION:
        raise PixCellError(
            f"The session “{name}” was saved by a newer napari-pixcell (format {version}, this "
            f"version reads up to {VERSION}). Update napari-pixcell."
        )
    try:
        for number in range(version, VERSION):
            value = MIGRATIONS[number](value)
        for part in ("slide", "regions", "results"):
            value[part]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _damaged(name) from error
    return value


def _from_0(value: dict[str, Any]) -> dict[str, Any]:
    """Convert version 0.

    The settings of the layout were called ``strength`` and ``until``. A region had one ``box``,
    and none that was drawn. Each result held its whole target, where targets are now listed once.
    """
    settings = dict(value.get("settings") or {})
    for before, after in (("strength", "layout_strength"), ("until", "layout_until")):
        if before in settings:
            settings[after] = settings.pop(before)
    regions = []
    for region in value["regions"]:
        changed = dict(region)
        changed["place"] = changed["drawn"] = changed.pop("box")
        regions.append(changed)
    targets, results = [], []
    for result in value["results"]:
        target = dict(result["target"])
        target["place"] = target.pop("box")
        if target not in targets:
            targets.append(target)
        results.append({**result, "target": targets.index(target)})
    changed = {"settings": settings, "regions": regions, "targets": targets, "results": results}
    return {**value, **changed, MARK: 1}


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {0: _from_0}

"""The JSON of a session: its version, reading it, and what earlier versions wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.saving.folder import BEFORE, FILE, SessionFolder, folder_of

VERSION = 1
MARK = "napari-pixcell session"
SAVED = "saved"
OLDER = "older"  # added when it is read: the JSON was damaged, and this is the one before it


def read_document(path: Path) -> dict[str, Any]:
    """Read the JSON of a session and bring it to the present version.

    Where it is damaged the one before it is taken, which is then marked as ``OLDER``.

    Parameters
    ----------
    path : Path
        The session's folder, or the JSON in it.

    Raises
    ------
    PixCellError
        If there is no session there, or it is damaged, or of a later version.
    """
    folder = SessionFolder(folder_of(Path(path)))
    name = folder.path.name
    if not folder.path.is_dir():
        raise PixCellError(f"There is no session “{name}” there; check its name and folder.")
    value, older = None, False
    for file in (FILE, BEFORE):
        try:
            value = folder.read(file)
        except (OSError, ValueError):
            value = None
        if isinstance(value, dict) and MARK in value:
            break
        older = True
    if not isinstance(value, dict) or MARK not in value:
        if not (folder.path / FILE).exists():
            raise PixCellError(f"“{name}” holds no session; choose a folder that ends in .pixcell.")
        raise PixCellError(
            f"The session “{name}” is damaged and cannot be read; restore the folder from a backup."
        )
    document = _migrated(value, name)
    document[OLDER] = older
    return document


def _migrated(value: dict[str, Any], name: str) -> dict[str, Any]:
    version = value[MARK]
    if not isinstance(version, int) or version > VERSION:
        raise PixCellError(
            f"The session “{name}” was saved by a newer napari-pixcell (format {version}, this one "
            f"reads up to {VERSION}); update napari-pixcell."
        )
    try:
        for number in range(version, VERSION):
            value = MIGRATIONS[number](value)
        for part in ("slide", "regions", "results"):
            value[part]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise PixCellError(
            f"The session “{name}” is damaged and cannot be read; restore the folder from a backup."
        ) from error
    return value


def _from_0(value: dict[str, Any]) -> dict[str, Any]:
    """Read what version 0 wrote.

    Settings of the layout were called ``strength`` and ``until``; a region had one ``box``, and no
    other that was drawn; each result held its whole target, where targets are listed now.
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

"""The JSON of a session: its version, reading it, and earlier versions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.saving.folder import BEFORE, FILE, FILES, SessionFolder, folder_of

VERSION = 1
MARK = "napari-pixcell session"
SAVED = "saved"
WRONG = "wrong"  # added on reading: names of parts that are not what they should be
MOST = 20_000  # entries of a part
KINDS: dict[str, type[list[Any]] | type[dict[str, Any]]] = {
    "styles": list,
    "regions": list,
    "results": list,
    "jobs": list,
    "targets": list,
    "settings": dict,
    "measures": dict,
}
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
    if folder.files.is_symlink():  # nothing may be written or removed outside
        raise PixCellError(f"“{name}/{FILES}” leads out of the session. Replace the link.")
    for file in (FILE, BEFORE):
        try:
            value = folder.read(file)
            if isinstance(value, dict) and MARK in value:
                return {**_migrated(value, name), OLDER: file == BEFORE}
        except _Newer:
            raise
        except PixCellError:
            continue
    if not (folder.path / FILE).exists():
        raise PixCellError(
            f"“{name}” contains no session. Choose a folder whose name ends in .pixcell."
        )
    raise _damaged(name)


class _Newer(PixCellError):
    """A session of a version that this one cannot read."""


def _damaged(name: str) -> PixCellError:
    return PixCellError(f"The session “{name}” is damaged. Restore the folder from a backup.")


def _migrated(value: dict[str, Any], name: str) -> dict[str, Any]:
    version = value[MARK]
    if type(version) is not int or version < 0:
        raise _damaged(name)
    if version > VERSION:
        raise _Newer(
            f"The session “{name}” was saved by a newer napari-pixcell (format {version:.3g}, this "
            f"version reads up to {VERSION}). Update napari-pixcell."
        )
    try:
        for number in range(version, VERSION):
            value = MIGRATIONS[number](value)
    except Exception as error:  # any part may be of any type
        raise _damaged(name) from error
    if not isinstance(value.get("slide"), dict) or not {"regions", "results"} <= set(value):
        raise _damaged(name)
    wrong = [key for key, kind in KINDS.items() if not isinstance(value.get(key, kind()), kind)]
    many = [key for key in KINDS if len(_kept(value, key)) > MOST]
    parts = {key: _kept(value, key) for key in KINDS}
    shortened = {key: parts[key][:MOST] for key in many if isinstance(parts[key], list)}
    return {**value, **parts, **shortened, WRONG: wrong + many}


def _kept(value: dict[str, Any], key: str) -> Any:
    part = value.get(key)
    return part if isinstance(part, KINDS[key]) else KINDS[key]()


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

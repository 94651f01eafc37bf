"""Settings kept between sessions, in a small JSON file of the configuration folder."""

from __future__ import annotations

import json
import logging
import math
import os
from functools import cache
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder, write_whole
from napari_pixcell.folders import config_folder
from napari_pixcell.untrusted import parse_json, read_bounded

log = logging.getLogger(__name__)

MOST_BYTES = 4 * 2**20
DAMAGED_SUFFIX = ".damaged"  # of a file that was set aside, so that nothing in it is lost
IDLE_MINUTES = 20.0  # default time without a request after which models are unloaded


def preference(name: str, default: Any = None) -> Any:
    """Return a setting, or the default if it was never set or the file cannot be read."""
    return _read().get(name, default)


def set_preference(name: str, value: Any) -> None:
    """Store a setting, which may be any JSON value.

    A damaged file is kept beside the new one.

    Raises
    ------
    PixCellError
        If the configuration folder is not writable.
    """
    path = _path()
    try:
        private_folder(path.parent)
        set_aside_damaged(path, problem())
        write_whole(path, json.dumps(_read() | {name: value}, indent=1), private=True)
    except OSError as error:
        raise PixCellError(
            f"The setting cannot be saved ({error.strerror}). Make the configuration folder "
            "writable, or set PIXCELL_CONFIG_DIR to another folder."
        ) from error


def problem() -> str:
    """Return what is wrong with the file of settings, or an empty string."""
    return read_settings(_path())[1]


def read_settings(path: Path) -> tuple[dict[str, Any], str]:
    """Read a file of settings, and what is wrong with it in one sentence.

    A missing file is empty. A damaged one is empty too, so that it stops nothing.
    """
    try:
        if not os.path.lexists(path):
            return {}, ""
        data = read_bounded(path, MOST_BYTES, "file of settings")
        values = parse_json(data, path.name, "Correct or remove it.", lenient=True)
    except PixCellError as error:
        return {}, f"Settings are not used: {error}"
    if not isinstance(values, dict):
        return {}, f"Settings are not used: “{path.name}” holds no settings. Remove it."
    return values, ""


def warned(values: dict[str, Any], problem: str) -> dict[str, Any]:
    """Return the values of :func:`read_settings`, and log what is wrong once."""
    if problem:
        _warn(problem)
    return values


@cache
def _warn(problem: str) -> None:
    log.warning("%s", problem)


def set_aside_damaged(path: Path, problem: str) -> None:
    """Rename a damaged file of settings before a new one takes its place.

    Raises
    ------
    OSError
        If it cannot be renamed.
    """
    if problem and path.is_file():
        path.replace(path.with_name(path.name + DAMAGED_SUFFIX))


def as_number(value: Any) -> float | None:
    """Return a setting as a finite number, or None if it is none."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def idle_minutes() -> float:
    """Return the minutes without a request after which models are unloaded; 0 means never."""
    value = as_number(preference("idle minutes", IDLE_MINUTES))
    return value if value is not None and value >= 0 else IDLE_MINUTES


def set_idle_minutes(minutes: float) -> None:
    """Store the idle time in minutes; a running worker applies it from its next request."""
    set_preference("idle minutes", minutes)


def megabytes(variable: str, name: str, default: float) -> int:
    """Return a limit in bytes that users set in megabytes.

    Parameters
    ----------
    variable : str
        Environment variable, which comes first.
    name : str
        Preference, which comes second.
    default : float
        Limit in MB if neither is a valid number.
    """
    for value in (os.environ.get(variable), preference(name)):
        number = as_number(value)
        if number is not None and 0 <= number < 1e9:
            return int(number * 10**6)
    return int(default * 10**6)


def compile_wanted() -> bool:
    """Whether to compile the transformer's blocks; ``PIXCELL_COMPILE`` comes first."""
    return _switch("PIXCELL_COMPILE", "compile", False)


def sessions_wanted() -> bool:
    """Whether sessions are saved automatically; ``PIXCELL_SESSIONS`` comes first."""
    return _switch("PIXCELL_SESSIONS", "save sessions", True)


def _switch(variable: str, name: str, default: bool) -> bool:
    value = os.environ.get(variable)
    return value not in ("", "0") if value is not None else bool(preference(name, default))


def _path() -> Path:
    return config_folder() / "preferences.json"


def _read() -> dict[str, Any]:
    return warned(*read_settings(_path()))

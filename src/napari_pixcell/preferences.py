"""Settings kept between sessions, in a small JSON file of the configuration folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.folders import config_folder

IDLE_MINUTES = 20.0  # default time without a request after which models are unloaded


def preference(name: str, default: Any = None) -> Any:
    """Return a setting, or the default if it was never set or the file cannot be read."""
    return _read().get(name, default)


def set_preference(name: str, value: Any) -> None:
    """Store a setting, which may be any JSON value.

    Raises
    ------
    PixCellError
        If the configuration folder is not writable.
    """
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(_read() | {name: value}, indent=1), private=True)
    except OSError as error:
        raise PixCellError(
            f"The setting cannot be saved ({error.strerror}). Make the configuration folder "
            "writable, or set PIXCELL_CONFIG_DIR to another folder."
        ) from error


def idle_minutes() -> float:
    """Return the minutes without a request after which models are unloaded; 0 means never."""
    value = preference("idle minutes", IDLE_MINUTES)
    return float(value) if isinstance(value, int | float) and value >= 0 else IDLE_MINUTES


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
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        if 0 <= number < 1e9:
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
    try:
        values = json.loads(_path().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}

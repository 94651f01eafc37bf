"""A few settings that outlast a session, in one small JSON file of the configuration folder."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.folders import config_folder

# Minutes without a request after which networks leave the memory.
IDLE_MINUTES = 20.0


def preference(name: str, default: Any = None) -> Any:
    """Give a setting; the default where it was never set, or the file cannot be read."""
    return _read().get(name, default)


def set_preference(name: str, value: Any) -> None:
    """Remember a setting: any JSON value.

    Raises
    ------
    PixCellError
        If the configuration folder cannot be written to.
    """
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(_read() | {name: value}, file, indent=1)
        Path(temporary).replace(path)
    except OSError as error:
        raise PixCellError(
            f"The setting cannot be remembered ({error.strerror}); make the configuration folder "
            "writable, or name another in PIXCELL_CONFIG_DIR."
        ) from error


def idle_minutes() -> float:
    """Give the minutes without a request after which networks leave the memory; 0 is never."""
    value = preference("idle minutes", IDLE_MINUTES)
    return float(value) if isinstance(value, int | float) and value >= 0 else IDLE_MINUTES


def set_idle_minutes(minutes: float) -> None:
    """Remember the minutes; a running worker takes them from its next request on."""
    set_preference("idle minutes", minutes)


def megabytes(variable: str, name: str, default: float) -> int:
    """Give a limit in bytes that users set in megabytes.

    Parameters
    ----------
    variable : str
        Of the environment, which goes first.
    name : str
        Of the preference, which comes second.
    default : float
        MB, where neither is a number of megabytes.
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
    """Whether the transformer's blocks should be compiled; ``PIXCELL_COMPILE`` goes first."""
    asked = os.environ.get("PIXCELL_COMPILE")
    return asked not in ("", "0") if asked is not None else bool(preference("compile", False))


def sessions_wanted() -> bool:
    """Whether sessions are saved by themselves; ``PIXCELL_SESSIONS`` goes first."""
    asked = os.environ.get("PIXCELL_SESSIONS")
    return asked not in ("", "0") if asked is not None else bool(preference("save sessions", True))


def _path() -> Path:
    return config_folder() / "preferences.json"


def _read() -> dict[str, Any]:
    try:
        values = json.loads(_path().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}

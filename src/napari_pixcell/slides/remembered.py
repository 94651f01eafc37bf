"""Pixel sizes that the user gave, kept for each file without naming it."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

from napari_pixcell.folders import config_folder
from napari_pixcell.slides.content import content_key
from napari_pixcell.slides.pixel_size import checked_mpp


def _store() -> Path:
    return config_folder() / "pixel_sizes.json"


def _load() -> dict[str, float]:
    try:
        value = json.loads(_store().read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {k: float(v) for k, v in value.items() if isinstance(v, int | float)}


def remember_mpp(path: str | Path, mpp: float) -> None:
    """Remember µm/px for a file. Nothing happens if the settings folder can't be written."""
    values = _load() | {content_key(Path(path)): checked_mpp(mpp)}
    store = _store()
    with contextlib.suppress(OSError):
        store.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=store.parent, suffix=".tmp")
        with os.fdopen(handle, "w") as file:
            json.dump(values, file)
        Path(name).replace(store)


def remembered_mpp(path: str | Path) -> float | None:
    """Give the µm/px that the user once gave for this file."""
    values = _load()
    return values.get(content_key(Path(path))) if values else None

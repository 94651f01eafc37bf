"""The plugin's page in napari's preferences.

The worker and the command line read the same settings without napari, from ``preferences.json``:
that file holds them, and the page in napari's preferences shows and changes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from napari.settings import get_plugin_settings

from napari_pixcell.errors import PixCellError
from napari_pixcell.preferences import preference, set_preference

log = logging.getLogger(__name__)

PLUGIN = "napari-pixcell"
# Where each is on napari's page, and what it is called in preferences.json.
NAMES = {
    ("memory", "idle_minutes"): "idle minutes",
    ("memory", "slides_mb"): "slides cache MB",
    ("memory", "embeddings_mb"): "embeddings MB",
    ("memory", "results_mb"): "results MB",
    ("memory", "picture_mb"): "picture MB",
    ("studio", "previews"): "previews",
    ("studio", "save_sessions"): "save sessions",
    ("studio", "compile"): "compile",
}


def link(told: Callable[[str, Any], None], problem: Callable[[str], None]) -> Callable[[], None]:
    """Keep napari's page and ``preferences.json`` in step.

    Parameters
    ----------
    told : callable
        Gets the name of a setting and its value, once for each now and after every change.
    problem : callable
        Gets a sentence where a setting cannot be remembered.

    Returns
    -------
    callable
        Ends it.
    """
    page = _page()
    if page is None:
        return lambda: None
    links = []
    for (group, key), name in NAMES.items():
        part = getattr(page, group)
        value = preference(name)
        if value is not None and value != getattr(part, key):
            try:
                setattr(part, key, value)
            except ValueError:  # written by hand, and out of range
                log.warning("the setting “%s” is %r, which is out of range", name, value)
        told(name, getattr(part, key))

        def changed(_event: Any = None, part: Any = part, key: str = key, name: str = name) -> None:
            now = getattr(part, key)
            try:
                set_preference(name, now)
            except PixCellError as error:
                problem(str(error))
            told(name, now)

        signal = getattr(part.events, key)
        signal.connect(changed)
        links.append((signal, changed))

    def end() -> None:
        for signal, callback in links:
            signal.disconnect(callback)

    return end


def _page() -> Any | None:
    """Give the plugin's settings; None where napari does not know the plugin."""
    try:
        return get_plugin_settings(PLUGIN)
    except KeyError:
        return None

"""The plugin's page in napari's preferences.

The settings themselves are in ``preferences.json``, which the worker and the command line read
without napari. The page shows and changes that file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.preferences import SETTINGS, preference, set_preference

log = logging.getLogger(__name__)

PLUGIN = "napari-pixcell"
# From group and key on the page to the name in preferences.json.
NAMES = {setting.page: setting.name for setting in SETTINGS if setting.page is not None}


def link(apply: Callable[[str, Any], None], report: Callable[[str], None]) -> Callable[[], None]:
    """Keep the page and ``preferences.json`` in step.

    Parameters
    ----------
    apply : callable
        Called with name and value of each setting, now and after each change.
    report : callable
        Called with a message if a setting cannot be saved.

    Returns
    -------
    callable
        Ends the link.
    """
    page = _page()
    if page is None:
        for name in NAMES.values():
            if (value := preference(name)) is not None:
                apply(name, value)
        return lambda: None
    links = []
    for (group, key), name in NAMES.items():
        part = getattr(page, group)
        value = preference(name)
        if value is not None and value != getattr(part, key):
            try:
                setattr(part, key, value)
            except ValueError:  # edited by hand
                log.warning("setting “%s” is out of range: %r", name, value)
        apply(name, getattr(part, key))

        def changed(_event: Any = None, part: Any = part, key: str = key, name: str = name) -> None:
            now = getattr(part, key)
            try:
                set_preference(name, now)
            except PixCellError as error:
                report(str(error))
            apply(name, now)

        signal = getattr(part.events, key)
        signal.connect(changed)
        links.append((signal, changed))

    def end() -> None:
        for signal, callback in links:
            signal.disconnect(callback)

    return end


def _page() -> Any | None:
    from napari import settings

    get = getattr(settings, "get_plugin_settings", None)
    if get is None:  # napari before 0.9; preferences.json alone is read then
        return None
    try:
        return get(PLUGIN)
    except KeyError:  # napari does not know the plugin
        return None

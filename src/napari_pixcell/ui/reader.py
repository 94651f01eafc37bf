"""The reader that napari calls: a slide's layer is also drawn without making the window wait."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_pixcell.slides import reader
from napari_pixcell.slides.reader import LayerData
from napari_pixcell.studio.saving.folder import is_session


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Give the reader of a slide, see :func:`napari_pixcell.slides.reader.get_reader`."""
    read = reader.get_reader(path)
    if read is None:
        return None

    def read_and_watch(path: str | list[str]) -> list[LayerData]:
        data = read(path)
        from napari import current_viewer

        viewer = current_viewer()
        if viewer is not None:  # there is a window, and with it Qt
            from napari_pixcell.ui.layers.sharpening import watch

            watch(viewer)
        return data

    return read_and_watch


def get_session_reader(path: str | list[str]) -> Callable[[Any], list[tuple[None]]] | None:
    """Give the reader of a session's folder, or None for all other folders.

    It opens the session in the studio, which is opened too if it is not yet, and gives napari no
    layers: the studio adds them.
    """
    paths = [path] if isinstance(path, str) else path
    if len(paths) != 1 or not is_session(Path(paths[0])):
        return None

    def read(_path: Any) -> list[tuple[None]]:
        from napari import current_viewer

        viewer = current_viewer()
        if viewer is not None:
            from napari_pixcell.ui.commands import studio_of

            studio_of(viewer).session.open_session(Path(paths[0]))
        return [(None,)]

    return read

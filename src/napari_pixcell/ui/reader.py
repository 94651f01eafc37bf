"""The reader that napari calls: a slide's layer is also drawn without making the window wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_pixcell.slides import reader
from napari_pixcell.slides.reader import LayerData


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
            from napari_pixcell.ui.drawing import watch

            watch(viewer)
        return data

    return read_and_watch

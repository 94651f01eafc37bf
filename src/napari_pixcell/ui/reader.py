"""The readers that napari calls for slides and sessions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_pixcell.slides import reader
from napari_pixcell.slides.reader import LayerData
from napari_pixcell.studio.saving.folder import is_session

SlideReader = Callable[[Any], list[LayerData]]


def get_reader(path: str | list[str]) -> SlideReader | None:
    """Return a reader whose layers sharpen as their tiles are decoded, or None.

    See :func:`napari_pixcell.slides.reader.get_reader`.
    """
    return _watched(reader.get_reader(path))


def get_zarr_reader(path: str | list[str]) -> SlideReader | None:
    """Return the reader of an OME-Zarr folder, or None if it holds no RGB image of a slide."""
    return _watched(reader.get_zarr_reader(path))


def _watched(read: SlideReader | None) -> SlideReader | None:
    """Return a reader whose layers sharpen as their tiles are decoded."""
    if read is None:
        return None

    def read_and_watch(path: str | list[str]) -> list[LayerData]:
        data = read(path)
        from napari import current_viewer

        viewer = current_viewer()
        if viewer is not None:  # Qt is running
            from napari_pixcell.ui.layers.sharpening import awaited, watch

            watch(viewer)
            for layer in data:
                awaited(layer[0])
        return data

    return read_and_watch


def get_session_reader(path: str | list[str]) -> Callable[[Any], list[tuple[None]]] | None:
    """Return the reader of a session's folder, or None for other folders.

    It opens the session in the studio, which adds the layers itself.
    """
    paths = [path] if isinstance(path, str) else path
    if len(paths) != 1 or not is_session(Path(paths[0])):
        return None

    def read(_path: Any) -> list[tuple[None]]:
        from napari import current_viewer

        viewer = current_viewer()
        if viewer is not None:
            from napari_pixcell.ui.commands import studio_of

            studio_of(viewer).session.restoring.open(Path(paths[0]))
        return [(None,)]

    return read

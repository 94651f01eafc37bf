"""Outlining a cell by dragging the mouse around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Labels

from napari_pixcell.cells import editing
from napari_pixcell.cells.editing import Patch, Point
from napari_pixcell.studio.notices import Notices
from napari_pixcell.ui.layers.drawn_over import DrawnOver

STEP_PX = 0.5  # of the layout, between two points of the line
NO_ROOM = "No cell was outlined: drag around free tissue, at least as large as a small nucleus."


class Outlining:
    """A line drawn by hand, which becomes a cell when the mouse is released.

    Parameters
    ----------
    drawn : DrawnOver
        Shows the line.
    notices : Notices
    next_label : callable
        Returns an unused label of a layer.
    change : callable
        Writes a patch to a layer.
    """

    def __init__(
        self,
        drawn: DrawnOver,
        notices: Notices,
        next_label: Callable[[Labels], int],
        change: Callable[[Labels, Patch | None], Any],
    ) -> None:
        self._drawn, self._notices = drawn, notices
        self._next_label, self._change = next_label, change
        self._points: list[Point] = []

    @property
    def drawing(self) -> bool:
        return bool(self._points)

    def start(self, point: Point) -> None:
        self._points = [point]

    def move(self, layer: Labels, point: Point) -> None:
        """Extend the line, which :meth:`cancel` may have ended meanwhile."""
        if self._points and np.hypot(*np.subtract(point, self._points[-1])) >= STEP_PX:
            self._points.append(point)
            self._drawn.line(layer, self._points)

    def release(self, layer: Labels) -> None:
        """Close the line and fill it."""
        points, self._points = self._points, []
        self._drawn.end_line()
        if len(points) < 3:
            return
        patch = editing.draw_outline(layer.data, points, self._next_label(layer))
        if patch is None:
            self._notices.note("layout", NO_ROOM)
        else:
            self._change(layer, patch)

    def cancel(self) -> None:
        """Discard the line."""
        self._points = []
        self._drawn.end_line()

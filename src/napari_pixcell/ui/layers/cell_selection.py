"""The selected cell of each region, which glows."""

from __future__ import annotations

from napari.layers import Labels

from napari_pixcell.cells import editing
from napari_pixcell.cells.editing import Point
from napari_pixcell.ui.layers.drawn_over import DrawnOver


class CellSelection:
    """Remembers a point in the selected cell of each region, and lets that cell glow.

    A point, since labels change with undo, and napari's redraw of a whole layer for another
    colour would be slow.
    """

    def __init__(self, drawn: DrawnOver) -> None:
        self._drawn = drawn
        self._points: dict[int, Point] = {}  # by region

    def choose(self, layer: Labels, point: Point | None) -> None:
        """Select the cell at a point (y, x) of the layer's data, or none."""
        number = layer.metadata["region"]
        if point is not None and editing.label_at(layer.data, point):
            self._points[number] = point
        else:
            self._points.pop(number, None)

    def forget(self, number: int) -> None:
        """Select no cell in a region."""
        self._points.pop(number, None)

    def point(self, layer: Labels | None) -> Point | None:
        """Return a point in the selected cell of a layer."""
        if layer is None:
            return None
        point = self._points.get(layer.metadata["region"])
        return point if point is not None and editing.label_at(layer.data, point) else None

    def label(self, layer: Labels | None) -> int:
        """Return the label of the selected cell, or 0."""
        point = self.point(layer)
        return editing.label_at(layer.data, point) if layer is not None and point else 0

    def show(self, layer: Labels | None) -> None:
        """Let the selected cell of a layer glow, and no other."""
        point = self.point(layer)
        found = editing.cell_at(layer.data, point) if layer is not None and point else None
        if layer is None or found is None:
            self._drawn.end_glow()
        else:
            self._drawn.glow(layer, *found)

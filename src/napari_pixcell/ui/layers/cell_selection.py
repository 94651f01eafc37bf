"""The selected cell of each region, which glows, and what is done to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Labels

from napari_pixcell.cells import editing
from napari_pixcell.cells.editing import Patch, Point
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers.drawn_over import DrawnOver

TOO_FAR = "These cells are too far apart to merge. Paint between them first: Brush, with Shift."


class CellSelection:
    """Selects a cell of the active region's layout, and merges, deletes, grows or shrinks it.

    It remembers a point in each cell, since labels change with undo. The cell glows in a picture of
    its own, since napari redraws a whole layer for another colour.

    Parameters
    ----------
    session : Session
    drawn : DrawnOver
        Shows the glow.
    active : callable
        Returns the label layer of the active region, or None.
    covered : callable
        Returns True if a picture lies over a region.
    change : callable
        Writes a patch to a layer.
    changed : callable
        Called when another cell is selected, or merging begins or ends.
    """

    def __init__(
        self,
        session: Session,
        drawn: DrawnOver,
        active: Callable[[], Labels | None],
        covered: Callable[[int], bool],
        change: Callable[[Labels, Patch | None], Any],
        changed: Callable[[], Any],
    ) -> None:
        self.session = session
        self.merging = False  # whether the next click merges a cell with the selected one
        self._drawn, self._active, self._covered = drawn, active, covered
        self._change, self._changed = change, changed
        self._points: dict[int, Point] = {}  # by region

    # -- the cell ----------------------------------------------------------------------------

    def select(self, layer: Labels, point: Point | None) -> None:
        """Select the cell at a point (y, x) of the layer's data, or none."""
        number = layer.metadata["region"]
        if point is not None and editing.label_at(layer.data, point):
            self._points[number] = point
        else:
            self._points.pop(number, None)
        self._changed()

    def forget(self, number: int) -> None:
        """Select no cell in a region whose layout was replaced."""
        self._points.pop(number, None)
        self.show()

    @property
    def label(self) -> int:
        """Label of the selected cell, or 0."""
        layer, point = self._active(), self._point
        return editing.label_at(layer.data, point) if layer is not None and point else 0

    @property
    def area_px(self) -> int:
        """Area of the selected cell in pixels of the layout; 0 without one."""
        layer, point = self._active(), self._point
        found = editing.cell_at(layer.data, point) if layer is not None and point else None
        return int(found[2].sum()) if found is not None else 0

    @property
    def _point(self) -> Point | None:
        layer = self._active()
        point = self._points.get(layer.metadata["region"]) if layer is not None else None
        return point if point and layer and editing.label_at(layer.data, point) else None

    def show(self) -> None:
        """Let the selected cell of the active region glow, and no other."""
        layer, point = self._active(), self._point
        found = editing.cell_at(layer.data, point) if layer is not None and point else None
        if layer is None or found is None:
            self._drawn.end_glow()
        else:
            self._drawn.glow(layer, *found)

    # -- acts --------------------------------------------------------------------------------

    def delete(self) -> None:
        layer, point = self._active(), self._point
        if layer is not None and point is not None and not self.uncover():
            self.reject(layer, point)

    def grow(self, pixels: int) -> None:
        """Grow the selected cell by ``pixels``, or shrink it if negative."""
        layer, point = self._active(), self._point
        if layer is not None and point is not None and not self.uncover():
            self._change(layer, editing.grow(layer.data, point, pixels))

    def merge(self, layer: Labels, point: Point) -> None:
        """Merge the cell at a point with the selected one, and select the result."""
        label, first = editing.label_at(layer.data, point), self._point
        self.merging = False
        if not label:
            return
        if first is not None and label != self.label:
            patch = editing.merge(layer.data, first, point)
            if patch is None:
                self.session.notices.note("layout", TOO_FAR)
            self._change(layer, patch)
        self.select(layer, point)

    def set_merging(self, on: bool) -> None:
        """Merge the selected cell with the one that is clicked next, or end that."""
        self.merging = on and bool(self.label)
        self._changed()

    def reject(self, layer: Labels, point: Point) -> None:
        """Delete a cell; a segmented one also stays out when its thresholds change."""
        label = editing.label_at(layer.data, point)
        if label and self.session.segmentation.last_search is not None:
            self.session.segmentation.reject_cells({label})
        elif label:
            self._change(layer, editing.delete(layer.data, point))

    def uncover(self) -> bool:
        """Hide variants and previews that cover the layout. Return True if there were any.

        Nothing is to change unseen. Live pictures cover it on purpose.
        """
        item = self.session.regions.active
        if item is None or self.session.generator.live.on or not self._covered(item.number):
            return False
        self.session.gallery.show_none(item.number)
        return True

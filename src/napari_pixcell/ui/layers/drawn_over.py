"""What is drawn over a label layer without being a layer: a glowing cell, a line by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Labels
from napari.viewer import Viewer
from numpy.typing import NDArray

from napari_pixcell.cells.editing import Point
from napari_pixcell.ui.layers.class_colours import ClassColormap

HALO, RIM = 2.5, 4.5  # px around a cell: bright up to the first, dark up to the second
BRIGHT, DARK, TINT = (255, 225, 0, 255), (0, 0, 0, 150), (255, 225, 0, 70)
CLASS_OPACITY = 150  # of 255, of the colour of a cell's class
LINE = (1.0, 0.88, 0.0, 1.0)
LINE_PX = 3
ABOVE = 1000  # vispy's order: after the layer's own picture


class DrawnOver:
    """A glow around one cell, and a line, in the scene of a label layer.

    They are nodes below the layer's own, so they move, hide and go with it, and napari's list of
    layers stays as short as it is.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._glow: Any = None
        self._line: Any = None

    def glow(self, layer: Labels, top: int, left: int, cell: NDArray[np.bool_]) -> None:
        """Draw a glow around a cell, over the colour of its class if the model knows classes.

        Parameters
        ----------
        layer : napari.layers.Labels
        top, left : int
            First row and column of ``cell`` in the layer's data.
        cell : array, bool, (height, width)
        """
        from vispy.scene.visuals import Image
        from vispy.visuals.transforms import STTransform

        self.end_glow()
        node = self._node_of(layer)
        if node is None:
            return
        margin = int(np.ceil(RIM))
        ring = _ring(np.pad(cell, margin), _tint(layer, top, left, cell))
        made = Image(ring, parent=node, method="subdivide")
        made.set_gl_state("translucent", depth_test=False)
        made.order = ABOVE
        down, across = _coarser(layer)
        made.transform = STTransform(
            scale=(1 / across, 1 / down),
            translate=((left - margin) / across, (top - margin) / down),
        )
        self._glow = made
        node.update()

    def end_glow(self) -> None:
        _drop(self._glow)
        self._glow = None

    def line(self, layer: Labels, points: Sequence[Point]) -> None:
        """Draw a line through points (y, x) of the layer's data."""
        from vispy.scene.visuals import Line

        down, across = _coarser(layer)
        where = np.array([((x + 0.5) / across, (y + 0.5) / down) for y, x in points])
        if self._line is not None:
            self._line.set_data(pos=where)
            return
        node = self._node_of(layer)
        if node is not None:
            self._line = Line(where, color=LINE, width=LINE_PX, method="agg", parent=node)
            self._line.order = ABOVE

    def end_line(self) -> None:
        _drop(self._line)
        self._line = None

    def _node_of(self, layer: Labels) -> Any:
        visual = self._viewer.window._qt_viewer.canvas.layer_to_visual.get(layer)
        return visual.node if visual is not None else None


def _coarser(layer: Labels) -> tuple[float, float]:
    """Return by how much the layer's texture is coarser than its data, down and across.

    It is if the data are larger than the largest texture of the GPU.
    """
    scale = getattr(layer._transforms["tile2data"], "scale", (1.0, 1.0))
    return float(scale[-2]), float(scale[-1])


def _tint(layer: Labels, top: int, left: int, cell: NDArray[np.bool_]) -> tuple[int, ...]:
    if not isinstance(layer.colormap, ClassColormap):
        return TINT
    y, x = np.argwhere(cell)[0]
    colour = layer.colormap.map(int(layer.data[top + y, left + x]))
    return (*(round(255 * float(part)) for part in colour[:3]), CLASS_OPACITY)


def _ring(cell: NDArray[np.bool_], tint: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the glow of a cell: uint8, (height, width, 4)."""
    from scipy import ndimage

    distance = ndimage.distance_transform_edt(~cell)
    made = np.zeros((*cell.shape, 4), np.uint8)
    made[distance <= RIM] = DARK
    made[distance <= HALO] = BRIGHT
    made[cell] = tint
    return made


def _drop(node: Any) -> None:
    """Remove a node from its scene."""
    if node is not None:
        node.parent = None

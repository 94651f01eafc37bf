"""The frames and names of regions, which show on any tissue, drawn over napari's own boxes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
from napari.layers import Shapes
from napari.viewer import Viewer
from numpy.typing import NDArray
from qtpy.compat import isalive

from napari_pixcell.ui.viewers import camera_of

DARK = "#0b0e12"  # of the halo, and of the lines on both sides of a frame
NAME, ACTIVE, OTHER = "#ffffff", "#ffd400", "#ffffff"
FRAME_PX = (0.0, 1.0, 3.0, 4.0)  # outwards from the box: dark, coloured, dark
GAP_PX = 7  # between a frame and its name
SIZE = 12
# vispy draws a letter where its distance field is above 0.5. Lower, the letter is wider.
EDGE, HALO_EDGE = "const float center = 0.5;", "const float center = 0.04;"
CLEAR = "transparent"


class RegionMarks:
    """Draws a frame and a name for each box of a shapes layer, as wide at any zoom.

    A single colour is lost on some tissue, and napari's edges are measured in µm. Each frame is a
    bright line between two dark ones, and each name has a dark halo. Frames lie outside of their
    boxes, where neither tissue nor variants hide them. napari's own edges and text are transparent
    meanwhile: one can still grab them.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layer: Shapes | None = None
        self._names: list[str] = []
        self._active: int | None = None
        self._canvas: Any = None
        self._frames: Any = None
        self._halo: Any = None
        self._text: Any = None

    def show(self, layer: Shapes, names: Sequence[str], active: int | None) -> bool:
        """Draw the marks of a layer.

        Parameters
        ----------
        layer : napari.layers.Shapes
        names : sequence of str
            Of its boxes; a box that is being drawn has none yet.
        active : int, optional
            Index of the active region.

        Returns
        -------
        bool
            False if the layer is not in the viewer, and nothing is drawn.
        """
        if layer is not self._layer and not self._begin(layer):
            return False
        self._active = active
        if list(names) != self._names:
            self._names = list(names)
            self._halo.text = self._text.text = self._names or [""]
        layer.edge_color, layer.text.color = CLEAR, CLEAR
        self.follow()
        return True

    def follow(self, _event: Any = None) -> None:
        """Draw the marks again after the boxes or the zoom changed."""
        layer = self._layer
        if layer is None:
            return
        boxes = [_box(corners) for corners in layer.data]
        named = boxes[: len(self._names)]
        self._frames.visible = bool(boxes)
        self._halo.visible = self._text.visible = bool(named) and layer.text.visible
        if not boxes:
            return
        pixel = 1 / float(camera_of(self._viewer).zoom)
        vertices, faces, colours = _frames(boxes, self._active, pixel)
        self._frames.set_data(vertices=vertices, faces=faces, face_colors=colours)
        if named:
            above = [(left, top - GAP_PX * pixel) for top, left, _, _ in named]
            self._halo.pos = self._text.pos = np.array(above, np.float32)

    def end(self) -> None:
        """Leave the layer to napari's own edges and text."""
        layer, self._layer = self._layer, None
        if layer is None or not isalive(self._canvas):  # napari has closed the window
            self._frames = self._halo = self._text = None
            return
        for node in (self._frames, self._halo, self._text):
            node.parent = None
        self._frames = self._halo = self._text = None
        layer.events.set_data.disconnect(self.follow)
        layer.text.events.visible.disconnect(self.follow)
        layer.edge_color, layer.text.color = ACTIVE, NAME

    def _begin(self, layer: Shapes) -> bool:
        from napari._vispy.visuals.text import Text  # with the fonts of napari's own
        from vispy.scene.visuals import Mesh

        self.end()
        canvas = self._viewer.window._qt_viewer.canvas
        visual = canvas.layer_to_visual.get(layer)
        if visual is None:
            return False
        self._canvas = canvas.native
        self._layer, self._names, self._active = layer, [], None
        options: dict[str, Any] = {
            "text": [""],
            "font_size": SIZE,
            "anchor_x": "left",
            "anchor_y": "top",  # vispy's word for letters that stand above their position
            "parent": visual.node,
        }
        if hasattr(visual, "font_info"):  # napari 0.9 has fonts of its own
            options["font_info"] = visual.font_info
        self._frames = Mesh(parent=visual.node)
        self._halo = _halo_class()(color=DARK, **options)
        self._text = Text(color=NAME, **options)
        for order, node in enumerate((self._frames, self._halo, self._text), 1):
            node.set_gl_state("translucent", depth_test=False, cull_face=False)
            node.order = order
        layer.events.set_data.connect(self.follow)
        layer.text.events.visible.connect(self.follow)
        return True


@cache
def _halo_class() -> Any:
    """Return a class of napari's text whose letters are wider, by less than two pixels."""
    from napari._vispy.visuals.text import Text

    class Halo(Text):
        _shaders: ClassVar = {
            **Text._shaders,
            "fragment": Text._shaders["fragment"].replace(EDGE, HALO_EDGE),
        }

    return Halo


def _box(corners: NDArray[Any]) -> tuple[float, float, float, float]:
    """Return top, left, bottom and right of a box."""
    (top, left), (bottom, right) = corners[:, -2:].min(axis=0), corners[:, -2:].max(axis=0)
    return float(top), float(left), float(bottom), float(right)


def _frames(
    boxes: Sequence[tuple[float, float, float, float]], active: int | None, pixel: float
) -> tuple[NDArray[np.float32], NDArray[np.uint32], NDArray[np.float32]]:
    """Return the vertices (x, y), triangles and colours of triangles of all frames."""
    from vispy.color import ColorArray

    vertices: list[tuple[float, float]] = []
    faces: list[tuple[int, int, int]] = []
    colours: list[int] = []  # indices of the palette
    palette = ColorArray([DARK, OTHER, ACTIVE]).rgba.astype(np.float32)
    for index, (top, left, bottom, right) in enumerate(boxes):
        bright = 2 if index == active else 1
        first = len(vertices)
        for away in (px * pixel for px in FRAME_PX):
            vertices += [
                (left - away, top - away),
                (right + away, top - away),
                (right + away, bottom + away),
                (left - away, bottom + away),
            ]
        for ring, colour in enumerate((0, bright, 0)):
            for corner in range(4):
                a, b = first + 4 * ring + corner, first + 4 * ring + (corner + 1) % 4
                faces += [(a, b, a + 4), (b, b + 4, a + 4)]
                colours += [colour, colour]
    return np.array(vertices, np.float32), np.array(faces, np.uint32), palette[colours]

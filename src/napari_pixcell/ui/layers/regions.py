"""The Regions layer, in which the user draws, drags and deletes boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Shapes
from numpy.typing import NDArray

from napari_pixcell.slides import Region
from napari_pixcell.slides.region import AXES, UNITS, region_to_world, world_to_region
from napari_pixcell.ui.layers.base import LayerStack, SessionLayer
from napari_pixcell.ui.layers.region_marks import ACTIVE, NAME, SIZE, RegionMarks
from napari_pixcell.ui.layers.slide import ROLE, origin
from napari_pixcell.ui.viewers import camera_of

PAUSE_MS = 400


class RegionsLayer(SessionLayer):
    """Shapes layer with a box for each region."""

    roles = ("regions",)

    def __init__(self, stack: LayerStack) -> None:
        super().__init__(stack)
        self.shown: list[int] = []
        self._moved: set[int] = set()
        self._marks = RegionMarks(stack.viewer)
        stack.connect_to(camera_of(stack.viewer).events.zoom, self._marks.follow)
        stack.at_close(self._marks.end)
        self._pause = stack.timer(PAUSE_MS, self._embed_moved)
        self._soon = stack.timer(0, self._edited)

    def show(self) -> None:
        session, layer = self.session, self.find()
        items = session.regions.current if session.slides.ready else []
        if layer is None and not items:
            return
        with self.stack.own():
            corners = [self._box(item.region) for item in items]
            if layer is None:
                layer = self._add_layer()
            numbers = [item.number for item in items]
            same = numbers == self.shown and all(
                np.allclose(a, b) for a, b in zip(layer.data, corners, strict=True)
            )
            if not same:
                layer.selected_data = set()
                layer.data = []
                if corners:
                    layer.add_rectangles(corners)
                self.shown = numbers
            if items:
                layer.features = {"name": [item.name for item in items]}
                layer.face_color = [[1, 1, 1, 0]] * len(items)
            active = session.regions.active
            index = numbers.index(active.number) if active in items else None
            if index is not None:
                layer.selected_data = {index}
            self._marks.show(layer, [item.name for item in items], index)
            layer.refresh()
            for item in items:
                self.stack.place(self.stack.find("layout", item.number), item.region)

    @property
    def drawing(self) -> bool:
        """Whether a drag on the slide draws a region."""
        layer = self.find()
        active = layer is not None and self.stack.viewer.layers.selection.active is layer
        return active and layer.mode == "add_rectangle"

    def draw(self) -> None:
        layer = self.find()
        if layer is None:
            with self.stack.own():
                layer = self._add_layer()
        layer.visible = True
        self.stack.viewer.layers.selection.active = layer
        layer.mode = "add_rectangle"

    def _add_layer(self) -> Shapes:
        layer = Shapes(
            ndim=2,
            name="Regions",
            units=UNITS,
            axis_labels=AXES,
            edge_width=1.5,
            face_color="transparent",
            edge_color=ACTIVE,
            features={"name": np.array([], dtype=object)},
            text={"string": "{name}", "anchor": "upper_left", "size": SIZE, "color": NAME},
            metadata={ROLE: "regions"},
        )
        layer.text.translation = (-8, 0)
        self.stack.insert(layer, select=True)
        layer.mode = "select"
        self.stack.connect_to(layer.events.data, self._on_event)
        self.stack.connect_to(layer.events.mode, self._on_mode)
        self.stack.connect_to(layer.selected_data.events.items_changed, self._on_selected)
        self.shown = []
        return layer

    def _on_event(self, event: Any) -> None:
        # Layers must not change during a drag or one of their own events.
        if not self.stack.changing and str(event.action) in ("changed", "added", "removed"):
            self._soon.start()

    def _on_mode(self, *_: Any) -> None:
        self.session.notices.changed.emit()  # the dock says what a drag does

    def _on_selected(self, *_: Any) -> None:
        layer = self.find()
        if self.stack.changing or layer is None or len(layer.selected_data) != 1:
            return
        index = next(iter(layer.selected_data))
        if index < len(self.shown):
            self.session.regions.activate(self.shown[index])

    def _edited(self) -> None:
        """Update the session after boxes were drawn, dragged or deleted."""
        layer, slide_layer = self.find(), self.stack.slide_layer
        if layer is None or slide_layer is None:
            return
        boxes = [self._region(corners) for corners in layer.data]
        regions = self.session.regions
        left = dict(zip(self.shown, self._matches(boxes), strict=True))
        regions.remove(*(number for number, index in left.items() if index is None))
        for number, index in left.items():
            item = regions.get(number)
            if index is not None and item is not None and not _close(boxes[index], item.region):
                self._moved.add(number)
                regions.move(number, boxes[index], settled=False)
                self._pause.start()
        taken = set(left.values())
        for index, box in enumerate(boxes):
            if index not in taken:
                self.shown = []  # the session may snap the box to another size
                regions.draw(box)
                layer.mode = "select"  # to move or resize it
        self.show()

    def _matches(self, boxes: list[Region]) -> list[int | None]:
        """Return each region's box index: by order, or by position after a deletion."""
        if len(boxes) >= len(self.shown):
            return list(range(len(self.shown)))
        items = [self.session.regions.get(number) for number in self.shown]

        def found(region: Region) -> int | None:
            return next((i for i, box in enumerate(boxes) if _close(box, region)), None)

        return [found(item.region) if item is not None else None for item in items]

    def _embed_moved(self) -> None:
        moved, self._moved = self._moved, set()
        for number in moved:
            if self.session.regions.get(number) is not None:
                self.session.embeddings.embed(number)

    def _box(self, region: Region) -> NDArray[np.float64]:
        """Return the corners of a region, (4, 2), y and x in µm."""
        assert self.stack.slide_layer is not None
        top, left, bottom, right = region_to_world(region, self.session.slides.current.mpp)
        corners = np.array([(top, left), (top, right), (bottom, right), (bottom, left)])
        return corners + origin(self.stack.slide_layer)

    def _region(self, corners: NDArray[Any]) -> Region:
        assert self.stack.slide_layer is not None
        world = np.asarray(corners)[:, -2:] - origin(self.stack.slide_layer)
        (top, left), (bottom, right) = world.min(axis=0), world.max(axis=0)
        return world_to_region(top, left, bottom, right, self.session.slides.current.mpp)

    def removed(self, layer: Shapes) -> None:
        self._marks.end()
        shown, self.shown = self.shown, []
        self.session.regions.remove(*shown)


def _close(a: Region, b: Region) -> bool:
    return bool(np.allclose(a.as_list(), b.as_list(), atol=0.01))

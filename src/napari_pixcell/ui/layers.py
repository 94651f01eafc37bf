"""The one adapter between a session and napari's layers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Image, Layer, Shapes
from napari.viewer import Viewer
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer

from napari_pixcell.slides import Region, Slide, placement, remember_mpp
from napari_pixcell.slides.placement import AXES, UNITS, region_to_world, world_to_region
from napari_pixcell.slides.reader import layer_data
from napari_pixcell.studio.regions import RegionItem
from napari_pixcell.studio.results import Result, Target
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.slide_layer import ROLE, calibrate, is_slide, origin, role, slide_of

PAUSE_MS = 400
ORDER = {"": 0, "regions": 1, "layout": 2, "variant": 3, "preview": 4}
ACTIVE, OTHER = "#0a6cff", "#3a3a3a"


class LayerLink(QObject):
    """Keeps a viewer's layers and a session in step.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where the layers are.
    session : Session
        What they stand for.
    parent : QObject
        Owner of the timers.
    """

    def __init__(self, viewer: Viewer, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.session = session
        self.slide_layer: Layer | None = None
        self._own = 0  # > 0 while a change of layers is our own
        self._shown_regions: list[int] = []
        self._moved: set[int] = set()
        self._painted: set[int] = set()
        self._links: list[tuple[Any, Callable[..., Any]]] = []
        self._move_pause = self._timer(PAUSE_MS, self._embed_moved)
        self._paint_pause = self._timer(200, self._count_painted)
        self._regions_soon = self._timer(0, self._regions_edited)
        self._link(viewer.layers.events.inserted, self._find_slide)
        self._link(viewer.layers.events.removed, self._removed)
        self._link(viewer.layers.selection.events.active, self._find_slide)
        self._link(session.regions_changed, self._show_regions)
        self._link(session.layout_changed, self._show_layout)
        generation = session.generation
        self._link(generation.added, self._add_variant)
        self._link(generation.removed, self._remove_variant)
        self._link(generation.shown, self._show_variants)
        self._link(generation.preview, self._show_preview)
        self._find_slide()

    def close(self) -> None:
        """Disconnect from everything."""
        for signal, callback in self._links:
            try:
                signal.disconnect(callback)
            except (ValueError, RuntimeError, TypeError):
                continue  # the layer or viewer is gone already
        self._links.clear()
        with contextlib.suppress(RuntimeError):  # Qt may have deleted them already
            for timer in (self._move_pause, self._paint_pause, self._regions_soon):
                timer.stop()

    # -- slide ---------------------------------------------------------------------------

    def add_slide(self, slide: Slide) -> Layer:
        """Show a slide as an image layer in µm."""
        data, options, _ = layer_data(slide)
        return self.viewer.add_image(data, **options)

    def set_mpp(self, mpp: float) -> None:
        """Take the user's pixel size for the slide, and remember it for the file."""
        layer = self.slide_layer
        if layer is None:
            return
        with self.session.reporting("slide"):
            slide = self.session.slide.with_mpp(mpp)
            if slide.path is not None:
                remember_mpp(slide.path, mpp)
            calibrate(layer, slide)
            self.session.set_slide(slide, str(layer.unique_id))
            self.viewer.reset_view()

    def view_centre(self) -> tuple[float, float]:
        """Centre of the view, or of the slide if that is elsewhere: (x, y) in level-0 pixels."""
        height, width = self.session.slide.shape
        if self.slide_layer is not None:
            y, x = self.slide_layer.world_to_data(self.viewer.scene.camera.center[-2:])[-2:]
            if 0 <= x < width and 0 <= y < height:
                return float(x) + 0.5, float(y) + 0.5
        return width / 2, height / 2

    def go_to(self, region: Region, always: bool = False) -> None:
        """Move the view to a region if it is out of sight."""
        layer = self.slide_layer
        if layer is None or self.session.slide.mpp is None:
            return
        x, y = region.x + region.width / 2, region.y + region.height / 2
        (top, left), (bottom, right) = layer.corner_pixels[:, -2:]
        if layer.multiscale:
            factor = layer.downsample_factors[layer.data_level][-2:]
            top, bottom = top * factor[0], bottom * factor[0]
            left, right = left * factor[1], right * factor[1]
        if always or not (left <= x <= right and top <= y <= bottom):
            self.viewer.scene.camera.center = layer.data_to_world((y, x))

    def _find_slide(self, _event: Any = None) -> None:
        if self._own:
            return
        layers = self.viewer.layers
        candidates = [layer for layer in layers if is_slide(layer)]
        chosen = layers.selection.active
        if chosen not in candidates:
            chosen = self.slide_layer if self.slide_layer in candidates else None
        if chosen is None and candidates:
            chosen = candidates[-1]
        if chosen is self.slide_layer:
            return
        self.slide_layer = chosen
        if chosen is None:
            self.session.set_slide(None)
        else:
            with self.session.reporting("slide"):
                self.session.set_slide(slide_of(chosen), str(chosen.unique_id))

    # -- regions -------------------------------------------------------------------------

    def _show_regions(self) -> None:
        session, layer = self.session, self.find("regions")
        items = session.regions if session.ready else []
        if layer is None and not items:
            return
        with _Own(self):
            corners = [self._box(item.region) for item in items]
            if layer is None:
                layer = self._add_regions_layer()
            numbers = [item.number for item in items]
            same = numbers == self._shown_regions and all(
                np.allclose(a, b) for a, b in zip(layer.data, corners, strict=True)
            )
            if not same:
                layer.selected_data = set()
                layer.data = []
                if corners:
                    layer.add_rectangles(corners)
                self._shown_regions = numbers
            if items:
                layer.features = {"name": [item.name for item in items]}
                active = session.active
                colours = [ACTIVE if item is active else OTHER for item in items]
                layer.edge_color = colours
                layer.face_color = [[1, 1, 1, 0]] * len(items)
                layer.text.color = ACTIVE
                if active is not None:
                    layer.selected_data = {numbers.index(active.number)}
            layer.refresh()
            for item in items:
                self._place(self.find("layout", item.number), item.region)

    def _add_regions_layer(self) -> Shapes:
        layer = self.viewer.add_shapes(
            ndim=2,
            name="Regions",
            units=UNITS,
            axis_labels=AXES,
            edge_width=1.5,
            face_color="transparent",
            edge_color=ACTIVE,
            features={"name": np.array([], dtype=object)},
            text={"string": "{name}", "anchor": "upper_left", "size": 11, "color": ACTIVE},
            metadata={ROLE: "regions"},
        )
        layer.text.translation = (-8, 0)
        self._sort(layer)
        layer.mode = "select"
        self._link(layer.events.data, self._on_regions_event)
        self._link(layer.selected_data.events.items_changed, self._on_selected)
        self._shown_regions = []
        return layer

    def _on_regions_event(self, event: Any) -> None:
        # Layers must not be changed in the middle of a drag or of their own event.
        if not self._own and str(event.action) in ("changed", "added", "removed"):
            self._regions_soon.start()

    def _on_selected(self, *_: Any) -> None:
        layer = self.find("regions")
        if self._own or layer is None or len(layer.selected_data) != 1:
            return
        index = next(iter(layer.selected_data))
        if index < len(self._shown_regions):
            self.session.activate(self._shown_regions[index])

    def _regions_edited(self) -> None:
        """Take over what was drawn, dragged or deleted in the Regions layer."""
        layer, slide_layer = self.find("regions"), self.slide_layer
        if layer is None or slide_layer is None:
            return
        boxes = [self._region(corners) for corners in layer.data]
        left = dict(zip(self._shown_regions, self._matches(boxes), strict=True))
        for number, index in left.items():
            item = self.session.item(number)
            if index is None:
                self.session.remove_region(number)
            elif item is not None and not _close(boxes[index], item.region):
                self._moved.add(number)
                self.session.move_region(number, boxes[index], embed=False)
                self._move_pause.start()
        taken = set(left.values())
        for index, box in enumerate(boxes):
            if index not in taken:
                self._shown_regions = []  # what is drawn is not what the session knows
                self.session.add_region((box.x + box.width / 2, box.y + box.height / 2))
        self._show_regions()

    def _matches(self, boxes: list[Region]) -> list[int | None]:
        """Find each known region among the boxes: in order, or by place after a deletion."""
        if len(boxes) >= len(self._shown_regions):
            return list(range(len(self._shown_regions)))
        items = [self.session.item(number) for number in self._shown_regions]
        places = [
            [i for i, box in enumerate(boxes) if item is not None and _close(box, item.region)]
            for item in items
        ]
        return [place[0] if place else None for place in places]

    def _embed_moved(self) -> None:
        moved, self._moved = self._moved, set()
        for number in moved:
            if self.session.item(number) is not None:
                self.session.embed(number)

    # -- layouts -------------------------------------------------------------------------

    def paint(self) -> None:
        """Let the user paint cells on the active region's layout."""
        item = self.session.active
        if item is None:
            return
        self.session.new_layout()
        self.session.generation.show_none(item.number)
        layer = self.find("layout", item.number)
        if layer is not None:
            layer.visible = True
            self.viewer.layers.selection.active = layer
            layer.selected_label = int(layer.data.max()) + 1
            layer.brush_size = 12
            layer.mode = "paint"
            self.go_to(item.region)

    def _show_layout(self, item: RegionItem) -> None:
        layer = self.find("layout", item.number)
        with _Own(self):
            if item.layout is None:
                if layer is not None:
                    self.viewer.layers.remove(layer)
            elif layer is not None:
                layer.data = item.layout
                layer.visible = True
            else:
                self._add_layout(item)
        if item.layout is not None:
            self.session.generation.show_none(item.number)

    def _add_layout(self, item: RegionItem) -> None:
        assert item.layout is not None
        layer = self.viewer.add_labels(
            item.layout,
            name=f"Layout · {item.name}",
            opacity=0.6,
            metadata={ROLE: "layout", "region": item.number},
            **self._where(item.region, item.layout.shape),
        )
        self._sort(layer)

        def edited(_event: Any = None) -> None:
            self._painted.add(item.number)
            self._paint_pause.start()

        for signal in (layer.events.paint, layer.events.labels_update, layer.events.data):
            self._link(signal, edited)

    def _count_painted(self) -> None:
        painted, self._painted = self._painted, set()
        for number in painted:
            layer, item = self.find("layout", number), self.session.item(number)
            if layer is not None and item is not None:
                item.layout = layer.data
                self.session.layout_edited(number)

    # -- variants ------------------------------------------------------------------------

    def _add_variant(self, result: Result) -> None:
        with _Own(self):
            layer = self._add_image(
                result.image,
                result.target,
                name=result.name,
                visible=result.shown,
                metadata={
                    ROLE: "variant",
                    "result": result.number,
                    "record": result.record.to_dict(),
                },
            )

        def toggled(_event: Any = None) -> None:
            if not self._own and result.shown != layer.visible:
                result.shown = layer.visible
                self.session.changed.emit()

        self._link(layer.events.visible, toggled)

    def _remove_variant(self, result: Result) -> None:
        layer = self.find("variant", result.number)
        if layer is not None:
            with _Own(self):
                self.viewer.layers.remove(layer)

    def _show_variants(self) -> None:
        with _Own(self):
            for result in self.session.generation.results:
                layer = self.find("variant", result.number)
                if layer is None and result.shown and result.target.slide == self._key():
                    self._add_variant(result)
                elif layer is not None:
                    layer.visible = result.shown

    def _show_preview(self, target: Target | None, image: NDArray[np.uint8] | None) -> None:
        layer = self.find("preview")
        with _Own(self):
            if target is None or image is None:
                if layer is not None:
                    self.viewer.layers.remove(layer)
            elif target.slide != self._key():
                return
            elif layer is None or layer.data.shape != image.shape:
                if layer is not None:
                    self.viewer.layers.remove(layer)
                self._add_image(
                    image,
                    target,
                    name="Preview",
                    interpolation2d="linear",
                    metadata={ROLE: "preview"},
                )
            else:
                layer.data = image
                self._place(layer, target.region, target.mpp)

    def _add_image(self, image: NDArray[np.uint8], target: Target, **options: Any) -> Image:
        """Add a picture exactly over its region, leaving the user's layer selected."""
        chosen = self.viewer.layers.selection.active
        where = self._where(target.region, image.shape, target.mpp)
        layer = self.viewer.add_image(image, rgb=True, **options, **where)
        self._sort(layer)
        if chosen is not None:
            self.viewer.layers.selection.active = chosen
        return layer

    # -- helpers -------------------------------------------------------------------------

    def find(self, kind: str, number: int | None = None) -> Any:
        """Find one of our layers by its role and number; None if it is not there."""
        name = {"layout": "region", "variant": "result"}.get(kind)
        for layer in self.viewer.layers:
            if role(layer) == kind and (name is None or layer.metadata.get(name) == number):
                return layer
        return None

    def _removed(self, event: Any) -> None:
        """Understand a layer that the user deleted."""
        if self._own:
            return
        layer = event.value
        kind = role(layer)
        if kind == "regions":
            for number in self._shown_regions:
                self.session.remove_region(number)
            self._shown_regions = []
        elif kind == "layout" and self.session.item(layer.metadata["region"]) is not None:
            self.session.set_layout(layer.metadata["region"], None)
        elif kind == "variant":
            for result in self.session.generation.results:
                if result.number == layer.metadata["result"]:
                    result.shown = False
            self.session.changed.emit()
        self._find_slide()

    def _key(self) -> str:
        return self.session.slide_key

    def _box(self, region: Region) -> NDArray[np.float64]:
        """Give the four corners in the world, (4, 2), y and x in µm."""
        assert self.slide_layer is not None
        top, left, bottom, right = region_to_world(region, self.session.slide.mpp)
        corners = np.array([(top, left), (top, right), (bottom, right), (bottom, left)])
        return corners + origin(self.slide_layer)

    def _region(self, corners: NDArray[Any]) -> Region:
        assert self.slide_layer is not None
        world = np.asarray(corners)[:, -2:] - origin(self.slide_layer)
        (top, left), (bottom, right) = world.min(axis=0), world.max(axis=0)
        return world_to_region(top, left, bottom, right, self.session.slide.mpp)

    def _where(
        self, region: Region, shape: tuple[int, ...], mpp: float | None = None
    ) -> dict[str, Any]:
        assert self.slide_layer is not None
        scale, translate = placement(region, mpp or self.session.slide.mpp, shape)
        first = origin(self.slide_layer)
        moved = translate[0] + first[0], translate[1] + first[1]
        return {"scale": scale, "translate": moved, "units": UNITS, "axis_labels": AXES}

    def _place(self, layer: Layer | None, region: Region, mpp: float | None = None) -> None:
        if layer is not None:
            where = self._where(region, layer.data.shape, mpp)
            layer.scale, layer.translate = where["scale"], where["translate"]

    def _sort(self, layer: Layer) -> None:
        """Put a new layer above those of its kind and below the kinds above it."""
        layers = self.viewer.layers
        rank = ORDER[role(layer)]
        above = [i for i, other in enumerate(layers) if ORDER.get(role(other), 0) > rank]
        index = layers.index(layer)
        if above and above[0] < index:
            layers.move(index, above[0])

    def _timer(self, milliseconds: int, act: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(act)
        return timer

    def _link(self, signal: Any, callback: Callable[..., Any]) -> None:
        signal.connect(callback)
        self._links.append((signal, callback))


class _Own:
    """While it lasts, changes of layers are ours and not the user's."""

    def __init__(self, link: LayerLink) -> None:
        self._link = link

    def __enter__(self) -> None:
        self._link._own += 1

    def __exit__(self, *_: object) -> None:
        self._link._own -= 1


def _close(a: Region, b: Region) -> bool:
    return bool(np.allclose(a.as_list(), b.as_list(), atol=0.01))

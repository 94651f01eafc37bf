"""The one adapter between a session and napari's layers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer

from napari_pixcell.slides import Region, Slide, placement, remember_mpp
from napari_pixcell.slides.placement import AXES, UNITS
from napari_pixcell.slides.reader import layer_data
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers.area import AreaLayer
from napari_pixcell.ui.layers.condition import ConditionView
from napari_pixcell.ui.layers.earlier import leave, take_away
from napari_pixcell.ui.layers.layout_tools import CellTools
from napari_pixcell.ui.layers.measured import MeasuredLayer
from napari_pixcell.ui.layers.regions import RegionBoxes
from napari_pixcell.ui.layers.sharpening import watch
from napari_pixcell.ui.layers.similar import SimilarLayer
from napari_pixcell.ui.layers.slide import ROLE, calibrate, is_slide, origin, role, slide_of
from napari_pixcell.ui.layers.variants import VariantLayers

ORDER = {
    "": 0,
    "similar": 0.5,
    "regions": 1,
    "area": 2,
    "layout": 3,
    "condition": 4,
    "variant": 5,
    "preview": 6,
    "measured": 7,
}


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
        self.changing = 0  # > 0 while a change of layers is our own
        self._painted: set[int] = set()
        self._timers: list[QTimer] = []
        self._links: list[tuple[Any, Callable[..., Any]]] = []
        self._closing: list[Callable[[], None]] = []
        self._paint_pause = self.timer(200, self._count_painted)
        self.boxes = RegionBoxes(self)
        self.tools = CellTools(self)
        self.area = AreaLayer(self)
        self.condition = ConditionView(self)
        self.similar = SimilarLayer(self)
        self.measured = MeasuredLayer(self)
        watch(viewer)
        self.connect_to(viewer.layers.events.inserted, self._find_slide)
        self.connect_to(viewer.layers.events.removing, self._before_removal)
        self.connect_to(viewer.layers.events.removed, self._removed)
        self.connect_to(viewer.layers.selection.events.active, self._find_slide)
        self.connect_to(session.regions_changed, self._show_regions)
        self.connect_to(session.layout_changed, self._show_layout)
        self.connect_to(session.layout_wanted, self._count_painted)
        self.pictures = VariantLayers(self)
        session.show_slide = self.add_slide
        self.connect_to(session.session_opened, self._take_earlier_away)
        self._find_slide()

    def close(self) -> None:
        """Disconnect from everything."""
        self._count_painted()  # the last strokes are to be saved too
        leave(self.viewer, self.session)
        self.session.show_slide = self.session.set_slide
        for signal, callback in self._links:
            try:
                signal.disconnect(callback)
            except (ValueError, RuntimeError, TypeError):
                continue  # the layer or viewer is gone already
        self._links.clear()
        for act in self._closing:
            act()
        self._closing.clear()
        with contextlib.suppress(RuntimeError):  # Qt may have deleted them already
            for timer in self._timers:
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
        """Move the view to a region if it is out of sight; ``always`` also shows all of it."""
        layer = self.slide_layer
        if layer is None or self.session.slide.mpp is None:
            return
        x, y = region.x + region.width / 2, region.y + region.height / 2
        (top, left), (bottom, right) = layer.corner_pixels[:, -2:]
        if layer.multiscale:
            factor = layer.downsample_factors[layer.data_level][-2:]
            top, bottom = top * factor[0], bottom * factor[0]
            left, right = left * factor[1], right * factor[1]
        camera = self.viewer.scene.camera
        if always or not (left <= x <= right and top <= y <= bottom):
            camera.center = layer.data_to_world((y, x))
        too_large = max(region.height / max(1, bottom - top), region.width / max(1, right - left))
        if always and too_large > 1:
            camera.zoom /= 1.1 * too_large

    def _find_slide(self, _event: Any = None) -> None:
        if self.changing:
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

    def _show_regions(self) -> None:
        self.boxes.show()

    # -- layouts -------------------------------------------------------------------------

    def _show_layout(self, item: RegionItem) -> None:
        layer = self.find("layout", item.number)
        with self.own():
            if item.layout is None:
                if layer is not None:
                    self.viewer.layers.remove(layer)
            elif layer is not None:
                tool = self.tools.tool
                layer.data = item.layout  # which makes napari leave its mode
                layer.visible = True
                self.tools.replaced(layer)
                if tool and tool != self.tools.tool and self.tools.working:
                    self.tools.choose(tool)
            else:
                self._add_layout(item)
        if item.layout is not None:
            self.session.gallery.show_none(item.number)

    def _add_layout(self, item: RegionItem) -> None:
        assert item.layout is not None
        layer = Labels(
            item.layout,
            name=f"Layout · {item.name}",
            opacity=0.8,
            metadata={ROLE: "layout", "region": item.number},
            **self.where(item.region, item.layout.shape),
        )
        self.insert(layer, select=True)
        self.tools.attach(layer)

        def edited(_event: Any = None) -> None:
            self.note_edited(layer)

        for signal in (layer.events.paint, layer.events.labels_update, layer.events.data):
            self.connect_to(signal, edited)

    def note_edited(self, layer: Labels) -> None:
        """Have the cells of a layout counted again, soon."""
        if not self.changing:
            self._painted.add(layer.metadata["region"])
            self.session.live.touched()
            self._paint_pause.start()

    def _count_painted(self) -> None:
        painted, self._painted = self._painted, set()
        for number in painted:
            layer, item = self.find("layout", number), self.session.item(number)
            if layer is not None and item is not None:
                item.layout = layer.data
                self.session.layout_edited(number)

    def own(self) -> Own:
        """Mark the changes of a block as ours and not the user's."""
        return Own(self)

    # -- helpers -------------------------------------------------------------------------

    def find(self, kind: str, number: int | None = None) -> Any:
        """Find one of our layers by its role and number; None if it is not there."""
        name = {"layout": "region", "area": "region", "variant": "result"}.get(kind)
        for layer in self.viewer.layers:
            if role(layer) == kind and (name is None or layer.metadata.get(name) == number):
                return layer
        return None

    def _take_earlier_away(self, id_: str) -> None:
        with self.own():
            take_away(self.viewer, id_)

    def _before_removal(self, _event: Any = None) -> None:
        if not self.changing:
            self._count_painted()
            self.session.saver.before_removal()

    def _removed(self, event: Any) -> None:
        """Understand a layer that the user deleted."""
        if self.changing:
            return
        layer = event.value
        kind = role(layer)
        if kind == "regions":
            self.boxes.removed()
        elif kind == "layout" and self.session.item(layer.metadata["region"]) is not None:
            self.session.set_layout(layer.metadata["region"], None)
        elif kind == "area":
            self.area.removed(layer.metadata["region"])
        elif kind == "similar":
            self.similar.removed()
        elif kind == "measured":
            self.measured.removed()
        elif kind == "condition":
            self.condition.removed()
        elif kind in ("variant", "preview"):
            self.pictures.removed(layer)
        self._find_slide()

    def where(
        self, region: Region, shape: tuple[int, ...], mpp: float | None = None
    ) -> dict[str, Any]:
        """Give the options of a layer whose picture of this shape lies exactly over a region."""
        assert self.slide_layer is not None
        scale, translate = placement(region, mpp or self.session.slide.mpp, shape)
        first = origin(self.slide_layer)
        moved = translate[0] + first[0], translate[1] + first[1]
        return {"scale": scale, "translate": moved, "units": UNITS, "axis_labels": AXES}

    def place(self, layer: Layer | None, region: Region, mpp: float | None = None) -> None:
        """Put a layer exactly over a region."""
        if layer is not None:
            where = self.where(region, layer.data.shape, mpp)
            # Each setter slices and draws the layer again, whether or not anything changes.
            for name in ("scale", "translate"):
                if not np.allclose(getattr(layer, name), where[name], rtol=0, atol=1e-9):
                    setattr(layer, name, where[name])

    def insert(self, layer: Layer, select: bool = False) -> None:
        """Put a new layer above those of its kind and below the kinds above it.

        The layer that the user works on stays selected unless ``select`` is given.
        """
        layers = self.viewer.layers
        chosen = layers.selection.active
        rank = ORDER[role(layer)]
        above = (i for i, other in enumerate(layers) if ORDER.get(role(other), 0) > rank)
        layers.insert(next(above, len(layers)), layer)
        if chosen is not None and not select:
            layers.selection.active = chosen

    def timer(self, milliseconds: int, act: Callable[[], None]) -> QTimer:
        """Make a timer that fires once, and again only when started again."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(act)
        self._timers.append(timer)
        return timer

    def at_close(self, act: Callable[[], None]) -> None:
        """Have something else undone by :meth:`close`."""
        self._closing.append(act)

    def connect_to(self, signal: Any, callback: Callable[..., Any]) -> None:
        """Connect until :meth:`close`."""
        signal.connect(callback)
        self._links.append((signal, callback))

    def disconnect_from(self, signal: Any, callback: Callable[..., Any]) -> None:
        """Undo :meth:`connect_to`, so that nothing is held of what is gone."""
        signal.disconnect(callback)
        self._links.remove((signal, callback))


class Own:
    """While it lasts, changes of layers are ours and not the user's."""

    def __init__(self, link: LayerLink) -> None:
        self._link = link

    def __enter__(self) -> None:
        self._link.changing += 1

    def __exit__(self, *_: object) -> None:
        self._link.changing -= 1

"""The adapter between a session and napari's layers."""

from __future__ import annotations

from typing import Any

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QMainWindow

from napari_pixcell.slides import Slide, remember_mpp
from napari_pixcell.slides.reader import layer_data
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers.area import AreaLayer
from napari_pixcell.ui.layers.base import LayerStack, SessionLayer
from napari_pixcell.ui.layers.condition import ConditionLayer
from napari_pixcell.ui.layers.features import FeaturesLayer
from napari_pixcell.ui.layers.layout import LayoutLayers
from napari_pixcell.ui.layers.measured import MeasuredLayer
from napari_pixcell.ui.layers.one_slide import OneSlide
from napari_pixcell.ui.layers.regions import RegionsLayer
from napari_pixcell.ui.layers.sharpening import awaited, watch
from napari_pixcell.ui.layers.similar import SimilarLayer
from napari_pixcell.ui.layers.slide import ROLE, calibrate, is_slide, role, slide_of
from napari_pixcell.ui.layers.variants import VariantLayers
from napari_pixcell.ui.viewers import camera_of

CLOSED = "earlier"  # role of the layers that a closed studio leaves in the viewer
SESSION = "napari_pixcell_session"


class LayerLink(LayerStack):
    """Keeps a viewer's layers and a session in step."""

    def __init__(self, viewer: Viewer, session: Session, parent: QObject) -> None:
        super().__init__(viewer, session, parent)
        self.one_slide = OneSlide(self)
        self.boxes = RegionsLayer(self)
        self.layouts = LayoutLayers(self)
        self.tools = self.layouts.tools
        self.area = AreaLayer(self)
        self.condition = ConditionLayer(self)
        self.features = FeaturesLayer(self)
        self.similar = SimilarLayer(self)
        self.measured = MeasuredLayer(self)
        watch(viewer)
        self.variants = VariantLayers(self)
        self.connect_to(self.variants.shown, self.tools.rest_covered)
        self.connect_to(viewer.layers.events.inserted, self._find_slide)
        self.connect_to(viewer.layers.events.removing, self._before_removal)
        self.connect_to(viewer.layers.events.removed, self._removed)
        self.connect_to(viewer.layers.selection.events.active, self._find_slide)
        self.connect_to(session.regions.changed, self.boxes.show)
        shown: tuple[SessionLayer, ...] = (
            self.boxes,
            self.layouts,
            self.area,
            self.condition,
            self.features,
            self.similar,
            self.measured,
            self.variants,
        )
        self._by_role = {name: layer for layer in shown for name in layer.roles}
        session.restoring.show_slide = self.add_slide
        self.connect_to(session.restoring.opened, self._replace_closed)
        self._find_slide()

    def close(self) -> None:
        """Pass the last strokes to the session, mark its layers as closed and disconnect."""
        self.layouts.count_edited()
        self.variants.end_preview()
        book = self.session.saver.book()
        for layer in self.viewer.layers:
            if role(layer) not in ("", CLOSED):
                id_ = book.id if book is not None else ""
                layer.metadata = {**layer.metadata, ROLE: CLOSED, SESSION: id_}
        self.session.restoring.show_slide = self.session.slides.set
        super().close()

    # -- slide ---------------------------------------------------------------------------

    def add_slide(self, slide: Slide) -> Layer:
        data, options, _ = layer_data(slide)
        return self.viewer.add_image(awaited(data), **options)

    def set_mpp(self, mpp: float) -> None:
        """Set the slide's pixel size in µm, and remember it for the file."""
        layer = self.slide_layer
        if layer is None:
            return
        with self.session.notices.reporting("slide"):
            slide = self.session.slides.current.with_mpp(mpp)
            if slide.path is not None:
                remember_mpp(slide.path, mpp)
            calibrate(layer, slide)
            self.session.slides.set(slide, str(layer.unique_id))
            self.viewer.reset_view()

    def view_centre(self) -> tuple[float, float]:
        """Return the centre of the view, or of the slide if outside it: (x, y), level-0 pixels."""
        height, width = self.session.slides.current.shape
        if self.slide_layer is not None:
            y, x = self.slide_layer.world_to_data(camera_of(self.viewer).center[-2:])[-2:]
            if 0 <= x < width and 0 <= y < height:
                return float(x) + 0.5, float(y) + 0.5
        return width / 2, height / 2

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
        before, self.slide_layer = self.slide_layer, chosen
        self.one_slide.change(before, chosen)
        if chosen is None:
            self.session.slides.set(None)
        else:
            with self.session.notices.reporting("slide"):
                self.session.slides.set(slide_of(chosen), str(chosen.unique_id))
        self.variants.show()

    # -- removals ------------------------------------------------------------------------

    def _before_removal(self, _event: Any = None) -> None:
        make_current(self.parent())
        if not self.changing:
            self.layouts.count_edited()
            self.session.saver.before_removal()

    def _removed(self, event: Any) -> None:
        if self.changing:
            return
        shown = self._by_role.get(role(event.value))
        if shown is not None:
            shown.removed(event.value)
        self._find_slide()

    def adopt(self) -> None:
        """Show a session that went on without a dock, in place of what its last dock left."""
        session, book = self.session, self.session.saver.book()
        self._replace_closed(book.id if book is not None else "")
        shown = [result for result in session.gallery.results if result.shown]
        for item in session.regions.current:
            if item.layout is not None:
                session.layouts.changed.emit(item)  # which hides its variants
        for result in shown:
            session.gallery.show(result)

    def _replace_closed(self, id_: str) -> None:
        """Remove the layers that a closed studio left of the session that was opened."""
        for layer in list(self.viewer.layers):
            if role(layer) == CLOSED and id_ and layer.metadata.get(SESSION) == id_:
                self.remove(layer)


def make_current(widget: QObject | None) -> None:
    """Make the OpenGL context of the canvas beside a dock widget the current one.

    When a layer is removed, napari frees its textures in whatever context is current. In another
    one they may belong to a layer that is still drawn, and the program dies.
    """
    while widget is not None and not isinstance(widget, QMainWindow):
        widget = widget.parent()
    if widget is not None and widget.centralWidget() is not None:
        for canvas in widget.centralWidget().findChildren(QOpenGLWidget):
            canvas.makeCurrent()

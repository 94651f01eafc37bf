"""The patches of a file of features, shown over their slide; a click on one takes its style."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils import Colormap
from numpy.typing import NDArray

from napari_pixcell.engine.styles.features.search import FeatureHeat
from napari_pixcell.slides import Region
from napari_pixcell.ui.layers.base import LayerStack, SessionLayer
from napari_pixcell.ui.layers.slide import ROLE

NAME = "Patches with features"
EVEN, ODD, CHOSEN = 0.0, 0.3, 1.0
# Blue does not occur in H&E. Neighbours differ, so that single patches can be told apart.
COLOURS = Colormap(
    [[0.1, 0.45, 1.0, 0.1], [0.1, 0.45, 1.0, 0.32], [1.0, 0.85, 0.0, 0.6]],
    controls=[EVEN, ODD, CHOSEN],
    name="pixcell patches",
)
STILL = 4  # px that the mouse may move during a click


class FeaturesLayer(SessionLayer):
    """Image layer with one pixel for each patch, fast for 200,000 of them."""

    roles = ("features",)

    def __init__(self, stack: LayerStack) -> None:
        super().__init__(stack)
        self._seen: tuple[Any, ...] = ()
        stack.connect_to(self.session.features.changed, self.show)

    def show(self) -> None:
        features, stack = self.session.features, self.stack
        opened, slide = features.current, self.session.slides.current
        layer = self.find()
        with stack.own():
            if opened is None or stack.slide_layer is None or features.why_no_map():
                stack.remove(layer)
                self._seen = ()
                return
            seen = (opened, slide, tuple(opened.chosen))
            if layer is None and features.shown:
                self._add(*_picture(opened, slide.shape))
            elif layer is not None:
                if seen != self._seen:
                    layer.data, covered = _picture(opened, slide.shape)
                    stack.place(layer, covered)
                layer.visible = features.shown
            self._seen = seen

    def pick(self) -> None:
        """Show the patches, and let clicks on the slide choose one."""
        self.session.features.show(True)
        layer = self.find()
        if layer is not None:
            self.stack.viewer.layers.selection.active = layer

    def removed(self, layer: Image) -> None:
        self.session.features.show(False)

    def _add(self, picture: NDArray[np.float32], covered: Region) -> None:
        layer = Image(
            picture,
            name=NAME,
            colormap=COLOURS,
            contrast_limits=(0, 1),
            interpolation2d="nearest",
            metadata={ROLE: "features"},
            **self.stack.where(covered, picture.shape),
        )
        layer.mouse_drag_callbacks.append(self._pressed)
        self.stack.insert(layer, select=True)

        def toggled(_event: Any = None) -> None:
            if not self.stack.changing:
                self.session.features.show(layer.visible)

        self.stack.connect_to(layer.events.visible, toggled)

    def _pressed(self, layer: Image, event: Any) -> Iterator[None]:
        """Take the patch under the mouse, unless the view is dragged."""
        start, still = np.array(event.pos), event.button == 1 and not event.modifiers
        yield
        while event.type == "mouse_move":
            still &= bool(np.abs(event.pos - start).max() <= STILL)
            yield
        slide_layer = self.stack.slide_layer
        if still and slide_layer is not None and self.session.features.current is not None:
            y, x = slide_layer.world_to_data(event.position)[-2:]
            self.session.features.use_at(float(x) + 0.5, float(y) + 0.5)


def _picture(opened: Any, shape: tuple[int, int]) -> tuple[NDArray[np.float32], Region]:
    """Return the patches as a picture, NaN where there are none, and the area it covers."""
    values = np.zeros(len(opened), np.float32)
    values[opened.chosen] = CHOSEN
    grid, picture = FeatureHeat(opened.file, values, len(opened), 0).map(shape)
    odd = np.indices(picture.shape).sum(axis=0) % 2 == 1
    picture[odd & (picture == EVEN)] = ODD
    return picture, Region(0, 0, grid.shape[1], grid.shape[0])

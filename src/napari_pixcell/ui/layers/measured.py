"""Nuclei coloured by their DAB, and that DAB as features of label layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels
from napari.utils import DirectLabelColormap

from napari_pixcell.cells.ihc.measures import CLASSES
from napari_pixcell.studio.generation.target import Target
from napari_pixcell.studio.measures import Measured
from napari_pixcell.ui.layers.base import LayerStack, SessionLayer
from napari_pixcell.ui.layers.slide import ROLE

OPACITY = 0.6
PAUSE_MS = 50  # napari redraws the whole label layer for each new colour
COLOURS = ("#3a6fe0", "#ffe14d", "#ff8c1a", "#e0202a")  # of the classes, negative first
CLEAR = (0.0, 0.0, 0.0, 0.0)


class MeasuredLayer(SessionLayer):
    """Label layer with the nuclei of the selected measurement, if they are to be coloured."""

    roles = ("measured",)

    def __init__(self, stack: LayerStack) -> None:
        super().__init__(stack)
        self._shown: Measured | None = None
        self._previewed: int | None = None  # region with a preview of a running variant
        self._pause = stack.timer(PAUSE_MS, self.show)
        stack.connect_to(self.session.measures.changed, self._changed)
        stack.connect_to(self.session.regions.changed, self.show)
        stack.connect_to(self.session.gallery.shown, self._see)
        stack.connect_to(self.session.gallery.peeked, self._see)
        stack.connect_to(self.session.queue.preview, self._previewing)

    def show(self) -> None:
        measures, stack = self.session.measures, self.stack
        row: Any = measures.chosen
        layer = self.find()
        if row is not None and row is not self._shown:
            self._update_layout(row)
        wanted = (
            row is not None
            and measures.coloured
            and stack.slide_layer is not None
            and row.place.slide == self.session.slides.key
        )
        with stack.own():
            if layer is not None and (not wanted or layer.data is not row.labels):
                # Other nuclei need a new layer: napari draws nothing after data and colours change.
                stack.remove(layer)
                layer = None
            if not wanted:
                row = None
            elif layer is None:
                self._add(row)
            elif row is not self._shown:
                layer.colormap = _colours(row)
                layer.features = _features(row)
        self._shown = row
        self._see()

    def _see(self) -> None:
        """Show the nuclei only over the picture in which they were measured."""
        layer, row = self.find(), self._shown
        if layer is None or row is None:
            return
        seen = self.session.measures.is_seen(row) and self._previewed != row.place.number
        if layer.visible != seen:
            with self.stack.own():
                layer.visible = seen

    def _previewing(self, target: Target | None, image: Any) -> None:
        previewed = target.number if target is not None and image is not None else None
        if previewed != self._previewed:
            self._previewed = previewed
            self._see()

    def removed(self, layer: Labels) -> None:
        self._shown = None
        self.session.measures.colour(False)

    def _changed(self) -> None:
        row, shown = self.session.measures.chosen, self._shown
        if row is None or shown is None or row is shown or row.number != shown.number:
            self.show()
        elif not self._pause.isActive():  # a dragged slider changes faster than napari draws
            self._pause.start()

    def _add(self, row: Measured) -> None:
        place = row.place
        layer = Labels(
            row.labels,
            name=f"Nuclei by DAB · {row.name}",
            opacity=OPACITY,
            colormap=_colours(row),
            features=_features(row),
            metadata={ROLE: "measured"},
            **self.stack.where(place.region, row.labels.shape, place.mpp),
        )
        layer.editable = False
        self.stack.insert(layer)

    def _update_layout(self, row: Measured) -> None:
        """Show the DAB of the nuclei as features of their layout's own layer too."""
        number = row.place.number
        item, layer = self.session.regions.get(number), self.stack.find("layout", number)
        known = item is not None and row.layout is not None and item.layout is row.layout
        if known and layer is not None:
            layer.features = _features(row)


def _features(row: Measured) -> dict[str, Any]:
    grades = row.thresholds.classify(row.staining.dab)
    return {
        "index": row.staining.labels,
        "DAB OD": np.round(row.staining.dab, 3),
        "positive": grades > 0,
        "class": np.array(CLASSES, dtype=object)[grades],
    }


def _colours(row: Measured) -> DirectLabelColormap:
    grades = row.thresholds.classify(row.staining.dab)
    colours: dict[int | None, Any] = {None: CLEAR, 0: CLEAR}
    for label, grade in zip(row.staining.labels.tolist(), grades.tolist(), strict=True):
        colours[label] = COLOURS[grade]
    return DirectLabelColormap(color_dict=colours)

"""Nuclei coloured by how brown they are, and their DAB as features of the label layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.utils import DirectLabelColormap

from napari_pixcell.cells.ihc.measures import CLASSES
from napari_pixcell.studio.measures import Measured
from napari_pixcell.ui.layers.slide import ROLE

if TYPE_CHECKING:
    from napari_pixcell.ui.layers.link import LayerLink

OPACITY = 0.6
PAUSE_MS = 50  # napari draws a label layer anew for each other colour
COLOURS = ("#3a6fe0", "#ffe14d", "#ff8c1a", "#e0202a")  # of the classes, negative first
CLEAR = (0.0, 0.0, 0.0, 0.0)


class MeasuredLayer:
    """Shows the nuclei of the row that is chosen, while that is wanted.

    Parameters
    ----------
    link : LayerLink
        To viewer, session and layers.
    """

    def __init__(self, link: LayerLink) -> None:
        self.link = link
        self.session = link.session
        self._shown: Measured | None = None
        self._pause = link.timer(PAUSE_MS, self.show)
        link.connect_to(self.session.measures.changed, self._changed)
        link.connect_to(self.session.regions_changed, self.show)

    def _changed(self) -> None:
        row, shown = self.session.measures.chosen, self._shown
        if row is None or shown is None or row is shown or row.number != shown.number:
            self.show()
        elif not self._pause.isActive():  # a slider that is dragged tells more than can be drawn
            self._pause.start()

    def show(self) -> None:
        """Show the chosen row, or nothing."""
        measures, link = self.session.measures, self.link
        row: Any = measures.chosen
        layer = link.find("measured")
        if row is not None and row is not self._shown:
            self._tell_layout(row)
        wanted = (
            row is not None
            and measures.coloured
            and link.slide_layer is not None
            and row.place.slide == self.session.slide_key
        )
        with link.own():
            if layer is not None and (not wanted or layer.data is not row.labels):
                # A new one for other nuclei: after data and colours change, napari draws nothing.
                link.viewer.layers.remove(layer)
                layer = None
            if not wanted:
                row = None
            elif layer is None:
                self._add(row)
            elif row is not self._shown:
                layer.colormap = _colours(row)
                layer.features = _features(row)
        self._shown = row

    def removed(self) -> None:
        """Understand that the user deleted the layer."""
        self._shown = None
        self.session.measures.colour(False)

    def _add(self, row: Measured) -> None:
        place = row.place
        layer = Labels(
            row.labels,
            name=_name(row),
            opacity=OPACITY,
            colormap=_colours(row),
            features=_features(row),
            metadata={ROLE: "measured"},
            **self.link.where(place.region, row.labels.shape, place.mpp),
        )
        layer.editable = False
        self.link.insert(layer)

    def _tell_layout(self, row: Measured) -> None:
        """Give the layout's own layer the DAB of its nuclei."""
        number = row.place.number
        item, layer = self.session.item(number), self.link.find("layout", number)
        known = item is not None and row.layout is not None and item.layout is row.layout
        if known and layer is not None:
            layer.features = _features(row)


def _name(row: Measured) -> str:
    return f"Nuclei by DAB · {row.name}"


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

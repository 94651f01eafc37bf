"""Real nuclear outlines under the mouse: one for each click, many along a stroke."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from napari.layers import Labels

from napari_pixcell.cells.editing import Point

if TYPE_CHECKING:
    from napari_pixcell.ui.layers.layout_tools import CellTools

JITTER = 0.2  # of size and angle: no two nuclei are alike


class Stamping:
    """Places outlines of the session's stamps on a layout.

    Attributes
    ----------
    spacing_um : float
        Between the centres of nuclei along a stroke.
    size : float
        Factor on their areas.
    along : bool
        Whether they lie along the stroke, or any way.
    """

    def __init__(self, tools: CellTools) -> None:
        self.tools = tools
        self.session = tools.session
        self.spacing_um, self.size, self.along = 10.0, 1.0, False
        self._seeds = itertools.count(1)
        self._stroke: Any = None

    def prepare(self) -> None:
        """Have the stamps read before the first click."""
        if self.session.stamps is None and not self.session.inventing:
            self.session.use_stamps(self.session.stamps_of)

    def press(self, layer: Labels, point: Point) -> None:
        """Begin a stroke."""
        from napari_pixcell.cells.inventing.scatter import Scatter

        library = self.session.stamps
        if library is None:
            self.prepare()
            return
        scatter = Scatter(
            library,
            spacing_um=self.spacing_um,
            size=self.size,
            size_jitter=JITTER,
            orientation="along" if self.along else "free",
            orientation_jitter=JITTER if self.along else 0.0,
            seed=next(self._seeds),
        )
        self._stroke = scatter.stroke()
        self.move(layer, point)

    def move(self, layer: Labels, point: Point) -> None:
        """Go on with it."""
        if self._stroke is not None:
            self._place(layer, self._stroke.add(*(n * self._mpp for n in point)))

    def release(self, layer: Labels) -> None:
        """End it, and say where there was no room."""
        stroke, self._stroke = self._stroke, None
        if stroke is None:
            return
        self._place(layer, stroke.finish(), stroke)
        if stroke.missed and not stroke.placed:
            self.session.note("layout", "There is no room for a nucleus here.")

    @property
    def _mpp(self) -> float:
        return float(self.session.settings.model.mpp)

    def _place(self, layer: Labels, placements: list[Any], stroke: Any = None) -> None:
        stroke = stroke or self._stroke
        for placement in placements:
            label = self.tools.next_label(layer)
            patch = stroke.stamp(layer.data, self._mpp, placement, label)
            self.tools.change(layer, patch)

"""Stamping real nuclear outlines: one for each click, many along a stroke."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from napari.layers import Labels

from napari_pixcell.cells.editing import Patch, Point
from napari_pixcell.studio.session import Session

JITTER = 0.2  # of size and angle, so that no two nuclei are alike


class Stamping:
    """Stamps outlines of the session's stamp library on a layout.

    Parameters
    ----------
    session : Session
    next_label : callable
        Returns an unused label of a layer.
    change : callable
        Writes a patch to a layer.

    Attributes
    ----------
    spacing_um : float
        Distance between the centres of nuclei along a stroke.
    size : float
        Factor on their areas.
    along : bool
        Whether nuclei are aligned with the stroke.
    """

    def __init__(
        self,
        session: Session,
        next_label: Callable[[Labels], int],
        change: Callable[[Labels, Patch | None], Any],
    ) -> None:
        self.session = session
        self._next_label, self._change = next_label, change
        self.spacing_um, self.size, self.along = 10.0, 1.0, False
        self._seeds = itertools.count(1)
        self._stroke: Any = None

    def prepare(self) -> None:
        """Start to read the stamps, before the first click."""
        invention = self.session.invention
        if invention.stamps is None and not invention.busy:
            invention.use_stamps(invention.stamps_of)

    def press(self, layer: Labels, point: Point) -> None:
        from napari_pixcell.cells.inventing.scatter import Scatter

        library = self.session.invention.stamps
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
        if self._stroke is not None:
            self._stamp(layer, self._stroke, self._stroke.add(*(n * self._mpp for n in point)))

    def release(self, layer: Labels) -> None:
        """End the stroke, and report if no nucleus had room."""
        stroke, self._stroke = self._stroke, None
        if stroke is None:
            return
        self._stamp(layer, stroke, stroke.finish())
        if stroke.missed and not stroke.placed:
            self.session.notices.note("layout", "No room for a nucleus here.")

    @property
    def _mpp(self) -> float:
        return float(self.session.settings.model.mpp)

    def _stamp(self, layer: Labels, stroke: Any, placements: list[Any]) -> None:
        for placement in placements:
            label = self._next_label(layer)
            self._change(layer, stroke.stamp(layer.data, self._mpp, placement, label))

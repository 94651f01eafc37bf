"""Stamp brush: outlines scattered along a stroke."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.editing import Patch, fit
from napari_pixcell.cells.inventing.recipe import check_seed
from napari_pixcell.cells.inventing.stamps import StampLibrary
from napari_pixcell.errors import PixCellError, check_range

ORIENTATIONS = ("free", "along", "fixed")
LARGEST_JITTER = 1.5
TRIES = 8
STEP = 0.25  # distance that each further try adds, in radii


@dataclass(frozen=True)
class Placement:
    """Position, size and orientation of one stamp of a stroke.

    Parameters
    ----------
    y_um, x_um : float
        Position from the centre of the layout's first pixel.
    stamp : int
        Index of the outline in the library.
    angle : float
        Angle of the long axis in radians, from x towards y.
    number : int
        Index in the stroke, from 0.
    """

    y_um: float
    x_um: float
    stamp: int
    area_um2: float
    angle: float
    mirrored: bool
    number: int


@dataclass(frozen=True)
class Scatter:
    """Settings of the stamp brush.

    Parameters
    ----------
    spacing_um : float
        Distance between centres along the stroke, 0.5 to 1,000 µm.
    area_um2 : float, optional
        Median area. Default: each outline's own area.
    size : float
        Factor applied to the area, 0.05 to 20.
    size_jitter : float
        Standard deviation of the logarithm of the area, 0 to 1.5.
    orientation : str
        ``free``, ``along`` the stroke, or ``fixed``.
    angle : float
        Angle of the long axis in radians: absolute if ``fixed``, relative to the stroke if
        ``along``.
    orientation_jitter : float
        Standard deviation of the angle in radians, 0 to 1.5.
    seed : int
        The same stroke and seed give the same placements.

    Raises
    ------
    PixCellError
        If a value is out of range.
    """

    library: StampLibrary
    spacing_um: float = 10.0
    area_um2: float | None = None
    size: float = 1.0
    size_jitter: float = 0.0
    orientation: str = ORIENTATIONS[0]
    angle: float = 0.0
    orientation_jitter: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        limits = (
            ("spacing of the stamps", self.spacing_um, 0.5, 1000, " µm"),
            ("area of the stamps", 36 if self.area_um2 is None else self.area_um2, 1, 1e4, " µm²"),
            ("size of the stamps", self.size, 0.05, 20, ""),
            ("jitter of the stamps' size", self.size_jitter, 0, LARGEST_JITTER, ""),
            ("jitter of the stamps' angle", self.orientation_jitter, 0, LARGEST_JITTER, ""),
            ("angle of the stamps", self.angle, -7, 7, " radians"),
        )
        for limit in limits:
            check_range(*limit)
        if self.orientation not in ORIENTATIONS:
            raise PixCellError(
                f"“{self.orientation}” is not an orientation. Choose {', '.join(ORIENTATIONS)}."
            )
        check_seed(self.seed)

    def stroke(self) -> Stroke:
        """Return a new stroke, to which points are added while it is drawn."""
        return Stroke(self)

    def placements(self, points_um: Iterable[tuple[float, float]]) -> list[Placement]:
        """Return the placements along a complete stroke of (y, x) in µm, from its start."""
        stroke = self.stroke()
        return [placement for point in points_um for placement in stroke.add(*point)]

    def _placement(self, number: int, y_um: float, x_um: float, heading: float) -> Placement:
        # One generator per placement, so that interruptions of the stroke do not matter.
        rng = np.random.default_rng((self.seed, number))
        stamp = int(rng.integers(len(self.library)))
        middle = self.library.area_um2[stamp] if self.area_um2 is None else self.area_um2
        area = middle * self.size * np.exp(self.size_jitter * rng.standard_normal())
        turn = self.orientation_jitter * rng.standard_normal()
        match self.orientation:
            case "free":
                angle = rng.uniform(0, np.pi)
            case "along":
                angle = heading + self.angle + turn
            case _:
                angle = self.angle + turn
        mirrored = bool(rng.integers(2))
        return Placement(y_um, x_um, stamp, float(area), float(angle), mirrored, number)


@dataclass
class Stroke:
    """A stroke being drawn; ``placed`` and ``missed`` count stamps that did and did not fit."""

    scatter: Scatter
    placed: int = 0
    missed: int = 0
    _number: int = field(default=0, init=False)
    _last: tuple[float, float] | None = field(default=None, init=False)
    _left: float = field(default=0.0, init=False)  # µm to the next placement
    _waiting: bool = field(default=False, init=False)  # first stamp waits for the direction

    def add(self, y_um: float, x_um: float) -> list[Placement]:
        """Extend the stroke to a point, and return the placements up to there.

        Parameters
        ----------
        y_um, x_um : float
            From the centre of the layout's first pixel.
        """
        if not (np.isfinite(y_um) and np.isfinite(x_um)):
            return []
        along = self.scatter.orientation == "along"
        if self._last is None:
            self._last, self._left = (y_um, x_um), self.scatter.spacing_um
            self._waiting = along
            return [] if along else [self._next(y_um, x_um, 0.0)]
        (y, x), placements = self._last, []
        length = float(np.hypot(y_um - y, x_um - x))
        heading = float(np.arctan2(y_um - y, x_um - x))
        if length and self._waiting:
            placements.append(self._next(y, x, heading))
            self._waiting = False
        gone = self._left
        while length and gone <= length:
            part = gone / length
            placements.append(self._next(y + part * (y_um - y), x + part * (x_um - x), heading))
            gone += self.scatter.spacing_um
        self._left, self._last = gone - length, (y_um, x_um)
        return placements

    def finish(self) -> list[Placement]:
        """Return the placement of a single click, which has no direction to wait for."""
        if not self._waiting or self._last is None:
            return []
        self._waiting = False
        return [self._next(*self._last, 0.0)]

    def _next(self, y_um: float, x_um: float, heading: float) -> Placement:
        self._number += 1
        return self.scatter._placement(self._number - 1, y_um, x_um, heading)

    def stamp(
        self, labels: NDArray[Any], mpp: float, placement: Placement, label: int | None = None
    ) -> Patch | None:
        """Return the patch that draws a placement, nearby if it does not fit.

        A few positions, angles and outlines are tried, each further from the original.

        Parameters
        ----------
        labels : instance label image, (height, width)
        mpp : float, µm per pixel
        label : int, optional
            Label of the new cell. Default: one more than the largest.

        Returns
        -------
        Patch or None
            None if there is no room, which is counted in ``missed``.
        """
        scatter = self.scatter
        rng = np.random.default_rng((scatter.seed, placement.number, 1))
        radius = np.sqrt(placement.area_um2 / np.pi)
        for attempt in range(TRIES):
            far = attempt * STEP * radius
            y, x = np.array((placement.y_um, placement.x_um)) + rng.uniform(-far, far, 2)
            stamp, turn = placement.stamp, attempt * scatter.orientation_jitter * rng.normal(0, 0.3)
            if attempt % 3 == 2:
                stamp = int(rng.integers(len(scatter.library)))
            outline = scatter.library.draw(
                stamp,
                mpp,
                area_um2=placement.area_um2,
                angle=placement.angle + turn,
                mirrored=placement.mirrored,
            )
            patch = fit(labels, outline, (y / mpp, x / mpp), label=label)
            if patch is not None:
                self.placed += 1
                return patch
        self.missed += 1
        return None

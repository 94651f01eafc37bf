"""Cell centres, from evenly spaced to clustered, with room for every cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

GRID_UM = 2.0
MOST_ROWS = 2048
CLUSTER_UM = 18.0  # scale of the clustering field: sigma of its smoothing
STRONGEST_FIELD = 2.5  # standard deviation of its logarithm
STEPS = 60
REBUILD = 4  # steps between two neighbour searches
SKIN_UM = 3.0  # search distance for neighbours beyond contact
LOOSE = 1.08  # real outlines extend a little beyond their ellipse
PUSH = 0.45  # share of an overlap that each of two cells moves per step
CALIBRATION_CELLS = 600
FEWEST_CALIBRATED = 12
HALVINGS = 7
QUANTUM = 256  # positions are rounded to 1/256 µm, as the last bit of sums depends on the CPU

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def clark_evans(points: Floats, size: tuple[float, float]) -> float:
    """Compute the nearest-neighbour index R: 1 is random, above it even, below it clustered.

    Clark and Evans (1954), *Distance to nearest neighbor as a measure of spatial relationships in
    populations*, with the edge correction of Donnelly (1978).

    Parameters
    ----------
    points : array, (count, 2)
        At least two points.
    size : (height, width)
        Size of the window, in the same unit.
    """
    nearest = cKDTree(points).query(points, 2)[0][:, 1]
    count, area, border = len(points), size[0] * size[1], 2 * (size[0] + size[1])
    chance = 0.5 * np.sqrt(area / count) + (0.0514 + 0.041 / np.sqrt(count)) * border / count
    return float(nearest.mean() / chance)


@dataclass(frozen=True)
class Bodies:
    """Cells as ellipses: semi-axes in µm and angle of the long axis in radians."""

    long: Floats
    short: Floats
    angle: Floats

    def __len__(self) -> int:
        return len(self.long)

    def some(self, count: int) -> Bodies:
        """Return the first ``count`` bodies."""
        return Bodies(self.long[:count], self.short[:count], self.angle[:count])

    def reach(self, which: Ints, direction: Floats) -> Floats:
        """Return the extent of cells in a direction (radians).

        This is the mean of the distances to the outline, which is too short for cells at an
        angle, and to the tangent, which is too long for parallel cells.
        """
        turned = direction - self.angle[which]
        cos, sin = np.cos(turned), np.sin(turned)
        long, short = self.long[which], self.short[which]
        outline = long * short / np.hypot(short * cos, long * sin)
        return LOOSE * (outline + np.hypot(long * cos, short * sin)) / 2


@dataclass(frozen=True)
class ObservationWindow:
    """Rectangle of possible cell centres, with the relative density in it.

    Parameters
    ----------
    origin, size : (y, x)
        In µm.
    weight : array, (rows, columns)
        Relative density on a grid over the window.
    """

    origin: tuple[float, float]
    size: tuple[float, float]
    weight: Floats

    @property
    def area(self) -> float:
        """Area in µm²."""
        return self.size[0] * self.size[1]

    def cell(self, points: Floats) -> tuple[Ints, Ints]:
        """Return the rows and columns of the grid in which points lie."""
        steps = np.array(self.weight.shape) / self.size
        at = ((points - self.origin) * steps).astype(np.int64)
        rows, columns = np.clip(at, 0, np.array(self.weight.shape) - 1).T
        return rows, columns


class Sampler:
    """Sampler of points from a density on a window's grid, by default the window's own."""

    def __init__(self, window: ObservationWindow, weight: Floats | None = None) -> None:
        self.window = window
        weight = window.weight if weight is None else weight
        used = np.flatnonzero(weight)
        self.used = used[np.argsort(_along_curve(used, weight.shape[1]), kind="stable")]
        self.total = np.cumsum(weight.ravel()[self.used])

    def draw(self, rng: np.random.Generator, count: int, strata: float = 0.0) -> Floats:
        """Draw points, (count, 2), y and x in µm; a share ``strata`` of them is stratified."""
        where = rng.random(count)
        even = round(strata * count)
        # Strata follow the curve. Some stay empty, because the other points are unrestricted.
        where[:even] = (rng.permutation(count)[:even] + where[:even]) / count
        where = rng.permutation(where)
        at = np.searchsorted(self.total, where * self.total[-1], side="right")
        at = self.used[np.minimum(at, len(self.used) - 1)]
        grid = self.window.weight.shape
        cells = np.stack(np.unravel_index(at, grid), axis=1)
        return self.window.origin + (cells + rng.random((count, 2))) * self.window.size / grid


def _along_curve(cells: Ints, columns: int) -> Ints:
    """Return the position of grid cells on the Morton curve, which keeps neighbours close."""
    code = np.zeros(len(cells), np.int64)
    row, column = np.divmod(cells, columns)
    for bit in range(15):
        code |= ((column >> bit & 1) << (2 * bit)) | ((row >> bit & 1) << (2 * bit + 1))
    return code


def grid_shape(size: tuple[float, float]) -> tuple[int, int]:
    """Return the rows and columns of the grid of a window of a size in µm."""
    rows, columns = (min(MOST_ROWS, max(1, round(side / GRID_UM))) for side in size)
    return rows, columns


def centres(
    window: ObservationWindow,
    bodies: Bodies,
    gap_um: float,
    clustering: float,
    rng: np.random.Generator,
    on_step: Callable[[], None] = lambda: None,
) -> tuple[Floats, Sampler]:
    """Draw cell centres without overlap and with a given degree of clustering.

    Centres are drawn from a log-Gaussian Cox process. They then repel each other until the cells
    (ellipses) have room, and further for even spacing. The strength of the field or the repulsion
    is found by bisection on the nearest-neighbour index, using only a part of many cells. If the
    cells are too large for the requested clustering, the closest possible one results.

    Parameters
    ----------
    bodies : Bodies
        One for each cell.
    gap_um : float
        Gap between cells.
    clustering : float
        1.5 − R, see :func:`clark_evans`; 0 to 1.
    on_step : callable, optional
        Called often during the work. It may raise to cancel.

    Returns
    -------
    points : array, (count, 2)
        y and x in µm.
    sampler : Sampler
        Sampler of the underlying density, for further points.
    """
    seed = int(rng.integers(2**63))

    def draw(knob: float, window: ObservationWindow, bodies: Bodies) -> tuple[Floats, Sampler]:
        own = np.random.default_rng(seed)
        weight = window.weight
        if knob > 0:
            noise = own.standard_normal(weight.shape)
            step = np.array(window.size) / weight.shape
            field = ndimage.gaussian_filter(noise, CLUSTER_UM / step, mode="reflect")
            field /= max(field.std(), 1e-9)
            weight = weight * np.round(np.exp(STRONGEST_FIELD * knob * field), 6)
        sampler = Sampler(window, weight)
        points = sampler.draw(own, len(bodies), strata=max(0.0, -knob))
        # Distances vary between cells, so some pairs stay close unless the spacing is fully even.
        evenness = max(0.0, -knob) ** (2 * own.random(len(bodies)))
        even = evenness * (knob < 0)
        return _push_apart(points, bodies, window, gap_um, even, on_step), sampler

    part, some = _calibration_part(window, bodies)
    wanted, knob = 1.5 - clustering, clustering - 0.5
    # Limit the field, because large cells at a high density cannot form dense clusters.
    low, high = -1.0, float(np.clip(1.6 * (clustering - 0.15), 0, 1))
    if len(some) >= FEWEST_CALIBRATED:
        for _ in range(HALVINGS):
            knob = (low + high) / 2
            if clark_evans(draw(knob, part, some)[0], part.size) > wanted:
                low = knob
            else:
                high = knob
    return draw(knob, window, bodies)


def _calibration_part(
    window: ObservationWindow, bodies: Bodies
) -> tuple[ObservationWindow, Bodies]:
    """Return a window of uniform density and its bodies, smaller if there are many cells."""
    filled = np.count_nonzero(window.weight) / window.weight.size
    count = min(len(bodies), CALIBRATION_CELLS)
    scale = np.sqrt(filled * count / max(1, len(bodies)))
    if scale == 1 and np.ptp(window.weight) == 0:
        return window, bodies
    size = window.size[0] * scale, window.size[1] * scale
    part = replace(window, origin=(0.0, 0.0), size=size, weight=np.ones(grid_shape(size)))
    return part, bodies.some(count)


def _push_apart(
    points: Floats,
    bodies: Bodies,
    window: ObservationWindow,
    gap_um: float,
    evenness: Floats,
    on_step: Callable[[], None],
) -> Floats:
    """Move cells apart until none overlap, in at most ``STEPS`` steps.

    A cell with an ``evenness`` of 1 keeps the distance of a triangular lattice of the local
    density.
    """
    count = len(points)
    if count < 2:
        return points
    weight = window.weight
    density = count / window.area * weight / max(weight.mean(), 1e-9)
    spacing = np.sqrt(2 / np.sqrt(3) / np.maximum(density, 1e-9))
    low, high = np.array(window.origin), np.array(window.origin) + window.size
    points = np.round(points * QUANTUM) / QUANTUM
    for step in range(STEPS):
        on_step()
        if step % REBUILD == 0:
            apart_um = evenness * spacing[window.cell(points)]
            one, two = _neighbours(points, bodies.long + gap_um / 2, apart_um)
        apart = points[two] - points[one]
        distance = np.hypot(apart[:, 0], apart[:, 1])
        direction = np.arctan2(apart[:, 0], apart[:, 1])
        room = bodies.reach(one, direction) + bodies.reach(two, direction) + gap_um
        room = np.maximum(room, (apart_um[one] + apart_um[two]) / 2)
        lack = np.maximum(room - distance, 0)
        if not lack.any():
            break
        push = PUSH * lack / np.maximum(distance, 1e-9)
        move = np.zeros_like(points)
        for axis in (0, 1):
            along = push * apart[:, axis]
            move[:, axis] = np.bincount(two, along, count) - np.bincount(one, along, count)
        moved = np.round(np.clip(points + move, low, high) * QUANTUM) / QUANTUM
        allowed = weight[window.cell(moved)] > 0
        points = np.where(allowed[:, None], moved, points)
    return points


def _neighbours(points: Floats, radius: Floats, apart_um: Floats) -> tuple[Ints, Ints]:
    """Return all pairs of cells that may soon touch, each pair once."""
    radius = np.maximum(radius, apart_um / 2) + SKIN_UM / 2
    # Only the few cells that are much larger than the rest need a wide search.
    usual = float(np.percentile(radius, 90))
    tree = cKDTree(points)
    pairs = tree.query_pairs(2 * usual, output_type="ndarray")
    big = np.flatnonzero(radius > usual)
    if len(big):
        most = float(radius.max())
        found = tree.query_ball_point(points[big], radius[big] + most, return_sorted=True)
        first = np.repeat(big, [len(row) for row in found])
        second = np.concatenate([np.asarray(row, np.int64) for row in found])
        far = np.sort(np.stack([first, second], axis=1), axis=1)
        pairs = np.unique(np.concatenate([np.sort(pairs, axis=1), far]), axis=0)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    one, two = pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64)
    near = np.hypot(*(points[one] - points[two]).T) < radius[one] + radius[two]
    return one[near], two[near]

"""Where cells lie: centres between even and clustered, that leave each other room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

GRID_UM = 2.0
MOST_ROWS = 2048
CLUSTER_UM = 18.0  # scale of the field that gathers cells: sigma of its smoothing
STRONGEST_FIELD = 2.5  # standard deviation of its logarithm
STEPS = 60
REBUILD = 4  # steps between two searches for neighbours
SKIN_UM = 3.0  # how far beyond contact neighbours are looked for
LOOSE = 1.08  # real outlines reach a little beyond their ellipse
PUSH = 0.45  # part of an overlap that each of two cells gives way
CALIBRATION_CELLS = 600
FEWEST_CALIBRATED = 12
HALVINGS = 7
QUANTUM = 256  # positions are rounded to 1/256 µm: sums may differ in the last bit by machine

Floats = NDArray[np.float64]


def clark_evans(points: Floats, size: tuple[float, float]) -> float:
    """Give the nearest-neighbour index R: 1 by chance, above it even, below it clustered.

    Clark and Evans (1954), *Distance to nearest neighbor as a measure of spatial relationships in
    populations*, with the correction for the border of Donnelly (1978).

    Parameters
    ----------
    points : array, (count, 2)
        At least two.
    size : (height, width)
        Of the window, in the same unit.
    """
    nearest = cKDTree(points).query(points, 2)[0][:, 1]
    count, area, border = len(points), size[0] * size[1], 2 * (size[0] + size[1])
    chance = 0.5 * np.sqrt(area / count) + (0.0514 + 0.041 / np.sqrt(count)) * border / count
    return float(nearest.mean() / chance)


@dataclass(frozen=True)
class Bodies:
    """Cells as ellipses, for the room that they need: semi-axes in µm and angle of the long one."""

    long: Floats
    short: Floats
    angle: Floats

    def __len__(self) -> int:
        """Count them."""
        return len(self.long)

    def some(self, count: int) -> Bodies:
        """Take the first of them."""
        return Bodies(self.long[:count], self.short[:count], self.angle[:count])

    def reach(self, which: NDArray[np.int64], direction: Floats) -> Floats:
        """Give the room a cell takes up in a direction, radians.

        The mean of the distance to the outline, which is too short for cells that lie across each
        other, and of that to the tangent, which is too long for cells side by side.
        """
        turned = direction - self.angle[which]
        cos, sin = np.cos(turned), np.sin(turned)
        long, short = self.long[which], self.short[which]
        outline = long * short / np.hypot(short * cos, long * sin)
        return LOOSE * (outline + np.hypot(long * cos, short * sin)) / 2


@dataclass(frozen=True)
class Window:
    """The rectangle that centres may lie in, with the density wanted in it.

    Parameters
    ----------
    origin, size : (y, x)
        In µm.
    weight : array, (rows, columns)
        Relative density on a grid over it.
    """

    origin: tuple[float, float]
    size: tuple[float, float]
    weight: Floats

    @property
    def area(self) -> float:
        """In µm²."""
        return self.size[0] * self.size[1]

    def cell(self, points: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the grid's rows and columns that points fall into."""
        steps = np.array(self.weight.shape) / self.size
        at = ((points - self.origin) * steps).astype(np.int64)
        return tuple(np.clip(at, 0, np.array(self.weight.shape) - 1).T)  # type: ignore[return-value]


class Sampler:
    """Draws points from a density on a window's grid; ``weight`` defaults to the window's own."""

    def __init__(self, window: Window, weight: Floats | None = None) -> None:
        self.window = window
        weight = window.weight if weight is None else weight
        used = np.flatnonzero(weight)
        self.used = used[np.argsort(_along_curve(used, weight.shape[1]), kind="stable")]
        self.total = np.cumsum(weight.ravel()[self.used])

    def draw(self, rng: np.random.Generator, count: int, strata: float = 0.0) -> Floats:
        """Draw points, (count, 2), y and x in µm; a part of them one from each stratum."""
        where = rng.random(count)
        even = round(strata * count)
        # Of the strata along the curve; some stay empty, as the other points are anywhere.
        where[:even] = (rng.permutation(count)[:even] + where[:even]) / count
        where = rng.permutation(where)
        at = np.searchsorted(self.total, where * self.total[-1], side="right")
        at = self.used[np.minimum(at, len(self.used) - 1)]
        grid = self.window.weight.shape
        cells = np.stack(np.unravel_index(at, grid), axis=1)
        return self.window.origin + (cells + rng.random((count, 2))) * self.window.size / grid


def _along_curve(cells: NDArray[np.int64], columns: int) -> NDArray[np.int64]:
    """Give the place of a grid's cells on Morton's curve, along which neighbours stay close."""
    code = np.zeros(len(cells), np.int64)
    row, column = np.divmod(cells, columns)
    for bit in range(15):
        code |= ((column >> bit & 1) << (2 * bit)) | ((row >> bit & 1) << (2 * bit + 1))
    return code


def grid_shape(size: tuple[float, float]) -> tuple[int, int]:
    """Rows and columns of the grid of a window in µm."""
    rows, columns = (min(MOST_ROWS, max(1, round(side / GRID_UM))) for side in size)
    return rows, columns


def centres(
    window: Window,
    bodies: Bodies,
    gap_um: float,
    clustering: float,
    rng: np.random.Generator,
    on_step: Callable[[], None] = lambda: None,
) -> tuple[Floats, Sampler]:
    """Draw the centres of cells so that they do not overlap and cluster as asked.

    Centres are drawn from a log-Gaussian Cox process, then push each other apart until the cells
    (ellipses) have room, and further where the spacing is to be even. How strong the field is, or
    how far they push, is found by bisection on the nearest-neighbour index, on the cells themselves
    or, of many, on a part. Where the cells are too large for the clustering asked for, it is the
    nearest that can be had.

    Parameters
    ----------
    window : Window
    bodies : Bodies
        One for each cell.
    gap_um : float
        To keep between cells.
    clustering : float
        1.5 − R, see :func:`clark_evans`; 0 to 1.
    rng : numpy.random.Generator
    on_step : callable, optional
        Called often meanwhile; what it raises ends the work.

    Returns
    -------
    points : array, (count, 2)
        y and x in µm.
    sampler : Sampler
        Of the density they were drawn from, for further ones.
    """
    seed = int(rng.integers(2**63))

    def make(knob: float, window: Window, bodies: Bodies) -> tuple[Floats, Sampler]:
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
        # Not every cell keeps the same distance: some pairs stay close until all is even.
        evenness = max(0.0, -knob) ** (2 * own.random(len(bodies)))
        even = evenness * (knob < 0)
        return _push_apart(points, bodies, window, gap_um, even, on_step), sampler

    part, some = _calibration_part(window, bodies)
    wanted, knob = 1.5 - clustering, clustering - 0.5
    # Large cells at a high density cannot be as close as a recipe may say: no dense nests for it.
    low, high = -1.0, float(np.clip(1.6 * (clustering - 0.15), 0, 1))
    if len(some) >= FEWEST_CALIBRATED:
        for _ in range(HALVINGS):
            knob = (low + high) / 2
            if clark_evans(make(knob, part, some)[0], part.size) > wanted:
                low = knob
            else:
                high = knob
    return make(knob, window, bodies)


def _calibration_part(window: Window, bodies: Bodies) -> tuple[Window, Bodies]:
    """Give a window of even density, smaller where there are many cells."""
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
    window: Window,
    gap_um: float,
    evenness: Floats,
    on_step: Callable[[], None],
) -> Floats:
    """Let cells give way until none overlap, or as far as ``STEPS`` steps go.

    An ``evenness`` of 1, for each cell, keeps them as far apart as a triangular lattice of their
    local density.
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


def _neighbours(
    points: Floats, radius: Floats, apart_um: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the pairs that may touch soon; every pair once."""
    radius = np.maximum(radius, apart_um / 2) + SKIN_UM / 2
    # Few cells are much larger than the rest: only theirs need the long search.
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

"""Where the windows of a canvas lie, and which of them run at which step; imports no torch.

A canvas is a plane of latents larger than the window that a transformer reads. In a few steps
half-overlapping windows are fused, so that what is far apart agrees; in the others the windows do
not overlap and are shifted, down and across by turns and each time by another distance, so that
styles change gradually and no line stays a seam (after MultiDiffusion, 2302.08113, and
SpotDiffusion, 2407.15507). A window knows nothing of what lies beyond its border; close to it the
prediction of the step before is trusted more, when the border was within a window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FACTOR = 8  # pixels along a latent
PATCH = 2  # latents along what the transformer reads as one
FUSED = 0.2  # part of the steps, at most, in which windows overlap, with 2 to 4 times the work
BUDGET = 1.6  # windows of all steps, at most, where 1 is those that just cover the canvas
DISTRUST = 0.125  # of a window from its border on, where the step before is trusted more
# At the border itself a prediction is trusted this much: without the step before, seams show
# (seam ratio 1.16 on the demo family, 1.44 side by side); by it alone, the border is too smooth
# (0.93), for it lags a step behind.
TRUST = 0.35
GOLDEN = 0.6180339887  # multiples of it modulo 1 are spread evenly, however many there are


@dataclass(frozen=True)
class Turn:
    """How the windows lie at a step.

    Parameters
    ----------
    kind : "fused", "plain", "across" or "down"
        Half overlapping; side by side; or side by side and shifted along an axis.
    shift : int
        By how many latents.
    """

    kind: Literal["fused", "plain", "across", "down"] = "plain"
    shift: int = 0


@dataclass(frozen=True)
class Span:
    """A window along one axis, in latents: it reads ``start`` to ``stop`` and gives a part."""

    start: int
    stop: int
    given_from: int
    given_to: int


@dataclass(frozen=True)
class CanvasWindow:
    """A window of a canvas: what it reads and gives, down and across."""

    y: Span
    x: Span


@dataclass(frozen=True)
class WindowRow:
    """The windows of one row, left to right, and the rows of latents that are done after it."""

    y: Span
    windows: tuple[CanvasWindow, ...]


class Canvas:
    """A plane of latents over a region.

    Parameters
    ----------
    size : (height, width)
        Of the picture, in px at the family's pixel size.
    tile : int
        Side of the family's tile in px.
    grid : int
        Embeddings along a tile.

    Attributes
    ----------
    free : array, bool, (height, width), or None
        Latents that change; windows that give none of them are left out. None where all do.
    cells : (rows, columns)
        Embeddings of the canvas: the picture's size in tiles of one embedding, rounded up.
    height, width : int
        In latents; what lies beyond the picture is made and cut off.
    """

    def __init__(self, size: tuple[int, int], tile: int, grid: int) -> None:
        self.size = size
        self.window = tile // FACTOR
        self.grid = grid
        self.cells = cells_of(size, tile, grid)
        self.height, self.width = (n * self.window // grid for n in self.cells)
        self.free: NDArray[np.bool_] | None = None

    @property
    def single(self) -> bool:
        """Whether one window is all of it."""
        return (self.height, self.width) == (self.window, self.window)

    def turns(self, steps: int) -> list[Turn]:
        """Say how the windows lie at each of so many steps."""
        if self.single:
            return [Turn()] * steps
        most = max(1, round(FUSED * steps)) if steps > 1 else 0
        for fused in range(most, -1, -1):
            turns = self._turns(steps, fused)
            if self._count(turns, self._rows) <= BUDGET * steps * self.fewest:
                break
        return turns

    def _turns(self, steps: int, fused: int) -> list[Turn]:
        """Fuse in the first steps, and once at the end, which evens out what is left."""
        late = 1 if fused > 1 else 0
        early, unit = fused - late, self._unit
        turns = []
        for index in range(steps):
            if index < early or index >= steps - late:
                turns.append(Turn("fused"))
                continue
            number = index - early
            # Away from the borders of the step before, which are those of no shift.
            nearest = max(1, math.ceil(DISTRUST * self.window / unit))
            places = self.window // unit + 1 - 2 * nearest
            shift = unit * (nearest + int(places * (GOLDEN * (number // 2 + 1) % 1)))
            turns.append(Turn("across" if number % 2 == 0 else "down", shift))
        return turns

    def rows(self, turn: Turn) -> list[WindowRow]:
        """Give the windows of a turn that are computed, row by row."""
        rows, free = self._rows(turn), self.free
        if free is None:
            return rows

        def needed(window: CanvasWindow) -> bool:
            y, x = window.y, window.x
            return bool(free[y.given_from : y.given_to, x.given_from : x.given_to].any())

        return [WindowRow(row.y, tuple(filter(needed, row.windows))) for row in rows]

    def _rows(self, turn: Turn) -> list[WindowRow]:
        fused = turn.kind == "fused"
        down = self._spans(self.height, turn.shift if turn.kind == "down" else 0, fused)
        across = self._spans(self.width, turn.shift if turn.kind == "across" else 0, fused)
        return [WindowRow(y, tuple(CanvasWindow(y, x) for x in across)) for y in down]

    def trust(self, turn: Turn) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Say how far a prediction is trusted by its distance from the borders of windows.

        Returns
        -------
        down, across : array, float32, (height,) and (width,)
            From TRUST at a border to 1 away from it; 1 everywhere where windows are fused.
        """
        rows = self._rows(turn)
        both = []
        for spans, length in (
            ([row.y for row in rows], self.height),
            ([window.x for window in rows[0].windows], self.width),
        ):
            trust = np.ones(length)
            borders = [] if turn.kind == "fused" else [span.given_from for span in spans[1:]]
            place = np.arange(length) + 0.5
            for border in borders:
                away = np.abs(place - border) / (DISTRUST * self.window)
                trust = np.minimum(trust, TRUST + (1 - TRUST) * away)
            both.append(trust.astype(np.float32))
        return both[0], both[1]

    def count(self, turns: list[Turn]) -> int:
        """Count the windows of all steps."""
        return self._count(turns, self.rows)

    def _count(self, turns: list[Turn], rows: Callable[[Turn], list[WindowRow]]) -> int:
        each = {turn: sum(len(row.windows) for row in rows(turn)) for turn in set(turns)}
        return sum(each[turn] for turn in turns)

    def near(self, row: WindowRow) -> bool:
        """Whether a row of windows holds latents that windows of other rows read.

        That is so within a window of those that change.
        """
        if self.free is None:
            return True
        places = np.flatnonzero(self.free.any(axis=1))
        first, stop = places[0] - self.window, places[-1] + 1 + self.window
        return bool(row.y.start < stop and row.y.stop > first)

    def read_columns(self) -> tuple[int, int]:
        """Give the first column of latents that windows read, and that behind the last."""
        if self.free is None:
            return 0, self.width
        places = np.flatnonzero(self.free.any(axis=0))
        return int(max(0, places[0] - self.window)), int(places[-1] + 1 + self.window)

    @property
    def fewest(self) -> int:
        """Windows that cover the canvas without overlapping more than they must."""
        return math.ceil(self.height / self.window) * math.ceil(self.width / self.window)

    def decoding(self, window: int, overlap: int) -> tuple[list[Span], list[Span]]:
        """Give spans, down and across, of windows that decode the canvas with an overlap."""
        down, across = (
            _cut(_spread(length, min(window, length), overlap), min(window, length))
            for length in (self.height, self.width)
        )
        return down, across

    @property
    def _unit(self) -> int:
        """Latents by which windows can be shifted: a grid of embeddings needs its cells."""
        return self.window // self.grid if self.grid > 1 else PATCH

    def _spans(self, length: int, shift: int, fused: bool) -> list[Span]:
        window, unit = self.window, self._unit
        count, last = math.ceil(length / window), length - window
        plain = [round(i * last / max(1, count - 1) / unit) * unit for i in range(count)]
        if fused:
            between = {(a + b) // 2 // unit * unit for a, b in pairwise(plain)}
            starts = sorted({*plain, *between})
            return [Span(start, start + window, start, start + window) for start in starts]
        if not shift:
            return _cut(plain, window)
        # Shifted windows would stick out at both ends; those are moved inside.
        inside = (shift + i * window for i in range(count - 1))
        return _cut(sorted({0, *(start for start in inside if start < last), last}), window)


def cells_of(size: tuple[int, int], tile: int, grid: int) -> tuple[int, int]:
    """Give the rows and columns of embeddings for a picture of (height, width) px."""
    side = tile // grid
    rows, columns = (max(grid, math.ceil(length / side)) for length in size)
    return rows, columns


def weights(window: int) -> NDArray[np.float32]:
    """Give the weight of a window's latents where windows are fused: (window, window) float32.

    A Gaussian, so that a window counts least at its rim, where it knows its neighbours least.
    """
    place = (np.arange(window) + 0.5) / window - 0.5
    bell = np.exp(-0.5 * (place / 0.2) ** 2)
    return np.outer(bell, bell).astype(np.float32) + np.float32(1e-3)


def ramps(spans: list[Span], factor: int = FACTOR) -> list[NDArray[np.float32]]:
    """Give the weights of decoded windows along one axis: they sum to 1 at every pixel.

    Parameters
    ----------
    spans : list of Span
        Of all windows along the axis, in order.
    factor : int
        Pixels along a latent; 1 for the weights of latents.

    Returns
    -------
    list of array, float32, (factor × window,)
        1, and changing linearly where a window overlaps a neighbour.
    """
    out = []
    for i, span in enumerate(spans):
        pixels = (span.stop - span.start) * factor
        place = np.arange(pixels, dtype=np.float32) + 0.5
        weight = np.ones(pixels, np.float32)
        if i > 0:
            weight = np.minimum(weight, place / ((spans[i - 1].stop - span.start) * factor))
        if i + 1 < len(spans):
            overlap = (span.stop - spans[i + 1].start) * factor
            weight = np.minimum(weight, (pixels - place) / overlap)
        out.append(weight)
    return out


def window_styles(
    styles: NDArray[np.float32], canvas: Canvas, window: CanvasWindow
) -> NDArray[np.float32]:
    """Give the embeddings that a window reads.

    Parameters
    ----------
    styles : array, float32, (rows, columns, dimension)
        Of the canvas.
    canvas : Canvas
    window : CanvasWindow
        Between two cells their embeddings are mixed by area, and the mix is made as long as they
        are: a mean of embeddings is shorter than any of them.

    Returns
    -------
    array, float32, (grid², dimension)
        Row by row.
    """
    unit = canvas.window // canvas.grid
    rows = [_mix(window.y.start / unit + i, canvas.cells[0]) for i in range(canvas.grid)]
    columns = [_mix(window.x.start / unit + i, canvas.cells[1]) for i in range(canvas.grid)]
    out = []
    for down in rows:
        for across in columns:
            parts = [(styles[y, x], wy * wx) for y, wy in down for x, wx in across]
            mean = np.sum([weight * style for style, weight in parts], axis=0)
            if len(parts) > 1:
                wanted = sum(weight * float(np.linalg.norm(style)) for style, weight in parts)
                mean = mean * (wanted / max(float(np.linalg.norm(mean)), 1e-12))
            out.append(mean)
    return np.stack(out).astype(np.float32)


def spread_style(styles: NDArray[np.float32], canvas: Canvas) -> NDArray[np.float32]:
    """Lay a grid of embeddings over a canvas, mirrored at its edges.

    Parameters
    ----------
    styles : array, float32, (rows, columns, dimension)
        Such as those of one tile.
    canvas : Canvas

    Returns
    -------
    array, float32, (rows, columns, dimension)
        For every cell of the canvas.
    """
    return spread_over(styles, canvas.cells)


def spread_over(styles: NDArray[np.float32], cells: tuple[int, int]) -> NDArray[np.float32]:
    """Lay a grid of embeddings over so many (rows, columns), mirrored at its edges."""
    rows, columns = (
        list(_mirrored(count, period)) for count, period in zip(cells, styles.shape, strict=False)
    )
    spread: NDArray[np.float32] = styles[rows][:, columns]
    return spread


def _mirrored(count: int, period: int) -> Iterator[int]:
    for i in range(count):
        turn, place = divmod(i, period)
        yield place if turn % 2 == 0 else period - 1 - place


def _mix(place: float, count: int) -> list[tuple[int, float]]:
    """Give the cells that a tile at ``place`` lies on, with the part of it on each."""
    first = math.floor(place)
    part = place - first
    cells = [(first, 1 - part), (first + 1, part)] if part else [(first, 1.0)]
    return [(min(cell, count - 1), weight) for cell, weight in cells]


def _spread(length: int, window: int, overlap: int) -> list[int]:
    """Give the starts of the fewest windows that overlap at least by ``overlap``."""
    if length <= window:
        return [0]
    count = math.ceil((length - overlap) / (window - overlap))
    return [round(i * (length - window) / (count - 1)) for i in range(count)]


def _cut(starts: list[int], window: int) -> list[Span]:
    """Let each window give what lies up to the middle of its overlap with the next."""
    borders = [starts[0]]
    for this, following in pairwise(starts):
        borders.append((following + this + window) // 2)
    borders.append(starts[-1] + window)
    return [
        Span(start, start + window, borders[i], borders[i + 1]) for i, start in enumerate(starts)
    ]

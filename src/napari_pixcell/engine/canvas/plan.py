"""The windows of a canvas and their schedule over the steps. Imports no torch.

A canvas is a plane of latents larger than the window of a transformer. In a few steps
half-overlapping windows are fused, so that distant areas agree. In the others, windows abut. They
are shifted, down and across in alternation and by varying distances, so that styles change
gradually and no line becomes a seam (after MultiDiffusion, 2302.08113, and SpotDiffusion,
2407.15507). A window has no context beyond its border. Near the border, the prediction of the
previous step, when that border was inside a window, has more weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FACTOR = 8  # pixels per latent
PATCH = 2  # latents per patch of the transformer
FUSED = 0.2  # largest fraction of the steps in which windows overlap, at 2 to 4 times the cost
BUDGET = 1.6  # most windows over all steps, relative to those that just cover the canvas
DISTRUST = 0.125  # margin, as a fraction of a window, where the previous step has more weight
# Weight of a prediction at the border itself. At 1, seams show (seam ratio 1.16 on the demo family,
# 1.44 for plain abutting windows). At 0, the border lags a step behind and is too smooth (0.93).
TRUST = 0.35
BELL = 0.2  # standard deviation of Gaussian weights, as a fraction of a window
GOLDEN = 0.6180339887  # its multiples modulo 1 are spread evenly, for any number of them


@dataclass(frozen=True)
class Turn:
    """The arrangement of the windows at a step.

    Half-overlapping (fused), abutting (plain), or abutting and shifted along an axis by a number
    of latents.
    """

    kind: Literal["fused", "plain", "across", "down"] = "plain"
    shift: int = 0


@dataclass(frozen=True)
class Span:
    """A window along one axis, in latents. It reads ``start`` to ``stop`` and writes a part."""

    start: int
    stop: int
    write_from: int
    write_to: int


@dataclass(frozen=True)
class CanvasWindow:
    """A window of a canvas: its spans down and across."""

    y: Span
    x: Span


@dataclass(frozen=True)
class WindowRow:
    """A row of windows, from left to right, with their common vertical span."""

    y: Span
    windows: tuple[CanvasWindow, ...]


class Canvas:
    """A plane of latents over a region.

    Parameters
    ----------
    size : (height, width)
        Size of the image, in px at the family's pixel size.
    tile : int
        Side of the family's tile in px.
    grid : int
        Embeddings along the side of a tile.
    published : bool
        Windows at every half window overlap at every step with equal weights, and each has the
        style of its own cells, without mixing.

    Attributes
    ----------
    free : array, bool, (height, width), or None
        Latents that change. Windows that write none of them are skipped. None if all change.
    cells : (rows, columns)
        Shape of the grid of embeddings: the image in tiles of one embedding, rounded up.
    height, width : int
        Size in latents. The part beyond the image is generated and cropped.
    """

    def __init__(
        self, size: tuple[int, int], tile: int, grid: int, published: bool = False
    ) -> None:
        self.size = size
        self.published = published
        self.window = tile // FACTOR
        self.grid = grid
        self.cells = cells_of(size, tile, grid)
        self.height, self.width = (n * self.window // grid for n in self.cells)
        self.free: NDArray[np.bool_] | None = None

    @property
    def single(self) -> bool:
        """True if a single window covers it."""
        return (self.height, self.width) == (self.window, self.window)

    def turns(self, steps: int) -> list[Turn]:
        """Return the arrangement of the windows at each step."""
        if self.single:
            return [Turn()] * steps
        if self.published:
            return [Turn("fused")] * steps
        most = max(1, round(FUSED * steps)) if steps > 1 else 0
        for fused in range(most, -1, -1):
            turns = self._turns(steps, fused)
            if self._count(turns, self._rows) <= BUDGET * steps * self.fewest:
                break
        return turns

    def _turns(self, steps: int, fused: int) -> list[Turn]:
        """Fuse in the first steps, and once at the end, which smooths remaining seams."""
        late = 1 if fused > 1 else 0
        early, unit = fused - late, self._unit
        turns = []
        for index in range(steps):
            if index < early or index >= steps - late:
                turns.append(Turn("fused"))
                continue
            number = index - early
            # Keep away from the borders of the previous step, which are those without a shift.
            nearest = max(1, math.ceil(DISTRUST * self.window / unit))
            choices = self.window // unit + 1 - 2 * nearest
            shift = unit * (nearest + int(choices * (GOLDEN * (number // 2 + 1) % 1)))
            turns.append(Turn("across" if number % 2 == 0 else "down", shift))
        return turns

    def rows(self, turn: Turn) -> list[WindowRow]:
        """Return the windows that are computed in a turn, row by row."""
        rows, free = self._rows(turn), self.free
        if free is None:
            return rows

        def needed(window: CanvasWindow) -> bool:
            y, x = window.y, window.x
            return bool(free[y.write_from : y.write_to, x.write_from : x.write_to].any())

        return [WindowRow(row.y, tuple(filter(needed, row.windows))) for row in rows]

    def _rows(self, turn: Turn) -> list[WindowRow]:
        fused = turn.kind == "fused"
        down = self._spans(self.height, turn.shift if turn.kind == "down" else 0, fused)
        across = self._spans(self.width, turn.shift if turn.kind == "across" else 0, fused)
        return [WindowRow(y, tuple(CanvasWindow(y, x) for x in across)) for y in down]

    def trust(self, turn: Turn) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the weights of a prediction by its distance from the borders of windows.

        Down and across, float32, (height,) and (width,): from TRUST at a border to 1 away from it.
        If windows are fused, 1 everywhere.
        """
        rows = self._rows(turn)
        both = []
        for spans, length in (
            ([row.y for row in rows], self.height),
            ([window.x for window in rows[0].windows], self.width),
        ):
            trust = np.ones(length)
            borders = [] if turn.kind == "fused" else [span.write_from for span in spans[1:]]
            centre = np.arange(length) + 0.5
            for border in borders:
                away = np.abs(centre - border) / (DISTRUST * self.window)
                trust = np.minimum(trust, TRUST + (1 - TRUST) * away)
            both.append(trust.astype(np.float32))
        return both[0], both[1]

    def count(self, turns: list[Turn]) -> int:
        """Return the number of windows over all steps."""
        return self._count(turns, self.rows)

    def _count(self, turns: list[Turn], rows: Callable[[Turn], list[WindowRow]]) -> int:
        each = {turn: sum(len(row.windows) for row in rows(turn)) for turn in set(turns)}
        return sum(each[turn] for turn in turns)

    def near(self, row: WindowRow) -> bool:
        """Whether a row of windows is within one window of latents that change."""
        if self.free is None:
            return True
        changed = np.flatnonzero(self.free.any(axis=1))
        first, stop = changed[0] - self.window, changed[-1] + 1 + self.window
        return bool(row.y.start < stop and row.y.stop > first)

    def read_columns(self) -> tuple[int, int]:
        """Return the columns of latents that windows read, as (first, stop)."""
        if self.free is None:
            return 0, self.width
        changed = np.flatnonzero(self.free.any(axis=0))
        return int(max(0, changed[0] - self.window)), int(changed[-1] + 1 + self.window)

    @property
    def fewest(self) -> int:
        """Number of windows that cover the canvas with the least overlap."""
        return math.ceil(self.height / self.window) * math.ceil(self.width / self.window)

    def decoding(self, window: int, overlap: int) -> tuple[list[Span], list[Span]]:
        """Return the spans, down and across, of overlapping windows that decode the canvas."""
        if self.published:
            return tuple(  # type: ignore[return-value]
                _half_overlapping(length, min(window, length))
                for length in (self.height, self.width)
            )
        down, across = (
            _cut(_spread(length, min(window, length), overlap), min(window, length))
            for length in (self.height, self.width)
        )
        return down, across

    @property
    def _unit(self) -> int:
        """Step of the shifts in latents: that of the grid of embeddings, if there is one."""
        return self.window // self.grid if self.grid > 1 else PATCH

    def _spans(self, length: int, shift: int, fused: bool) -> list[Span]:
        window, unit = self.window, self._unit
        if self.published:
            return _half_overlapping(length, window)
        count, last = math.ceil(length / window), length - window
        plain = [round(i * last / max(1, count - 1) / unit) * unit for i in range(count)]
        if fused:
            between = {(a + b) // 2 // unit * unit for a, b in pairwise(plain)}
            starts = sorted({*plain, *between})
            return [Span(start, start + window, start, start + window) for start in starts]
        if not shift:
            return _cut(plain, window)
        # Shifted windows would stick out at both ends, so those are moved inside.
        inside = (shift + i * window for i in range(count - 1))
        return _cut(sorted({0, *(start for start in inside if start < last), last}), window)


def cells_of(size: tuple[int, int], tile: int, grid: int) -> tuple[int, int]:
    """Return the rows and columns of embeddings for an image of (height, width) px."""
    side = tile // grid
    rows, columns = (max(grid, math.ceil(length / side)) for length in size)
    return rows, columns


def weights(window: int) -> NDArray[np.float32]:
    """Return the weights of the latents of a fused window: float32, (window, window).

    A Gaussian: a window has the least weight at its rim, where it has the least context.
    """
    centre = (np.arange(window) + 0.5) / window - 0.5
    bell = np.exp(-0.5 * (centre / BELL) ** 2)
    return np.outer(bell, bell).astype(np.float32) + np.float32(1e-3)


def ramps(spans: list[Span], factor: int = FACTOR) -> list[NDArray[np.float32]]:
    """Return the weights of decoded windows along one axis, which sum to 1 at every pixel.

    Each is float32, (factor × window,): 1, with a linear ramp where a window overlaps a neighbour.
    ``spans`` are all windows along the axis, in order. ``factor`` is the number of pixels per
    latent, or 1 for weights of latents.
    """
    out = []
    for i, span in enumerate(spans):
        pixels = (span.stop - span.start) * factor
        centre = np.arange(pixels, dtype=np.float32) + 0.5
        weight = np.ones(pixels, np.float32)
        if i > 0:
            weight = np.minimum(weight, centre / ((spans[i - 1].stop - span.start) * factor))
        if i + 1 < len(spans):
            overlap = (span.stop - spans[i + 1].start) * factor
            weight = np.minimum(weight, (pixels - centre) / overlap)
        out.append(weight)
    return out


def bells(spans: list[Span], factor: int = FACTOR) -> list[NDArray[np.float32]]:
    """Return the Gaussian weights of decoded windows along one axis, as :func:`ramps` does."""
    sides = [(span.stop - span.start) * factor for span in spans]
    given = [np.exp(-0.5 * (((np.arange(side) + 0.5) / side - 0.5) / BELL) ** 2) for side in sides]
    total = np.zeros(spans[-1].stop * factor)
    for span, bell in zip(spans, given, strict=True):
        total[span.start * factor : span.stop * factor] += bell
    return [
        (bell / total[span.start * factor : span.stop * factor]).astype(np.float32)
        for span, bell in zip(spans, given, strict=True)
    ]


def window_styles(
    styles: NDArray[np.float32], canvas: Canvas, window: CanvasWindow
) -> NDArray[np.float32]:
    """Return the embeddings of a window, float32, (grid², dimension), row by row.

    Between cells of ``styles``, the embeddings of the canvas, (rows, columns, dimension), they are
    mixed by area and scaled to their mean length, because the mean of embeddings is shorter than
    any of them. By the published method, each tile has the embedding at its centre.
    """
    unit = canvas.window // canvas.grid
    choose = _own if canvas.published else _mix
    rows = [choose(window.y.start / unit + i, canvas.cells[0]) for i in range(canvas.grid)]
    columns = [choose(window.x.start / unit + i, canvas.cells[1]) for i in range(canvas.grid)]
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
    """Extend a grid of embeddings, (rows, columns, dimension), over all cells of a canvas.

    It is mirrored at its edges.
    """
    return spread_over(styles, canvas.cells)


def spread_over(styles: NDArray[np.float32], cells: tuple[int, int]) -> NDArray[np.float32]:
    """Extend a grid of embeddings to (rows, columns) by mirroring."""
    rows, columns = (
        list(_mirrored(count, period)) for count, period in zip(cells, styles.shape, strict=False)
    )
    spread: NDArray[np.float32] = styles[rows][:, columns]
    return spread


def _mirrored(count: int, period: int) -> Iterator[int]:
    for i in range(count):
        turn, index = divmod(i, period)
        yield index if turn % 2 == 0 else period - 1 - index


def _mix(position: float, count: int) -> list[tuple[int, float]]:
    """Return the cells under a tile at ``position``, with the fraction of the tile on each."""
    first = math.floor(position)
    part = position - first
    cells = [(first, 1 - part), (first + 1, part)] if part else [(first, 1.0)]
    return [(min(cell, count - 1), weight) for cell, weight in cells]


def _own(position: float, count: int) -> list[tuple[int, float]]:
    """Return the cell under the centre of a tile at ``position``."""
    return [(min(math.floor(position + 0.5), count - 1), 1.0)]


def _half_overlapping(length: int, window: int) -> list[Span]:
    """Return windows at every half window, the last one moved inside, which all write in full."""
    starts = sorted({*range(0, length - window, max(1, window // 2)), length - window})
    return [Span(start, start + window, start, start + window) for start in starts]


def _spread(length: int, window: int, overlap: int) -> list[int]:
    """Return the starts of the fewest windows that overlap by at least ``overlap``."""
    if length <= window:
        return [0]
    count = math.ceil((length - overlap) / (window - overlap))
    return [round(i * (length - window) / (count - 1)) for i in range(count)]


def _cut(starts: list[int], window: int) -> list[Span]:
    """Let each window write up to the middle of its overlap with the next."""
    borders = [starts[0]]
    for this, following in pairwise(starts):
        borders.append((following + this + window) // 2)
    borders.append(starts[-1] + window)
    return [
        Span(start, start + window, borders[i], borders[i + 1]) for i, start in enumerate(starts)
    ]

"""The geometry of charts. Their colours suit light and dark pages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.store.checks import Limit

WIDTH, HEIGHT = 640, 170
SQUARE = 360  # px, height of a scatter plot
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 26, 24  # px around the bars
FEWEST_BARS, MOST_BARS = 8, 32
GOOD, BEYOND = "#4a86c5", "#d9822b"  # visible on white and black, distinct for colour-blind readers


@dataclass(frozen=True)
class HistogramBar:
    """A bar of a histogram, in px."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    title: str


@dataclass(frozen=True)
class Label:
    """A text at a point of a histogram, in px."""

    x: float
    y: float
    words: str
    anchor: str


@dataclass
class Histogram:
    """A histogram as the template ``histogram.svg`` draws it."""

    title: str  # describes it to readers who cannot see it
    bars: list[HistogramBar]
    lines: list[tuple[float, float, float, float, str]]  # ends in px, and an SVG dash pattern
    labels: list[Label]
    width: int = WIDTH
    height: int = HEIGHT


@dataclass
class ScatterPlot:
    """A scatter plot as the template ``scatter.svg`` draws it."""

    title: str
    rings: list[tuple[float, float]]  # points in px
    dots: list[tuple[float, float]]
    labels: list[Label]  # of the rings and of the dots
    ring_colour: str = GOOD
    dot_colour: str = BEYOND
    width: int = WIDTH
    height: int = SQUARE


def scatter(
    rings: NDArray[Any], dots: NDArray[Any], names: tuple[str, str], title: str
) -> ScatterPlot:
    """Lay out two sets of points, with one scale along both axes.

    Parameters
    ----------
    rings, dots : array, (n, 2)
        At least one point in all, finite; drawn as rings and as dots.
    names : (str, str)
        Of the rings and of the dots, for the legend.
    title : str
    """
    both = np.concatenate([rings, dots])
    middle = (both.min(axis=0) + both.max(axis=0)) / 2
    inner = np.array([WIDTH - 2 * RIGHT, SQUARE - TOP - 2 * RIGHT])
    scale = float((inner / np.maximum(np.ptp(both, axis=0), 1e-12)).min())
    centre = np.array([WIDTH / 2, TOP + RIGHT + inner[1] / 2])

    def place(points: NDArray[Any]) -> list[tuple[float, float]]:
        placed = centre + (points - middle) * scale * (1, -1)
        return [(round(x, 1), round(y, 1)) for x, y in placed.tolist()]

    starts = RIGHT + 6, WIDTH // 2
    return ScatterPlot(
        title,
        place(rings),
        place(dots),
        [Label(x, TOP - 8, name, "start") for x, name in zip(starts, names, strict=True)],
    )


def histogram(values: NDArray[Any], title: str, limit: Limit | None = None) -> Histogram:
    """Lay out the histogram of a score.

    Parameters
    ----------
    values : array, (n,)
        At least one, all finite.
    title : str
    limit : Limit, optional
        Marked by a line; bars beyond it have another colour.
    """
    edges = _edges(values, limit)
    counts = _counts(values, edges, limit)
    most = max(1, int(counts.max()))
    low, high = edges[0], edges[-1]
    base = HEIGHT - BOTTOM

    def x(value: float) -> float:
        return round(float(LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low)), 1)

    def bar(count: int, start: float, stop: float) -> HistogramBar:
        top = round(base - (base - TOP) * count / most, 1)
        top = min(top, base - 1)  # a single pair among many stays visible
        bad = limit is not None and bool(limit.beyond(np.array([(start + stop) / 2]))[0])
        width = round(max(1.0, x(stop) - x(start) - 1), 1)
        words = f"{start:.4g} to {stop:.4g}: {count:,}"
        colour = BEYOND if bad else GOOD
        return HistogramBar(x(start), top, width, round(base - top, 1), colour, words)

    spans = zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    chart = Histogram(
        title,
        [bar(*span) for span in spans if span[0]],
        [(LEFT, base, WIDTH - RIGHT, base, "none")],
        [Label(LEFT - 6, TOP + 4, f"{most:,}", "end"), Label(LEFT - 6, base + 4, "0", "end")],
    )
    for value in _ticks(low, high, np.issubdtype(values.dtype, np.integer)):
        chart.lines.append((x(value), base, x(value), base + 4, "none"))
        chart.labels.append(Label(x(value), HEIGHT - 6, f"{value:.10g}", "middle"))
    if limit is not None:
        at = x(limit.value)
        chart.lines.append((at, TOP - 8, at, base, "4 3"))
        left = at < WIDTH / 2
        anchor, gap = ("start", 4) if left else ("end", -4)
        chart.labels.append(Label(at + gap, TOP - 10, limit.words, anchor))
    return chart


def _edges(values: NDArray[Any], limit: Limit | None) -> NDArray[np.float64]:
    """Return the edges of the bars: round numbers, one of them at the limit."""
    low, high = float(values.min()), float(values.max())
    if limit is not None:
        low, high = min(low, limit.value), max(high, limit.value)
    whole = np.issubdtype(values.dtype, np.integer)
    bars = min(max(2 * math.sqrt(len(values)), FEWEST_BARS), MOST_BARS)
    step = _round((high - low or abs(high) or 1.0) / bars, up=True)
    step = max(1.0, step) if whole else step
    origin = limit.value if limit is not None else -0.5 if whole else 0.0
    first = math.floor((low - origin) / step + 1e-6)
    last = math.floor((high - origin) / step + 1e-6) + 1  # edges belong to the next bar
    return np.asarray(origin + step * np.arange(first, last + 1))


def _counts(
    values: NDArray[Any], edges: NDArray[np.float64], limit: Limit | None
) -> NDArray[np.intp]:
    """Count the values of each bar; values at the limit belong to its good side."""
    side: Literal["left", "right"] = "right" if limit is None or limit.least else "left"
    exact = edges.astype(np.promote_types(values.dtype, np.float32))
    bar = np.searchsorted(exact, values, side) - 1
    return np.bincount(np.clip(bar, 0, len(edges) - 2), minlength=len(edges) - 1)


def _ticks(low: float, high: float, whole: bool) -> list[float]:
    step = max(_round((high - low) / 6, up=False), 1.0 if whole else 0.0)
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [number * step for number in range(first, last + 1)]


def _round(value: float, up: bool) -> float:
    """Return a number near a value that is 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    choices = [power * factor for factor in (1, 2, 5, 10)]
    near = [one for one in choices if (one >= value * (1 - 1e-9)) == up]
    return near[0] if up else (near or choices[:1])[-1]

"""Histograms as SVG, drawn for a page of light or dark paper."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.report.markup import Markup, element

WIDTH, HEIGHT = 640, 170
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 26, 24  # px around the bars
FEWEST_BARS, MOST_BARS = 8, 32
GOOD, BEYOND = "#4a86c5", "#d9822b"  # seen on white and on black, and apart by the colour-blind


@dataclass(frozen=True)
class Limit:
    """A threshold: at ``least`` that value is good, or else at most."""

    value: float
    least: bool

    @property
    def words(self) -> str:
        """How it is called."""
        return f"at {'least' if self.least else 'most'} {self.value:.4g}"

    def beyond(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Say which values are on its wrong side."""
        limit = values.dtype.type(self.value)
        return np.asarray(values < limit if self.least else values > limit)


def histogram(values: NDArray[Any], what: str, limit: Limit | None = None) -> Markup:
    """Draw how often which values occur.

    Parameters
    ----------
    values : array, (n,)
        At least one, all finite.
    what : str
        Says what it shows, to who cannot see it.
    limit : Limit, optional
        Marked by a line; bars beyond it have another colour.
    """
    edges = _edges(values, limit)
    counts = _counts(values, edges, limit)
    most = max(1, int(counts.max()))
    low, high = edges[0], edges[-1]

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low), 1)

    def y(count: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * count / most, 1)

    parts = [element("title", what)]
    for count, start, stop in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        if count:
            middle = np.array([(start + stop) / 2])
            bad = limit is not None and bool(limit.beyond(middle)[0])
            top = min(y(count), HEIGHT - BOTTOM - 1)  # one pair among many is still seen
            parts.append(
                element(
                    "rect",
                    element("title", f"{start:.4g} to {stop:.4g}: {count:,}"),
                    x=x(start),
                    y=top,
                    width=round(max(1.0, x(stop) - x(start) - 1), 1),
                    height=round(HEIGHT - BOTTOM - top, 1),
                    fill=BEYOND if bad else GOOD,
                )
            )
    base = HEIGHT - BOTTOM
    parts.append(_line(LEFT, base, WIDTH - RIGHT, base))
    for value in _ticks(low, high, np.issubdtype(values.dtype, np.integer)):
        parts.append(_line(x(value), base, x(value), base + 4))
        parts.append(_text(x(value), HEIGHT - 6, f"{value:.10g}", "middle"))
    parts.append(_text(LEFT - 6, y(most) + 4, f"{most:,}", "end"))
    parts.append(_text(LEFT - 6, base + 4, "0", "end"))
    if limit is not None:
        at = x(limit.value)
        parts.append(_line(at, TOP - 8, at, base, stroke_dasharray="4 3"))
        anchor = "start" if at < WIDTH / 2 else "end"
        parts.append(_text(at + (4 if anchor == "start" else -4), TOP - 10, limit.words, anchor))
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=what,
        font_family="sans-serif",
        font_size=12,
    )


def _edges(values: NDArray[Any], limit: Limit | None) -> NDArray[np.float64]:
    """Give the edges of the bars: round numbers, one of them at the limit."""
    low, high = float(values.min()), float(values.max())
    if limit is not None:
        low, high = min(low, limit.value), max(high, limit.value)
    whole = np.issubdtype(values.dtype, np.integer)
    bars = min(max(2 * math.sqrt(len(values)), FEWEST_BARS), MOST_BARS)
    step = _round((high - low or abs(high) or 1.0) / bars, up=True)
    step = max(1.0, step) if whole else step
    origin = limit.value if limit is not None else -0.5 if whole else 0.0
    first = math.floor((low - origin) / step + 1e-6)
    last = math.floor((high - origin) / step + 1e-6) + 1  # a value at an edge is of the next bar
    return np.asarray(origin + step * np.arange(first, last + 1))


def _counts(
    values: NDArray[Any], edges: NDArray[np.float64], limit: Limit | None
) -> NDArray[np.intp]:
    """Count the values of each bar; one just at the limit belongs to its good side."""
    side: Literal["left", "right"] = "right" if limit is None or limit.least else "left"
    exact = edges.astype(np.promote_types(values.dtype, np.float32))
    place = np.searchsorted(exact, values, side) - 1
    return np.bincount(np.clip(place, 0, len(edges) - 2), minlength=len(edges) - 1)


def _ticks(low: float, high: float, whole: bool) -> list[float]:
    step = max(_round((high - low) / 6, up=False), 1.0 if whole else 0.0)
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [number * step for number in range(first, last + 1)]


def _round(value: float, up: bool) -> float:
    """Give 1, 2 or 5 times a power of ten that is near."""
    power = 10.0 ** math.floor(math.log10(value))
    choices = [power * factor for factor in (1, 2, 5, 10)]
    near = [one for one in choices if (one >= value * (1 - 1e-9)) == up]
    return near[0] if up else (near or choices[:1])[-1]


def _line(x1: float, y1: float, x2: float, y2: float, **more: object) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke="currentColor", **more)


def _text(x: float, y: float, words: str, anchor: str) -> Markup:
    return element("text", words, x=x, y=y, fill="currentColor", text_anchor=anchor)

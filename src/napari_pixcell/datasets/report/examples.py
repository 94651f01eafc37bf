"""Pairs to look at: the best, the middle and the worst by a score, as small pictures."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_pixcell.datasets.marking import synthetic_jpeg
from napari_pixcell.datasets.report.markup import Markup, element
from napari_pixcell.datasets.sheet import draw_outlines
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.rows import Row
from napari_pixcell.datasets.store.table import PairTable

SIDE = 256  # px of the longer side
RATIOS = ("count", "sharpness")  # best at 1


def ranked(values: NDArray[np.float32], score: str, low_is_good: bool) -> dict[str, int]:
    """Give where the best, the middle and the worst value stand.

    Parameters
    ----------
    values : array, float32, (pairs,)
        NaN where the score does not apply.
    score : str
        Its name.
    low_is_good : bool
    """
    there = np.flatnonzero(np.isfinite(values))
    good = values[there].astype(float)
    if score in RATIOS:
        good = -np.abs(np.log(np.maximum(good, 1e-6)))
    elif low_is_good:
        good = -good
    order = there[np.argsort(-good, kind="stable")]
    places = {"Best": 0, "Median": len(order) // 2, "Worst": len(order) - 1}
    return {name: int(order[place]) for name, place in places.items()} if len(order) else {}


def examples(dataset: Dataset, table: PairTable, score: str, low_is_good: bool) -> Markup:
    """Show the best, the middle and the worst pair by a score, with the outlines of their cells."""
    values = table.score(score)
    shown = [
        _figure(dataset, table.row(position), f"{name}: {float(values[position]):.3g}")
        for name, position in ranked(values, score, low_is_good).items()
    ]
    return element("div", *shown, class_="examples")


def outlined(
    image: NDArray[np.uint8], labels: NDArray[Any] | None, side: int = SIDE
) -> NDArray[np.uint8]:
    """Give a picture at most ``side`` px large, with the outline of each cell of its mask."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    out = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    if labels is None:
        return out
    rows = (np.arange(size[1]) * height) // size[1]
    columns = (np.arange(size[0]) * width) // size[0]
    return draw_outlines(out, labels[np.ix_(rows, columns)])


def _figure(dataset: Dataset, row: Row, words: str) -> Markup:
    kept_apart = f" ({', '.join(row['flags'])})" if row["flags"] else ""
    name = f"{words}. Pair {row['index']}{kept_apart}"
    try:
        picture = outlined(dataset.image(row), dataset.mask(row))
    except (OSError, ValueError):  # removed or damaged since
        shown = element("p", "Its files cannot be read; run “dataset check”.", class_="gone")
    else:
        data = base64.b64encode(synthetic_jpeg(picture)).decode()
        height, width = picture.shape[:2]
        source = f"data:image/jpeg;base64,{data}"
        alt = f"Synthetic tissue with its mask, pair {row['index']}"
        shown = element("img", src=source, alt=alt, width=width, height=height)
    return element("figure", shown, element("figcaption", name))

"""Example pairs: the best, the median and the worst by a score, as small pictures."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_pixcell.datasets.marks import synthetic_jpeg
from napari_pixcell.datasets.report.sheets import SIDE, draw_outlines
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.table import PairTable

RATIOS = ("count", "sharpness")  # best at 1


@dataclass(frozen=True)
class Example:
    """A pair as the report shows it.

    Parameters
    ----------
    index : int
        Number of the pair.
    caption : str
    jpeg : str
        Its image with the outlines of its cells, as base64; empty if its files cannot be read.
    width, height : int
        Of the image, in px.
    """

    index: int
    caption: str
    jpeg: str = ""
    width: int = 0
    height: int = 0


def ranked(values: NDArray[np.float32], score: str, low_is_good: bool) -> dict[str, int]:
    """Return the positions of the best, the median and the worst value.

    Parameters
    ----------
    values : array, float32, (pairs,)
        NaN if the score does not apply.
    score : str
        Its name.
    low_is_good : bool
    """
    known = np.flatnonzero(np.isfinite(values))
    good = values[known].astype(float)
    if score in RATIOS:
        good = -np.abs(np.log(np.maximum(good, 1e-6)))
    elif low_is_good:
        good = -good
    order = known[np.argsort(-good, kind="stable")]
    ranks = {"Best": 0, "Median": len(order) // 2, "Worst": len(order) - 1}
    return {name: int(order[rank]) for name, rank in ranks.items()} if len(order) else {}


def examples(
    dataset: Dataset, table: PairTable, score: str, low_is_good: bool
) -> Iterator[Example]:
    """Iterate over the best, the median and the worst pair by a score."""
    values = table.score(score)
    for name, position in ranked(values, score, low_is_good).items():
        row = table.row(position)
        index, flags = row["index"], f" ({', '.join(row['flags'])})" if row["flags"] else ""
        caption = f"{name}: {float(values[position]):.3g}. Pair {index}{flags}"
        try:
            picture = small_outlined(dataset.image(row), dataset.mask(row))
        except (OSError, ValueError):  # removed or damaged since
            yield Example(index, caption)
        else:
            height, width = picture.shape[:2]
            jpeg = base64.b64encode(synthetic_jpeg(picture)).decode()
            yield Example(index, caption, jpeg, width, height)


def small_outlined(
    image: NDArray[np.uint8], labels: NDArray[Any] | None, side: int = SIDE
) -> NDArray[np.uint8]:
    """Return a picture at most ``side`` px large with the outlines of the cells of its mask."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    out = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    if labels is None:
        return out
    rows = (np.arange(size[1]) * height) // size[1]
    columns = (np.arange(size[0]) * width) // size[0]
    return draw_outlines(out, labels[np.ix_(rows, columns)])

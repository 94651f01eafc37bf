"""Folders of labelled tiles, and datasets, of drawn cells."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from drawn_dataset import labels_of, picture_of
from PIL import Image

SIDE = 96


def write_tiles(folder: Path, names: Iterable[str], first: int = 100, side: int = SIDE) -> Path:
    """Write tiles with these names, whose cells no dataset of ``drawn_dataset`` has."""
    for number, name in enumerate(names, first):
        labels = labels_of(number, side)
        for kind, pixels in (
            ("images", picture_of(labels, number)),
            ("labels", labels.astype(np.uint16)),
        ):
            path = folder / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return folder

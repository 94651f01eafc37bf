"""Images of nuclei of two kinds, with masks that name their classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from napari_pixcell.cells.writing import write_labels

SMALL, LARGE = "small dark", "large pale"
LOOKS = {SMALL: (5, (60, 20, 90)), LARGE: (11, (170, 120, 190))}


def field(seed: int, side: int = 256) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Return an image, its label image and the classes, with nuclei of both kinds."""
    rng = np.random.default_rng(seed)
    image = np.full((side, side, 3), (230, 170, 200), np.uint8)
    labels = np.zeros((side, side), np.uint16)
    classes, y, x = {}, *np.mgrid[:side, :side]
    for number in range((side // 32) ** 2):
        row, column = divmod(number, side // 32)
        name = (SMALL, LARGE)[int(rng.integers(2))]
        radius, colour = LOOKS[name]
        inside = (y - 16 - 32 * row) ** 2 + (x - 16 - 32 * column) ** 2 < radius**2
        image[inside], labels[inside], classes[number + 1] = colour, number + 1, name
    noise = rng.integers(-8, 9, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), labels, classes


def write_pairs(folder: Path, count: int, masks: bool = True, side: int = 256) -> Path:
    """Write images, and masks beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image, labels, classes = field(number, side)
        Image.fromarray(image).save(folder / f"{number}.png")
        if masks:
            write_labels(folder / f"{number}_masks.tif", labels, None, classes)
    return folder

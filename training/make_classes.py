"""Derive three classes of nuclei, and write pairs to train a class-aware control on.

Nobody has named the nuclei of this tissue, so classes are derived from what they look like, field
by field, and only where it is clear. A nucleus whose long axis is at least 1.9 times its short one
is *elongated*. Of the others, a nucleus is *small dark* if it is smaller than the median and its
optical density is at least half a standard deviation above the field's mean, and *large pale* if
it is larger and at least half a standard deviation below. The rest has no class. They are no cell
types.

    python make_classes.py OUT
    napari-pixcell train-control demo-classes --classes --base demo --pairs OUT
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from common import load_breast, load_labels, load_oral, load_skin
from PIL import Image
from skimage.measure import regionprops

from napari_pixcell.cells import segment_nuclei, write_labels

MPP = 0.5
LEAST_UM2 = 10.0  # smaller ones are mostly fragments
ELONGATED = 1.9
CLEARLY = 0.5  # standard deviations of the optical density of a field's nuclei
# Their nuclei, many of them blue, are not segmented well enough.
WITHOUT_MASKS = "OSCC"


def classes_of(image: np.ndarray, labels: np.ndarray) -> dict[int, str]:
    """Return the class of each nucleus of a field."""
    density = -np.log10(np.maximum(image, 1) / 255).mean(axis=-1)
    cells = regionprops(labels, density)
    areas = np.array([cell.area for cell in cells])
    dark = np.array([cell.intensity_mean for cell in cells])
    dark = (dark - dark.mean()) / (dark.std() + 1e-9)
    small = areas < np.median(areas)
    named = {}
    for cell, how_dark, is_small in zip(cells, dark, small, strict=True):
        ratio = cell.axis_major_length / max(cell.axis_minor_length, 1.0)
        if ratio >= ELONGATED:
            named[cell.label] = "elongated"
        elif is_small and how_dark >= CLEARLY:
            named[cell.label] = "small dark"
        elif not is_small and how_dark <= -CLEARLY:
            named[cell.label] = "large pale"
    return named


def main() -> None:
    """Write images and label images with classes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    fields = load_breast(False) | load_skin() | load_oral(False)
    total: Counter[str] = Counter()
    for folder in ("images", "masks"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for name, image in fields.items():
        if name.startswith(WITHOUT_MASKS) or min(image.shape[:2]) < 256:
            continue
        labels = load_labels(name)
        if labels is None:
            labels = segment_nuclei(image, MPP, smallest_um2=LEAST_UM2)
        if labels.max() == 0:
            continue
        named = classes_of(image, labels)
        if not named:
            continue
        total.update(named.values())
        total[""] += len(np.unique(labels)) - 1 - len(named)
        Image.fromarray(image).save(out / "images" / f"{name}.png", dpi=(25_400 / MPP,) * 2)
        write_labels(out / "masks" / f"{name}.tif", labels, MPP, named)
    print(dict(total))


if __name__ == "__main__":
    main()

"""Derive three classes of nuclei, and write pairs to train a class-aware control on.

Nobody has named the nuclei of this tissue, so classes are derived from what they look like: *dark*
if their optical density above the tissue between them is at least half a standard deviation above
the mean of their field, *pale* if it is as far below, and *medium* otherwise. Small dark nuclei
are often those of lymphocytes, and large pale ones those of tumour cells, but these are looks and
no cell types. Size and shape need no class, because the mask shows them.

    python make_classes.py OUT
    napari-pixcell train-control demo-classes --classes --base demo --pairs OUT --steps 1500
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
CLEARLY = 0.5  # standard deviations of the optical density of a field's nuclei
# Their nuclei, many of them blue, are not segmented well enough.
WITHOUT_MASKS = "OSCC"


def classes_of(image: np.ndarray, labels: np.ndarray) -> dict[int, str]:
    """Return the class of each nucleus of a field."""
    density = -np.log10(np.maximum(image, 1) / 255)
    density = (density - np.median(density[labels == 0], axis=0)).mean(axis=-1)
    cells = regionprops(labels, density)
    dark = np.array([cell.intensity_mean for cell in cells])
    dark = (dark - dark.mean()) / (dark.std() + 1e-9)
    names = np.select([dark >= CLEARLY, dark <= -CLEARLY], ["dark", "pale"], "medium")
    return {cell.label: str(name) for cell, name in zip(cells, names, strict=True)}


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
        total.update(named.values())
        Image.fromarray(image).save(out / "images" / f"{name}.png", dpi=(25_400 / MPP,) * 2)
        write_labels(out / "masks" / f"{name}.tif", labels, MPP, named)
    print(dict(total))


if __name__ == "__main__":
    main()

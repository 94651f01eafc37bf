"""Real layouts at 0.5 µm/px for the tests of stamps and inventing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree
from tifffile import imread

from napari_pixcell.cells.inventing.measuring import cell_shapes
from napari_pixcell.cells.segmentation import segment_nuclei
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_MASK


def sample_layout(y: int = 0, x: int = 0, side: int = 512) -> np.ndarray:
    """Part of the bundled sample slide's mask, as the built-in method found it."""
    return imread(SAMPLE_MASK)[y : y + side, x : x + side].astype(np.int32)


def annotated(shared_data: Path, number: int) -> np.ndarray:
    """Nuclei that a pathologist drew."""
    path = shared_data / "tnbc_naylor_subset" / "labels" / f"{number}.png"
    return np.asarray(Image.open(path))[::2, ::2].astype(np.int32)


def segmented(cmu_slide: Path) -> np.ndarray:
    """What the built-in method finds in skin."""
    slide = open_slide(cmu_slide)
    tile = slide.read(Region(854, 1227, 512, 512), 0.5)
    slide.close()
    return segment_nuclei(tile, 0.5)


def nearest_um(labels: np.ndarray, mpp: float = 0.5) -> float:
    """Median distance of a cell's centre to the nearest other."""
    shapes = cell_shapes(labels, mpp)
    points = np.stack([shapes.y_um, shapes.x_um], axis=1)
    return float(np.median(cKDTree(points).query(points, 2)[0][:, 1]))


def gaps_are_kept(labels: np.ndarray) -> bool:
    """Whether no two cells touch, not even over a corner."""
    for a, b in (
        (labels[1:], labels[:-1]),
        (labels[:, 1:], labels[:, :-1]),
        (labels[1:, 1:], labels[:-1, :-1]),
        (labels[1:, :-1], labels[:-1, 1:]),
    ):
        if ((a > 0) & (b > 0) & (a != b)).any():
            return False
    return True

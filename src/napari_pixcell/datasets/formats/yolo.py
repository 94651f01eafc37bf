"""YOLO-seg: PNG images, and a text file of polygons for each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.formats.base import ExportedPair, Format
from napari_pixcell.datasets.splits import TEST, TRAIN, VALIDATION

KEYS = {TRAIN: "train", VALIDATION: "val", TEST: "test"}


class Yolo(Format):
    """Folders ``images/PART`` and ``labels/PART``, and a ``data.yaml`` that names them."""

    name = "yolo"
    words = "YOLO segmentation: images, and polygons in text files"
    how = """\
Train on it with: yolo segment train data=data.yaml
Each line of labels/PART/NAME.txt is a cell: its class, 0, then x and y of its corners relative to
width and height. Lines are in the order of the cells' numbers in the dataset's mask. Polygons
follow the edges of pixels. Holes and separate pieces of a cell are joined to it by a line of zero
width.
"""

    def add(self, pair: ExportedPair) -> dict[str, str]:
        """Write a pair."""
        part, labels = pair.part or TRAIN, pair.labels
        lines = [
            " ".join(["0", *(f"{value:.6g}" for value in ring.ravel().tolist())]) + "\n"
            for ring in rings(labels)
        ]
        return {
            "image": self.put(f"images/{part}/{pair.stem}.png", pair.picture(".png")),
            "labels": self.put(f"labels/{part}/{pair.stem}.txt", "".join(lines).encode()),
        }

    def close(self) -> None:
        """Write ``data.yaml``; without “path” its folders are relative to it."""
        folders = {KEYS[part or TRAIN]: f"images/{part or TRAIN}" for part in self.facts.counts}
        lines = ["# SYNTHETIC tissue, not real; see README.txt"]
        if "val" not in folders:
            lines.append("# Not split: YOLO validates on the training images, which shows nothing.")
            folders["val"] = folders.get("train", f"images/{TRAIN}")
        lines += [f"{key}: {folder}" for key, folder in folders.items()]
        self.put("data.yaml", "\n".join([*lines, "names:", "  0: cell", ""]).encode())


def rings(labels: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Return the outline of each cell as one ring, in the order of their numbers.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image.

    Returns
    -------
    list of array, (corners, 2)
        x and y relative to width and height. Filled by the even-odd rule, they reproduce the
        cells.
    """
    import shapely

    from napari_pixcell.cells.outlines import outlines_of

    size = np.array(labels.shape[::-1], float)
    parts, cell = shapely.get_parts(outlines_of(labels).polygons, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    joined: list[NDArray[np.float64]] = []
    for ring, owner in zip(rings, cell[part].tolist(), strict=True):
        corners = shapely.get_coordinates(ring)[:-1]
        if owner == len(joined):
            joined.append(corners)
        else:
            joined[owner] = _join(joined[owner], corners)
    return [one / size for one in joined]


def _join(ring: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """Insert a ring into another, connected along the edges of pixels."""
    distance = np.abs(ring[:, None] - other[None]).sum(axis=2)
    here, there = np.unravel_index(int(distance.argmin()), distance.shape)
    start, end = ring[here], other[there]
    corner = np.array([end[0], start[1]])  # a diagonal could cross the centres of pixels
    around = np.concatenate([other[there:], other[: there + 1]])
    return np.concatenate([ring[: here + 1], [corner], around, [corner], ring[here:]])

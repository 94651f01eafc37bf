"""YOLO-seg: PNG images, and a text file of polygons for each."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.layout import areas
from napari_pixcell.datasets.formats.base import CELL, ExportedPair, Format
from napari_pixcell.datasets.splits import TEST, TRAIN, VALIDATION

INSET = 0.25  # px from the edges of pixels
BESIDE = 0.375  # px from the top of a row of pixels
KEYS = {TRAIN: "train", VALIDATION: "val", TEST: "test"}


class Yolo(Format):
    """Folders ``images/PART`` and ``labels/PART``, and a ``data.yaml`` that names them."""

    name = "yolo"
    how = """\
Train on it with: yolo segment train data=data.yaml
Each line of labels/PART/NAME.txt is a cell: the number of its class in data.yaml, then x and y of
its corners relative to width and height. Lines are in the order of the cells' numbers in the
dataset's mask. Polygons run inside the outermost pixels of a cell, so that Ultralytics draws
exactly its pixels at the images' own size (imgsz). Holes are kept: a line of zero width joins them
to the cell's edge. The format has one polygon per cell, so separate pieces are joined by a line one
pixel wide.
"""

    def add(self, pair: ExportedPair) -> dict[str, str]:
        """Write a pair."""
        part, labels = pair.part or TRAIN, pair.labels
        numbers = [
            self.facts.category(pair.classes.get(label, CELL))
            for label in areas(labels)[0].tolist()
        ]
        lines = [
            " ".join([str(number), *(f"{value:.6g}" for value in ring.ravel().tolist())]) + "\n"
            for number, ring in zip(numbers, rings(labels), strict=True)
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
        names = [  # JSON is YAML
            f"  {number}: {name if name == CELL else json.dumps(name)}"
            for number, name in enumerate(self.facts.categories)
        ]
        self.put("data.yaml", "\n".join([*lines, "names:", *names, ""]).encode())


def rings(labels: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Return the outline of each cell as one ring, in the order of their numbers.

    Ultralytics cuts off the fractions of a polygon's pixel coordinates and fills it together with
    its border (``polygon2mask`` in ``ultralytics/data/utils.py``). Corners lie a quarter of a
    pixel inside the cell, so that they are cut to its outermost pixels and none is added. Programs
    that fill the pixels whose centres are inside draw the same cells.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image.

    Returns
    -------
    list of array, (corners, 2)
        x and y relative to width and height.
    """
    import shapely

    from napari_pixcell.cells.outlines import outlines_of

    size = np.array(labels.shape[::-1], float)
    joined = []
    for number, cell in zip(areas(labels)[0], outlines_of(labels).polygons, strict=True):
        pieces = [
            _with_holes([_inset(ring, labels, number) for ring in (one.exterior, *one.interiors)])
            for one in shapely.get_parts(cell)
        ]
        ring, *others = pieces
        for other in others:
            ring = _with_piece(ring, other)
        joined.append(ring / size)
    return joined


def _inset(ring: Any, labels: NDArray[Any], number: int) -> NDArray[np.float64]:
    """Return the corners of a ring along pixel edges, moved into the cell on its right."""
    corners = np.asarray(ring.coords, float)[:-1]
    ahead = np.sign(np.roll(corners, -1, axis=0) - corners)
    behind = np.roll(ahead, 1, axis=0)
    right = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    before = np.roll(right, 1, axis=0)
    moved: NDArray[np.float64] = corners + INSET * (before + right)
    column, row = np.floor(moved).astype(int).T
    pinched = labels[row, column] != number  # two pixels of the cell that meet at a corner only
    both: NDArray[np.float64] = np.stack([moved, moved], axis=1)
    both[pinched, 0] = (corners + INSET * (before - behind))[pinched]
    both[pinched, 1] = (corners + INSET * (right + ahead))[pinched]
    moved = both[np.stack([np.ones_like(pinched), pinched], axis=1)]
    return moved


def _with_holes(rings: list[NDArray[Any]]) -> NDArray[Any]:
    """Return an outer ring joined to its holes by lines within the cell.

    Each line runs left from the hole's leftmost edge until it meets the outer ring or a hole
    that was joined before, because holes are joined from left to right.
    """
    outer, *holes = rings
    for hole in sorted(holes, key=lambda ring: float(ring[:, 0].min())):
        x = hole[:, 0].min()
        ends = np.stack([hole, np.roll(hole, -1, axis=0)])
        edge = int(np.flatnonzero((ends[..., 0] == x).all(axis=0))[0])
        # In the first row of pixels of that edge, and beside their centres
        y = np.floor(ends[:, edge, 1].min() + 2 * INSET) + BESIDE
        starts, stops = outer, np.roll(outer, -1, axis=0)
        crossed = (starts[:, 0] == stops[:, 0]) & (starts[:, 0] < x)
        crossed &= (starts[:, 1] < y) != (stops[:, 1] < y)
        hit = np.flatnonzero(crossed)
        here = int(hit[starts[hit, 0].argmax()])
        near, far = [[outer[here, 0], y]], [[x, y]]
        around = np.concatenate([far, hole[edge + 1 :], hole[: edge + 1], far])
        outer = np.concatenate([outer[: here + 1], near, around, near, outer[here + 1 :]])
    return outer


def _with_piece(ring: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """Return a ring joined to another piece by a line between their nearest corners."""
    from scipy.spatial import KDTree

    distance, nearest = KDTree(ring).query(other)
    there = int(distance.argmin())
    here = int(nearest[there])
    around = np.concatenate([other[there:], other[: there + 1]])
    return np.concatenate([ring[: here + 1], around, ring[here:]])

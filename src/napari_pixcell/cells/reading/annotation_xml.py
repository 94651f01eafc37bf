"""XML of Aperio ImageScope and of ASAP."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import shapely

from napari_pixcell.cells.reading.gathering import CellsFile, Gatherer
from napari_pixcell.cells.reading.geojson import LINES_WORDS
from napari_pixcell.cells.reading.plain import number
from napari_pixcell.cells.reading.shapes import SIMPLE, Ring, ellipse, rectangle
from napari_pixcell.cells.reading.xml_events import END, START, Attributes, elements, in_pixels

RECTANGLE, ELLIPSE = "1", "2"  # types of Aperio's regions
LINES = ("3", "4", "5")  # arrows, rulers, points
UNNAMED = ("", "none", "description")
HOLES = "of holes outside of cells"


def read_aperio(path: Path) -> CellsFile:
    """Read ``Annotations/Annotation/Regions/Region/Vertices/Vertex``, as in MoNuSeg and MoNuSAC.

    Each layer may name a class, and so may each region. Negative regions are holes. Vertices count
    level-0 pixels whatever ``MicronsPerPixel`` says: it is often rounded, or the scanner's.
    """
    gatherer = Gatherer()
    layer, in_region = _Layer(gatherer), False
    for event, tag, attributes in elements(path):
        if event == END:
            if tag == "region" and in_region:
                layer.close_region()
                in_region = False
            elif tag == "annotation":
                layer.close()
            continue
        if tag == "annotation":
            layer = _Layer(gatherer, _named(attributes.get("name")))
        elif tag == "region":
            layer.open_region(attributes)
            in_region = True
        elif tag == "vertex" and in_region:
            layer.points.append(in_pixels(attributes))
        elif tag == "attribute" and not in_region and not layer.name:
            # ImageScope's “Description” has a value; MoNuSAC names the class itself.
            layer.name = _named(attributes.get("name")) or _named(attributes.get("value"))
    return gatherer.finish(path.name)


class _Layer:
    """The regions of an annotation layer, with their holes."""

    def __init__(self, gatherer: Gatherer, name: str = "") -> None:
        self.gatherer, self.name = gatherer, name
        self.points: list[tuple[float, float]] = []
        self._region: Attributes = {}
        self._shells: list[tuple[Ring, str]] = []
        self._holes: list[Ring] = []

    def open_region(self, attributes: Attributes) -> None:
        self._region, self.points = attributes, []

    def close_region(self) -> None:
        kind, points = self._region.get("type", "0").strip(), np.array(self.points, float)
        if kind in LINES:
            self.gatherer.drop(LINES_WORDS)
            return
        if kind in (RECTANGLE, ELLIPSE) and len(points) >= 2:
            (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
            if kind == ELLIPSE:
                across, down = (right - left) / 2, (bottom - top) / 2
                points = ellipse(left + across, top + down, across, down)
            elif len(points) == 2:
                points = rectangle(left, top, right, bottom)
            self.gatherer.changed[SIMPLE] += 1
        if self._region.get("negativeroa", "0").strip() == "1":
            self._holes.append(points)
        else:
            self._shells.append((points, _named(self._region.get("text")) or self.name))

    def close(self) -> None:
        """Pass the regions to the gatherer, each with the holes that begin inside it."""
        holes: dict[int, list[Ring]] = {}
        for owner, hole in zip(self._owners(), self._holes, strict=True):
            if owner < 0:
                self.gatherer.drop(HOLES)
            else:
                holes.setdefault(owner, []).append(hole)
        for place, (shell, name) in enumerate(self._shells):
            self.gatherer.add([[shell, *holes.get(place, ())]], name)
        self._shells, self._holes = [], []

    def _owners(self) -> list[int]:
        """Return the smallest region that holds the first corner of each hole; -1 for none."""
        if not self._holes:
            return []
        usable = [
            place
            for place, (shell, _) in enumerate(self._shells)
            if len(shell) > 2 and np.isfinite(shell).all()
        ]
        shapes = np.array([shapely.Polygon(self._shells[place][0]) for place in usable], object)
        tree, areas = shapely.STRtree(shapes), shapely.area(shapes)
        owners = []
        for hole in self._holes:
            if not len(hole) or not np.isfinite(hole[0]).all():
                owners.append(-1)
                continue
            found = tree.query(shapely.Point(hole[0]), predicate="intersects")
            owners.append(usable[found[areas[found].argmin()]] if len(found) else -1)
        return owners


def read_asap(path: Path) -> CellsFile:
    """Read the polygons of ``ASAP_Annotations``, with groups as classes."""
    gatherer = Gatherer()
    annotation: Attributes = {}
    points: list[tuple[float, float, float]] = []  # order, x, y
    for event, tag, attributes in elements(path):
        if event == START and tag == "annotation":
            annotation, points = attributes, []
        elif event == START and tag == "coordinate":
            order = number(attributes.get("order", len(points)))
            points.append((order, *in_pixels(attributes)))
        elif event == END and tag == "annotation":
            kind = annotation.get("type", "polygon").lower()
            if kind not in ("polygon", "spline", "rectangle"):
                gatherer.drop(LINES_WORDS)
                continue
            gatherer.add([[_in_order(points)]], _named(annotation.get("partofgroup")))
    return gatherer.finish(path.name)


def _in_order(points: Iterable[tuple[float, float, float]]) -> Ring:
    values = np.array(list(points), float).reshape(-1, 3)
    if np.isfinite(values[:, 0]).all():
        values = values[np.argsort(values[:, 0], kind="stable")]
    return values[:, 1:]


def _named(value: str | None) -> str:
    """Return a class name; empty for one that names nothing."""
    name = (value or "").strip()
    return "" if name.lower() in UNNAMED else name

"""Write some cells of the bundled sample slide in every format that can be imported.

    python training/make_sample_cells.py

Coordinates of GeoJSON, HoVer-Net and CellViT start at the slide's corner. The other files are
images of one region: x 800, y 640, 160 × 128 px. The files are written by the libraries of the
formats. Small and large cells form two classes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask
from roifile import ImagejRoi, roiwrite
from skimage.measure import regionprops
from skimage.segmentation import relabel_sequential
from tifffile import imread

from napari_pixcell.cells import outlines_of, write_cellpose, write_geojson, write_labels
from napari_pixcell.slides.samples import SAMPLE_MASK

OUT = Path(__file__).parents[1] / "sample_data" / "cells"
X, Y, WIDTH, HEIGHT = 800, 640, 160, 128
LARGE = 150  # px
NAMES = {1: "Tumor", 2: "Immune cells"}


def contour(labels: NDArray[Any], number: int) -> list[list[int]]:
    """Return the outer contour of a cell for HoVer-Net and CellViT, in level-0 pixels."""
    found, _ = cv2.findContours(
        (labels == number).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    return (max(found, key=len)[:, 0] + (X, Y)).tolist()


def coco(labels: NDArray[Any], types: dict[int, int]) -> dict[str, Any]:
    """Return polygons, or run lengths for cells that polygons cannot describe."""
    annotations: list[dict[str, Any]] = []
    for number, shape in enumerate(outlines_of(labels).polygons, 1):
        if shape.geom_type == "Polygon" and not shape.interiors:
            segmentation: Any = [np.ravel(shape.exterior.coords).tolist()]
        else:
            segmentation = coco_mask.encode(np.asfortranarray(labels == number).astype(np.uint8))
            segmentation["counts"] = segmentation["counts"].decode()
        annotations.append(
            {"id": number, "image_id": 1, "category_id": types[number], "iscrowd": 0}
            | {"segmentation": segmentation}
        )
    return {
        "images": [{"id": 1, "file_name": "sample_region.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": number, "name": name} for number, name in NAMES.items()],
        "annotations": annotations,
    }


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    labels = imread(SAMPLE_MASK)[Y : Y + HEIGHT, X : X + WIDTH]
    labels = relabel_sequential(labels)[0].astype(np.uint16)
    areas = {region.label: region.area for region in regionprops(labels)}
    types = {number: 1 if area > LARGE else 2 for number, area in areas.items()}
    outlines = outlines_of(labels, {number: NAMES[kind] for number, kind in types.items()})

    write_labels(OUT / "labels.tif", labels, 0.5)
    write_labels(OUT / "labels.ome.tif", labels, 0.5)
    np.save(OUT / "labels.npy", labels)
    Image.fromarray(labels).save(OUT / "labels.png")
    apart = labels > 0
    for axis in (0, 1):  # a gap of one pixel between neighbours
        apart &= ~((np.roll(labels, 1, axis) > 0) & (np.roll(labels, 1, axis) != labels))
    Image.fromarray(apart.astype(np.uint8) * 255).save(OUT / "mask.png")
    write_cellpose(OUT / "sample_seg.npy", labels)
    write_geojson(OUT / "qupath.geojson", outlines, (X, Y))
    write_geojson(OUT / "qupath.geojson.gz", outlines, (X, Y))

    cells = {
        number: {"contour": contour(labels, number), "type": types[number]} for number in areas
    }
    (OUT / "hovernet.json").write_text(json.dumps({"mag": 20, "nuc": cells}))
    type_map = {str(number): name for number, name in NAMES.items()}
    value = {"type_map": type_map, "cells": list(cells.values())}
    (OUT / "cellvit.json").write_text(json.dumps(value))
    (OUT / "coco.json").write_text(json.dumps(coco(labels, types)))

    rois = []
    for shape, kind in zip(outlines.polygons, types.values(), strict=True):
        points = max(getattr(shape, "geoms", [shape]), key=lambda part: part.area).exterior.coords
        roi = ImagejRoi.frompoints(np.asarray(points)[:-1].astype(np.int32))
        roi.group = kind
        rois.append(roi)
    (OUT / "imagej.zip").unlink(missing_ok=True)
    roiwrite(OUT / "imagej.zip", rois, name=[f"cell {n}" for n in areas])
    rois[0].tofile(OUT / "imagej.roi")


if __name__ == "__main__":
    main()

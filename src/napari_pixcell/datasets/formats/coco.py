"""COCO instances: PNG images, and one JSON file per part with the cells as RLE."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.formats.base import CELL, ExportedPair, Format, under


class Coco(Format):
    """A folder of images and a file of instances for each part."""

    name = "coco"
    how = """\
Open annotations/instances….json with pycocotools or software based on it. The images are in the
folder “images” of their part. Cells are compressed RLE, which preserves holes and separate pieces.
“label” is a cell's number in the dataset's mask.
"""

    def begin(self) -> None:
        """Create a file for each part, even if it has no cells."""
        (self.folder / "annotations").mkdir()
        for part in self.facts.counts:
            for what in ("images", "cells"):
                (self.folder / _rows_of(part, what)).touch()

    def add(self, pair: ExportedPair) -> dict[str, str]:
        """Write a pair."""
        name, labels, number = f"{pair.stem}.png", pair.labels, pair.row["index"] + 1
        path = self.put(under(pair.part, "images", name), pair.picture(".png"))
        height, width = labels.shape
        image = {"id": number, "file_name": name, "height": height, "width": width, "license": 1}
        self._end(pair.part, "images", [image | {"synthetic": True}])
        cells = []
        for cell in instances(labels):
            category = 1 + self.facts.category(pair.classes.get(cell["label"], CELL))
            cells.append({"image_id": number, "category_id": category, "iscrowd": 0, **cell})
        self._end(pair.part, "cells", cells)
        return {"image": path, "annotations": _file_of(pair.part)}

    def close(self) -> None:
        """Join images and cells in one file for each part."""
        described = self.facts.description
        info = {
            "description": f"{described.name}: SYNTHETIC tissue, not real. {described.notice}",
            "date_created": described.created,
        }
        licences = [{"id": 1, "name": described.licence, "url": ""}]
        categories = [
            {"id": number, "name": name, "supercategory": CELL}
            for number, name in enumerate(self.facts.categories, 1)
        ]
        head = {"info": info, "licenses": licences, "categories": categories}
        for part in self.facts.counts:
            with (self.folder / _file_of(part)).open("w", encoding="utf-8") as file:
                file.write(json.dumps(head, ensure_ascii=False)[:-1])
                for name, what in (("images", "images"), ("annotations", "cells")):
                    file.write(f',\n"{name}": [')
                    rows = self.folder / _rows_of(part, what)
                    with rows.open(encoding="utf-8") as lines:
                        for number, line in enumerate(lines, 1):
                            # Cells are numbered here, because their rows came image by image.
                            line = line if what == "images" else f'{{"id": {number}, {line[1:]}'
                            file.write(("\n" if number == 1 else ",\n") + line.rstrip("\n"))
                    file.write("]")
                    rows.unlink()
                file.write("}\n")

    def _end(self, part: str, what: str, rows: Iterable[dict[str, Any]]) -> None:
        self.end(_rows_of(part, what), "".join(json.dumps(row) + "\n" for row in rows).encode())


def _rows_of(part: str, what: str) -> str:
    return f"annotations/{part}.{what}.part"


def _file_of(part: str) -> str:
    return f"annotations/{'_'.join(filter(None, ('instances', part)))}.json"


def instances(labels: NDArray[Any]) -> Iterator[dict[str, Any]]:
    """Iterate over the cells of a label image, (height, width), as COCO annotations.

    Each has ``segmentation`` (compressed RLE), ``bbox``, ``area``, and its number as ``label``.
    """
    from pycocotools import mask

    flat = labels.T.ravel()  # COCO is column-major
    starts = np.flatnonzero(np.diff(flat.astype(np.int64), prepend=-1))
    ends = np.append(starts[1:], flat.size)
    number = flat[starts]
    order = np.argsort(number, kind="stable")
    order = order[number[order] != 0]
    if not len(order):
        return
    number, starts, ends = number[order], starts[order], ends[order]
    first = np.flatnonzero(np.diff(number.astype(np.int64), prepend=0))
    runs = []
    for some in np.split(np.stack([starts, ends], 1), first[1:]):
        edges = np.concatenate([[0], some.ravel(), [flat.size]])
        runs.append({"size": list(labels.shape), "counts": np.diff(edges).tolist()})
    packed = mask.frPyObjects(runs, *labels.shape)
    boxes, areas = mask.toBbox(packed).tolist(), mask.area(packed).tolist()
    for label, one, box, area in zip(number[first].tolist(), packed, boxes, areas, strict=True):
        segmentation = {"size": one["size"], "counts": one["counts"].decode()}
        yield {"label": label, "segmentation": segmentation, "bbox": box, "area": area}

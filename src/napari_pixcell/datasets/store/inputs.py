"""The styles and layouts of a dataset, and their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.marks import synthetic_tiff
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.serialization import to_json
from napari_pixcell.untrusted import read_bounded, read_npy

MOST_EMBEDDING_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class DatasetStyle:
    """A style of a dataset.

    Its group is the number of the slide or picture that it came from; the groups of a blend are
    joined by “+”. A split keeps a group together.
    """

    number: int
    name: str  # for people; reveals no file
    group: str
    embedding: NDArray[np.float32] | None  # (rows, columns, dimension); None is the unconditional
    look: dict[str, float] = field(default_factory=dict)  # of its tissue, for the checks
    source: dict[str, Any] = field(default_factory=dict)  # for records: region and pixel size
    colours: TissueColours | None = None  # of its tissue, for the colour match


@dataclass(frozen=True, eq=False)
class DatasetLayout:
    """A layout of a dataset.

    Its group is shared by the variations of a layout, or by layouts and styles of the same tissue.
    A split keeps a group together.
    """

    number: int
    name: str
    group: str
    labels: NDArray[Any]  # instance label image: unsigned integers, (height, width)
    made: LayoutSource = field(default_factory=lambda: LayoutSource("imported"))
    style: int | None = None  # number of the style that matches it
    classes: dict[int, str] = field(default_factory=dict)  # class names by label, where known

    @property
    def named(self) -> JsonRow:
        """The classes as part of a row; nothing if there are none."""
        names = {str(label): name for label, name in self.classes.items()}
        return {"classes": names} if names else {}


def write_style(folder: Path, style: DatasetStyle, sync: bool = True) -> JsonRow:
    """Write the file of a style to the folder of its dataset, and return its row.

    ``sync`` is that of :func:`~napari_pixcell.files.write_whole`.
    """
    file = None
    if style.embedding is not None:
        file = f"styles/{style.number:06}.npy"
        (folder / "styles").mkdir(exist_ok=True)
        write_whole(folder / file, lambda path: _save_array(path, style.embedding), sync=sync)
    row = {"number": style.number, "name": style.name, "group": style.group, "file": file}
    row |= {"look": style.look, "source": style.source}
    if style.colours is not None:
        row["colours"] = to_json(style.colours)
    return row


def read_style(folder: Path, row: JsonRow) -> DatasetStyle:
    """Read a style of a dataset from its checked row.

    Raises
    ------
    PixCellError
        If its file is missing or damaged.
    """
    embedding = None
    if row["file"]:
        path = folder / row["file"]
        data = read_bounded(path, MOST_EMBEDDING_BYTES, "style")
        embedding = read_npy(data, path.name, MOST_EMBEDDING_BYTES)
        if embedding.dtype != np.float32 or embedding.ndim not in (2, 3) or not embedding.size:
            raise PixCellError(f"{row['file']} holds no embedding. Restore it from a copy.")
        if not np.isfinite(embedding).all():
            raise PixCellError(f"{row['file']} is damaged. Restore it from a copy.")
    names = ("number", "name", "group", "look", "source", "colours")
    known = {name: row[name] for name in names}
    return DatasetStyle(embedding=embedding, **known)


def layout_file(number: int) -> str:
    """Return the path of the file of a layout in the folder of its dataset."""
    return f"layouts/{number:06}.tif"


def write_layout(folder: Path, layout: DatasetLayout, mpp: float) -> JsonRow:
    """Write the file of a layout to the folder of its dataset, and return its row.

    ``mpp`` is its pixel size in µm.
    """
    file = layout_file(layout.number)
    (folder / "layouts").mkdir(exist_ok=True)
    write_whole(folder / file, synthetic_tiff(layout.labels, mpp, layout.classes))
    row = {"number": layout.number, "name": layout.name, "group": layout.group, "file": file}
    made = {"made": layout.made.to_dict(), "style": layout.style}
    return row | {"cells": count_cells(layout.labels)} | made | layout.named


def classes_in(labels: NDArray[Any], classes: Mapping[int, str]) -> dict[int, str]:
    """Return the class names of the cells that an instance label image holds."""
    found = np.unique(labels).tolist() if classes else []
    return {label: classes[label] for label in found if label in classes}


def count_cells(labels: NDArray[Any]) -> int:
    """Return the number of cells of an instance label image."""
    return int(np.count_nonzero(np.unique(labels)))


def _save_array(path: Path, array: Any) -> None:
    with path.open("wb") as file:
        np.save(file, array)

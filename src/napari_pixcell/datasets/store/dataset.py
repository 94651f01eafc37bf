"""A dataset on disk: its description, styles, layouts, pairs, and their files.

    dataset.json     name, family, settings, plan, checks: see :class:`Description`
    styles.jsonl     a row for each style; styles/NUMBER.npy holds its embedding
    layouts.jsonl    a row for each layout; layouts/NUMBER.tif holds its cells
    manifest.jsonl   a row for each pair, in the order in which they were generated
    images/ masks/   the pairs
    apart/images/ …  flagged pairs
    decisions.jsonl  see :mod:`~napari_pixcell.datasets.store.decisions`

A row is added to the manifest only after its files are complete. All paths in it are relative.
Nothing in the folder names a path, a slide file or a person.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.marks import synthetic_tiff
from napari_pixcell.datasets.store.checks import Checks
from napari_pixcell.datasets.store.decisions import now
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.datasets.store.rows import JsonRow, append_rows, read_rows
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.serialization import from_json, to_json

SCHEMA = 1
KEY = "napari-pixcell dataset"
DESCRIPTION, MANIFEST = "dataset.json", "manifest.jsonl"
STYLES, LAYOUTS = "styles.jsonl", "layouts.jsonl"
APART = "apart"
DAMAGED = f"{DESCRIPTION} is damaged. Restore it from a copy, or make the dataset again."


@dataclass(frozen=True)
class PairSettings:
    """Settings of each pair, see :class:`~napari_pixcell.engine.request_values.GenerateRequest`."""

    steps: int
    guidance: float
    layout_strength: float = 1.0
    layout_until: float = 1.0
    preset: str = "exact"


@dataclass(frozen=True)
class Description:
    """Everything about a dataset that is not a pair.

    The plan is that of :meth:`Plan.to_dict`, and None until styles and layouts are prepared.
    Weights, versions and device are those in the record of the first pair. The segmenter is the
    method that segmented the images, as :meth:`LayoutSource.to_dict` returned it.
    """

    name: str  # for people
    family: str
    mpp: float  # of the images, in µm
    size: tuple[int, int]  # height and width of the images, in px
    settings: PairSettings
    checks: Checks = field(default_factory=Checks)
    plan: dict[str, Any] | None = None
    picture: str = "png"  # file format of the images: “png” or “tiff”
    weights: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    device: str = ""
    licence: str = ""
    notice: str = ""
    segmenter: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)  # unique to this dataset
    created: str = field(default_factory=now)  # ISO 8601, UTC

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {KEY: SCHEMA, "synthetic": True, **to_json(self)}

    @classmethod
    def from_dict(cls, value: Any) -> Description:
        """Read what :meth:`to_dict` returned."""
        schema = value.get(KEY) if isinstance(value, dict) else None
        if schema is None:
            raise PixCellError(
                f"{DESCRIPTION} does not describe a dataset. Choose a folder that “dataset make” "
                "wrote."
            )
        if schema != SCHEMA:
            raise PixCellError(
                f"This dataset was written by another version of napari-pixcell (format {schema}, "
                f"this one reads {SCHEMA}). Update napari-pixcell."
            )
        given = {k: v for k, v in value.items() if k not in (KEY, "synthetic")}
        return from_json(cls, given, DAMAGED)


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


class Dataset:
    """A dataset in a folder.

    Parameters
    ----------
    folder : Path
        As :meth:`create` made it.

    Raises
    ------
    PixCellError
        If it holds no dataset, or one of another version.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        path = self.folder / DESCRIPTION
        try:
            value = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise PixCellError(
                f"There is no dataset in {self.folder.name}. Choose a folder that “dataset make” "
                "wrote."
            ) from None
        except (OSError, ValueError):
            raise PixCellError(DAMAGED) from None
        self.description = Description.from_dict(value)

    @classmethod
    def create(cls, folder: Path | str, description: Description) -> Dataset:
        """Create a dataset in an empty or new folder.

        Raises
        ------
        PixCellError
            If the folder is not empty.
        """
        folder = Path(folder)
        check_free(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / DESCRIPTION, _json(description))
        return cls(folder)

    def describe(self, **changes: Any) -> None:
        """Change the description."""
        self.description = replace(self.description, **changes)
        write_whole(self.folder / DESCRIPTION, _json(self.description))

    @cached_property
    def plan(self) -> Plan:
        """The planned pairs; known once styles and layouts are prepared."""
        if self.description.plan is None:
            raise PixCellError(
                f"The styles and layouts of {self.folder.name} are not complete yet. Resume it."
            )
        matches: tuple[int, ...] = ()
        if self.description.plan["pairing"] == "matched":
            matches = tuple(row["style"] for row in self.layout_rows())
        return Plan(**self.description.plan, matches=matches)

    # -- styles and layouts ----------------------------------------------------------------

    def add_style(self, style: DatasetStyle) -> None:
        """Store a style."""
        file = None
        if style.embedding is not None:
            file = f"styles/{style.number:06}.npy"
            (self.folder / "styles").mkdir(exist_ok=True)
            write_whole(self.folder / file, lambda path: _save_array(path, style.embedding))
        row = {"number": style.number, "name": style.name, "group": style.group, "file": file}
        append_rows(self.folder / STYLES, [row | {"look": style.look, "source": style.source}])

    def add_layout(self, layout: DatasetLayout) -> None:
        """Store a layout."""
        file = f"layouts/{layout.number:06}.tif"
        (self.folder / "layouts").mkdir(exist_ok=True)
        write_whole(self.folder / file, synthetic_tiff(layout.labels, self.description.mpp))
        row = {"number": layout.number, "name": layout.name, "group": layout.group, "file": file}
        made = {"made": layout.made.to_dict(), "style": layout.style}
        append_rows(self.folder / LAYOUTS, [row | {"cells": count_cells(layout.labels)} | made])

    def style_rows(self) -> Iterator[JsonRow]:
        """Iterate over the rows of the styles by number: number, name, group, file, look."""
        return read_rows(self.folder / STYLES)

    def layout_rows(self) -> Iterator[JsonRow]:
        """Iterate over the rows of the layouts: number, name, group, file, cells, made, style."""
        return read_rows(self.folder / LAYOUTS)

    def style(self, row: JsonRow) -> DatasetStyle:
        """Read a style from its row."""
        embedding = np.load(self.folder / row["file"]) if row["file"] else None
        known = {name: row[name] for name in ("number", "name", "group", "look", "source")}
        return DatasetStyle(embedding=embedding, **known)

    def layout(self, row: JsonRow) -> DatasetLayout:
        """Read a layout from its row."""
        labels = read_mask(self.folder / row["file"])
        made = LayoutSource.from_dict(row["made"])
        return DatasetLayout(row["number"], row["name"], row["group"], labels, made, row["style"])

    # -- pairs -----------------------------------------------------------------------------

    def rows(self) -> Iterator[JsonRow]:
        """Iterate over the rows of the pairs, in the order in which they were generated.

        Each has ``index``, ``image`` and ``mask`` (paths in the folder; mask None without a
        layout), ``style`` and ``layout`` (numbers), ``seed``, ``cells``, ``scores`` (see
        :data:`~napari_pixcell.datasets.store.checks.SCORES`), ``flags`` (list of
        :data:`~napari_pixcell.datasets.store.checks.FLAGS`), ``files`` (sha256 of each file) and
        ``pixels`` (sha256 of the image's pixels).
        """
        return (row for row in read_rows(self.folder / MANIFEST) if "index" in row)

    def image(self, row: JsonRow) -> NDArray[np.uint8]:
        """Read the image of a pair: uint8, (height, width, 3)."""
        return read_image(self.folder / row["image"])

    def mask(self, row: JsonRow) -> NDArray[Any] | None:
        """Read the mask of a pair: unsigned integers, (height, width); None without one."""
        return read_mask(self.folder / row["mask"]) if row["mask"] else None


def check_free(folder: Path) -> None:
    """Raise PixCellError if a folder is not empty; hidden leftovers of an early kill may stay."""
    if folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise PixCellError(
            f"The folder {folder.name} is not empty. Choose a new one for the dataset, or resume "
            "the dataset in it."
        )


def count_cells(labels: NDArray[Any]) -> int:
    """Return the number of cells of an instance label image."""
    return int(np.count_nonzero(np.unique(labels)))


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image of a dataset: uint8, (height, width, 3)."""
    if path.suffix == ".png":
        from PIL import Image

        with Image.open(path) as image:
            return np.asarray(image)
    return np.asarray(read_mask(path), np.uint8)


def read_mask(path: Path) -> NDArray[Any]:
    """Read a mask of a dataset: uint16 or uint32, (height, width)."""
    from tifffile import imread

    return np.asarray(imread(path))


def _json(description: Description) -> str:
    return json.dumps(description.to_dict(), indent=1, ensure_ascii=False) + "\n"


def _save_array(path: Path, array: Any) -> None:
    with path.open("wb") as file:
        np.save(file, array)

"""A dataset on disk: what it was made of, its pairs, and their files.

    dataset.json     name, family, settings, plan, checks: see :class:`Description`
    styles.jsonl     a row for each style; styles/NUMBER.npy holds its embedding
    layouts.jsonl    a row for each layout; layouts/NUMBER.tif holds its cells
    manifest.jsonl   a row for each pair, in the order in which they were made
    images/ masks/   the pairs
    apart/images/ …  those that a check flagged
    decisions.jsonl  what a person decided, see :mod:`~napari_pixcell.datasets.store.decisions`

A row of the manifest is there once its files are. All paths in it are relative, and nothing in the
folder names a path, a slide's file or a person.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.checks import Checks
from napari_pixcell.datasets.recipe.plan import Plan
from napari_pixcell.datasets.store.rows import Row, append_rows, read_rows
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole

SCHEMA = 1
DESCRIPTION, STYLES, LAYOUTS, MANIFEST = (
    "dataset.json",
    "styles.jsonl",
    "layouts.jsonl",
    "manifest.jsonl",
)
APART = "apart"


def now() -> str:
    """Give the time as rows hold it: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Settings:
    """How each pair is generated, see :class:`~napari_pixcell.engine.request.GenerateRequest`."""

    steps: int
    guidance: float
    layout_strength: float = 1.0
    layout_until: float = 1.0
    preset: str = "exact"


@dataclass(frozen=True)
class Description:
    """What a dataset is: everything about it that is not a pair.

    Parameters
    ----------
    name : str
        For people.
    family : str
        Of the models.
    mpp : float
        Pixel size of its pictures in µm.
    size : (height, width)
        Of its pictures in px.
    settings : Settings
    checks : Checks
    plan : dict, optional
        What :meth:`Plan.to_dict` gave; None while styles and layouts are being prepared.
    picture : str
        ``png`` or ``tiff``.
    weights, versions : dict of str to str
        As in a record; of the first pair.
    device, licence, notice : str
        Likewise.
    segmenter : dict
        What looked for cells in the images, with the hash and licence of its weights: what
        :meth:`LayoutSource.to_dict` gave.
    id : str
        Of this dataset alone.
    created : str
        Time, ISO 8601, UTC.
    """

    name: str
    family: str
    mpp: float
    size: tuple[int, int]
    settings: Settings
    checks: Checks = field(default_factory=Checks)
    plan: dict[str, Any] | None = None
    picture: str = "png"
    weights: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    device: str = ""
    licence: str = ""
    notice: str = ""
    segmenter: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: str = field(default_factory=now)

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value."""
        value = asdict(self) | {"size": list(self.size), "checks": self.checks.to_dict()}
        return {"napari-pixcell dataset": SCHEMA, "synthetic": True, **value}

    @classmethod
    def from_dict(cls, value: Any) -> Description:
        """Read what :meth:`to_dict` gave."""
        schema = value.get("napari-pixcell dataset") if isinstance(value, dict) else None
        if schema is None:
            raise PixCellError(
                f"{DESCRIPTION} does not describe a dataset; choose a folder that “dataset make” "
                "wrote."
            )
        if schema != SCHEMA:
            raise PixCellError(
                f"This dataset was written by another version of napari-pixcell (format {schema}, "
                f"this one reads {SCHEMA}); update napari-pixcell."
            )
        given = {k: v for k, v in value.items() if k not in ("napari-pixcell dataset", "synthetic")}
        try:
            given["settings"] = Settings(**given["settings"])
            given["checks"] = Checks.from_dict(given["checks"])
            given["size"] = tuple(int(n) for n in given["size"])
            return cls(**given)
        except (KeyError, TypeError, ValueError) as error:
            raise PixCellError(
                f"{DESCRIPTION} is damaged; restore it from a copy, or make the dataset again."
            ) from error


@dataclass(frozen=True, eq=False)
class Style:
    """A style of a dataset.

    Parameters
    ----------
    number : int
    name : str
        For people; says nothing of files.
    group : str
        Which slide or picture it came from, as a number of no meaning elsewhere; a split never
        parts a group. Those of a blend are joined by “+”.
    embedding : array, float32, (rows, columns, dimension), optional
        None for “nothing”, the unconditional one.
    look : dict of str to float
        What checks compare pictures with, such as mean colour and sharpness of its tissue.
    source : dict
        For records: see :class:`~napari_pixcell.engine.request.Source`, without paths.
    """

    number: int
    name: str
    group: str
    embedding: NDArray[np.float32] | None
    look: dict[str, float] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Layout:
    """A layout of a dataset.

    Parameters
    ----------
    number : int
    name : str
    group : str
        Of which layout or tissue it is a variation, or else its own; a split never parts a group.
    labels : array, unsigned integers, (height, width)
        Instance label image.
    made : LayoutSource
        How.
    style : int, optional
        Number of the style that matches it.
    """

    number: int
    name: str
    group: str
    labels: NDArray[Any]
    made: LayoutSource = field(default_factory=lambda: LayoutSource("imported"))
    style: int | None = None


class Dataset:
    """A dataset in a folder.

    Parameters
    ----------
    folder : Path
        As :meth:`create` made it.

    Raises
    ------
    PixCellError
        If it holds none, or one of another version.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        path = self.folder / DESCRIPTION
        try:
            value = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise PixCellError(
                f"There is no dataset in {self.folder.name}; choose a folder that “dataset make” "
                "wrote."
            ) from None
        except (OSError, ValueError):
            raise PixCellError(
                f"{DESCRIPTION} is damaged; restore it from a copy, or make the dataset again."
            ) from None
        self.description = Description.from_dict(value)

    @classmethod
    def create(cls, folder: Path | str, description: Description) -> Dataset:
        """Begin a dataset in a folder that is empty or not there.

        Raises
        ------
        PixCellError
            If there is something else in it.
        """
        folder = Path(folder)
        check_free(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / DESCRIPTION, _json(description))
        return cls(folder)

    def describe(self, **changes: Any) -> None:
        """Change what the description says."""
        self.description = replace(self.description, **changes)
        write_whole(self.folder / DESCRIPTION, _json(self.description))

    @cached_property
    def plan(self) -> Plan:
        """Which pairs there will be; known once styles and layouts are prepared."""
        if self.description.plan is None:
            raise PixCellError(
                f"The styles and layouts of {self.folder.name} are not complete yet; resume it."
            )
        matches: tuple[int, ...] = ()
        if self.description.plan["pairing"] == "matched":
            matches = tuple(row["style"] for row in read_rows(self.folder / LAYOUTS))
        return Plan(**self.description.plan, matches=matches)

    # -- styles and layouts ----------------------------------------------------------------

    def add_style(self, style: Style) -> None:
        """Store a style."""
        file = None
        if style.embedding is not None:
            file = f"styles/{style.number:06}.npy"
            (self.folder / "styles").mkdir(exist_ok=True)
            write_whole(self.folder / file, lambda path: _save_array(path, style.embedding))
        row = {"number": style.number, "name": style.name, "group": style.group, "file": file}
        append_rows(self.folder / STYLES, [row | {"look": style.look, "source": style.source}])

    def add_layout(self, layout: Layout) -> None:
        """Store a layout."""
        from napari_pixcell.datasets.marking import synthetic_tiff

        file = f"layouts/{layout.number:06}.tif"
        (self.folder / "layouts").mkdir(exist_ok=True)
        write_whole(self.folder / file, synthetic_tiff(layout.labels, self.description.mpp))
        row = {"number": layout.number, "name": layout.name, "group": layout.group, "file": file}
        cells = int(np.count_nonzero(np.unique(layout.labels)))
        append_rows(
            self.folder / LAYOUTS,
            [row | {"cells": cells, "made": layout.made.to_dict(), "style": layout.style}],
        )

    def style_rows(self) -> Iterator[Row]:
        """Give the rows of the styles, by their numbers: number, name, group, file, look."""
        return read_rows(self.folder / STYLES)

    def layout_rows(self) -> Iterator[Row]:
        """Give the rows of the layouts: number, name, group, file, cells, made, style."""
        return read_rows(self.folder / LAYOUTS)

    def style(self, row: Row) -> Style:
        """Read a style from its row."""
        embedding = np.load(self.folder / row["file"]) if row["file"] else None
        return Style(
            row["number"], row["name"], row["group"], embedding, row["look"], row["source"]
        )

    def layout(self, row: Row) -> Layout:
        """Read a layout from its row."""
        labels = read_mask(self.folder / row["file"])
        made = LayoutSource.from_dict(row["made"])
        return Layout(row["number"], row["name"], row["group"], labels, made, row["style"])

    # -- pairs -----------------------------------------------------------------------------

    def rows(self) -> Iterator[Row]:
        """Give the rows of the pairs one by one, in the order in which they were made.

        Each has ``index``, ``image`` and ``mask`` (paths in the folder; mask None without a
        layout), ``style`` and ``layout`` (numbers), ``seed``, ``cells``, ``scores`` (see
        :data:`~napari_pixcell.datasets.checks.SCORES`), ``flags`` (list of
        :data:`~napari_pixcell.datasets.checks.FLAGS`), ``files`` (sha256 of each file) and
        ``pixels`` (sha256 of the image's pixels).
        """
        return (row for row in read_rows(self.folder / MANIFEST) if "index" in row)

    def image(self, row: Row) -> NDArray[np.uint8]:
        """Read the image of a pair: uint8, (height, width, 3)."""
        return read_image(self.folder / row["image"])

    def mask(self, row: Row) -> NDArray[Any] | None:
        """Read the mask of a pair: unsigned integers, (height, width); None without one."""
        return read_mask(self.folder / row["mask"]) if row["mask"] else None


def check_free(folder: Path) -> None:
    """Refuse a folder that holds something; what an interrupted beginning left is nothing."""
    if folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise PixCellError(
            f"The folder {folder.name} is not empty; choose a new one for the dataset, or resume "
            "the one that is in it."
        )


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read a picture that we wrote: uint8, (height, width, 3)."""
    if path.suffix == ".png":
        from PIL import Image

        with Image.open(path) as image:
            return np.asarray(image)
    from tifffile import imread

    return np.asarray(imread(path), np.uint8)


def read_mask(path: Path) -> NDArray[Any]:
    """Read a mask that we wrote: uint16 or uint32, (height, width)."""
    from tifffile import imread

    return np.asarray(imread(path))


def _json(description: Description) -> bytes:
    return json.dumps(description.to_dict(), indent=1, ensure_ascii=False).encode() + b"\n"


def _save_array(path: Path, array: Any) -> None:
    with path.open("wb") as file:
        np.save(file, array)

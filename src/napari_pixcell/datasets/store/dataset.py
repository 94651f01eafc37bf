"""A dataset on disk: its description, styles, layouts, pairs, and their files.

    dataset.json     name, family, settings, plan, checks: see :class:`Description`
    styles.jsonl     a row for each style; styles/NUMBER.npy holds its embedding
    layouts.jsonl    a row for each layout; layouts/NUMBER.tif holds its cells
    manifest.jsonl   a row for each pair, in the order in which they were generated
    images/ masks/   the pairs; with more than PER_FOLDER, in images/000/, images/001/, …
    apart/images/ …  flagged pairs
    parts/           see :mod:`~napari_pixcell.datasets.store.parts`
    decisions.jsonl  see :mod:`~napari_pixcell.datasets.store.decisions`
    embeddings.jsonl see :mod:`~napari_pixcell.datasets.store.embeddings`
    leftover/        files that belonged to no pair; nothing is deleted

A row is added to the manifest only after its files are complete. All paths in it are relative.
Nothing in the folder names a path, a slide file or a person.

A received dataset may hold anything: rows are checked when they are read, and damaged ones are
skipped and counted.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.marks import read_marked
from napari_pixcell.datasets.store.checks import Checks
from napari_pixcell.datasets.store.decisions import now
from napari_pixcell.datasets.store.inputs import DatasetLayout as DatasetLayout
from napari_pixcell.datasets.store.inputs import DatasetStyle as DatasetStyle
from napari_pixcell.datasets.store.inputs import classes_in as classes_in
from napari_pixcell.datasets.store.inputs import count_cells as count_cells
from napari_pixcell.datasets.store.inputs import read_style, write_layout, write_style
from napari_pixcell.datasets.store.parsing import APART as APART
from napari_pixcell.datasets.store.parsing import (
    MOST_ROWS,
    SUFFIXES,
    layout_row,
    pair_names,
    pair_row,
    style_row,
)
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.datasets.store.rows import JsonRow, append_rows, read_offsets, row_at
from napari_pixcell.engine.repair import Repair
from napari_pixcell.engine.request_values import LARGEST_PASS
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.serialization import OMIT_DEFAULT, from_json, to_json
from napari_pixcell.untrusted import read_bounded, read_json
from napari_pixcell.words import counted

SCHEMA = 1
KEY = "napari-pixcell dataset"
DESCRIPTION, MANIFEST = "dataset.json", "manifest.jsonl"
STYLES, LAYOUTS = "styles.jsonl", "layouts.jsonl"
RESTORE_FILE = "Restore it from a copy, or reject the pair."
PER_FOLDER = 1000  # pairs; many file systems are slow with larger folders
MOST_SIDE = 4096  # px of an image; pairs are single tiles
MOST_FILE_BYTES = 256 * 2**20
_ID = re.compile(r"\w[\w-]{0,63}", re.ASCII)
RESTORE = f"Restore {DESCRIPTION} from a copy, or make the dataset again"
DAMAGED = f"{DESCRIPTION} is damaged. Restore it from a copy, or make the dataset again."


@dataclass(frozen=True)
class PairSettings:
    """Settings of each pair, see :class:`~napari_pixcell.engine.request_values.GenerateRequest`."""

    steps: int
    guidance: float
    layout_strength: float = 1.0
    layout_until: float = 1.0
    preset: str = "exact"
    colour_match: str = field(default="off", metadata=OMIT_DEFAULT)


@dataclass(frozen=True)
class Description:
    """Everything about a dataset that is not a pair.

    The plan is that of :meth:`Plan.to_dict`, and None until styles and layouts are prepared.
    Weights, versions and device are those in the record of the first pair. Before it, the weights
    are those of the encoder that embeds the styles. The segmenter is the
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
    repair: Repair | None = field(default=None, metadata=OMIT_DEFAULT)
    drop_wrong: bool = field(default=False, metadata=OMIT_DEFAULT)  # from the masks of the pairs
    pairs_per_folder: int | None = field(default=None, metadata=OMIT_DEFAULT)  # None: one folder
    block: int = field(default=1, metadata=OMIT_DEFAULT)  # pairs that are generated together

    def __post_init__(self) -> None:
        # The id names a folder of the user's own, so it may not lead elsewhere.
        if not _ID.fullmatch(self.id):
            raise PixCellError(f"The id “{self.id[:60]}” of the dataset is not valid. {RESTORE}.")
        if not 0 < self.mpp <= 1000 or not all(0 < side <= MOST_SIDE for side in self.size):
            raise PixCellError(
                f"The dataset claims images of {self.size[1]} × {self.size[0]} px at {self.mpp:g} "
                f"µm/px. {RESTORE}."
            )
        if not isinstance(self.block, int) or not 1 <= self.block <= LARGEST_PASS:
            raise PixCellError(f"The dataset claims blocks of {self.block} pairs. {RESTORE}.")
        if self.picture not in SUFFIXES:
            raise PixCellError(
                f"The images of the dataset have the unknown format “{self.picture[:60]}”. "
                f"{RESTORE}."
            )
        if self.pairs_per_folder is not None and self.pairs_per_folder < 1:
            raise PixCellError(
                f"The dataset claims {self.pairs_per_folder} pairs in a folder. {RESTORE}."
            )

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
        if isinstance(given.get("checks"), dict):  # earlier versions did not compare nuclei
            given["checks"] = {"least_placed": None} | given["checks"]
        read = from_json(cls, given, DAMAGED)
        if read.plan is not None:
            plan = from_json(Plan, read.plan, DAMAGED).to_dict()  # raises if it is not possible
            read = replace(read, plan=plan)
        repair = read.repair.without_path() if read.repair is not None else None
        return replace(read, checks=read.checks.without_path(), repair=repair)


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
        self.damaged: dict[str, int] = {}  # damaged rows of each file, as last read
        path = self.folder / DESCRIPTION
        if not path.exists():
            raise PixCellError(
                f"There is no dataset in {self.folder.name}. Choose a folder that “dataset make” "
                "wrote."
            )
        try:
            value = read_json(path)
        except PixCellError as error:
            raise PixCellError(DAMAGED) from error
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
        plan = self.unmatched_plan
        if plan.pairing != "matched":
            return plan
        matches = [0] * plan.layouts  # a pair without its layout cannot be made anyway
        for row in self.layout_rows():
            if row["number"] < plan.layouts and (row["style"] or 0) < plan.styles:
                matches[row["number"]] = row["style"] or 0
        return replace(plan, matches=tuple(matches))

    @cached_property
    def unmatched_plan(self) -> Plan:
        """The plan without the styles that match the layouts, which takes reading all of these.

        The limits of what a row may hold do not depend on them.
        """
        if self.description.plan is None:
            return self.plan  # raises
        return Plan(**self.description.plan)

    @property
    def damage(self) -> str:
        """Which rows were skipped because they are damaged, in a sentence; empty without any."""
        parts = [f"{counted(n, 'row')} of {name}" for name, n in self.damaged.items() if n]
        if not parts:
            return ""
        words = " and ".join(parts)
        return f"Skipped {words}, which cannot be read. Resume the dataset, or restore a copy."

    # -- styles and layouts ----------------------------------------------------------------

    def add_style(self, style: DatasetStyle) -> None:
        """Store a style."""
        append_rows(self.folder / STYLES, [write_style(self.folder, style)])

    def add_layout(self, layout: DatasetLayout) -> None:
        """Store a layout."""
        row = write_layout(self.folder, layout, self.description.mpp)
        append_rows(self.folder / LAYOUTS, [row])

    def style_rows(self) -> Iterator[JsonRow]:
        """Iterate over the rows of the styles by number: number, name, group, file, look."""
        return (row for _, row in self.offsets(STYLES))

    def layout_rows(self) -> Iterator[JsonRow]:
        """Iterate over the rows of the layouts: number, name, group, file, cells, made, style."""
        return (row for _, row in self.offsets(LAYOUTS))

    def prepared(self, name: str) -> int:
        """Return how many styles or layouts are complete from the first one on."""
        numbers = {row["number"] for _, row in self.offsets(name)}
        return next(number for number in range(len(numbers) + 1) if number not in numbers)

    def style(self, row: JsonRow) -> DatasetStyle:
        """Read a style from its row.

        Raises
        ------
        PixCellError
            If its file is missing or damaged.
        """
        return read_style(self.folder, row)

    def layout(self, row: JsonRow) -> DatasetLayout:
        """Read a layout from its row; raise PixCellError if its file is missing or damaged."""
        labels = self._mask(row["file"])
        made = LayoutSource.from_dict(row["made"])
        named = (row["number"], row["name"], row["group"])
        return DatasetLayout(*named, labels, made, row["style"], row["classes"])

    # -- pairs -----------------------------------------------------------------------------

    def rows(self) -> Iterator[JsonRow]:
        """Iterate over the rows of the pairs, in the order in which they were generated.

        Each has ``index``, ``image`` and ``mask`` (paths in the folder; mask None without a
        layout), ``style`` and ``layout`` (numbers), ``seed``, ``cells``, ``scores`` (see
        :data:`~napari_pixcell.datasets.store.checks.SCORES`), ``flags`` (list of
        :data:`~napari_pixcell.datasets.store.checks.FLAGS`), ``files`` (sha256 of each file),
        ``pixels`` (sha256 of the image's pixels), ``nuclei`` (see
        :mod:`~napari_pixcell.datasets.store.nuclei`), ``candidates`` (their number) and ``kept``
        (which of them it is, from 0).
        """
        return (row for _, row in self.offsets(MANIFEST))

    def offsets(self, name: str, start: int = 0) -> Iterator[tuple[int, JsonRow]]:
        """Iterate over the checked rows of a file and their byte offsets, each number once.

        Parameters
        ----------
        name : str
            The manifest, the styles or the layouts.
        start : int
            Byte offset of the first row to read.
        """
        key = self._parser(name)[1]
        seen = bytearray(MOST_ROWS + 1)
        damaged = 0
        for offset, row in self.checked_rows(name, start):
            if row is None:
                damaged += 1
            elif not seen[row[key]]:
                seen[row[key]] = True
                yield offset, row
        self.damaged[name] = damaged

    def checked_rows(
        self, name: str, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, JsonRow | None]]:
        """Iterate over all rows of a file between two byte offsets; damaged ones are None."""
        check = self._parser(name)[0]
        for offset, row in read_offsets(self.folder / name, start, stop):
            try:
                yield offset, check(row) if row is not None else None
            except ValueError:
                yield offset, None

    def row_at(self, name: str, offset: int) -> JsonRow:
        """Read the checked row at an offset of :meth:`offsets`.

        Raises
        ------
        PixCellError
            If the file was changed since.
        """
        row = row_at(self.folder / name, offset)
        try:
            if row is None:
                raise ValueError("no row")
            return self._parser(name)[0](row)
        except ValueError as error:
            raise PixCellError(f"{name} was changed meanwhile. Open the dataset again.") from error

    def pair_at(self, offset: int, index: int) -> JsonRow:
        """Read the checked row of a pair at an offset of :meth:`offsets`; raises as that does."""
        row = self.row_at(MANIFEST, offset)
        if row["index"] != index:
            raise PixCellError(f"{MANIFEST} was changed meanwhile. Open the dataset again.")
        return row

    def _parser(self, name: str) -> tuple[Callable[[JsonRow], JsonRow], str]:
        if name != MANIFEST:
            return (style_row if name == STYLES else layout_row), "number"
        if self.description.plan is None:
            return _refused, "index"
        return self.checked_pair, "index"

    def checked_pair(self, row: JsonRow) -> JsonRow:
        """Return a row of the manifest with checked values; see :func:`pair_row`."""
        about = self.description
        return pair_row(row, self.unmatched_plan, about.picture, about.pairs_per_folder)

    def pair_names(self, index: int, apart: bool) -> tuple[str, str]:
        """Return the paths of the image and the mask of a pair in the folder."""
        about = self.description
        return pair_names(index, about.picture, apart, about.pairs_per_folder)

    def image(self, row: JsonRow) -> NDArray[np.uint8]:
        """Read the image of a pair: uint8, (height, width, 3).

        Raises
        ------
        PixCellError
            If it is missing or damaged.
        """
        pixels = self._read(row["image"])
        if pixels.dtype != np.uint8 or pixels.shape != (*self.description.size, 3):
            raise PixCellError(f"{row['image']} is no image of the dataset. {RESTORE_FILE}")
        return pixels

    def mask(self, row: JsonRow) -> NDArray[Any] | None:
        """Read the mask of a pair: unsigned integers, (height, width); None without one."""
        return self._mask(row["mask"]) if row["mask"] else None

    def _mask(self, name: str) -> NDArray[Any]:
        labels = self._read(name)
        if labels.dtype not in (np.uint8, np.uint16, np.uint32) or labels.ndim != 2:
            raise PixCellError(f"{name} is no mask of cells. {RESTORE_FILE}")
        if labels.shape != self.description.size:
            raise PixCellError(f"{name} has another size than the images. {RESTORE_FILE}")
        return labels

    def _read(self, name: str) -> NDArray[Any]:
        path = self.folder / name
        data = read_bounded(path, MOST_FILE_BYTES, "pair")
        try:
            return read_marked(data, path.name).pixels
        except (OSError, ValueError) as error:
            raise PixCellError(f"{name} is damaged. {RESTORE_FILE}") from error


def _refused(row: JsonRow) -> JsonRow:
    raise ValueError("there is no plan yet")


def check_free(folder: Path) -> None:
    """Raise PixCellError if a folder is not empty; hidden leftovers of an early kill may stay."""
    if folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise PixCellError(
            f"The folder {folder.name} is not empty. Choose a new one for the dataset, or resume "
            "the dataset in it."
        )


def _json(description: Description) -> str:
    return json.dumps(description.to_dict(), indent=1, ensure_ascii=False) + "\n"

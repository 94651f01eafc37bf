"""Chunks of the preparation of a dataset, and their parts on disk.

``preparing/a1b2c3d4/styles-000064.jsonl`` holds what was computed of styles 64, 65, …. It is
renamed whole, so that it is there or not, and a chunk that is computed again replaces it. The
folder has the fingerprint of the recipe, so that parts of another recipe do not count. Nothing in
it names a path or holds tissue. It is removed once styles and layouts are complete.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_pixcell.datasets.store.parsing import DIGITS
from napari_pixcell.datasets.store.rows import JsonRow, as_line, read_rows
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import sync_files, write_whole
from napari_pixcell.serialization import from_json, to_json

PREPARING = "preparing"
# What the sources are cut into; embeddings and looks of styles; layouts.
LISTING, STYLES, LAYOUTS = PHASES = "listing", "styles", "layouts"
LARGEST = 64  # items of a chunk
LEAST_CHUNKS = 64  # of a phase, so that all workers have work until its end


@dataclass(frozen=True)
class PreparationChunk:
    """Consecutive items of a phase: sources to list, styles, or sources of layouts.

    Parameters
    ----------
    phase : str
        One of :data:`PHASES`.
    first, stop : int
        Numbers of the first item, and after the last.
    """

    phase: str
    first: int
    stop: int

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.phase}-{self.first:0{DIGITS}}"

    @property
    def words(self) -> str:
        """What it is, for a sentence about it."""
        several = self.stop - self.first > 1
        numbers = f"s {self.first:,} to {self.stop - 1:,}" if several else f" {self.first:,}"
        if self.phase == STYLES:
            return f"style{numbers}"
        return f"source{numbers} of {'the recipe' if self.phase == LISTING else 'layouts'}"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return to_json(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> PreparationChunk:
        """Read what :meth:`to_dict` returned."""
        return from_json(cls, value, "The chunk is not valid ({detail}).")


def chunk_size(items: int) -> int:
    """Return the number of items in a chunk of a phase. Every process computes the same."""
    return max(1, min(LARGEST, items // LEAST_CHUNKS))


def chunks_of(phase: str, items: int) -> list[PreparationChunk]:
    """Return all chunks of a phase, in order."""
    size = chunk_size(items)
    return [
        PreparationChunk(phase, first, min(first + size, items)) for first in range(0, items, size)
    ]


def part_path(folder: Path, chunk: PreparationChunk) -> Path:
    """Return the path of the part of a chunk."""
    return folder / f"{chunk.name}.jsonl"


def layout_path(folder: Path, chunk: PreparationChunk, at: int) -> Path:
    """Return the path of a layout of a chunk, until its number is known."""
    return folder / chunk.name / f"{at}.tif"


def parts_in(folder: Path) -> set[str]:
    """Return the names of the chunks whose parts are there."""
    if not folder.is_dir():
        return set()
    return {path.stem for path in folder.iterdir() if path.suffix == ".jsonl"}


def write_part(
    root: Path, folder: Path, chunk: PreparationChunk, rows: Iterable[JsonRow], files: list[Path]
) -> None:
    """Force the files of a chunk in a dataset to disk, and then write its part.

    Raises
    ------
    OSError
        If the disk is full or fails; there is no new part then.
    """
    sync_files(files, root)
    lines = list(map(as_line, rows))
    head = as_line({"part": chunk.first, "stop": chunk.stop, "rows": len(lines), "synthetic": True})
    write_whole(part_path(folder, chunk), b"".join([head, *lines]))


def read_part(folder: Path, chunk: PreparationChunk) -> list[JsonRow]:
    """Read the rows of a part.

    Raises
    ------
    PixCellError
        If it is missing or damaged.
    """
    path = part_path(folder, chunk)
    head, *rows = [*read_rows(path)] or [{}]
    known = head.get("part"), head.get("stop"), head.get("rows")
    if known != (chunk.first, chunk.stop, len(rows)):
        name = path.relative_to(folder.parent.parent).as_posix()
        raise PixCellError(f"{name} is damaged. Delete it, and resume the dataset.")
    return rows


def end_preparing(root: Path) -> None:
    """Remove the parts from the folder of a dataset whose styles and layouts are complete."""
    shutil.rmtree(root / PREPARING, ignore_errors=True)

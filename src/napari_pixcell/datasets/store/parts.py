"""Parts of a dataset that several processes make: the rows of a few pairs, not yet in the manifest.

``parts/000128.jsonl`` holds consecutive pairs from number 128 on. It is renamed whole once their
files are complete, so that it is there or not. Its first line is a head; the others hold a row of
the manifest, a row of the embeddings, or the reason why a pair failed. Joining the dataset adds the
rows to the manifest and removes the part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_pixcell.datasets.store.parsing import DIGITS
from napari_pixcell.datasets.store.rows import JsonRow, as_line, read_rows
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import sync_folder, write_whole
from napari_pixcell.serialization import from_json, to_json

PARTS = "parts"
HEAD, ROW, EMBEDDING, FAILED = "part", "row", "embedding", "failed"
LONGEST_REASON = 1000


@dataclass(frozen=True)
class SharedFacts:
    """What the pairs of a dataset share, as known once one of them is made.

    The fields are those of the description, and the limit of its checks for copies.
    """

    weights: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    device: str = ""
    segmenter: dict[str, Any] = field(default_factory=dict)
    most_copy_pixels: float | None = None


@dataclass(frozen=True)
class DatasetPart:
    """The rows of consecutive pairs.

    Parameters
    ----------
    first, stop : int
        Numbers of the first pair, and after the last.
    facts : SharedFacts, optional
        None if no pair was made.
    rows, embeddings : list of dict
        See the manifest and :mod:`~napari_pixcell.datasets.store.embeddings`.
    failed : dict of int to str
        Reasons by the numbers of the pairs.
    """

    first: int
    stop: int
    facts: SharedFacts | None = None
    rows: list[JsonRow] = field(default_factory=list)
    embeddings: list[JsonRow] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the part to the folder of its dataset, in place of an earlier one.

        Raises
        ------
        OSError
            If it cannot be written; an earlier one is unchanged then.
        """
        path = part_path(folder, self.first)
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
            sync_folder(folder)
        facts = to_json(self.facts) if self.facts is not None else None
        head = {HEAD: self.first, "stop": self.stop, "synthetic": True, "facts": facts}
        failed = (
            {FAILED: index, "reason": reason[:LONGEST_REASON]}
            for index, reason in sorted(self.failed.items())
        )
        lines: list[JsonRow] = [head, *({ROW: row} for row in self.rows)]
        lines += ({EMBEDDING: row} for row in self.embeddings)
        write_whole(path, b"".join(map(as_line, (*lines, *failed))))


def part_path(folder: Path, first: int) -> Path:
    """Return the path of a part in the folder of its dataset."""
    return folder / PARTS / f"{first:0{DIGITS}}.jsonl"


def part_paths(folder: Path) -> list[Path]:
    """Return the parts of a dataset, sorted by their first pairs."""
    paths = (folder / PARTS).glob("*.jsonl")
    return sorted((path for path in paths if path.stem.isdecimal()), key=lambda p: int(p.stem))


def read_part(path: Path) -> DatasetPart:
    """Read a part, whose rows are not checked yet.

    Raises
    ------
    PixCellError
        If it is damaged.
    """
    name = f"{PARTS}/{path.name}"
    damaged = f"{name} is damaged. Delete it, and make its pairs again."
    lines = read_rows(path)
    head = next(lines, {})
    first, stop = head.get(HEAD), head.get("stop")
    if type(first) is not int or type(stop) is not int or not 0 <= first < stop:
        raise PixCellError(damaged)
    facts = head.get("facts")
    part = DatasetPart(
        first, stop, None if facts is None else from_json(SharedFacts, facts, damaged)
    )
    for line in lines:
        match line:
            case {"row": dict() as row}:
                part.rows.append(row)
            case {"embedding": dict() as row}:
                part.embeddings.append(row)
            case {"failed": int() as index, "reason": str() as reason}:
                part.failed[index] = reason
            case _:
                raise PixCellError(damaged)
    if not all(_is_in(part, row) for row in (*part.rows, *part.embeddings)):
        raise PixCellError(damaged)
    return part


def _is_in(part: DatasetPart, row: JsonRow) -> bool:
    index = row.get("index")
    return type(index) is int and part.first <= index < part.stop


def readable_parts(paths: Iterable[Path]) -> Iterator[DatasetPart]:
    """Iterate over parts, without those that are damaged or were joined meanwhile."""
    for path in paths:
        try:
            yield read_part(path)
        except PixCellError:
            continue

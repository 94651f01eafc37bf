"""Joins the parts of a dataset: their rows go to the manifest, sorted by number."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_pixcell.datasets.preparation.parts import end_preparing
from napari_pixcell.datasets.recipe.same_weights import check_weights
from napari_pixcell.datasets.store.dataset import MANIFEST, Dataset
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.pair_files import PairFiles, disk_problems
from napari_pixcell.datasets.store.parts import (
    PARTS,
    DatasetPart,
    SharedFacts,
    part_paths,
    read_part,
)
from napari_pixcell.datasets.store.recovery import unfinished_in
from napari_pixcell.datasets.store.rows import JsonRow, as_line, read_offsets, read_rows
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import sync_folder, write_whole
from napari_pixcell.words import counted

FAILED = "failed.jsonl"  # a row for each pair that could not be made: its number and the reason
MOST_RANGES = 3
AT_ONCE = 64  # parts that are added together


@dataclass(frozen=True)
class JoinedDataset:
    """A dataset after its parts were joined.

    Parameters
    ----------
    pairs, planned : int
        Complete pairs, and all.
    failed : int
        Missing pairs that could not be made.
    missing : str
        Which pairs are missing, in words; empty if none is.
    """

    pairs: int
    planned: int
    failed: int
    missing: str


class Joining:
    """Adds parts to the manifest of a dataset.

    Parameters
    ----------
    dataset : Dataset
        Locked by the caller.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.files = PairFiles(dataset)
        self.failed = read_failed(dataset.folder)  # reasons by the numbers of the pairs

    def add_all(self) -> None:
        """Add all parts that are there."""
        paths = part_paths(self.dataset.folder)
        for start in range(0, len(paths), AT_ONCE):
            self.add(*paths[start : start + AT_ONCE])

    def add(self, *paths: Path) -> None:
        """Add the rows of parts to the manifest, and remove the parts.

        A pair that is in the manifest already is not added again.

        Raises
        ------
        PixCellError
            If a part is damaged, or made with other weights than the dataset. It stays.
        """
        rows: dict[int, JsonRow] = {}
        embeddings: list[JsonRow] = []
        read: list[Path] = []
        try:
            for path in paths:
                part = read_part(path)
                new = self._new_rows(part, f"{PARTS}/{path.name}")
                rows |= new
                embeddings += (row for row in part.embeddings if row["index"] in new)
                self.failed |= part.failed
                read.append(path)
        finally:
            if rows:
                self.files.keep(list(rows.values()), embeddings)
                sync_folder(self.dataset.folder)  # the manifest may be new
            for path in read:
                path.unlink()

    def _new_rows(self, part: DatasetPart, name: str) -> dict[int, JsonRow]:
        """Return the rows of a part that the manifest lacks, by their numbers."""
        done = self.files.done
        try:
            for row in part.rows:
                self.dataset.checked_pair(row)
        except ValueError as error:
            raise PixCellError(
                f"{name} is damaged. Delete it, and make its pairs again."
            ) from error
        new = {int(row["index"]): row for row in part.rows if not done[row["index"]]}
        if new and part.facts is not None:
            self._describe(part.facts, name)
        return new

    def _describe(self, facts: SharedFacts, name: str) -> None:
        """Store what all pairs share, once; refuse a part that was made with other weights."""
        check_weights(self.dataset, facts.weights, name)
        description = self.dataset.description
        if description.device:
            return
        checks = replace(description.checks, most_copy_pixels=facts.most_copy_pixels)
        shared: dict[str, Any] = {"versions": facts.versions, "segmenter": facts.segmenter}
        weights = description.weights | facts.weights
        self.dataset.describe(weights=weights, checks=checks, device=facts.device, **shared)

    def finish(self) -> JoinedDataset:
        """Sort the manifest, list the pairs that failed, and remove what is no longer needed."""
        folder, files = self.dataset.folder, self.files
        if not files.in_order:
            _sort(folder / MANIFEST, len(files.done))
            files.in_order = True
        missing = np.flatnonzero(~files.done)
        failed = {i: self.failed[i] for i in missing.tolist() if i in self.failed}
        list_failed(folder, failed)
        if not len(missing):
            end_sharing(folder)
        files.sweep()
        return JoinedDataset(files.count, len(files.done), len(failed), _ranges(missing.tolist()))


def join_dataset(dataset: Dataset) -> JoinedDataset:
    """Join the parts of a dataset that shards have made so far.

    Raises
    ------
    PixCellError
        If another process is working on it, or a part is damaged or made with other weights.
    """
    with disk_problems(dataset.folder), locked(dataset.folder):
        joining = Joining(dataset)
        joining.add_all()
        return joining.finish()


def join_finished(folder: Path) -> str:
    """Join the parts of a dataset that is to be read.

    Returns
    -------
    str
        Why pairs are left out; empty if all that exist are joined.
    """
    if not part_paths(folder):
        return ""
    try:
        join_dataset(Dataset(folder))
    except PixCellError as error:
        return f"The pairs of shards that are not joined yet are left out. {error}"
    return ""


def joined_files(dataset: Dataset) -> PairFiles:
    """Return the writer of a locked dataset's pairs, after the parts of shards were joined."""
    joining = Joining(dataset)
    if part_paths(dataset.folder):
        joining.add_all()
        joining.finish()
    return joining.files


def end_sharing(folder: Path) -> None:
    """Remove the folders of the parts of a complete dataset, unless there are new ones."""
    end_preparing(folder)  # a shard may have been late
    for path in list(unfinished_in(folder / PARTS)):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        (folder / PARTS).rmdir()


def read_failed(folder: Path) -> dict[int, str]:
    """Return the reasons of the pairs that could not be made, by their numbers."""
    failed = {}
    for row in read_rows(folder / FAILED):
        match row:
            case {"index": int() as index, "reason": str() as reason}:
                failed[index] = reason
    return failed


def failed_sentence(count: int) -> str:
    """Return for the user how many pairs failed, where the reasons are, and what to do."""
    return f"{counted(count, 'pair')} failed, see {FAILED}. Resume the dataset to retry."


def list_failed(folder: Path, failed: Mapping[int, str]) -> None:
    """Write which pairs could not be made and why; remove an earlier list if there are none."""
    path = folder / FAILED
    if not failed:
        path.unlink(missing_ok=True)
        return
    rows = ({"index": index, "reason": failed[index]} for index in sorted(failed))
    write_whole(path, b"".join(map(as_line, rows)))


def _sort(manifest: Path, pairs: int) -> None:
    """Write the manifest again, sorted by the numbers of the pairs, each once."""
    offsets = np.full(pairs, -1, np.int64)
    for offset, row in read_offsets(manifest):
        index = (row or {}).get("index")
        if type(index) is int and 0 <= index < pairs and offsets[index] < 0:
            offsets[index] = offset

    def write(temporary: Path) -> None:
        with manifest.open("rb") as rows, temporary.open("wb") as file:
            for offset in offsets[offsets >= 0].tolist():
                rows.seek(offset)
                file.write(rows.readline().rstrip(b"\n") + b"\n")

    write_whole(manifest, write)


def _ranges(numbers: list[int]) -> str:
    """Return ascending numbers in words: “0–7, 12, 20–31”, of the first few ranges."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    shown = [f"{a}" if a == b else f"{a}–{b}" for a, b in ranges[:MOST_RANGES]]
    return ", ".join(shown + ["…"] * (len(ranges) > MOST_RANGES))

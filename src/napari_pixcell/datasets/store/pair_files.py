"""Writes the pairs of a dataset: files first, then the row that makes them a pair."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.marks import (
    for_export,
    synthetic_image_tiff,
    synthetic_png,
    synthetic_tiff,
)
from napari_pixcell.datasets.store.dataset import (
    MANIFEST,
    Dataset,
    DatasetLayout,
    DatasetStyle,
    classes_in,
    count_cells,
)
from napari_pixcell.datasets.store.embeddings import EMBEDDINGS, embedding_row
from napari_pixcell.datasets.store.parsing import APART, SUFFIXES
from napari_pixcell.datasets.store.parsing import DIGITS as DIGITS
from napari_pixcell.datasets.store.parts import PARTS
from napari_pixcell.datasets.store.plan import PlannedPair
from napari_pixcell.datasets.store.recovery import (
    LEFTOVER,
    RecoveredPair,
    free_place,
    recover_pair,
    set_aside,
    unfinished_in,
)
from napari_pixcell.datasets.store.rows import JsonRow, append_rows, as_line, cut_torn
from napari_pixcell.engine.record import Record
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import is_disk_full, write_whole
from napari_pixcell.untrusted import path_inside
from napari_pixcell.words import counted

PAIR_FOLDERS = "images", "masks"
ENCODERS = {
    "png": (SUFFIXES["png"], synthetic_png),
    "tiff": (SUFFIXES["tiff"], synthetic_image_tiff),
}


class DiskProblem(PixCellError):
    """The disk is full or not writable, so the next pair would fail as well."""


class PairFiles:
    """Writes the pairs of a dataset and tracks which are complete.

    Parameters
    ----------
    dataset : Dataset
        Locked by the caller.

    Attributes
    ----------
    done : array, bool, (pairs,)
        True for the pairs of the plan that are complete.
    count : int
        Their number.
    in_order : bool
        Whether the rows of the manifest are sorted by their numbers.
    """

    _sync = True  # whether each file is forced to disk before the next

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.done = np.zeros(len(dataset.plan), bool)
        self.count, self.in_order, self._last = 0, True, -1
        self.restored = 0
        self.leftovers: list[str] = []
        self._open()

    def _open(self) -> None:
        """Read which pairs are complete, and repair what a killed process left behind."""
        dataset = self.dataset
        cut_torn(dataset.folder / MANIFEST)
        cut_torn(dataset.folder / EMBEDDINGS)
        for row in dataset.rows():
            self._mark(row["index"])
        if dataset.damaged[MANIFEST]:
            self._drop_damaged_rows()
        self.sweep()

    def _mark(self, index: int) -> None:
        self.count += not self.done[index]
        self.done[index] = True
        self.in_order, self._last = self.in_order and index > self._last, index

    @property
    def notes(self) -> list[str]:
        """What was repaired, in sentences."""
        notes = []
        if self.restored:
            rows = counted(self.restored, "missing row was", "missing rows were")
            notes.append(f"{rows} restored from the records in the images.")
        if self.leftovers:
            files = counted(len(self.leftovers), "file", "files")
            notes.append(
                f"Kept {files} that belonged to no pair in the folder {LEFTOVER}. Delete what you "
                "do not need."
            )
        return notes

    def _drop_damaged_rows(self) -> None:
        """Write the manifest again without its damaged rows; the old one is kept."""
        folder = self.dataset.folder
        kept = free_place(folder, MANIFEST)
        shutil.copyfile(folder / MANIFEST, kept)
        self.leftovers.append(kept.relative_to(folder).as_posix())
        rows = ({**row, "synthetic": True} for row in self.dataset.rows())
        write_whole(folder / MANIFEST, b"".join(map(as_line, rows)))
        self.dataset.damaged[MANIFEST] = 0

    def sweep(self) -> None:
        """Remove the files that a killed process did not complete.

        Beside parts, other processes may be writing: only files of complete pairs are removed then.
        """
        apart = [f"{APART}/{name}" for name in PAIR_FOLDERS]
        shared = (self.dataset.folder / PARTS).is_dir()
        for name in ("", "styles", "layouts"):
            for path in unfinished_in(self.dataset.folder / name):
                path.unlink()
        for name in (*PAIR_FOLDERS, *apart):
            for path in unfinished_in(self.dataset.folder / name, deep=True):
                if not shared or self._is_done(path.name):
                    path.unlink(missing_ok=True)

    def _is_done(self, unfinished: str) -> bool:
        number = unfinished[1:].partition(".")[0]
        return number.isdecimal() and int(number) < len(self.done) and bool(self.done[int(number)])

    def recover(
        self, pair: PlannedPair, style: DatasetStyle, layout: DatasetLayout | None
    ) -> RecoveredPair | None:
        """Return a planned pair that lacks only its row; see :func:`recover_pair`."""
        found = recover_pair(self.dataset, pair, style, layout)
        self.restored += found is not None
        return found

    def _clear(self, index: int, files: dict[str, bytes]) -> None:
        """Set aside whatever has the names of a pair, unless it is what will be written."""
        for apart in (False, True):
            for name in self.dataset.pair_names(index, apart):
                path = self.dataset.folder / name
                if not path.exists() and not path.is_symlink():
                    continue
                if not (path.is_file() and path.read_bytes() == files.get(name)):
                    self.leftovers.append(set_aside(self.dataset.folder, name))

    def write(
        self,
        pair: PlannedPair,
        image: NDArray[np.uint8],
        labels: NDArray[Any] | None,
        record: Record,
        scores: dict[str, float | None],
        flags: tuple[str, ...],
        *,
        nuclei: JsonRow | None = None,
        kept: int = 0,
        embedding: NDArray[np.float32] | None = None,
        classes: Mapping[int, str] | None = None,
    ) -> JsonRow:
        """Write a pair and return its row.

        Parameters
        ----------
        pair : PlannedPair
        image : array, uint8, (height, width, 3)
        labels : array, (height, width), optional
            The mask, of the size of the image.
        record : Record
            Stored in the image; names in it lose any folder.
        scores, flags
            See :mod:`napari_pixcell.datasets.store.checks`; a flagged pair is set apart.
        nuclei : dict, optional
            See :mod:`napari_pixcell.datasets.store.nuclei`.
        kept : int
            Which of its candidates it is, from 0.
        embedding : array, float32, (tokens, dimension), optional
            Of the image; see :mod:`napari_pixcell.datasets.store.embeddings`.
        classes : mapping, optional
            Class name of each label of the layout that has one.

        Raises
        ------
        DiskProblem
            If the disk is full or not writable; earlier pairs stay complete.
        """
        description, folder = self.dataset.description, self.dataset.folder
        record = for_export(record)
        encode = ENCODERS[description.picture][1]
        with disk_problems(folder, lambda: self.count):
            name, own_mask = self.dataset.pair_names(pair.index, bool(flags))
            mask = None if labels is None else own_mask
            files = {name: encode(image, record, description.mpp)}
            if mask is not None and labels is not None:
                classes = classes_in(labels, classes or {})
                files[mask] = synthetic_tiff(labels, description.mpp, classes)
            hashes = {}
            self._clear(pair.index, files)
            for path, data in files.items():
                place = path_inside(folder, path, "file name")
                place.parent.mkdir(parents=True, exist_ok=True)
                hashes[path] = write_whole(place, data, sync=self._sync)
            row = {
                "index": pair.index,
                "image": name,
                "mask": mask,
                "synthetic": True,
                "style": pair.style,
                "layout": pair.layout,
                "seed": pair.seed + kept,
                "cells": None if labels is None else count_cells(labels),
                "scores": scores,
                "flags": list(flags),
                "files": hashes,
                "pixels": record.sha256,
                "nuclei": nuclei,
            }
            if classes:
                row["classes"] = dict(sorted(Counter(classes.values()).items()))
            if pair.candidates > 1:
                row |= {"candidates": pair.candidates, "kept": kept}
            found = None if embedding is None else embedding_row(pair.index, embedding)
            self.keep([row], [] if found is None else [found])
        return row

    def keep(self, rows: Sequence[JsonRow], embeddings: Sequence[JsonRow]) -> None:
        """Store rows whose files are complete, and rows of their embeddings before them."""
        folder = self.dataset.folder
        if embeddings:
            append_rows(folder / EMBEDDINGS, embeddings)
        append_rows(folder / MANIFEST, rows)
        for row in rows:
            self._mark(row["index"])


@contextmanager
def disk_problems(folder: Path, complete: Callable[[], int] = lambda: 0) -> Iterator[None]:
    """Turn an ``OSError`` of the block into a sentence for the user.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    complete : callable
        Returns the number of complete pairs.

    Raises
    ------
    DiskProblem
        In place of the ``OSError``.
    """
    try:
        yield
    except OSError as error:
        count, name = complete(), folder.name
        kept = f" ({counted(count, 'complete pair')} so far)" if count else ""
        if is_disk_full(error):
            raise DiskProblem(
                f"The disk of {name} is full. Free some space and resume the dataset{kept}."
            ) from error
        raise DiskProblem(
            f"{name} cannot be read or written ({error.strerror}). Fix this and resume the "
            f"dataset{kept}."
        ) from error

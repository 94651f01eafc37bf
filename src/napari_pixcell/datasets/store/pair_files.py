"""Writes the pairs of a dataset: files first, then the row that makes them a pair."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.marks import (
    synthetic_image_tiff,
    synthetic_png,
    synthetic_tiff,
    without_path,
)
from napari_pixcell.datasets.store.dataset import APART, MANIFEST, Dataset, count_cells
from napari_pixcell.datasets.store.plan import PlannedPair
from napari_pixcell.datasets.store.rows import JsonRow, append_rows, cut_torn
from napari_pixcell.engine.record import Record
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import UNFINISHED, is_disk_full, write_whole
from napari_pixcell.words import counted

DIGITS = 6
PAIR_FOLDERS = "images", "masks"
ENCODERS = {"png": (".png", synthetic_png), "tiff": (".tif", synthetic_image_tiff)}


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
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.done = np.zeros(len(dataset.plan), bool)
        cut_torn(dataset.folder / MANIFEST)
        for row in dataset.rows():
            if 0 <= row["index"] < len(self.done):
                self.done[row["index"]] = True
        self._sweep()

    @property
    def count(self) -> int:
        """Number of complete pairs."""
        return int(self.done.sum())

    def _sweep(self) -> None:
        """Remove the leftovers of a killed process: files without a row, and incomplete files."""
        apart = [f"{APART}/{name}" for name in PAIR_FOLDERS]
        for name in ("", "styles", "layouts", *PAIR_FOLDERS, *apart):
            folder, of_pairs = self.dataset.folder / name, name.endswith(PAIR_FOLDERS)
            if not folder.is_dir():
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    unfinished = entry.name.endswith(UNFINISHED)
                    if unfinished or (of_pairs and self._is_stray(entry.name)):
                        Path(entry.path).unlink()

    def _is_stray(self, name: str) -> bool:
        number = name.split(".")[0]
        return number.isdigit() and int(number) < len(self.done) and not self.done[int(number)]

    def write(
        self,
        pair: PlannedPair,
        image: NDArray[np.uint8],
        labels: NDArray[Any] | None,
        record: Record,
        scores: dict[str, float | None],
        flags: tuple[str, ...],
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

        Raises
        ------
        DiskProblem
            If the disk is full or not writable; earlier pairs stay complete.
        """
        description, folder = self.dataset.description, self.dataset.folder
        record = without_path(record)
        where = f"{APART}/" if flags else ""
        stem = f"{pair.index:0{DIGITS}}"
        suffix, encode = ENCODERS[description.picture]
        with disk_problems(folder, lambda: self.count):
            name, mask = f"{where}images/{stem}{suffix}", None
            files = {name: encode(image, record, description.mpp)}
            if labels is not None:
                mask = f"{where}masks/{stem}.tif"
                files[mask] = synthetic_tiff(labels, description.mpp)
            hashes = {}
            for path, data in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                hashes[path] = write_whole(folder / path, data)
            row = {
                "index": pair.index,
                "image": name,
                "mask": mask,
                "synthetic": True,
                "style": pair.style,
                "layout": pair.layout,
                "seed": pair.seed,
                "cells": None if labels is None else count_cells(labels),
                "scores": scores,
                "flags": list(flags),
                "files": hashes,
                "pixels": record.sha256,
            }
            append_rows(folder / MANIFEST, [row])
        self.done[pair.index] = True
        return row


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

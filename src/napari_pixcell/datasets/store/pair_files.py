"""Pairs into a dataset: files first, then the row that says they are whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.export import safe_name
from napari_pixcell.datasets.marking import (
    synthetic_image_tiff,
    synthetic_png,
    synthetic_tiff,
)
from napari_pixcell.datasets.recipe.plan import PlannedPair
from napari_pixcell.datasets.store.dataset import APART, MANIFEST, Dataset
from napari_pixcell.datasets.store.rows import Row, append_rows, cut_torn
from napari_pixcell.engine.record import Record
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole

DIGITS = 6
PAIR_FOLDERS = "images", "masks"


class DiskProblem(PixCellError):
    """The disk is full or cannot be written to; the next pair would fail as well."""


class PairFiles:
    """Writes the pairs of a dataset, and knows which are there.

    Parameters
    ----------
    dataset : Dataset
        Locked by whoever uses this.

    Attributes
    ----------
    done : array, bool, (pairs,)
        Which pairs of the plan are whole.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.done = np.zeros(len(dataset.plan), bool)
        cut_torn(dataset.folder / MANIFEST)
        for row in dataset.rows():
            if 0 <= row["index"] < len(self.done):
                self.done[row["index"]] = True
        self._sweep()

    def _sweep(self) -> None:
        """Take away what a killed process left: files without a row, and halves of files."""
        for name in (
            "",
            "styles",
            "layouts",
            *PAIR_FOLDERS,
            *(f"{APART}/{n}" for n in PAIR_FOLDERS),
        ):
            folder, of_pairs = self.dataset.folder / name, name.endswith(PAIR_FOLDERS)
            if not folder.is_dir():
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith(".part") or (of_pairs and self._is_stray(entry.name)):
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
    ) -> Row:
        """Write a pair and give its row.

        Parameters
        ----------
        pair : PlannedPair
        image : array, uint8, (height, width, 3)
        labels : array, (height, width), optional
            The mask, of the size of the image.
        record : Record
            Goes into the image whole; names in it lose any folder.
        scores, flags
            See :mod:`napari_pixcell.datasets.checks`; with a flag the pair is kept apart.

        Raises
        ------
        DiskProblem
            If the disk is full or cannot be written to; earlier pairs are whole.
        """
        description, folder = self.dataset.description, self.dataset.folder
        source = replace(record.request.source, name=safe_name(record.request.source.name))
        record = replace(record, request=replace(record.request, source=source))
        where = f"{APART}/" if flags else ""
        stem = f"{pair.index:0{DIGITS}}"
        with explained(folder, lambda: int(self.done.sum())):
            files: dict[str, bytes] = {}
            if description.picture == "tiff":
                name = f"{where}images/{stem}.tif"
                files[name] = synthetic_image_tiff(image, record, description.mpp)
            else:
                name = f"{where}images/{stem}.png"
                files[name] = synthetic_png(image, record, description.mpp)
            mask = None
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
                "cells": None if labels is None else int(np.count_nonzero(np.unique(labels))),
                "scores": scores,
                "flags": list(flags),
                "files": hashes,
                "pixels": record.sha256,
            }
            append_rows(folder / MANIFEST, [row])
        self.done[pair.index] = True
        return row


@contextmanager
def explained(folder: Path, made: Callable[[], int] = lambda: 0) -> Iterator[None]:
    """Turn what a disk refuses into a sentence.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    made : callable
        Gives how many pairs are whole by then.

    Raises
    ------
    DiskProblem
        In the place of an ``OSError`` of the block.
    """
    try:
        yield
    except OSError as error:
        count, name = made(), folder.name
        kept = f" ({count:,} pair{' is' if count == 1 else 's are'} whole)" if count else ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskProblem(
                f"The disk of {name} is full; free some space and resume the dataset{kept}."
            ) from error
        raise DiskProblem(
            f"{name} cannot be read or written ({error.strerror}); mend that and resume the "
            f"dataset{kept}."
        ) from error

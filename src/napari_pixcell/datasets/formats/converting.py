"""Converts a dataset to another format, completely or not at all."""

from __future__ import annotations

import json
import os
import shutil
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from napari_pixcell import __version__
from napari_pixcell.datasets.export import write_problem
from napari_pixcell.datasets.formats.about import cells_of, readme
from napari_pixcell.datasets.formats.base import ExportedPair, Facts, Format
from napari_pixcell.datasets.formats.coco import Coco
from napari_pixcell.datasets.formats.loaders import HuggingFace, WebDataset
from napari_pixcell.datasets.formats.ome_zarr import OmeZarr
from napari_pixcell.datasets.formats.tiff import Cellpose, QuPath, StarDist
from napari_pixcell.datasets.formats.yolo import Yolo
from napari_pixcell.datasets.splits import PARTS, Split, SplitAssignment, groups_of
from napari_pixcell.datasets.store.dataset import MANIFEST, Dataset
from napari_pixcell.datasets.store.decisions import is_used, read_decisions
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import UNFINISHED
from napari_pixcell.words import counted

KINDS: dict[str, type[Format]] = {
    kind.name: kind
    for kind in (Cellpose, StarDist, Coco, Yolo, HuggingFace, WebDataset, OmeZarr, QuPath)
}
SCHEMA = 1
CONVERSION = "conversion.json"
COPIED = ("style", "layout", "seed", "cells", "scores", "pixels")  # from the dataset's rows
FOR = dict(zip(PARTS, ("training", "validation", "testing"), strict=True))

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Converted:
    """Result of a conversion."""

    folder: Path
    counts: dict[str, int]  # pairs of each part; "" is the only part without a split
    mixed: int = 0  # pairs left out because their slide and layout belong to different parts
    unused: int = 0  # pairs left out because they were flagged or rejected

    @property
    def sentence(self) -> str:
        """Summary for the user."""
        text = f"Wrote {counted(sum(self.counts.values()), 'pair')} to {self.folder.name}"
        if "" not in self.counts:
            parts = (f"{count:,} for {FOR[part]}" for part, count in self.counts.items())
            text += f": {', '.join(parts)}"
        if self.mixed:
            mixed = counted(self.mixed, "pair")
            text += f". Left out {mixed} whose slide and layout belong to different parts"
        if self.unused:
            text += f". Left out {counted(self.unused, 'flagged or rejected pair')}"
        return text + "."


def convert(
    dataset: Dataset,
    format: str,
    out: Path | str,
    split: Split | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> Converted:
    """Write the accepted or unflagged pairs of a dataset in another format.

    Parameters
    ----------
    dataset : Dataset
        Pairs that are added to it during the conversion are left out.
    format : str
        One of :data:`KINDS`.
    out : Path
        A new or empty folder. It appears when it is complete.
    split : Split, optional
        Into parts that share no slide and no layout; a single part by default.
    on_progress : callable
        Called with the number of pairs written and of all. An exception ends the conversion.

    Raises
    ------
    PixCellError
        If the format is unknown, there is nothing to write, the split is impossible, or the disk
        is full. Nothing is left behind then.
    """
    if format not in KINDS:
        raise PixCellError(
            f"There is no format “{format}”. Choose one of: {', '.join(sorted(KINDS))}."
        )
    out, kind, selection = Path(out).absolute(), KINDS[format], _Selection(dataset, split)
    masks = bool(dataset.plan.layouts)
    if kind.needs_masks and not masks:
        able = sorted(name for name, one in KINDS.items() if not one.needs_masks)
        raise PixCellError(
            f"The format {format} needs masks, but the pairs of {dataset.folder.name} have none. "
            f"Choose one of: {', '.join(able)}."
        )
    cells = cells_of(dataset.layout_rows())
    facts = Facts(dataset.description, split, selection.counts, masks, cells)
    with _whole(out) as folder:
        writer = kind(folder, facts)
        with writer.files, (folder / MANIFEST).open("w", encoding="utf-8") as manifest:
            writer.begin()
            for done, pair in enumerate(selection.pairs(), 1):
                where = writer.add(pair)
                copied = {name: pair.row[name] for name in COPIED}
                row = {"index": pair.row["index"], "part": pair.part or None, **where}
                row |= {"synthetic": True, **copied}
                manifest.write(json.dumps(row, ensure_ascii=False) + "\n")
                on_progress(done, facts.total)
            writer.close()
        writer.readme(readme(facts, kind.how))
        _describe(folder / CONVERSION, facts, format)
    return Converted(out, selection.counts, selection.mixed, selection.unused)


class _Selection:
    """The pairs of a dataset to convert, and the part of each."""

    def __init__(self, dataset: Dataset, split: Split | None) -> None:
        self._dataset, self._decisions = dataset, read_decisions(dataset.folder)
        numbers, self._seen = array("i"), 0
        for row in dataset.rows():
            self._seen += 1
            if self._is_used(row):
                layout = row["layout"]
                numbers.extend((row["style"], -1 if layout is None else layout))
        pairs = np.array(numbers, np.int32).reshape(-1, 2)
        self.unused = self._seen - len(pairs)
        if not self._seen:
            raise PixCellError(
                f"The dataset {dataset.folder.name} has no pair yet. Resume it, then convert it."
            )
        if not len(pairs):
            raise PixCellError(
                f"The dataset {dataset.folder.name} has no pair to convert, only "
                f"{counted(self.unused, 'flagged or rejected pair')}. Accept some, or make more."
            )
        self._parts: SplitAssignment | None = None
        self.counts = {"": len(pairs)}
        if split is not None:
            styles, layouts = groups_of(dataset.style_rows()), groups_of(dataset.layout_rows())
            self._parts = SplitAssignment(styles, layouts, pairs, split)
            self.counts = dict.fromkeys(split.parts, 0)
            for style, layout in pairs:
                part = self._parts.of(style, layout)
                if part is not None:
                    self.counts[part] += 1
        self.mixed = len(pairs) - sum(self.counts.values())

    def pairs(self) -> Iterator[ExportedPair]:
        """Iterate over the pairs in the order of the manifest."""
        for row in islice(self._dataset.rows(), self._seen):
            if self._is_used(row):
                part = "" if self._parts is None else self._parts.of(row["style"], row["layout"])
                if part is not None:
                    yield ExportedPair(self._dataset, row, part)

    def _is_used(self, row: JsonRow) -> bool:
        return is_used(bool(row["flags"]), self._decisions.get(row["index"]))


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """Provide a folder to write in, which becomes the output if the block succeeds."""
    work = out.with_name(f".{out.name}{UNFINISHED}")
    try:
        work.mkdir(parents=True, exist_ok=True)
        with locked(work, f"a conversion to {out.name}"):
            try:
                if out.exists() and not (out.is_dir() and not any(out.iterdir())):
                    raise PixCellError(
                        f"{out.name} exists already. Choose a new folder for the converted dataset."
                    )
                folder = work / "whole"
                shutil.rmtree(folder, ignore_errors=True)  # left by a killed process
                folder.mkdir()
                yield folder
                if hasattr(os, "sync"):  # all files are on disk before the folder gets its name
                    os.sync()
                if out.exists():
                    out.rmdir()
                folder.rename(out)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise write_problem(out, error, ", and convert again") from error


def _describe(path: Path, facts: Facts, format: str) -> None:
    description = facts.description
    value = {
        "napari-pixcell conversion": SCHEMA,
        "synthetic": True,
        "format": format,
        "dataset": {"id": description.id, "name": description.name},
        "split": None if facts.split is None else asdict(facts.split),
        "counts": facts.counts,
        "mpp": description.mpp,
        "family": description.family,
        "weights": description.weights,
        "licence": description.licence,
        "notice": description.notice,
        "napari-pixcell": __version__,
    }
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

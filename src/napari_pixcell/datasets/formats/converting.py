"""Converts a dataset to another format, completely or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_pixcell import __version__
from napari_pixcell.datasets.export import write_problem
from napari_pixcell.datasets.formats.about import cells_of, classes_of, readme
from napari_pixcell.datasets.formats.base import ExportedPair, Facts, Format
from napari_pixcell.datasets.formats.coco import Coco
from napari_pixcell.datasets.formats.loaders import HuggingFace, WebDataset
from napari_pixcell.datasets.formats.ome_zarr import OmeZarr
from napari_pixcell.datasets.formats.qupath import QuPath
from napari_pixcell.datasets.formats.selection import PairTask, Selection
from napari_pixcell.datasets.formats.spatial_data import SpatialDataFormat
from napari_pixcell.datasets.formats.tiff import Cellpose, StarDist
from napari_pixcell.datasets.formats.yolo import Yolo
from napari_pixcell.datasets.processes import Answer, Processes, Work
from napari_pixcell.datasets.splits import PARTS, Split
from napari_pixcell.datasets.store.dataset import MANIFEST, Dataset
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.rows import as_line
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import UNFINISHED
from napari_pixcell.models.families import families
from napari_pixcell.words import counted

_ALL: tuple[type[Format], ...] = (
    *(Cellpose, StarDist, Coco, Yolo, HuggingFace, WebDataset),
    *(OmeZarr, SpatialDataFormat, QuPath),
)
KINDS: dict[str, type[Format]] = {kind.name: kind for kind in _ALL}
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
    workers: int = 1,
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
    workers : int
        Processes that share the work; the files do not depend on it. With 1, it is done in this
        process.

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
    out, kind = Path(out).absolute(), KINDS[format]
    with Processes(workers) as processes:
        selection = Selection(dataset, split, processes)
        masks = bool(dataset.unmatched_plan.layouts)
        if kind.needs_masks and not masks:
            able = sorted(name for name, one in KINDS.items() if not one.needs_masks)
            raise PixCellError(
                f"The format {format} needs masks, but the pairs of {dataset.folder.name} have "
                f"none. Choose one of: {', '.join(able)}."
            )
        cells = cells_of(dataset.layout_rows())
        known = families().get(dataset.description.family)  # the user's own may be gone
        classes = classes_of(dataset.layout_rows(), known.palette if known is not None else ())
        facts = Facts(dataset.description, split, selection.counts, masks, cells, classes)
        with _whole(out) as folder, processes:  # end before the folder is renamed or removed
            writer, done = kind(folder, facts), 0
            writer.begin()
            (folder / MANIFEST).touch()
            names = {"dataset": str(dataset.folder), "format": format, "folder": str(folder)}
            settings = names | {"counts": facts.counts, "classes": list(classes)}
            for answer in processes.map(begin_pairs, settings, selection.tasks()):
                at = 0
                for name, length in answer.value["ends"]:
                    writer.append(name, answer.data[at : at + length])
                    at += length
                for _ in range(answer.value["pairs"]):
                    done += 1
                    on_progress(done, facts.total)
            writer.close()
            writer.readme(readme(facts, kind.how))
            _describe(folder / CONVERSION, facts, format)
    return Converted(out, selection.counts, selection.mixed, selection.unused)


def begin_pairs(settings: dict[str, Any]) -> Work:
    """Return the work of writing some pairs; see :meth:`Selection.tasks`.

    Its answer has the number of ``pairs``, and what belongs to the ``ends`` of shared files.
    """
    dataset, folder = Dataset(settings["dataset"]), Path(settings["folder"])
    classes = tuple(settings["classes"])
    facts = Facts(dataset.description, None, settings["counts"], True, (), classes)
    writer = KINDS[settings["format"]](folder, facts)

    def write(task: list[PairTask]) -> Answer:
        for offset, index, part, number in task:
            pair = ExportedPair(dataset, dataset.pair_at(offset, index), part, number)
            where = writer.add(pair)
            copied = {name: pair.row[name] for name in COPIED}
            if pair.row["classes"]:
                copied["classes"] = pair.row["classes"]
            row = {"index": index, "part": part or None, **where, "synthetic": True, **copied}
            writer.end(MANIFEST, as_line(row))
        ends, writer.ends = writer.ends, {}
        value = {"pairs": len(task), "ends": [(name, len(data)) for name, data in ends.items()]}
        return Answer(value, b"".join(ends.values()))

    return write


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
        **({"classes": list(facts.classes)} if facts.classes else {}),
        "licence": description.licence,
        "notice": description.notice,
        "napari-pixcell": __version__,
    }
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

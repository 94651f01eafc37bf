"""Checks that a dataset is complete, unchanged, marked as synthetic and traceable."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from napari_pixcell.datasets.processes import Processes
from napari_pixcell.datasets.store.dataset import LAYOUTS, MANIFEST, STYLES, Dataset
from napari_pixcell.datasets.store.decisions import DECISIONS, read_decisions
from napari_pixcell.datasets.store.embeddings import EMBEDDINGS, KeptEmbeddings
from napari_pixcell.datasets.store.findings import Findings
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.pair_checks import (
    INPUTS_AT_ONCE,
    PAIRS_AT_ONCE,
    Found,
    begin_inputs,
    begin_pairs,
    begin_parts,
)
from napari_pixcell.datasets.store.parsing import APART
from napari_pixcell.datasets.store.parts import PARTS, part_paths
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.datasets.store.recovery import is_unfinished, names_below
from napari_pixcell.datasets.store.rows import read_offsets, row_ranges

OnProgress = Callable[[int, int], None]  # pairs checked so far, and all pairs
FIRST = 3  # missing pairs that are named


def check_dataset(
    dataset: Dataset, on_progress: OnProgress = lambda done, total: None, workers: int = 1
) -> Findings:
    """Check each file of a dataset without changing anything.

    Every planned pair must exist once. Each file must belong to a row and be as it was written,
    each mask as large as its image. Each image must be marked as synthetic and carry a record of
    its own pixels with the seed, style and layout of its row. A pair takes 10 bytes of memory, a
    style or layout 34.

    Parameters
    ----------
    dataset : Dataset
    on_progress : callable
        Called with the number of pairs checked so far and of all. An exception ends the check.
    workers : int
        Processes that share the work. With 1, it is done in this process.

    Raises
    ------
    PixCellError
        If another process is working on the dataset.
    """
    with ExitStack() as stack:
        with suppress(OSError):  # nobody can be writing to a read-only folder
            stack.enter_context(locked(dataset.folder))
        processes = stack.enter_context(Processes(workers))
        return _Check(dataset, on_progress, processes).run()


class _Check:
    def __init__(self, dataset: Dataset, on_progress: OnProgress, processes: Processes) -> None:
        self.dataset, self.folder, self.on_progress = dataset, dataset.folder, on_progress
        self.processes = processes
        self.findings = Findings()

    def run(self) -> Findings:
        if self.dataset.description.plan is None:
            self.findings.add("unprepared")
            self._halves()
            return self.findings
        plan = self.dataset.plan
        self.findings.planned = len(plan)
        self.styles = self._inputs(STYLES, plan.styles, "style")
        self.layouts = self._inputs(LAYOUTS, plan.layouts, "layout")
        self.seen = np.zeros(len(plan), np.int8)  # 1: in the manifest, 2: set apart
        self.masked = np.zeros(len(plan), bool)
        self.pixels = np.zeros(len(plan), np.uint64)  # the first 64 bits of their hash
        self._add_torn(DECISIONS, sum(r is None for _, r in read_offsets(self.folder / DECISIONS)))
        if damaged := KeptEmbeddings(self.folder, len(plan), self.processes).damaged:
            self.findings.add("torn", EMBEDDINGS, damaged)
        self._pairs(plan)
        self.findings.pairs = int(np.count_nonzero(self.seen))
        missing = np.flatnonzero(self.seen == 0)
        if len(missing):
            for index in missing[:FIRST].tolist():
                self.findings.add("planned", f"pair {index}", 0)
            self.findings.add("planned", count=len(missing))
        self._alike()
        self._strays()
        self._halves()
        for index in read_decisions(self.folder):
            if not (0 <= index < len(plan) and self.seen[index]):
                self.findings.add("decided", f"pair {index}")
        self.on_progress(len(plan), len(plan))
        return self.findings

    def _add_torn(self, name: str, count: int) -> None:
        if count:
            self.findings.add("torn", name, count)

    def _inputs(self, name: str, count: int, kind: str) -> _Digests:
        """Return the digests of all styles or layouts."""
        digests, torn = _Digests(count), 0
        settings = {"folder": str(self.folder), "name": name}
        ranges = row_ranges(self.folder / name, rows=INPUTS_AT_ONCE)
        for answer in self.processes.map(begin_inputs, settings, ranges):
            self.on_progress(0, self.findings.planned)
            torn += answer.value["torn"]
            for number, digest in answer.value["digests"]:
                digests.add(number, digest)
        self._add_torn(name, torn)
        for number in np.flatnonzero(~digests.known).tolist():
            self.findings.add(kind, f"{kind} {number}")
        return digests

    # -- pairs -----------------------------------------------------------------------------

    def _pairs(self, plan: Plan) -> None:
        """Check the pairs of the manifest, then those of parts."""
        self.on_progress(0, len(plan))
        settings = {"folder": str(self.folder), "copies": checks_copies(self.dataset)}
        ranges, torn = row_ranges(self.folder / MANIFEST, rows=PAIRS_AT_ONCE), 0
        for answer in self.processes.map(begin_pairs, settings | {"name": MANIFEST}, ranges):
            torn += answer.value["torn"]
            for found in answer.value["rows"]:
                self._add(found, plan)
            self.on_progress(self.findings.pairs, len(plan))
        self._add_torn(MANIFEST, torn)
        names = [path.name for path in part_paths(self.folder)]
        answers = self.processes.map(begin_parts, settings, names)
        for name, answer in zip(names, answers, strict=True):
            if answer.value is None:
                self.findings.add("torn", f"{PARTS}/{name}")
                continue
            self.findings.add("unjoined", f"{PARTS}/{name}")
            for found in answer.value:  # those that were joined already count once
                if found.get("problem") != "unplanned" and not self.seen[found["index"]]:
                    self._add(found, plan)
            self.on_progress(self.findings.pairs, len(plan))

    def _add(self, found: Found, plan: Plan) -> None:
        """Add what was found in a row, unless an earlier row is of the same pair."""
        index = found["index"]
        if "problem" in found:
            self.findings.add(found["problem"], f"pair {index}")
            return
        pair = plan[index]
        wanted = {"style": pair.style, "layout": pair.layout, "seed": pair.seed}
        if wanted != {name: found[name] for name in wanted}:
            self.findings.add("unplanned", f"pair {index}")
        if self.seen[index]:
            self.findings.add("twice", f"pair {index}")
            return
        self.seen[index], self.masked[index] = 1 + found["apart"], found["masked"]
        self.pixels[index] = found.get("pixels", 0)
        self.findings.pairs += 1
        self.findings.uncopied += found.get("uncopied", False)
        for kind, example in found["problems"]:
            self.findings.add(kind, example)
        if "claims" in found and not self._agrees(found):
            self.findings.add("disagrees", found["claims"]["name"])

    def _agrees(self, found: dict[str, Any]) -> bool:
        """Whether an image was made with the style and the layout of its row."""
        claims, layout = found["claims"], found["layout"]
        if not claims["agrees"] or not self.styles.fits(found["style"], claims["style"]):
            return False
        if layout is None:
            return bool(claims["layout"] == "")
        return self.layouts.fits(layout, claims["layout"])

    def _alike(self) -> None:
        known = np.flatnonzero(self.pixels)
        _, first = np.unique(self.pixels[known], return_index=True)
        for index in np.delete(known, first).tolist():
            self.findings.add("alike", f"pair {index}")

    # -- files without a row ---------------------------------------------------------------

    def _strays(self) -> None:
        for apart in (False, True):
            for part in ("images", "masks"):
                for file in names_below(self.folder, f"{APART}/{part}" if apart else part):
                    if is_unfinished(file.rpartition("/")[2]) or self._of_a_pair(file):
                        continue
                    kind = "unlisted" if self._is_unlisted(file) else "stray"
                    self.findings.add(kind, file)

    def _of_a_pair(self, name: str) -> bool:
        index = self._number(name)
        if index is None or not self.seen[index]:
            return False
        image, mask = self.dataset.pair_names(index, bool(self.seen[index] == 2))
        return name == image or (name == mask and bool(self.masked[index]))

    def _is_unlisted(self, name: str) -> bool:
        """Whether a file has the name of a planned pair without a row."""
        index = self._number(name)
        if index is None or self.seen[index]:
            return False
        return any(name in self.dataset.pair_names(index, apart) for apart in (False, True))

    def _number(self, name: str) -> int | None:
        """Return the number of the planned pair that a file is named for."""
        text = name.rpartition("/")[2].partition(".")[0]
        if not (text.isdecimal() and text.isascii() and len(text) < 10):
            return None
        return int(text) if int(text) < len(self.seen) else None

    def _halves(self) -> None:
        for folder, _, names in os.walk(self.folder):
            for name in filter(is_unfinished, names):
                path = Path(folder) / name
                self.findings.add("half", path.relative_to(self.folder).as_posix())


class _Digests:
    """Digests of styles or layouts by their numbers, in 34 bytes each.

    Attributes
    ----------
    known : array, bool, (count,)
        False for those that are missing or damaged.
    """

    def __init__(self, count: int) -> None:
        self.known = np.zeros(count, bool)
        self._read = np.zeros(count, bool)
        self._bytes = np.zeros((count, 32), np.uint8)  # zeros: there is no embedding

    def add(self, number: int, digest: str | None) -> None:
        """Add a digest as hexadecimal digits, or None; the first one of a number counts."""
        if number < len(self.known) and not self._read[number]:
            self._read[number] = True
            if digest is not None:
                self.known[number] = True
                values = np.frombuffer(bytes.fromhex(digest), np.uint8)
                self._bytes[number, : len(values)] = values

    def fits(self, number: int, digest: str) -> bool:
        """Return True if a digest is that of a number, or if that is not known."""
        own = bytes(self._bytes[number]) if self.known[number] else None
        return own is None or own == bytes.fromhex(digest).ljust(32, b"\0")


def checks_copies(dataset: Dataset) -> bool:
    """Return True if the pairs of a dataset are to be compared with real tissue."""
    if dataset.description.checks.most_copy_pixels is None:
        return False
    return any(row["look"] for row in dataset.style_rows())

"""Checks that a dataset is complete, unchanged, marked as synthetic and traceable."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_pixcell.datasets.marks import Marked, read_marked
from napari_pixcell.datasets.store.dataset import (
    LAYOUTS,
    MANIFEST,
    MOST_FILE_BYTES,
    STYLES,
    Dataset,
)
from napari_pixcell.datasets.store.decisions import DECISIONS, read_decisions
from napari_pixcell.datasets.store.embeddings import EMBEDDINGS, KeptEmbeddings
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.parsing import APART
from napari_pixcell.datasets.store.parts import part_paths, read_part
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.datasets.store.recovery import (
    NOTHING,
    array_digest,
    files_below,
    is_unfinished,
    packed_digest,
)
from napari_pixcell.datasets.store.rows import JsonRow, read_offsets, read_rows
from napari_pixcell.engine.record import Record, other_weights, pixels_sha256
from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import read_bounded
from napari_pixcell.words import counted

OnProgress = Callable[[int, int], None]  # pairs checked so far, and all pairs
SHOWN = 3
RESUME = "Resume the dataset"
RESTORE = "Restore the files from a copy, or make the dataset again in a new folder"
ROWS = "Restore manifest.jsonl from a copy"
WITH_TISSUE = "To check copies, make pairs where the dataset was prepared (see PIXCELL_DATA_DIR)"
# The problem, as “1 image is …” and “2 images are …”, and its remedy.
KINDS = {
    "unprepared": ("The styles and layouts are not complete yet", "", RESUME),
    "planned": ("planned pair is missing", "planned pairs are missing", RESUME),
    "unjoined": (
        "part of its pairs is not joined yet",
        "parts of its pairs are not joined yet",
        "Run “napari-pixcell dataset join” once its shards have finished",
    ),
    "torn": (
        "row is incomplete or damaged",
        "rows are incomplete or damaged",
        f"{RESUME}, or restore the file from a copy",
    ),
    "style": ("style is missing or damaged", "styles are missing or damaged", RESTORE),
    "layout": ("layout is missing or damaged", "layouts are missing or damaged", RESTORE),
    "unplanned": ("row does not fit the plan", "rows do not fit the plan", ROWS),
    "wrong": (
        "row has wrong values",
        "rows have wrong values",
        f"{RESUME}, which restores the rows from the images",
    ),
    "twice": ("pair is listed twice", "pairs are listed twice", ROWS),
    "names": ("row names another pair's files", "rows name other pairs' files", ROWS),
    "alike": (
        "image has the same pixels as another pair",
        "images have the same pixels as another pair",
        "Reject all but the first of them in the review",
    ),
    "missing": ("file is missing", "files are missing", RESTORE),
    "changed": (
        "file was changed after it was written",
        "files were changed after they were written",
        RESTORE,
    ),
    "unreadable": ("file cannot be read", "files cannot be read", RESTORE),
    "size": (
        "mask differs in size from its image",
        "masks differ in size from their images",
        RESTORE,
    ),
    "unmarked": ("file is not marked as synthetic", "files are not marked as synthetic", RESTORE),
    "record": ("image carries no readable record", "images carry no readable record", RESTORE),
    "disagrees": (
        "image's record differs from its row in seed, style, layout or pixels",
        "images' records differ from their rows in seed, style, layout or pixels",
        RESTORE,
    ),
    "weights": (
        "image was made with other weights than the first pair",
        "images were made with other weights than the first pair",
        "Reject them in the review, or make the dataset again in a new folder",
    ),
    "unlisted": (
        "file of a planned pair has no row",
        "files of planned pairs have no row",
        f"{RESUME}, which restores the rows from the images",
    ),
    "stray": (
        "file belongs to no pair",
        "files belong to no pair",
        "Move such files out of the folder",
    ),
    "half": ("file is incomplete", "files are incomplete", f"{RESUME}, or delete such files"),
    "decided": (
        "decision concerns a pair that does not exist",
        "decisions concern pairs that do not exist",
        RESUME,
    ),
}


@dataclass
class Findings:
    """Problems of a dataset by their kinds in :data:`KINDS`, with a few examples of each."""

    pairs: int = 0  # that exist
    planned: int = 0
    uncopied: int = 0  # pairs that could not be checked for copies; no problem of their files
    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)  # names of files or pairs

    def add(self, kind: str, example: str = "", count: int = 1) -> None:
        """Count one or more problems of a kind."""
        self.counts[kind] = self.counts.get(kind, 0) + count
        shown = self.examples.setdefault(kind, [])
        if example and len(shown) < SHOWN:
            shown.append(example)

    @property
    def whole(self) -> bool:
        """True if there are no problems."""
        return not self.counts

    @property
    def sentences(self) -> list[str]:
        """Each problem and its remedy in words."""
        found = [self._sentence(kind) for kind in KINDS if kind in self.counts]
        if self.whole:
            found = [f"{counted(self.pairs, 'pair')}: complete, marked as synthetic and traceable."]
        if self.uncopied:
            pairs = counted(self.uncopied, "pair was", "pairs were")
            found.append(f"{pairs} not checked for copies of real tissue. {WITH_TISSUE}.")
        return found

    def _sentence(self, kind: str) -> str:
        count, shown = self.counts[kind], self.examples[kind]
        one, several, remedy = KINDS[kind]
        if not several:
            return f"{one}. {remedy}."
        names = ", ".join(shown) + (", …" if count > len(shown) else "")
        where = f" ({names})" if shown else ""
        return f"{counted(count, one, several)}{where}. {remedy}."

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        value = {"pairs": self.pairs, "planned": self.planned, "whole": self.whole}
        if self.uncopied:
            value["not checked for copies"] = self.uncopied
        return value | {"findings": self.sentences, "counts": dict(self.counts)}


def check_dataset(dataset: Dataset, on_progress: OnProgress = lambda done, total: None) -> Findings:
    """Check each file of a dataset without changing anything.

    Every planned pair must exist once. Each file must belong to a row and be as it was written,
    each mask as large as its image. Each image must be marked as synthetic and carry a record of
    its own pixels with the seed, style and layout of its row. A pair takes 10 bytes of memory, a
    style or layout 32.

    Parameters
    ----------
    dataset : Dataset
    on_progress : callable
        Called with the number of pairs checked so far and of all. An exception ends the check.

    Raises
    ------
    PixCellError
        If another process is working on the dataset.
    """
    with ExitStack() as stack:
        with suppress(OSError):  # nobody can be writing to a read-only folder
            stack.enter_context(locked(dataset.folder))
        return _Check(dataset, on_progress).run()


class _Check:
    def __init__(self, dataset: Dataset, on_progress: OnProgress) -> None:
        self.dataset, self.folder, self.on_progress = dataset, dataset.folder, on_progress
        self.findings = Findings()

    def run(self) -> Findings:
        if self.dataset.description.plan is None:
            self.findings.add("unprepared")
            self._halves()
            return self.findings
        plan = self.dataset.plan
        self.findings.planned = len(plan)
        self.styles = self._parts(STYLES, plan.styles, "style", self._style)
        self.layouts = self._parts(LAYOUTS, plan.layouts, "layout", self._layout)
        self.seen = np.zeros(len(plan), np.int8)  # 1: in the manifest, 2: set apart
        self.masked = np.zeros(len(plan), bool)
        self.pixels = np.zeros(len(plan), np.uint64)  # the first 64 bits of their hash
        self._torn(MANIFEST)
        self._torn(DECISIONS)
        if damaged := KeptEmbeddings(self.folder, len(plan)).damaged:
            self.findings.add("torn", EMBEDDINGS, damaged)
        self.tissue = checks_copies(self.dataset)
        for row in read_rows(self.folder / MANIFEST):
            self.on_progress(self.findings.pairs, len(plan))
            self._pair(row, plan)
        self._unjoined(plan)
        self.findings.pairs = int(np.count_nonzero(self.seen))
        missing = np.flatnonzero(self.seen == 0)
        if len(missing):
            for index in missing[:3].tolist():
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

    # -- styles and layouts ----------------------------------------------------------------

    def _parts(
        self, name: str, count: int, kind: str, digest: Callable[[JsonRow], bytes]
    ) -> list[bytes | None]:
        """Return the digest of each style or layout; None if it is missing or damaged."""
        digests: list[bytes | None] = [None] * count
        self._torn(name)
        for _, row in self.dataset.offsets(name):
            number = row["number"]
            if number < count:
                with suppress(PixCellError):  # missing or damaged
                    digests[number] = digest(row)
        for number, one in enumerate(digests):
            if one is None:
                self.findings.add(kind, f"{kind} {number}")
        return digests

    def _style(self, row: JsonRow) -> bytes:
        return array_digest(self.dataset.style(row).embedding)

    def _layout(self, row: JsonRow) -> bytes:
        return array_digest(self.dataset.layout(row).labels)

    def _torn(self, name: str) -> None:
        path = self.folder / name
        bad = sum(1 for _, row in read_offsets(path) if row is None)
        if bad:
            self.findings.add("torn", name, bad)

    # -- pairs -----------------------------------------------------------------------------

    def _pair(self, row: JsonRow, plan: Plan) -> None:
        index = row.get("index")
        named = f"pair {str(index)[:20]}"
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(plan):
            self.findings.add("unplanned", named)
            return
        try:
            row = self.dataset.checked_pair(row)
        except ValueError:
            self.findings.add("wrong", named)
            return
        pair = plan[index]
        seed = pair.seed + row["kept"]
        planned = {"style": pair.style, "layout": pair.layout, "seed": seed}
        if planned != {name: row.get(name) for name in planned}:
            self.findings.add("unplanned", named)
        if self.seen[index]:
            self.findings.add("twice", named)
            return
        apart = bool(row.get("flags"))
        self.seen[index], self.masked[index] = 1 + apart, row.get("mask") is not None
        self.findings.pairs += 1
        image, mask = self._own_names(index)
        mask_name = mask if self.masked[index] else None
        if row["image"] != image or row["mask"] != mask_name:
            self.findings.add("names", named)
            return
        if self.tissue and not was_compared(row):
            self.findings.uncopied += 1
        hashes = row["files"]
        picture = self._read(image, hashes[image])
        labels = self._read(mask, hashes[mask]) if mask_name else None
        if picture is None:
            return
        if labels is not None and labels.pixels.shape != picture.pixels.shape[:2]:
            self.findings.add("size", mask)
        self._record(row, image, picture, labels)

    def _unjoined(self, plan: Plan) -> None:
        """Check the pairs of parts; those that were joined already count once."""
        for path in part_paths(self.folder):
            name = path.relative_to(self.folder).as_posix()
            try:
                part = read_part(path)
            except PixCellError:
                self.findings.add("torn", name)
                continue
            self.findings.add("unjoined", name)
            for row in part.rows:
                if row["index"] < len(plan) and not self.seen[row["index"]]:
                    self._pair(row, plan)

    def _own_names(self, index: int) -> tuple[str, str]:
        return self.dataset.pair_names(index, bool(self.seen[index] == 2))

    def _read(self, name: str, sha256: str) -> Marked | None:
        if not (self.folder / name).exists():
            self.findings.add("missing", name)
            return None
        try:
            data = read_bounded(self.folder / name, MOST_FILE_BYTES)
        except PixCellError:
            self.findings.add("unreadable", name)
            return None
        if hashlib.sha256(data).hexdigest() != sha256:
            self.findings.add("changed", name)
        try:
            marked = read_marked(data, name)
        except ValueError:
            self.findings.add("unreadable", name)
            return None
        if not marked.synthetic:
            self.findings.add("unmarked", name)
        return marked

    def _record(self, row: JsonRow, name: str, picture: Marked, labels: Marked | None) -> None:
        try:
            record = Record.from_dict(picture.record or {})
        except PixCellError:
            self.findings.add("record", name)
            return
        pixels = pixels_sha256(picture.pixels)
        if not row.get("flags"):  # blank ones may be equal
            self.pixels[row["index"]] = int(pixels[:16], 16)
        request = record.request
        style, layout = packed_digest(request.embedding), packed_digest(request.layout)
        planned: bytes | None = NOTHING
        if row.get("layout") is not None:
            planned = self._known(self.layouts, row["layout"])
        own = array_digest(record.mask)
        mask = own if labels is None else array_digest(labels.pixels)
        agrees = (
            request.seed == row.get("seed")
            and self._known(self.styles, row.get("style")) in (style, None)
            and planned in (layout, None)
            and mask == own
            and pixels == record.sha256 == row.get("pixels")
        )
        if not agrees:
            self.findings.add("disagrees", name)
        if record.weights and other_weights(self.dataset.description.weights, record.weights):
            self.findings.add("weights", name)

    @staticmethod
    def _known(digests: list[bytes | None], number: Any) -> bytes | None:
        inside = isinstance(number, int) and 0 <= number < len(digests)
        return digests[number] if inside else NOTHING

    def _alike(self) -> None:
        known = np.flatnonzero(self.pixels)
        _, first = np.unique(self.pixels[known], return_index=True)
        for index in np.delete(known, first).tolist():
            self.findings.add("alike", f"pair {index}")

    # -- files without a row ---------------------------------------------------------------

    def _strays(self) -> None:
        for apart in (False, True):
            for part in ("images", "masks"):
                name = f"{APART}/{part}" if apart else part
                for path in files_below(self.folder / name):
                    file = path.relative_to(self.folder).as_posix()
                    if is_unfinished(path.name) or self._of_a_pair(file):
                        continue
                    kind = "unlisted" if self._is_unlisted(file) else "stray"
                    self.findings.add(kind, file)

    def _of_a_pair(self, name: str) -> bool:
        number = Path(name).stem
        if not _is_number(number) or int(number) >= len(self.seen) or not self.seen[int(number)]:
            return False
        image, mask = self._own_names(int(number))
        return name == image or (name == mask and bool(self.masked[int(number)]))

    def _is_unlisted(self, name: str) -> bool:
        """Whether a file has the name of a planned pair without a row."""
        number = Path(name).stem
        if not _is_number(number) or int(number) >= len(self.seen) or self.seen[int(number)]:
            return False
        return any(name in self.dataset.pair_names(int(number), apart) for apart in (False, True))

    def _halves(self) -> None:
        for folder, _, names in os.walk(self.folder):
            for name in names:
                if is_unfinished(name):
                    path = Path(folder) / name
                    self.findings.add("half", path.relative_to(self.folder).as_posix())


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 10


def checks_copies(dataset: Dataset) -> bool:
    """Return True if the pairs of a dataset are to be compared with real tissue."""
    if dataset.description.checks.most_copy_pixels is None:
        return False
    return any(row["look"] for row in dataset.style_rows())


def was_compared(row: JsonRow) -> bool:
    """Return True if a pair was compared with real tissue, or is no picture to compare."""
    return row["scores"].get("copy_pixels") is not None or "failed" in row["flags"]

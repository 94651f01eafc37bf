"""Whether a dataset is whole, unchanged, marked as synthetic and traceable, pair by pair."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.marks import Marked, read_marked_image, read_marked_mask
from napari_pixcell.datasets.recipe.plan import Plan
from napari_pixcell.datasets.store.dataset import APART, LAYOUTS, MANIFEST, STYLES, Dataset
from napari_pixcell.datasets.store.decisions import read_decisions
from napari_pixcell.datasets.store.findings import Findings
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.pair_files import DIGITS
from napari_pixcell.datasets.store.rows import Row, read_rows
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.errors import PixCellError

OnProgress = Callable[[int, int], None]  # pairs that were looked at, of how many
SUFFIXES = {"png": ".png", "tiff": ".tif"}
NOTHING = b""  # digest of a style that is “nothing”, or of no layout


def check_dataset(dataset: Dataset, on_progress: OnProgress = lambda done, total: None) -> Findings:
    """Look at each file of a dataset; nothing is changed.

    Every planned pair must be there once; each file as it was written, whole, and of a row;
    masks as large as their images; each image marked as synthetic, with a record of its own pixels
    that names the seed, style and layout of its row. Memory does not grow with the pictures: a
    pair takes 10 bytes, a style or layout 32.

    Parameters
    ----------
    dataset : Dataset
    on_progress : callable
        Called with how many pairs were looked at, and of how many; what it raises ends the work.

    Raises
    ------
    PixCellError
        If another process is working on the dataset.
    """
    with ExitStack() as stack:
        with suppress(OSError):  # where nothing can be written, nobody is writing
            stack.enter_context(locked(dataset.folder))
        return _Check(dataset, on_progress).run()


class _Check:
    def __init__(self, dataset: Dataset, on_progress: OnProgress) -> None:
        self.dataset, self.folder, self.on_progress = dataset, dataset.folder, on_progress
        self.found = Findings()

    def run(self) -> Findings:
        if self.dataset.description.plan is None:
            self.found.add("unprepared")
            self._halves()
            return self.found
        plan = self.dataset.plan
        self.found.planned = len(plan)
        self.styles = self._parts(STYLES, plan.styles, "style", self._style)
        self.layouts = self._parts(LAYOUTS, plan.layouts, "layout", self._layout)
        self.seen = np.zeros(len(plan), np.int8)  # 1: there, 2: kept apart
        self.masked = np.zeros(len(plan), bool)
        self.pixels = np.zeros(len(plan), np.uint64)  # the beginning of their hash
        self._torn(MANIFEST)
        for row in self.dataset.rows():
            self.on_progress(self.found.pairs, len(plan))
            self._pair(row, plan)
        self.found.pairs = int(np.count_nonzero(self.seen))
        missing = np.flatnonzero(self.seen == 0)
        if len(missing):
            for index in missing[:3].tolist():
                self.found.add("planned", f"pair {index}", 0)
            self.found.add("planned", count=len(missing))
        self._alike()
        self._strays()
        self._halves()
        for index in read_decisions(self.folder):
            if not (0 <= index < len(plan) and self.seen[index]):
                self.found.add("decided", f"pair {index}")
        self.on_progress(len(plan), len(plan))
        return self.found

    # -- styles and layouts ----------------------------------------------------------------

    def _parts(
        self, name: str, count: int, kind: str, digest: Callable[[Row], bytes]
    ) -> list[bytes | None]:
        """Give the digest of each style or layout; None for one that is missing or damaged."""
        digests: list[bytes | None] = [None] * count
        self._torn(name)
        for row in read_rows(self.folder / name):
            number = row.get("number")
            if isinstance(number, int) and 0 <= number < count:
                try:
                    digests[number] = digest(row)
                except (OSError, ValueError, KeyError, TypeError):
                    continue
        for number, one in enumerate(digests):
            if one is None:
                self.found.add(kind, f"{kind} {number}")
        return digests

    def _style(self, row: Row) -> bytes:
        return array_digest(self.dataset.style(row).embedding)

    def _layout(self, row: Row) -> bytes:
        return array_digest(self.dataset.layout(row).labels)

    def _torn(self, name: str) -> None:
        path = self.folder / name
        if path.exists():
            with path.open("rb") as file:
                lines = sum(1 for line in file if line.strip())
            rows = sum(1 for _ in read_rows(path))
            if lines > rows:
                self.found.add("torn", name, lines - rows)

    # -- pairs -----------------------------------------------------------------------------

    def _pair(self, row: Row, plan: Plan) -> None:
        index = row["index"]
        named = f"pair {index}"
        if not isinstance(index, int) or not 0 <= index < len(plan):
            self.found.add("unplanned", named)
            return
        pair = plan[index]
        if (row.get("style"), row.get("layout"), row.get("seed")) != (
            pair.style,
            pair.layout,
            pair.seed,
        ):
            self.found.add("unplanned", named)
        if self.seen[index]:
            self.found.add("twice", named)
            return
        apart = bool(row.get("flags"))
        self.seen[index], self.masked[index] = 1 + apart, row.get("mask") is not None
        self.found.pairs += 1
        image, mask = self._own_names(index)
        mask_name = mask if self.masked[index] else None
        if row.get("image") != image or row.get("mask") != mask_name:
            self.found.add("names", named)
            return
        hashes = row["files"] if isinstance(row.get("files"), dict) else {}
        picture = self._read(image, hashes.get(image), read_marked_image)
        labels = self._read(mask, hashes.get(mask), read_marked_mask) if mask_name else None
        if picture is None:
            return
        if labels is not None and labels.pixels.shape != picture.pixels.shape[:2]:
            self.found.add("size", mask)
        self._record(row, image, picture, labels)

    def _own_names(self, index: int) -> tuple[str, str]:
        where = f"{APART}/" if self.seen[index] == 2 else ""
        stem, suffix = f"{index:0{DIGITS}}", SUFFIXES[self.dataset.description.picture]
        return f"{where}images/{stem}{suffix}", f"{where}masks/{stem}.tif"

    def _read(
        self, name: str, sha256: str | None, read: Callable[[bytes, str], Marked]
    ) -> Marked | None:
        try:
            data = (self.folder / name).read_bytes()
        except FileNotFoundError:
            self.found.add("missing", name)
            return None
        except OSError:
            self.found.add("unreadable", name)
            return None
        if hashlib.sha256(data).hexdigest() != sha256:
            self.found.add("changed", name)
        try:
            marked = read(data, name)
        except (OSError, ValueError):
            self.found.add("unreadable", name)
            return None
        if not marked.synthetic:
            self.found.add("unmarked", name)
        return marked

    def _record(self, row: Row, name: str, picture: Marked, labels: Marked | None) -> None:
        try:
            record = Record.from_dict(picture.record or {})
        except PixCellError:
            self.found.add("record", name)
            return
        pixels = pixels_sha256(picture.pixels)
        if not row.get("flags"):  # blank ones are alike
            self.pixels[row["index"]] = int(pixels[:16], 16)
        request = record.request
        style = array_digest(request.embedding.unpack() if request.embedding else None)
        layout = array_digest(request.layout.unpack() if request.layout else None)
        asked: bytes | None = NOTHING
        if row.get("layout") is not None:
            asked = self._known(self.layouts, row["layout"])
        mask = layout if labels is None else array_digest(labels.pixels)
        agrees = (
            request.seed == row.get("seed")
            and self._known(self.styles, row.get("style")) in (style, None)
            and asked in (layout, None)
            and mask == layout
            and pixels == record.sha256 == row.get("pixels")
        )
        if not agrees:
            self.found.add("disagrees", name)

    @staticmethod
    def _known(digests: list[bytes | None], number: Any) -> bytes | None:
        inside = isinstance(number, int) and 0 <= number < len(digests)
        return digests[number] if inside else NOTHING

    def _alike(self) -> None:
        known = np.flatnonzero(self.pixels)
        _, first = np.unique(self.pixels[known], return_index=True)
        for index in np.delete(known, first).tolist():
            self.found.add("alike", f"pair {index}")

    # -- files without a row ---------------------------------------------------------------

    def _strays(self) -> None:
        for apart in (False, True):
            for part in ("images", "masks"):
                name = f"{APART}/{part}" if apart else part
                for entry in _entries(self.folder / name):
                    if not entry.endswith(".part") and not self._of_a_pair(f"{name}/{entry}"):
                        self.found.add("stray", f"{name}/{entry}")

    def _of_a_pair(self, name: str) -> bool:
        number = Path(name).stem
        if not number.isdigit() or int(number) >= len(self.seen) or not self.seen[int(number)]:
            return False
        image, mask = self._own_names(int(number))
        return name == image or (name == mask and bool(self.masked[int(number)]))

    def _halves(self) -> None:
        for folder, _, names in os.walk(self.folder):
            for name in names:
                if name.endswith(".part"):
                    self.found.add(
                        "half", (Path(folder) / name).relative_to(self.folder).as_posix()
                    )


def array_digest(array: NDArray[Any] | None) -> bytes:
    """Give 32 bytes that say what an array holds, of whatever width its numbers are."""
    if array is None:
        return NOTHING
    if not np.issubdtype(array.dtype, np.integer):  # a tile's embeddings may be a row or a grid
        return hashlib.sha256(np.ascontiguousarray(array, np.float32).tobytes()).digest()
    values = np.ascontiguousarray(array, np.int64)
    return hashlib.sha256(repr(values.shape).encode() + values.tobytes()).digest()


def _entries(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries)

"""Checks of single rows of a dataset and of their files, which processes may share.

What depends on other rows or on the plan is left to
:mod:`~napari_pixcell.datasets.store.completeness`.
"""

from __future__ import annotations

import hashlib
from typing import Any

from napari_pixcell.datasets.marks import Marked, read_marked
from napari_pixcell.datasets.processes import Answer, Work
from napari_pixcell.datasets.store.dataset import MOST_FILE_BYTES, STYLES, Dataset
from napari_pixcell.datasets.store.parts import PARTS, read_part
from napari_pixcell.datasets.store.recovery import array_digest, packed_digest
from napari_pixcell.datasets.store.rows import JsonRow, read_offsets
from napari_pixcell.engine.record import Record, other_weights, pixels_sha256
from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import read_bounded

PAIRS_AT_ONCE = 32  # in a task
INPUTS_AT_ONCE = 64  # styles or layouts
Found = dict[str, Any]  # what was found in a row; a JSON value


def begin_pairs(settings: dict[str, Any]) -> Work:
    """Return the work of checking rows of a file, between two byte offsets.

    Its answer has the number of ``torn`` rows, and what :meth:`_PairCheck.look` found in each of
    the other ``rows``.
    """
    dataset = Dataset(settings["folder"])
    check, path = _PairCheck(dataset, settings["copies"]), dataset.folder / settings["name"]

    def work(task: tuple[int, int]) -> Answer:
        rows = [row for _, row in read_offsets(path, *task)]
        found = [check.look(row) for row in rows if row is not None]
        return Answer({"torn": len(rows) - len(found), "rows": found})

    return work


def begin_parts(settings: dict[str, Any]) -> Work:
    """Return the work of checking the part of a name; its answer is None if it is damaged."""
    dataset = Dataset(settings["folder"])
    check = _PairCheck(dataset, settings["copies"])

    def work(name: str) -> Answer:
        try:
            part = read_part(dataset.folder / PARTS / name)
        except PixCellError:
            return Answer(None)
        return Answer([check.look(row) for row in part.rows])

    return work


def begin_inputs(settings: dict[str, Any]) -> Work:
    """Return the work of reading styles or layouts, whose rows lie between two byte offsets.

    Its answer has the number of ``torn`` rows, and the number and the digest of each other one;
    None if it is damaged.
    """
    dataset, name = Dataset(settings["folder"]), settings["name"]

    def digest(row: JsonRow) -> str | None:
        try:
            if name == STYLES:
                return array_digest(dataset.style(row).embedding).hex()
            return array_digest(dataset.layout(row).labels).hex()
        except PixCellError:  # missing or damaged
            return None

    def work(task: tuple[int, int]) -> Answer:
        torn = sum(row is None for _, row in read_offsets(dataset.folder / name, *task))
        rows = [row for _, row in dataset.checked_rows(name, *task) if row is not None]
        return Answer({"torn": torn, "digests": [(row["number"], digest(row)) for row in rows]})

    return work


class _PairCheck:
    """Checks rows and their files.

    Parameters
    ----------
    dataset : Dataset
    copies : bool
        Whether its pairs are to be compared with real tissue.
    """

    def __init__(self, dataset: Dataset, copies: bool) -> None:
        self._dataset, self._copies = dataset, copies

    def look(self, row: JsonRow) -> Found:
        """Return what is found in a row and in its files.

        A row that is not right has only the ``problem``, and its ``index`` as it is written.
        Others have ``index``, ``style``, ``layout``, the ``seed`` of their first candidate,
        whether they are ``apart`` and ``masked``, and the ``problems`` of their files: kinds and
        examples. If they hold an image, ``claims`` are its style and layout as digests, and
        ``pixels`` the first 64 bits of the hash of its pixels.
        """
        index, pairs = row.get("index"), len(self._dataset.unmatched_plan)
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < pairs:
            return {"index": str(index)[:20], "problem": "unplanned"}
        try:
            checked = self._dataset.checked_pair(row)
        except ValueError:
            return {"index": index, "problem": "wrong"}
        apart, masked = bool(checked["flags"]), checked["mask"] is not None
        found: Found = {"index": index, "style": checked["style"], "layout": checked["layout"]}
        found |= {"seed": checked["seed"] - checked["kept"], "apart": apart, "masked": masked}
        found["problems"] = problems = []
        image, mask = self._dataset.pair_names(index, apart)
        mask_name = mask if masked else None
        if checked["image"] != image or checked["mask"] != mask_name:
            problems.append(("names", f"pair {index}"))
            return found
        found["uncopied"] = self._copies and not was_compared(checked)
        hashes = checked["files"]
        picture = self._read(image, hashes[image], found)
        labels = self._read(mask, hashes[mask], found) if mask_name else None
        if picture is None:
            return found
        if labels is not None and labels.pixels.shape != picture.pixels.shape[:2]:
            problems.append(("size", mask))
        self._compare(checked, picture, labels, found)
        return found

    def _read(self, name: str, sha256: str, found: Found) -> Marked | None:
        path, problems = self._dataset.folder / name, found["problems"]
        if not path.exists():
            problems.append(("missing", name))
            return None
        try:
            data = read_bounded(path, MOST_FILE_BYTES)
        except PixCellError:
            problems.append(("unreadable", name))
            return None
        if hashlib.sha256(data).hexdigest() != sha256:
            problems.append(("changed", name))
        try:
            marked = read_marked(data, name)
        except ValueError:
            problems.append(("unreadable", name))
            return None
        if not marked.synthetic:
            problems.append(("unmarked", name))
        return marked

    def _compare(self, row: JsonRow, picture: Marked, labels: Marked | None, found: Found) -> None:
        """Compare the record of an image with its row, its mask and its pixels."""
        name, problems = row["image"], found["problems"]
        try:
            record = Record.from_dict(picture.record or {})
        except PixCellError:
            problems.append(("record", name))
            return
        pixels = pixels_sha256(picture.pixels)
        if not row["flags"]:  # blank ones may be equal
            found["pixels"] = int(pixels[:16], 16)
        request = record.request
        own = array_digest(record.mask)
        mask = own if labels is None else array_digest(labels.pixels)
        found["claims"] = {
            "name": name,
            "style": packed_digest(request.embedding).hex(),
            "layout": packed_digest(request.layout).hex(),
            "agrees": request.seed == row["seed"]
            and mask == own
            and pixels == record.sha256 == row["pixels"],
        }
        if record.weights and other_weights(self._dataset.description.weights, record.weights):
            problems.append(("weights", name))


def was_compared(row: JsonRow) -> bool:
    """Return True if a pair was compared with real tissue, or is no picture to compare."""
    return row["scores"].get("copy_pixels") is not None or "failed" in row["flags"]

"""Problems of a dataset, counted by their kinds, and in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from napari_pixcell.words import counted

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

"""Problems of a dataset, counted, with a few examples of each kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from napari_pixcell.words import counted

SHOWN = 3
RESUME = "Resume the dataset"
RESTORE = "Restore the files from a copy, or make the dataset again in a new folder"
MANIFEST = "Restore manifest.jsonl from a copy"
# The problem, as “1 image is …” and “2 images are …”, and its remedy.
KINDS = {
    "unprepared": ("The styles and layouts are not complete yet", "", RESUME),
    "planned": ("planned pair is missing", "planned pairs are missing", RESUME),
    "torn": ("row is incomplete", "rows are incomplete", RESUME),
    "style": ("style is missing or damaged", "styles are missing or damaged", RESTORE),
    "layout": ("layout is missing or damaged", "layouts are missing or damaged", RESTORE),
    "unplanned": ("row does not fit the plan", "rows do not fit the plan", MANIFEST),
    "twice": ("pair is listed twice", "pairs are listed twice", MANIFEST),
    "names": ("row names another pair's files", "rows name other pairs' files", MANIFEST),
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
    """Result of :func:`~napari_pixcell.datasets.store.completeness.check_dataset`.

    Attributes
    ----------
    pairs, planned : int
        Numbers of pairs that exist and that are planned.
    counts : dict of str to int
        Number of problems of each kind.
    examples : dict of str to list of str
        Names of the first few files or pairs of each kind.
    """

    pairs: int = 0
    planned: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, example: str = "", count: int = 1) -> None:
        """Count one or more problems of a kind of :data:`KINDS`."""
        self.counts[kind] = self.counts.get(kind, 0) + count
        shown = self.examples.setdefault(kind, [])
        if example and len(shown) < SHOWN:
            shown.append(example)

    @property
    def whole(self) -> bool:
        """True if there are no problems."""
        return not self.counts

    @property
    def exit_code(self) -> int:
        """Exit code of a command: 0 without problems, else 1."""
        return int(not self.whole)

    @property
    def sentences(self) -> list[str]:
        """Each problem and its remedy in words."""
        if self.whole:
            return [f"{counted(self.pairs, 'pair')}: complete, marked as synthetic and traceable."]
        return [self._sentence(kind) for kind in KINDS if kind in self.counts]

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
        return {
            "pairs": self.pairs,
            "planned": self.planned,
            "whole": self.whole,
            "findings": self.sentences,
            "counts": dict(self.counts),
        }

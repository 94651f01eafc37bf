"""What is wrong with a dataset, counted, with a few examples of each kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SHOWN = 3
RESUME = "resume the dataset"
RESTORE = "restore them from a copy, or make the dataset again in a new folder"
LOOK = "take them out of the folder"
# What is the matter, as “1 image is …” and “2 images are …”, and what to do about it.
KINDS = {
    "unprepared": ("The styles and layouts are not complete yet", "", RESUME),
    "planned": ("planned pair is not made", "planned pairs are not made", RESUME),
    "torn": ("row was cut off", "rows were cut off", RESUME),
    "style": ("style is missing or damaged", "styles are missing or damaged", RESTORE),
    "layout": ("layout is missing or damaged", "layouts are missing or damaged", RESTORE),
    "unplanned": (
        "row is not of the plan",
        "rows are not of the plan",
        "restore manifest.jsonl from a copy",
    ),
    "twice": ("pair is there twice", "pairs are there twice", "restore manifest.jsonl from a copy"),
    "names": (
        "row names files that are not its own",
        "rows name files that are not their own",
        "restore manifest.jsonl from a copy",
    ),
    "alike": (
        "image has the very pixels of another pair's",
        "images have the very pixels of another pair's",
        "reject all but the first of them in the review",
    ),
    "missing": ("file is missing", "files are missing", RESTORE),
    "changed": (
        "file was changed after it was written",
        "files were changed after they were written",
        RESTORE,
    ),
    "unreadable": ("file cannot be read", "files cannot be read", RESTORE),
    "size": (
        "mask is not as large as its image",
        "masks are not as large as their images",
        RESTORE,
    ),
    "unmarked": (
        "file does not say that it is synthetic",
        "files do not say that they are synthetic",
        RESTORE,
    ),
    "record": (
        "image carries no record that can be read",
        "images carry no record that can be read",
        RESTORE,
    ),
    "disagrees": (
        "image's record is of another seed, style, layout or picture than its row",
        "images' records are of another seed, style, layout or picture than their rows",
        RESTORE,
    ),
    "stray": ("file belongs to no pair", "files belong to no pair", LOOK),
    "half": (
        "file was not written to its end",
        "files were not written to their end",
        f"{RESUME}, or remove what is left of them",
    ),
    "decided": (
        "decision is about a pair that is not there",
        "decisions are about pairs that are not there",
        RESUME,
    ),
}


@dataclass
class Findings:
    """What :func:`~napari_pixcell.datasets.store.completeness.check_dataset` found.

    Attributes
    ----------
    pairs, planned : int
        How many are there, and how many there should be.
    counts : dict of str to int
        How often what is the matter.
    examples : dict of str to list of str
        Of what, at most a few of each.
    """

    pairs: int = 0
    planned: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, example: str = "", count: int = 1) -> None:
        """Note one more, or several, of a kind of :data:`KINDS`."""
        self.counts[kind] = self.counts.get(kind, 0) + count
        shown = self.examples.setdefault(kind, [])
        if example and len(shown) < SHOWN:
            shown.append(example)

    @property
    def whole(self) -> bool:
        """Whether nothing is the matter."""
        return not self.counts

    @property
    def exit_code(self) -> int:
        """For a command: 0 if nothing is the matter, or else 1."""
        return int(not self.whole)

    @property
    def sentences(self) -> list[str]:
        """Say what is the matter, and what to do about it."""
        if self.whole:
            return [f"All {self.pairs:,} pairs are whole, marked as synthetic and traceable."]
        return [self._sentence(kind) for kind in KINDS if kind in self.counts]

    def _sentence(self, kind: str) -> str:
        count, shown = self.counts[kind], self.examples[kind]
        one, several, do = KINDS[kind]
        if not several:
            return f"{one}; {do}."
        names = ", ".join(shown) + (", …" if count > len(shown) else "")
        where = f" ({names})" if shown else ""
        return f"{count:,} {one if count == 1 else several}{where}; {do}."

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value."""
        return {
            "pairs": self.pairs,
            "planned": self.planned,
            "whole": self.whole,
            "findings": self.sentences,
            "counts": dict(self.counts),
        }

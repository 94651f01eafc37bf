"""Captions of pairs, with their scores and flags in words."""

from __future__ import annotations

import math
from typing import NamedTuple

from napari_pixcell.datasets.store.checks import FLAGS, SCORES, Checks
from napari_pixcell.engine.repair import NucleusCounts
from napari_pixcell.studio.review.columns import CELLS, NUMBER, Columns
from napari_pixcell.words import counted

TITLES = {
    "dice": "Overlap with its mask",
    "kappa": "Overlap beyond chance",
    "aji": "Cell-wise overlap (AJI)",
    "pq": "Cell-wise overlap (PQ)",
    "count": "Cell count ratio",
    "placed": "Nuclei placed",
    "partial": "Nuclei partly placed",
    "missing": "Nuclei missing",
    "extra": "Extra nuclei",
    "style": "Similarity to its style",
    "copy_style": "Similarity to a real tile",
    "copy_pixels": "Pixel correlation with a real tile",
    "colour": "Colour drift (ΔE)",
    "sharpness": "Sharpness",
    "contrast": "Contrast",
    "saturated": "Saturated pixels",
}
SORTS = {NUMBER: "Number", CELLS: "Number of cells"} | TITLES
JUDGED_BY = {
    "mask": ("dice", "kappa", "placed"),
    "style": ("style",),
    "copy": ("copy_style", "copy_pixels"),
    "colour": ("colour",),
    "blur": ("sharpness",),
    "failed": ("contrast", "saturated"),
}
NUCLEI = ("placed", "partial", "missing", "extra")
PERCENT = ("count", *NUCLEI, "saturated")


class ScoreLine(NamedTuple):
    """A score in words: title, value, threshold and a longer explanation."""

    title: str
    value: str
    limit: str
    meaning: str


def score_text(name: str, value: float) -> str:
    """Return a score as text; a dash if it does not apply."""
    if math.isnan(value):
        return "–"
    if name in PERCENT:
        return f"{100 * value:.0f} %"
    return f"{value:.1f}" if name in ("colour", "contrast") else f"{value:.2f}"


def limit_text(name: str, checks: Checks) -> str:
    """Return the threshold of a score in words: “at least 0.50”; empty if there is none."""
    least, most = _limits(name, checks)
    if least is not None:
        return f"at least {score_text(name, least)}"
    return f"at most {score_text(name, most)}" if most is not None else ""


def _limits(name: str, checks: Checks) -> tuple[float | None, float | None]:
    return getattr(checks, f"least_{name}", None), getattr(checks, f"most_{name}", None)


def score_lines(columns: Columns, position: int, checks: Checks) -> list[ScoreLine]:
    """Return the scores of a pair, without those that do not apply."""
    values = zip(SCORES, columns.scores[position].tolist(), strict=True)
    return [
        ScoreLine(TITLES[name], score_text(name, value), limit_text(name, checks), SCORES[name])
        for name, value in values
        if not math.isnan(value)
    ]


def flag_sentences(columns: Columns, position: int, checks: Checks) -> list[str]:
    """Return the flags of a pair as sentences: “Does not follow its mask: overlap with …”."""
    return [_sentence(columns, position, checks, name) for name in columns.flags_of(position)]


def _sentence(columns: Columns, position: int, checks: Checks, flag: str) -> str:
    words = FLAGS[flag][0].upper() + FLAGS[flag][1:]
    known, beyond = [], []
    for name in JUDGED_BY.get(flag, ()):
        value = float(columns.score(name)[position])
        least, most = _limits(name, checks)
        if math.isnan(value) or (least is None and most is None):
            continue
        title = TITLES[name][0].lower() + TITLES[name][1:]
        known.append(f"{title} {score_text(name, value)}")
        if (least is not None and value < least) or (most is not None and value > most):
            beyond.append(f"{known[-1]}, expected {limit_text(name, checks)}")
    # No score is beyond its threshold if real tiles, less alike than it, set a stricter one.
    reasons = "; ".join(beyond or known)
    return f"{words}: {reasons}." if reasons else f"{words}."


def caption(columns: Columns, position: int, sort: str) -> str:
    """Return the number of a pair and the score by which the list is sorted: “12 · 0.43”."""
    number = f"{columns.index[position]}"
    if sort == NUMBER:
        return number
    if sort == CELLS:
        cells = int(columns.cells[position])
        return f"{number} · {counted(cells, 'cell')}" if cells >= 0 else number
    return f"{number} · {score_text(sort, float(columns.score(sort)[position]))}"


def nucleus_counts(columns: Columns, position: int) -> NucleusCounts | None:
    """Return how many nuclei of a pair are placed, partial, missing and extra.

    None if it has no mask, or its nuclei were not compared one by one.
    """
    cells = int(columns.cells[position])
    shares = [float(columns.score(name)[position]) for name in NUCLEI]
    if cells < 0 or math.isnan(shares[-1]):
        return None
    known = (0.0 if math.isnan(share) else share for share in shares)  # without any in the mask
    return NucleusCounts(*(round(share * max(cells, 1)) for share in known))


def pair_words(
    columns: Columns, position: int, styles: dict[int, str], decision: str | None
) -> str:
    """Return a description of a pair: “Pair 12 · Stroma · 41 cells · accepted”."""
    style = int(columns.style[position])
    cells = int(columns.cells[position])
    words = [f"Pair {columns.index[position]}", styles.get(style, f"style {style}")]
    words.append("no mask" if cells < 0 else counted(cells, "cell"))
    return " · ".join([*words, decision or "undecided"])

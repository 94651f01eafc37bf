"""What is said of a pair of a dataset: its scores in words, its flags as sentences."""

from __future__ import annotations

import math
from typing import NamedTuple

from napari_pixcell.datasets.store.checks import FLAGS, SCORES, Checks
from napari_pixcell.studio.review.review_list import CELLS, NUMBER, Columns

TITLES = {
    "dice": "Overlap with its mask",
    "kappa": "Overlap beyond chance",
    "aji": "Overlap by cells (AJI)",
    "pq": "Overlap by cells (PQ)",
    "count": "Cells found again",
    "style": "Likeness to its style",
    "copy_style": "Likeness to a real tile",
    "copy_pixels": "Pixels like a real tile's",
    "colour": "Drift of colour (ΔE)",
    "sharpness": "Sharpness",
    "contrast": "Contrast",
    "saturated": "Saturated pixels",
}
SORTS = {NUMBER: "Number", CELLS: "Number of cells"} | TITLES
BAD_WHEN_HIGH = (
    "copy_style",
    "copy_pixels",
    "colour",
    "saturated",
)  # so these are looked at from the top
JUDGED_BY = {
    "mask": ("dice", "kappa"),
    "style": ("style",),
    "copy": ("copy_style", "copy_pixels"),
    "colour": ("colour",),
    "blur": ("sharpness",),
    "failed": ("contrast", "saturated"),
}


class Line(NamedTuple):
    """A score in words: what it is, its value, what it should be, and what it means at length."""

    title: str
    value: str
    limit: str
    meaning: str


def score_text(name: str, value: float) -> str:
    """Write a score as people read it; a dash where it does not apply."""
    if math.isnan(value):
        return "–"
    if name in ("count", "saturated"):
        return f"{100 * value:.0f} %"
    return f"{value:.1f}" if name in ("colour", "contrast") else f"{value:.2f}"


def limit_text(name: str, checks: Checks) -> str:
    """Say what a score should be: “at least 0.50”; empty where there is no threshold."""
    least, most = _limits(name, checks)
    if least is not None:
        return f"at least {score_text(name, least)}"
    return f"at most {score_text(name, most)}" if most is not None else ""


def _limits(name: str, checks: Checks) -> tuple[float | None, float | None]:
    return getattr(checks, f"least_{name}", None), getattr(checks, f"most_{name}", None)


def score_lines(columns: Columns, position: int, checks: Checks) -> list[Line]:
    """Give the scores of a pair that apply to it."""
    values = zip(SCORES, columns.scores[position].tolist(), strict=True)
    return [
        Line(TITLES[name], score_text(name, value), limit_text(name, checks), SCORES[name])
        for name, value in values
        if not math.isnan(value)
    ]


def flag_sentences(columns: Columns, position: int, checks: Checks) -> list[str]:
    """Say of a pair what the checks found: “Does not follow its mask: overlap with …”."""
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
            beyond.append(f"{known[-1]}, wanted {limit_text(name, checks)}")
    # Real tiles that are less alike than the threshold set a stricter one themselves.
    reasons = "; ".join(beyond or known)
    return f"{words}: {reasons}." if reasons else f"{words}."


def caption(columns: Columns, position: int, sort: str) -> str:
    """Say in a few signs which pair it is, and the score that the list is sorted by."""
    number = f"{columns.index[position]}"
    if sort == NUMBER:
        return number
    if sort == CELLS:
        cells = int(columns.cells[position])
        return f"{number} · {cells:,} cells" if cells >= 0 else number
    return f"{number} · {score_text(sort, float(columns.score(sort)[position]))}"


def pair_words(
    columns: Columns, position: int, styles: dict[int, str], decision: str | None
) -> str:
    """Say which pair it is: “Pair 12 · Stroma · 41 cells · accepted”."""
    style = int(columns.style[position])
    cells = int(columns.cells[position])
    words = [f"Pair {columns.index[position]}", styles.get(style, f"style {style}")]
    words.append("no mask" if cells < 0 else f"{cells:,} cell{'' if cells == 1 else 's'}")
    return " · ".join([*words, decision or "undecided"])

"""What a virtual stain is made from, and what that keeps of the tissue, in honest words.

The words are those of benchmarks/structure.py on the demo stain: of the nuclei of the tissue and of
the stain, so many lie in the same places (F1; 0.34 by chance, 0.19 from noise).

| change | 0.2 | 0.3 | 0.4 | 0.5 | 0.6 | 0.8 |
| --- | --- | --- | --- | --- | --- | --- |
| followed back | 0.79 | 0.78 | 0.79 | 0.80 | 0.76 | 0.74 |
| noise mixed in | 0.71 | 0.59 | 0.51 | 0.39 | 0.27 | 0.23 |
"""

from __future__ import annotations

INVERSION, TISSUE, NOISE = "inversion", "tissue", "noise"
STAIN_FROM = {
    INVERSION: "the tissue, followed back",
    TISSUE: "the tissue and noise",
    NOISE: "noise, as published",
}
STRENGTH = 0.5


def start_words(start: str, strength: float) -> str:
    """Say what of the tissue a stain keeps.

    Parameters
    ----------
    start : str
        One of ``STAIN_FROM``.
    strength : float
        How much changes, 0 to 1.
    """
    if start == NOISE:
        return (
            "Guided by the looks of the tissue alone: cells are not in the same places as in the "
            "H&E."
        )
    if strength == 0:
        return "Nothing changes: every pixel of the H&E is kept."
    if start == INVERSION:
        few = "." if strength < 0.65 else "; some move."
        kept = f"Most cells stay where they are{few}"
        return f"{kept} Every seed gives the same picture."
    if strength < 0.35:
        return "Most cells stay where they are; some are new."
    if strength < 0.5:
        return "Some cells stay where they are; most are new."
    return "Cells are not in the same places as in the H&E."

"""What a virtual stain is made from, and what that keeps of the tissue, in honest words."""

from __future__ import annotations

TISSUE, INVERSION, NOISE = "tissue", "inversion", "noise"
STAIN_FROM = {
    TISSUE: "the tissue",
    INVERSION: "the tissue, followed back",
    NOISE: "noise, as published",
}
LOOKS_LIKE_IHC = (
    "This tissue looks like IHC already: virtual stains are made for H&E, and mean nothing here."
)
STRENGTH = 0.4  # cells stay, see the first sentences


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
            "Made from noise, guided by the tissue's looks alone: cells are not in the same places "
            "as in the H&E."
        )
    if strength == 0:
        return "Nothing changes: every pixel of the H&E is kept."
    if start == INVERSION:
        kept = (
            "Little changes, the stain too."
            if strength < 0.25
            else "Most structures stay where they are."
            if strength < 0.75
            else "Structures may move where the stain wants other ones."
        )
        return f"{kept} The seed does not matter: each gives the same picture."
    if strength < 0.25:
        return "Cells stay where they are, and little of the stain comes through."
    if strength < 0.5:
        return "Most cells stay where they are; their looks are made anew."
    if strength < 0.75:
        return "The rough arrangement stays; most cells are new."
    return "Little of the tissue is left: cells are not in the same places as in the H&E."

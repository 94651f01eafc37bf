"""The families that can be chosen, as data; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_pixcell.errors import PixCellError


@dataclass(frozen=True)
class Family:
    """A set of checkpoints that work together.

    Parameters
    ----------
    name, title : str
        As typed, and as shown.
    folder : Path
        Where its parts lie: ``transformer``, ``controlnet``, ``vae``, ``encoder``, ``scheduler``.
    tile : int
        Side of the square made at once, in px.
    mpp : float
        Pixel size in µm.
    steps, guidance : int, float
        Defaults without a layout.
    layout_guidance : float
        Default guidance with a layout.
    licence, notice : str
        Licence of the weights, and what a user of the images must know.
    """

    name: str
    title: str
    folder: Path
    tile: int
    mpp: float
    steps: int
    guidance: float
    layout_guidance: float
    licence: str
    notice: str


DEMO = Family(
    name="demo",
    title="Demo (bundled)",
    folder=Path(__file__).parent.parent / "demo",
    tile=256,
    mpp=0.5,
    steps=20,
    guidance=1.5,
    layout_guidance=1.5,
    licence="CC BY 4.0; trained on BreCaHAD and TNBC (Naylor et al.) tissue, both CC BY 4.0",
    notice="DEMO: small networks, for trying things; not tissue, not for diagnosis or research",
)

FAMILIES = {family.name: family for family in (DEMO,)}


def get_family(name: str) -> Family:
    """Look a family up by its name."""
    if name not in FAMILIES:
        raise PixCellError(
            f"There is no family “{name}”; choose one of: {', '.join(sorted(FAMILIES))}."
        )
    return FAMILIES[name]

"""Figures that measurements are compared with: published ones, or a set's own. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_pixcell.errors import check_range
from napari_pixcell.serialization import from_json
from napari_pixcell.untrusted import read_json

Verdict = Literal["PASS", "WARN", "FAIL", "not applicable"]
FILE = "figures.json"  # beside the patches of a set that has its own figures
MOST_BYTES = 100_000
AGAIN = "Copy the sample data again."


@dataclass(frozen=True)
class Bounds:
    """How far a value may be from its figure.

    Parameters
    ----------
    figure : str
        The figure, for people.
    good, fair : (lowest, highest)
        PASS in the first, WARN in the second, FAIL elsewhere.
    """

    figure: str
    good: tuple[float, float]
    fair: tuple[float, float]

    def judge(self, value: float) -> Verdict:
        """Return the verdict on a value. NaN fails."""
        if self.good[0] <= value <= self.good[1]:
            return "PASS"
        return "WARN" if self.fair[0] <= value <= self.fair[1] else "FAIL"


def _least(figure: str, good: float, fair: float) -> Bounds:
    return Bounds(figure, (good, math.inf), (fair, math.inf))


def _most(figure: str, good: float, fair: float) -> Bounds:
    return Bounds(figure, (-math.inf, good), (-math.inf, fair))


# Errors of the installation itself, which are the same for every family. What each can be mistaken
# for is far outside, see docs/how-to/verify.md.
EXACT: Mapping[str, Bounds] = {
    "latents": _most("as stored", 0.05, 0.2),
    "scaling": _most("", 0.01, 0.03),
    "embeddings": _most("as stored", 0.1, 0.3),
    "grid": _least("row by row", 0.95, 0.8),
    "resizing": _most("bilinear", 0.2, 0.4),
    "guidance": _most("", 0.05, 0.15),
    "lora": _most("", 0.05, 0.15),
    "memory": _most("", 1.15, 1.5),
}


@dataclass(frozen=True)
class Figures:
    """Figures of a family, and of the set of patches that they were measured on.

    Parameters
    ----------
    scaling_factor, shift_factor : float
        Of the latents: ``(mean − shift) × scale``.
    psnr : float
        Of the autoencoder on the patches, in dB.
    cosine : float
        Of generated pictures' embeddings to their source.
    closer : float
        How much higher that is than to other sources. 0 if there is no figure.
    placed : float
        Share of the nuclei of a mask that are placed.
    follows : float
        Cohen's kappa of nuclei with their mask, less that with another mask.
    moved : float
        Change of embeddings by the flow of a stain, in standard deviations. 0 if none is known.
    positive : float
        Percentage of positive nuclei. Negative if none is known.
    kept : float
        Like ``follows``, of the nuclei of a stain that starts from the tissue.
    looks : tuple of str
        What a stain may look like.
    seconds : float
        Time of a picture. 0 to compare with the plan.
    own : bool
        Whether they are a set's own, measured by ``command``, and not published.
    command : str
        How they were measured.

    Raises
    ------
    PixCellError
        If the scaling factor is out of range.
    """

    scaling_factor: float = 1.5305
    shift_factor: float = 0.0609
    psnr: float = 31.79
    cosine: float = 0.7
    closer: float = 0.0
    placed: float = 0.95
    follows: float = 0.5
    moved: float = 0.0
    positive: float = -1.0
    kept: float = 0.3
    looks: tuple[str, ...] = ("IHC", "unclear")
    seconds: float = 0.0
    own: bool = False
    command: str = ""

    def __post_init__(self) -> None:
        check_range("scaling factor", self.scaling_factor, 1e-6, 1e6)

    def bounds(self, key: str) -> Bounds:
        """Return how far the value of a check may be from these figures."""
        return EXACT[key] if key in EXACT else getattr(self, f"_{key}")()

    @property
    def scaling(self) -> str:
        """Scale and shift of the latents, for people."""
        return f"{self.scaling_factor:.4f}, {self.shift_factor:.4f}"

    def _psnr(self) -> Bounds:
        return _least(f"{self.psnr:.1f} dB", self.psnr - 1.5, self.psnr - 3.5)

    def _cosine(self) -> Bounds:
        # The published figure is a lower bound, in other encoders.
        if not self.own:
            return _least(f"above {self.cosine:.1f}", self.cosine, self.cosine - 0.15)
        return _least(f"{self.cosine:.2f}", self.cosine - 0.1, self.cosine - 0.25)

    def _closer(self) -> Bounds:
        if not self.own:
            return _least("", 0.05, 0.0)
        return _least("", self.closer / 2, self.closer / 4)

    def _placed(self) -> Bounds:
        # Published with another segmentation, so a fifth may be its fault.
        return _least(f"about {self.placed:.0%}", self.placed - 0.2, self.placed - 0.4)

    def _follows(self) -> Bounds:
        return _least("", self.follows / 2, self.follows / 4)

    def _moved(self) -> Bounds:
        if not self.moved:
            return Bounds("moved, not lost", (0.05, 3.0), (0.01, 10.0))
        good, fair = (0.7, 1.4), (0.4, 2.5)
        return Bounds(
            f"{self.moved:.2f}",
            (self.moved * good[0], self.moved * good[1]),
            (self.moved * fair[0], self.moved * fair[1]),
        )

    def _positive(self) -> Bounds:
        if self.positive < 0:
            return Bounds("0 to 100 %", (0.0, 100.0), (0.0, 100.0))
        return Bounds(
            f"{self.positive:.0f} %",
            (self.positive - 20, self.positive + 20),
            (self.positive - 40, self.positive + 40),
        )

    def _kept(self) -> Bounds:
        return _least("", self.kept / 2, self.kept / 4)


PUBLISHED = Figures()


def read_figures(folder: Path) -> Figures:
    """Return the own figures of a set of patches, or the published ones if it has none.

    Raises
    ------
    PixCellError
        If the file of its figures is damaged.
    """
    path = folder / FILE
    return figures_from(path) if path.exists() else PUBLISHED


def figures_from(path: Path) -> Figures:
    """Read a file of figures. Raises like :func:`read_figures`."""
    value = read_json(path, MOST_BYTES, AGAIN)
    return from_json(Figures, value, f"“{path.name}” of the sample data is damaged. {AGAIN}")

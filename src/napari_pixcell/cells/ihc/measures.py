"""How much of the tissue is brown, and which nuclei: area, percentage and H-score of IHC."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.ihc.deconvolution import (
    TISSUE_BLUR_UM,
    stain_densities,
    tissue_mask,
    white_of,
)
from napari_pixcell.cells.ihc.look import Look, looks_like
from napari_pixcell.cells.layout import areas
from napari_pixcell.errors import PixCellError

BAND = 1024  # rows that are unmixed at once
BIN, HIGHEST = 0.01, 3.0  # of the histogram of DAB, in optical density
CLASSES = ("negative", "1+", "2+", "3+")
LEAST_TISSUE_UM2 = 125.0
WHITE_FROM = 1024  # px along a side that the colour of the glass is taken from


@dataclass(frozen=True)
class Thresholds:
    """From how much DAB something is weakly, moderately and strongly positive.

    Parameters
    ----------
    weak, moderate, strong : float
        DAB optical density (log10), 0.01 to 3, ascending. A nucleus is positive from ``weak``
        on; the defaults are QuPath's.

    Raises
    ------
    PixCellError
        If they do not ascend, or are out of range.
    """

    weak: float = 0.2
    moderate: float = 0.4
    strong: float = 0.6

    def __post_init__(self) -> None:
        """Round to what can be shown, and refuse what makes no classes."""
        for name in ("weak", "moderate", "strong"):
            object.__setattr__(self, name, round(float(getattr(self, name)), 2))
        if not all(BIN <= value <= HIGHEST for value in astuple(self)):  # not for NaN either
            raise PixCellError(
                f"The thresholds are {self}; choose densities from {BIN:g} to {HIGHEST:g}."
            )
        if not self.weak < self.moderate < self.strong:
            raise PixCellError(
                f"The thresholds are {self}, which do not ascend; give three that do, such as "
                f"{DEFAULT}."
            )

    @classmethod
    def parse(cls, text: str) -> Thresholds:
        """Read ``0.2,0.4,0.6`` as typed on a command line."""
        try:
            weak, moderate, strong = (float(part) for part in text.split(","))
        except ValueError:
            raise PixCellError(
                f"“{text}” is not three thresholds; give them as 0.2,0.4,0.6."
            ) from None
        return cls(weak, moderate, strong)

    def classify(self, dab: NDArray[Any]) -> NDArray[np.int64]:
        """Give 0 (negative) to 3 (strongly positive) for densities."""
        return np.digitize(dab, astuple(self))

    def __str__(self) -> str:
        return f"{self.weak:.2f}, {self.moderate:.2f}, {self.strong:.2f}"


DEFAULT = Thresholds()


@dataclass(frozen=True)
class Scores:
    """What thresholds make of a measured picture.

    Parameters
    ----------
    area_percent : float
        Part of the tissue whose DAB density is ``thresholds.weak`` or more, in percent.
    nuclei : int
        How many there are.
    classes : (negative, weak, moderate, strong)
        How many nuclei of each class there are.
    thresholds : Thresholds
        That were used.
    """

    area_percent: float
    nuclei: int
    classes: tuple[int, int, int, int]
    thresholds: Thresholds

    @property
    def positive(self) -> int:
        """How many nuclei are at least weakly positive."""
        return sum(self.classes[1:])

    @property
    def percent(self) -> float:
        """Positive nuclei in percent of all; NaN without nuclei."""
        return self._share(self.positive)

    @property
    def h_score(self) -> float:
        """Percent of weak, and twice of moderate, and three times of strong nuclei: 0 to 300."""
        return self._share(sum(grade * count for grade, count in enumerate(self.classes)))

    def _share(self, count: int) -> float:
        return 100 * count / self.nuclei if self.nuclei else math.nan


@dataclass(frozen=True, eq=False)
class Staining:
    """What was measured of a picture; thresholds may be moved without measuring again.

    Parameters
    ----------
    mpp : float
        Pixel size in µm.
    white : (red, green, blue)
        Colour of the glass that densities are relative to.
    tissue_px : int
        Pixels of tissue.
    histogram : array, int64, (300,)
        Pixels of tissue by their DAB density, from 0 to 3 in steps of 0.01; what is beyond counts
        at the ends.
    labels : array, int64, (nuclei,)
        Of the nuclei in the label image, ascending.
    dab : array, float32, (nuclei,)
        Mean DAB optical density of each.
    pixels : array, int64, (nuclei,)
        How large each is.
    look : str
        What :func:`~napari_pixcell.cells.ihc.look.looks_like` says.
    """

    mpp: float
    white: tuple[float, float, float]
    tissue_px: int
    histogram: NDArray[np.int64]
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    dab: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    look: Look = "unclear"

    @property
    def tissue_mm2(self) -> float:
        """Area of tissue."""
        return self.tissue_px * self.mpp**2 / 1e6

    @property
    def areas_um2(self) -> NDArray[np.float64]:
        """Area of each nucleus."""
        return self.pixels.astype(np.float64) * self.mpp**2

    @property
    def warning(self) -> str:
        """Say that this is no haematoxylin and DAB; empty where it may be."""
        if self.look != "H&E":
            return ""
        return (
            "This looks like H&E, not like haematoxylin and DAB, so the numbers mean nothing; "
            "measure an IHC slide or a virtual stain."
        )

    def score(self, thresholds: Thresholds = DEFAULT) -> Scores:
        """Count what is positive at some thresholds."""
        brown = int(self.histogram[round(thresholds.weak / BIN) :].sum())
        grades = np.bincount(thresholds.classify(self.dab), minlength=len(CLASSES))
        negative, weak, moderate, strong = (int(count) for count in grades)
        return Scores(
            100 * brown / self.tissue_px,
            len(self.labels),
            (negative, weak, moderate, strong),
            thresholds,
        )


def measure_staining(
    picture: Any,
    mpp: float,
    labels: NDArray[Any] | None = None,
    white: tuple[float, float, float] | None = None,
) -> Staining:
    """Measure the DAB of a picture and of its nuclei.

    Parameters
    ----------
    picture : array-like, uint8, (height, width, 3)
        Tissue with haematoxylin and DAB. It is read by bands of rows, so it may lie on the disk.
    mpp : float
        Pixel size in µm.
    labels : array, int, (height, width), optional
        Nuclei: an instance label image, 0 is background.
    white : (red, green, blue), optional
        Colour of the glass, 0 to 255; by default it is taken from the picture.

    Returns
    -------
    Staining

    Raises
    ------
    PixCellError
        If there is no tissue, or the label image has another size or no whole numbers.
    """
    height, width = picture.shape[:2]
    if labels is not None:
        _check(labels, (height, width))
    step = max(1, -(-max(height, width) // WHITE_FROM))
    sample = np.asarray(picture[::step, ::step])[..., :3]
    white = white or white_of(sample)
    bins = round(HIGHEST / BIN)
    histogram = np.zeros(bins, np.int64)
    found, pixels = areas(labels) if labels is not None else (np.zeros(0, np.int64),) * 2
    sums = np.zeros(len(found) + 1)
    for top, band, dab, tissue in _bands(picture, mpp, white):
        # A mean that lies on a threshold is above it, so a density must not round to below it.
        index = np.clip(np.floor(dab[tissue] / BIN + 1e-4), 0, bins - 1).astype(np.int64)
        histogram += np.bincount(index, minlength=bins)
        if labels is not None:
            sums += np.bincount(
                _positions(labels[top : top + band], found).ravel(),
                dab.ravel(),
                minlength=len(sums),
            )
    tissue_px = int(histogram.sum())
    if tissue_px * mpp**2 < LEAST_TISSUE_UM2:
        raise PixCellError(
            "There is no tissue here to measure; move the region, or choose another picture."
        )
    means = (sums[1:] / np.maximum(pixels, 1)).astype(np.float32)
    return Staining(mpp, white, tissue_px, histogram, found, means, pixels, looks_like(sample))


def _check(labels: NDArray[Any], shape: tuple[int, int]) -> None:
    if labels.shape != shape:
        has = " × ".join(str(n) for n in labels.shape[::-1])
        raise PixCellError(
            f"The nuclei are of a picture of {has} px but this one has {shape[1]} × {shape[0]} px; "
            "give the mask that belongs to it."
        )
    if labels.dtype.kind not in "iu":
        raise PixCellError(
            "The mask of nuclei holds no whole numbers; give a label image, one number for each "
            "nucleus."
        )


def _bands(
    picture: Any, mpp: float, white: tuple[float, float, float]
) -> Iterator[tuple[int, int, NDArray[np.float32], NDArray[np.bool_]]]:
    """Give top, rows, DAB densities and tissue of one band after another."""
    height, margin = picture.shape[0], math.ceil(2 * TISSUE_BLUR_UM / mpp)
    for top in range(0, height, BAND):
        stop = min(height, top + BAND)
        first = max(0, top - margin)
        wide = np.asarray(picture[first : min(height, stop + margin)])[..., :3]
        own = slice(top - first, stop - first)
        _, dab = stain_densities(wide[own], white)
        yield top, stop - top, dab, tissue_mask(wide, mpp, white)[own]


def _positions(labels: NDArray[Any], found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give for each pixel where its label is in ``found``, from 1; 0 for background."""
    if len(found) and len(found) == found[-1]:
        return labels.astype(np.int64)
    return np.where(labels != 0, np.searchsorted(found, labels) + 1, 0)

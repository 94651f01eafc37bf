"""IHC measures: positive area, percentage of positive nuclei and H-score."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.ihc.deconvolution import (
    RGB,
    TISSUE_BLUR_UM,
    Look,
    looks_like,
    stain_densities,
    tissue_mask,
    white_of,
)
from napari_pixcell.cells.layout import areas, in_px
from napari_pixcell.errors import PixCellError

BAND = 1024  # rows unmixed at once
BIN, HIGHEST = 0.01, 3.0  # DAB optical density: bin width and end of the histogram
CLASSES = ("negative", "1+", "2+", "3+")
LEAST_TISSUE_UM2 = 125.0
WHITE_FROM = 1024  # px along each side sampled for the background colour


@dataclass(frozen=True)
class Thresholds:
    """DAB densities from which nuclei are weakly, moderately and strongly positive.

    Parameters
    ----------
    weak, moderate, strong : float
        DAB optical densities (log10), 0.01 to 3, ascending. Nuclei are positive from ``weak``.
        The defaults are QuPath's.

    Raises
    ------
    PixCellError
        If they are not ascending or out of range.
    """

    weak: float = 0.2
    moderate: float = 0.4
    strong: float = 0.6

    def __post_init__(self) -> None:
        for name in ("weak", "moderate", "strong"):
            object.__setattr__(self, name, round(float(getattr(self, name)), 2))
        if not all(BIN <= value <= HIGHEST for value in astuple(self)):  # False for NaN, too
            raise PixCellError(
                f"The thresholds are {self}. Choose densities from {BIN:g} to {HIGHEST:g}."
            )
        if not self.weak < self.moderate < self.strong:
            raise PixCellError(
                f"The thresholds {self} are not ascending. Choose ascending ones, such as "
                f"{DEFAULT}."
            )

    @classmethod
    def parse(cls, text: str) -> Thresholds:
        """Read ``0.2,0.4,0.6`` as typed on a command line."""
        try:
            weak, moderate, strong = (float(part) for part in text.split(","))
        except ValueError:
            raise PixCellError(
                f"“{text}” is not three thresholds. Write them as 0.2,0.4,0.6."
            ) from None
        return cls(weak, moderate, strong)

    def classify(self, dab: NDArray[Any]) -> NDArray[np.int64]:
        """Return the class of each density, from 0 (negative) to 3 (strongly positive)."""
        return np.asarray(np.digitize(dab, astuple(self)))

    def __str__(self) -> str:
        return f"{self.weak:.2f}, {self.moderate:.2f}, {self.strong:.2f}"


DEFAULT = Thresholds()


@dataclass(frozen=True)
class Scores:
    """Scores of a measured image at given thresholds.

    Parameters
    ----------
    area_percent : float
        Percentage of the tissue with a DAB density of ``thresholds.weak`` or more.
    classes : (negative, weak, moderate, strong)
        Number of nuclei of each class.
    """

    area_percent: float
    nuclei: int
    classes: tuple[int, int, int, int]
    thresholds: Thresholds

    @property
    def positive(self) -> int:
        """Number of nuclei that are at least weakly positive."""
        return sum(self.classes[1:])

    @property
    def percent(self) -> float:
        """Percentage of positive nuclei; NaN without nuclei."""
        return self._share(self.positive)

    @property
    def h_score(self) -> float:
        """H-score, 0 to 300: percentages weighted by 1 (weak), 2 (moderate) and 3 (strong)."""
        return self._share(sum(grade * count for grade, count in enumerate(self.classes)))

    def _share(self, count: int) -> float:
        return 100 * count / self.nuclei if self.nuclei else math.nan


@dataclass(frozen=True, eq=False)
class IhcMeasurement:
    """Measured DAB of an image and its nuclei, independent of thresholds.

    Parameters
    ----------
    mpp : float, µm per pixel
    white : (red, green, blue)
        Background colour that densities are relative to.
    tissue_px : int
        Area of tissue in px.
    histogram : array, int64, (300,)
        Tissue pixels by DAB density, from 0 to 3 in steps of 0.01; the outer bins include all
        values beyond.
    labels : array, int64, (nuclei,)
        Labels of the nuclei, ascending.
    dab : array, float32, (nuclei,)
        Mean DAB optical density of each nucleus.
    pixels : array, int64, (nuclei,)
        Area of each nucleus in px.
    look : str
        Result of :func:`~napari_pixcell.cells.ihc.deconvolution.looks_like`.
    """

    mpp: float
    white: RGB
    tissue_px: int
    histogram: NDArray[np.int64]
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    dab: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    look: Look = "unclear"

    @property
    def tissue_mm2(self) -> float:
        """Area of tissue in mm²."""
        return self.tissue_px * self.mpp**2 / 1e6

    @property
    def areas_um2(self) -> NDArray[np.float64]:
        """Area of each nucleus in µm²."""
        return self.pixels.astype(np.float64) * self.mpp**2

    @property
    def warning(self) -> str:
        """Warning if the image looks like H&E; else empty."""
        if self.look != "H&E":
            return ""
        return (
            "This looks like H&E, not IHC with DAB, so the numbers are meaningless. Measure an IHC "
            "slide or a virtual stain."
        )

    def score(self, thresholds: Thresholds = DEFAULT) -> Scores:
        """Return the scores at given thresholds."""
        brown = int(self.histogram[round(thresholds.weak / BIN) :].sum())
        grades = np.bincount(thresholds.classify(self.dab), minlength=len(CLASSES))
        negative, weak, moderate, strong = (int(count) for count in grades)
        classes = negative, weak, moderate, strong
        return Scores(100 * brown / self.tissue_px, len(self.labels), classes, thresholds)


def measure_staining(
    picture: Any, mpp: float, labels: NDArray[Any] | None = None, white: RGB | None = None
) -> IhcMeasurement:
    """Measure the DAB of an image and of its nuclei.

    Parameters
    ----------
    picture : array-like, uint8, (height, width, 3)
        IHC with haematoxylin and DAB. It is read in bands of rows, so it may be on disk.
    mpp : float, µm per pixel
    labels : array, int, (height, width), optional
        Nuclei as an instance label image; 0 is background.
    white : (red, green, blue), optional
        Background colour, 0 to 255. Default: estimated by :func:`white_of`.

    Raises
    ------
    PixCellError
        If there is no tissue, or the label image has another size or is not of integers.
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
        # A density on a threshold counts as positive, so rounding must not lower it.
        index = np.clip(np.floor(dab[tissue] / BIN + 1e-4), 0, bins - 1).astype(np.int64)
        histogram += np.bincount(index, minlength=bins)
        if labels is not None:
            nucleus = _positions(labels[top : top + band], found).ravel()
            sums += np.bincount(nucleus, dab.ravel(), minlength=len(sums))
    tissue_px = int(histogram.sum())
    if tissue_px * mpp**2 < LEAST_TISSUE_UM2:
        raise PixCellError(
            "There is no tissue to measure. Move the region, or choose another image."
        )
    means = (sums[1:] / np.maximum(pixels, 1)).astype(np.float32)
    look = looks_like(sample)
    return IhcMeasurement(mpp, white, tissue_px, histogram, found, means, pixels, look)


def _check(labels: NDArray[Any], shape: tuple[int, int]) -> None:
    if labels.shape != shape:
        raise PixCellError(
            f"The mask of nuclei is {in_px(labels.shape)} but the image is {in_px(shape)}. "
            "Choose the mask that belongs to the image."
        )
    if labels.dtype.kind not in "iu":
        raise PixCellError(
            "The mask of nuclei is not a label image. Choose one with an integer for each nucleus."
        )


def _bands(
    picture: Any, mpp: float, white: RGB
) -> Iterator[tuple[int, int, NDArray[np.float32], NDArray[np.bool_]]]:
    """Iterate over bands of rows: top, number of rows, DAB densities and tissue mask."""
    height, margin = picture.shape[0], math.ceil(2 * TISSUE_BLUR_UM / mpp)
    for top in range(0, height, BAND):
        stop = min(height, top + BAND)
        first = max(0, top - margin)
        wide = np.asarray(picture[first : min(height, stop + margin)])[..., :3]
        own = slice(top - first, stop - first)
        _, dab = stain_densities(wide[own], white)
        yield top, stop - top, dab, tissue_mask(wide, mpp, white)[own]


def _positions(labels: NDArray[Any], found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position of each pixel's label in ``found``, from 1; 0 for background."""
    if len(found) and len(found) == found[-1]:
        return labels.astype(np.int64)
    return np.where(labels != 0, np.searchsorted(found, labels) + 1, 0)

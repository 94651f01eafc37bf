"""The colours of tissue without glass, counted in images of any size. Imports no torch.

A pixel is tissue as far as its darkest channel is dark, which fades out towards white.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import OMIT_DEFAULT

# The darkest channel at which a pixel is entirely tissue, and from which on it is glass.
TISSUE, GLASS = 195.0, 230.0
LEAST_SHARE, LEAST_PIXELS = 0.02, 400.0  # of tissue, below which nothing is matched
BITS = 5  # per channel, of the bins in which colours are counted

Floats = NDArray[np.float32]
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class TissueColours:
    """The colours of tissue without glass: a few numbers, from which no tissue can be read.

    Of a region with many embeddings, they describe the whole region.

    Parameters
    ----------
    mean, std : tuple of 3 float
        Mean and standard deviation of L*, a* and b* (CIELAB under D65).
    share : float
        Share of the picture that is tissue, 0 to 1.
    classes : tuple of two tuples of 3 float, optional
        Mean colour of its nuclei, and of the tissue between them. None if they were not told
        apart, or if there is little of one of them.

    Raises
    ------
    PixCellError
        If they are no colours.
    """

    mean: Triple
    std: Triple
    share: float = 1.0
    classes: tuple[Triple, Triple] | None = field(default=None, metadata=OMIT_DEFAULT)

    def __post_init__(self) -> None:
        bounds = (0, 100), (-150, 150), (-150, 150)
        fits = [
            low <= value <= high
            for mean in (self.mean, *(self.classes or ()))
            for value, (low, high) in zip(mean, bounds, strict=True)
        ]
        fits += [0 <= value <= 150 for value in self.std] + [0 <= self.share <= 1]
        if not all(fits):  # NaN does not fit either
            raise PixCellError(
                "The tissue colours of a style are damaged. Embed its tissue again, or switch "
                "the colour match off."
            )

    @property
    def enough(self) -> bool:
        """False if nearly all is glass, so that the numbers mean little."""
        return self.share >= LEAST_SHARE


def mixed_colours(parts: Sequence[tuple[TissueColours | None, float]]) -> TissueColours | None:
    """Return the mean of the colours of blended styles by their shares.

    None if one of them is unknown.
    """
    used = [(tissue, share) for tissue, share in parts if share > 0]
    known = [(tissue, share) for tissue, share in used if tissue is not None]
    if not known or len(known) < len(used):
        return None
    with_tissue = [one for one in known if one[0].enough] or known
    shares = np.array([share for _, share in with_tissue])
    means, stds = (
        np.array([getattr(tissue, name) for tissue, _ in with_tissue]) for name in ("mean", "std")
    )
    amounts = [tissue.share for tissue, _ in with_tissue]
    weights = shares / shares.sum()
    mixed = rounded_colours(weights @ means, weights @ stds, float(weights @ amounts))
    classes = [tissue.classes for tissue, _ in with_tissue if tissue.classes is not None]
    if len(classes) < len(with_tissue):
        return mixed
    nuclei, rest = np.tensordot(weights, np.array(classes), 1)
    return replace(mixed, classes=(_rounded(nuclei), _rounded(rest)))


class ColourCount:
    """Counts the colours of an image, in any number of parts and in any order."""

    def __init__(self) -> None:
        # Of each bin, the number of pixels and the sums of their channels: exact in any order
        self._sums = np.zeros((4, 2 ** (3 * BITS)), np.int64)

    def add(self, pixels: NDArray[np.uint8], each: int = 1) -> None:
        """Count pixels: uint8, (…, 3). In a small copy, each stands for several of the image."""
        flat = pixels.reshape(-1, 3)
        red, green, blue = (flat[:, channel] for channel in range(3))
        index = (red >> 8 - BITS).astype(np.int32) << 2 * BITS
        index |= (green >> 8 - BITS).astype(np.int32) << BITS
        index |= blue >> 8 - BITS
        for sums, weights in zip(self._sums, (None, red, green, blue), strict=True):
            sums += each * np.bincount(index, weights, len(sums)).astype(np.int64)

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return int(self._sums[0].sum())

    def table(self) -> tuple[Floats, NDArray[np.float64]]:
        """Return the mean colour of each bin, float32 (n, 3) in 0 to 1, and its pixels."""
        counts, *sums = self._sums[:, self._sums[0] > 0]
        colours = np.stack(sums, axis=-1) / (255 * counts[:, None])
        return colours.astype(np.float32), counts.astype(np.float64)

    def colours(self) -> TissueColours:
        """Return the colours of the tissue; of none, a share of 0."""
        rgb, counts = self.table()
        return statistics_of(to_lab(rgb), counts * tissue_part(rgb), counts.sum())


class ClassCount:
    """Counts the colours of nuclei, and of the rest, in any number of parts and in any order."""

    def __init__(self) -> None:
        self.nuclei, self.rest = ColourCount(), ColourCount()

    def add(self, pixels: NDArray[np.uint8], nuclei: NDArray[np.bool_], each: int = 1) -> None:
        """Count pixels, uint8 (…, 3); ``nuclei``, (…), tells which of them lie in nuclei."""
        self.nuclei.add(pixels[nuclei], each)
        self.rest.add(pixels[~nuclei], each)

    @property
    def enough(self) -> bool:
        """False if there is so little tissue of one class that its colours mean little."""
        return all(count.colours().enough for count in (self.nuclei, self.rest))

    def means(self) -> tuple[Triple, Triple] | None:
        """Return the mean colours of nuclei and of the rest, if there is enough of both."""
        return (self.nuclei.colours().mean, self.rest.colours().mean) if self.enough else None


def tissue_colours(pixels: NDArray[np.uint8], mpp: float | None = None) -> TissueColours:
    """Return the colours of the tissue in a picture.

    Parameters
    ----------
    pixels : array, uint8, (height, width, 3)
    mpp : float, optional
        Pixel size in µm, with which the built-in method tells nuclei and the rest apart.
    """
    count = ColourCount()
    count.add(pixels)
    colours = count.colours()
    if mpp is None or not colours.enough:
        return colours
    from napari_pixcell.cells import segment_nuclei  # slow to import

    classes = ClassCount()
    classes.add(pixels, segment_nuclei(pixels, mpp) > 0)
    return replace(colours, classes=classes.means())


def statistics_of(lab: Floats, weights: NDArray[Any], total: float) -> TissueColours:
    """Return the statistics of colours, (n, 3), by their weights; ``total`` are all pixels."""
    amount = float(weights.sum())
    if amount < LEAST_PIXELS:
        return TissueColours((100.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0)
    mean = weights @ lab / amount
    std = np.sqrt(weights @ (lab - mean) ** 2 / amount)
    return rounded_colours(mean, std, amount / total)


def rounded_colours(mean: NDArray[Any], std: NDArray[Any], share: float) -> TissueColours:
    """Return colours with few digits, as they are stored."""
    return TissueColours(_rounded(mean), _rounded(std), min(1.0, round(float(share), 4)))


def _rounded(values: NDArray[Any]) -> Triple:
    light, a, b = (round(float(value), 4) for value in values)
    return min(100.0, light), a, b  # rounding may exceed it


def tissue_part(rgb: Floats) -> Floats:
    """Return how far colours in 0 to 1 are tissue rather than glass, 0 to 1: a smooth step."""
    red, green, blue = np.moveaxis(rgb, -1, 0)
    darkest = np.minimum(np.minimum(red, green), blue) * np.float32(255)
    part = np.clip((GLASS - darkest) / (GLASS - TISSUE), 0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float32)


def to_lab(rgb: Floats) -> Floats:
    """Convert sRGB in 0 to 1, (…, 3), to CIELAB under D65."""
    from skimage.color import rgb2lab

    return np.asarray(rgb2lab(rgb), np.float32)


def to_rgb(lab: Floats) -> Floats:
    """Convert CIELAB, (…, 3), to sRGB; colours that it lacks are clipped to 0 or 1."""
    from skimage.color import lab2rgb

    lab = lab.copy()
    lab[..., 0] = lab[..., 0].clip(0, 100)
    # A b* beyond this has no colour, of which scikit-image would warn.
    lab[..., 2] = np.minimum(lab[..., 2], 199.9 * (lab[..., 0] + 16) / 116)
    return np.asarray(lab2rgb(lab), np.float32)

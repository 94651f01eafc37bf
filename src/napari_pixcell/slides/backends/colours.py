"""How the samples of a page become RGB: which kinds are read rightly, and which are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.slides.corrupt import unsupported
from napari_pixcell.slides.levels import Level, to_rgb8

MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
NAMES = {5: "CMYK", 8: "CIELAB", 9: "CIELAB", 10: "CIELAB", 32803: "raw camera"}
NAMES |= {32844: "LogLuv", 32845: "LogLuv", 34892: "raw camera", PALETTE: "palette"}
JPEGS = (6, 7, 33007, 34892)
ELECTRONS = (65000, 65001, 65002)  # counts of electrons
ASSOCIATED, UNASSOCIATED = 1, 2
DEPTHS = (8, 10, 12, 14, 16)
BRIGHT = 90  # grey value of the median of a bright field


@dataclass(frozen=True)
class Colours:
    """How decoded samples, (h, w, samples), are converted.

    Parameters
    ----------
    alpha : int
        0 without alpha, else the TIFF's kind of alpha.
    bits : int
        Bits of a 16-bit sample that are used.
    """

    alpha: int = 0
    bits: int = 16

    def convert(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """Convert decoded samples to (h, w, 3) uint8."""
        pixels = pixels[..., : 4 if self.alpha else 3]
        return to_rgb8(pixels, self.bits, premultiplied=self.alpha == ASSOCIATED)


def is_colour(page: Any) -> bool:
    """Whether a page holds a colour picture of whole numbers, in whatever colours."""
    if page.dtype is None or page.dtype.kind != "u":
        return False
    photometric, samples = int(page.photometric), page.samplesperpixel
    return photometric in (RGB, YCBCR, *(k for k in NAMES if k != PALETTE)) and samples >= 3


def is_grey(page: Any) -> bool:
    """Whether a page holds one sample per pixel, as 8 or 16 bits."""
    kind = page.dtype is not None and page.dtype.kind == "u" and page.dtype.itemsize <= 2
    return kind and int(page.photometric) == MIN_IS_BLACK and page.samplesperpixel == 1


def colours_of(page: Any, name: str) -> Colours:
    """Return how to convert a colour page.

    Raises
    ------
    PixCellError
        If its colours, bits or compression are not supported.
    """
    import tifffile

    photometric, compression = int(page.photometric), int(page.compression)
    if is_grey(page) and compression == 1:
        return Colours(0, _stored_bits(page))
    known = compression == 1 or compression in tifffile.TIFF.DECOMPRESSORS
    if not known or compression in ELECTRONS:
        raise unsupported(
            name,
            f"is compressed by method {compression}, which is not supported",
            "Save it with JPEG or LZW compression.",
        )
    if photometric in NAMES:
        raise unsupported(name, f"stores {NAMES[photometric]} colours, which are not supported")
    if photometric == YCBCR and compression not in JPEGS:
        raise unsupported(name, "stores YCbCr colours without JPEG, which is not supported")
    if page.dtype.itemsize > 2:
        raise unsupported(name, f"has {8 * page.dtype.itemsize} bits per sample, too many")
    samples, extra = page.samplesperpixel, [int(kind) for kind in page.extrasamples or ()]
    if samples > 4:
        raise unsupported(name, f"has {samples} samples per pixel, not 3")
    alpha = extra[0] if samples == 4 and extra and extra[0] in (1, 2) else 0
    return Colours(alpha, _stored_bits(page))


def _stored_bits(page: Any) -> int:
    bits = page.bitspersample
    bits = max(bits) if isinstance(bits, tuple) else bits
    return int(bits) if page.dtype.itemsize == 2 else 16


def used_bits(largest: int) -> int:
    """Return how many bits of 16 a slide uses whose largest sample is known.

    Scanners store 10 to 14 bits in 16. The background of a slide is bright, so that its largest
    sample tells.
    """
    return next(bits for bits in DEPTHS if largest < 1 << bits)


def is_bright(level: Level) -> bool:
    """Whether a picture is that of a bright field: its pixels are bright in every channel."""
    pixels = level.read(0, min(level.shape[0], 1024), 0, min(level.shape[1], 1024))
    return bool(np.median(pixels.reshape(-1, 3), axis=0).min() > BRIGHT)

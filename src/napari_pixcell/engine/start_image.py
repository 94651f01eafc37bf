"""The image that a generation starts from, and the area of it to regenerate. Imports no torch.

New pixels extend beyond the border of that area: inside, only they are visible, and within the
feather around it they fade into the start. Latents change in the area alone. What fades is thus
the start as the autoencoder reconstructs it, never two images on top of each other.
"""

from __future__ import annotations

import numpy as np
import scipy  # whose parts are imported when they are first used
from numpy.typing import NDArray

from napari_pixcell.engine.canvas.plan import FACTOR, Canvas
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.errors import PixCellError

STRENGTH = 0.6  # how much of the start changes by default, 0 to 1
FEATHER = 16  # px
MAX_FEATHER = 1024
STRIP = 256  # rows of px merged at once, because distances take much memory


def feather_px(feather_um: float | None, mpp: float) -> int:
    """Return the width of a feather in px, which is given in µm; the usual one for None.

    Raises
    ------
    PixCellError
        If it is out of range.
    """
    if feather_um is None:
        return FEATHER
    if not 0 <= feather_um / mpp <= MAX_FEATHER:
        raise PixCellError(
            f"The feather is {feather_um:g} µm. Choose 0 to {MAX_FEATHER * mpp:g} µm."
        )
    return round(feather_um / mpp)


def check_start(
    start: PackedArray | None,
    strength: float,
    part: PackedArray | None,
    size: tuple[int, int] | None,
) -> None:
    """Raise PixCellError if a start is no image of the size, or its mask does not fit it."""
    if start is None:
        if part is not None:
            raise PixCellError(
                "There is an area to regenerate, but no image to start from. Add a start image, "
                "or remove the area."
            )
        if strength != 1:
            raise PixCellError(
                "The strength says how much of an image changes, but there is no image to start "
                "from. Add a start image, or leave the strength at 1."
            )
        return
    shape = start.shape
    if start.dtype != "uint8" or len(shape) != 3 or shape[-1] != 3 or 0 in shape:
        raise PixCellError(
            f"The start image is an array of {shape}, {start.dtype}. Use an 8-bit RGB image."
        )
    if size is not None and shape[:2] != size:
        raise PixCellError(_wrong_size(shape, size))
    if part is None:
        return
    if part.dtype not in ("uint8", "bool") or part.shape != shape[:2]:
        raise PixCellError(
            f"The area to regenerate is an array of {part.shape}, {part.dtype}. Use an 8-bit mask "
            f"of {shape[1]} × {shape[0]} px that is nonzero where the image changes."
        )
    if not part.view().any():
        raise PixCellError("The area to regenerate is empty. Paint over part of the image.")


def check_invert(invert: bool, start: PackedArray | None, part: PackedArray | None) -> None:
    """Raise PixCellError if an inversion has no start image, or only an area of it changes."""
    if invert and start is None:
        raise PixCellError(
            "There is no image to invert. Add a start image, or switch the inversion off."
        )
    if invert and part is not None:
        raise PixCellError(
            "An inversion changes the whole image, but there is an area to regenerate. Remove the "
            "area, or switch the inversion off."
        )


def _wrong_size(shape: tuple[int, ...], size: tuple[int, int]) -> str:
    return (
        f"The start image is {shape[1]} × {shape[0]} px, but the result has {size[1]} × {size[0]} "
        "px. Use an image of that size."
    )


class CanvasStart:
    """A start image on a canvas.

    Parameters
    ----------
    picture : array, uint8, (height, width, 3)
        Of the canvas's size.
    canvas : Canvas
        Its plane may be larger than the image, which is mirrored there.
    part : array, (height, width), optional
        Mask of the area to regenerate. By default everything.
    feather : int
        Pixels around that area in which the new image fades into the start.
    """

    def __init__(
        self,
        picture: NDArray[np.uint8],
        canvas: Canvas,
        part: NDArray[np.uint8 | np.bool_] | None = None,
        feather: int = FEATHER,
    ) -> None:
        if picture.shape[:2] != canvas.size:
            raise PixCellError(_wrong_size(picture.shape, canvas.size))
        self.picture = picture
        self.part = part.astype(bool) if part is not None else None
        self.feather = feather

    def read(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Return the pixels of a rectangle of latents: uint8, (8 × height, 8 × width, 3)."""
        rows, columns = (
            _mirrored(np.arange(FACTOR * first, FACTOR * stop), length)
            for first, stop, length in zip(
                (top, left), (bottom, right), self.picture.shape, strict=False
            )
        )
        return self.picture[rows][:, columns]

    def touched(self, top: int, bottom: int, left: int, right: int) -> bool:
        """Whether any pixel of a rectangle of latents changes."""
        if self.part is None:
            return True
        y, x = (
            slice(max(0, FACTOR * first - self.feather), FACTOR * stop + self.feather)
            for first, stop in ((top, bottom), (left, right))
        )
        return bool(self.part[y, x].any())

    def seen(self, top: int, stop: int) -> NDArray[np.float32]:
        """Return how far the pixels of some rows are new: float32 (rows, width), 0 to 1."""
        if self.part is None:
            return np.ones((stop - top, self.picture.shape[1]), np.float32)
        return faded(self.part, self.feather, top, stop)

    def merge(self, top: int, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return new rows of pixels, faded into the start around the area to regenerate.

        ``pixels`` are uint8, (rows, width, 3), from row ``top`` of the image on.
        """
        if self.part is None:
            return pixels
        merged = self.picture[top : top + len(pixels)].copy()
        for first in range(0, len(pixels), STRIP):
            strip = slice(first, min(first + STRIP, len(pixels)))
            seen = self.seen(top + strip.start, top + strip.stop)[..., None]
            if seen.any():
                old = merged[strip].astype(np.float32)
                merged[strip] = np.rint(old + seen * (pixels[strip] - old))
        return merged

    def preview(self, picture: NDArray[np.uint8], every: int) -> NDArray[np.uint8]:
        """Return a preview, uint8 (height, width, 3), with the start around the area to regenerate.

        It has one pixel for every n-th latent.
        """
        if self.part is None:
            return picture
        rows, columns = self._previewed(picture.shape, every)
        part = self.part[rows][:, columns, None]
        return np.where(part, picture, self.picture[rows][:, columns])

    def seen_in_preview(self, shape: tuple[int, ...], every: int) -> NDArray[np.float32] | None:
        """Return which pixels of a preview are new: float32 (height, width), or None if all."""
        if self.part is None:
            return None
        rows, columns = self._previewed(shape, every)
        return self.part[rows][:, columns].astype(np.float32)

    def _previewed(self, shape: tuple[int, ...], every: int) -> list[NDArray[np.int_]]:
        """Return the rows and the columns of the image that a preview shows."""
        return [
            _mirrored(np.arange(count) * every * FACTOR + FACTOR // 2, length)
            for count, length in zip(shape, self.picture.shape[:2], strict=False)
        ]


def faded(part: NDArray[np.bool_], feather: int, top: int, stop: int) -> NDArray[np.float32]:
    """Return some rows of a mask that fades out within the feather: float32 (rows, width)."""
    seen = np.zeros((stop - top, part.shape[1]), np.float32)
    above = max(0, top - feather)  # rows beyond the feather have no effect here
    part = part[above : stop + feather]
    columns = np.flatnonzero(part.any(axis=0))
    if len(columns):
        across = slice(max(0, columns[0] - feather), columns[-1] + 1 + feather)
        away = scipy.ndimage.distance_transform_edt(~part[:, across])[top - above :][: len(seen)]
        seen[:, across] = np.clip(1 - away / max(1, feather), 0, 1)
    return seen


def free_latents(part: NDArray[np.uint8 | np.bool_], canvas: Canvas) -> NDArray[np.bool_]:
    """Return the mask of the latents that change: those that contain a marked pixel."""
    whole = np.zeros((canvas.height * FACTOR, canvas.width * FACTOR), bool)
    whole[: part.shape[0], : part.shape[1]] = part != 0
    blocks = whole.reshape(canvas.height, FACTOR, canvas.width, FACTOR)
    return np.asarray(blocks.any(axis=(1, 3)))


def _mirrored(indices: NDArray[np.int_], length: int) -> NDArray[np.int_]:
    """Fold indices beyond the end of an axis back into it."""
    folded = indices % (2 * length)
    return np.minimum(folded, 2 * length - 1 - folded)

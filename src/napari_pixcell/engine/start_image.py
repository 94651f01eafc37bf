"""The picture that a generation starts from, and the part of it that changes; imports no torch.

What is new grows over the border of the part: in the part all of it is seen, and around it, within
the feather, it fades into the start. Latents change in the part alone, so that what fades is the
start as the autoencoder gives it back, and not two pictures on top of each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from napari_pixcell.engine.canvas.plan import FACTOR, Canvas
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.errors import PixCellError

FEATHER = 16  # px
MAX_FEATHER = 1024
STRIP = 256  # rows of px that are merged at once: distances take much memory


def check_start(
    start: PackedArray | None,
    strength: float,
    part: PackedArray | None,
    size: tuple[int, int] | None,
) -> None:
    """Refuse a start that is no picture of the size, or a part that is none of it.

    Raises
    ------
    PixCellError
        With a sentence that says what is wrong.
    """
    if start is None:
        if part is not None:
            raise PixCellError(
                "Only a part shall change, but there is no picture to start from; give one, or "
                "take the part away."
            )
        if strength != 1:
            raise PixCellError(
                "A strength says how much of a picture changes, and there is none to start from; "
                "give one, or leave the strength at 1."
            )
        return
    shape = start.shape
    if start.dtype != "uint8" or len(shape) != 3 or shape[-1] != 3 or 0 in shape:
        raise PixCellError(
            f"The picture to start from is an array of {shape}, {start.dtype}; give an RGB image "
            "of 8 bits."
        )
    if size is not None and shape[:2] != size:
        raise PixCellError(
            f"The picture to start from is {shape[1]} × {shape[0]} px but {size[1]} × {size[0]} px "
            "are made; give one of that size."
        )
    if part is None:
        return
    if part.dtype not in ("uint8", "bool") or part.shape != shape[:2]:
        raise PixCellError(
            f"The part that changes is an array of {part.shape}, {part.dtype}; give a mask of "
            f"8 bits, {shape[1]} × {shape[0]} px, that is not 0 where the picture changes."
        )
    if not part.unpack().any():
        raise PixCellError("Nothing is marked as the part that changes; paint over some of it.")


def check_invert(invert: bool, start: PackedArray | None, part: PackedArray | None) -> None:
    """Refuse to follow back what is not there, or only a part of it.

    Raises
    ------
    PixCellError
        With a sentence that says what is wrong.
    """
    if invert and start is None:
        raise PixCellError(
            "An inversion follows a picture back, and there is none to start from; give one, or "
            "leave the inversion out."
        )
    if invert and part is not None:
        raise PixCellError(
            "An inversion follows a whole picture back, and only a part shall change; leave out "
            "the part or the inversion."
        )


class StartImage:
    """A picture to start from, laid over a canvas.

    Parameters
    ----------
    picture : array, uint8, (height, width, 3)
        Of the canvas's size.
    canvas : Canvas
        It may be larger than the picture, which is mirrored there.
    part : array, (height, width), optional
        Not 0 where the picture changes; all over without it.
    feather : int
        Pixels around the part in which the new picture fades into the start.
    """

    def __init__(
        self,
        picture: NDArray[np.uint8],
        canvas: Canvas,
        part: NDArray[np.uint8 | np.bool_] | None = None,
        feather: int = FEATHER,
    ) -> None:
        if picture.shape[:2] != canvas.size:
            height, width = canvas.size
            raise PixCellError(
                f"The picture to start from is {picture.shape[1]} × {picture.shape[0]} px but "
                f"{width} × {height} px are made; give one of that size."
            )
        self.picture = picture
        self.part = part.astype(bool) if part is not None else None
        self.feather = feather

    def read(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Give the pixels of a rectangle of latents: uint8, (8 × height, 8 × width, 3)."""
        rows, columns = (
            _mirrored(np.arange(FACTOR * first, FACTOR * stop), length)
            for first, stop, length in zip(
                (top, left), (bottom, right), self.picture.shape, strict=False
            )
        )
        return self.picture[rows][:, columns]

    def touched(self, top: int, bottom: int, left: int, right: int) -> bool:
        """Whether pixels change in a rectangle of latents."""
        if self.part is None:
            return True
        y, x = (
            slice(max(0, FACTOR * first - self.feather), FACTOR * stop + self.feather)
            for first, stop in ((top, bottom), (left, right))
        )
        return bool(self.part[y, x].any())

    def merge(self, top: int, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Let new rows of pixels, from row ``top`` on, fade into the start around the part.

        Parameters
        ----------
        top : int
            In px of the picture.
        pixels : array, uint8, (rows, width, 3)
        """
        if self.part is None:
            return pixels
        merged = self.picture[top : top + len(pixels)].copy()
        for first in range(0, len(pixels), STRIP):
            strip = slice(first, min(first + STRIP, len(pixels)))
            self._fade(top + first, merged[strip], pixels[strip])
        return merged

    def _fade(self, top: int, before: NDArray[np.uint8], pixels: NDArray[np.uint8]) -> None:
        """Put new pixels into some rows, which hold the start."""
        assert self.part is not None
        above = max(0, top - self.feather)  # farther away nothing has an effect on these rows
        part = self.part[above : top + len(pixels) + self.feather]
        columns = np.flatnonzero(part.any(axis=0))
        if not len(columns):
            return
        across = slice(max(0, columns[0] - self.feather), columns[-1] + 1 + self.feather)
        away = distance_transform_edt(~part[:, across])[top - above :][: len(pixels)]
        seen = np.clip(1 - away / max(1, self.feather), 0, 1)[..., None].astype(np.float32)
        old = before[:, across].astype(np.float32)
        before[:, across] = np.rint(old + seen * (pixels[:, across] - old))

    def preview(self, picture: NDArray[np.uint8], every: int) -> NDArray[np.uint8]:
        """Put the start around the part of a preview that has one pixel for each so many latents.

        Parameters
        ----------
        picture : array, uint8, (height, width, 3)
        every : int
            Latents from one pixel to the next.
        """
        if self.part is None:
            return picture
        rows, columns = (
            _mirrored(np.arange(count) * every * FACTOR + FACTOR // 2, length)
            for count, length in zip(picture.shape, self.part.shape, strict=False)
        )
        part = self.part[rows][:, columns, None]
        return np.where(part, picture, self.picture[rows][:, columns])


def free_latents(part: NDArray[np.uint8 | np.bool_], canvas: Canvas) -> NDArray[np.bool_]:
    """Say which latents of a canvas change: all that a marked pixel lies in."""
    whole = np.zeros((canvas.height * FACTOR, canvas.width * FACTOR), bool)
    whole[: part.shape[0], : part.shape[1]] = part != 0
    return np.any(whole.reshape(canvas.height, FACTOR, canvas.width, FACTOR), axis=(1, 3))


def _mirrored(places: NDArray[np.int_], length: int) -> NDArray[np.int_]:
    """Fold places beyond the end of an axis back into it."""
    folded = places % (2 * length)
    return np.minimum(folded, 2 * length - 1 - folded)

"""Stamps: outlines of real nuclei, drawn at any size, angle and elongation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import napari_pixcell
from napari_pixcell.cells.inventing.measuring import cell_shapes
from napari_pixcell.errors import PixCellError, check_range

DEFAULT_FILE = Path(napari_pixcell.__file__).parent / "demo" / "stamps.npz"
MOST_STAMPS = 400
LARGEST_SIDE = 255
FEWEST_PX = 12
RELATIVE_AREA = (0.2, 4.0)  # of the median; smaller are specks, larger are merged nuclei
LEAST_SOLIDITY = 0.9  # area relative to the convex hull; merged nuclei have a waist
PAD = 2
SMOOTHING_PX = 0.8

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class StampLibrary:
    """Outlines of nuclei as small masks.

    Parameters
    ----------
    masks : sequence of array, bool, (height, width)
        One cropped mask per outline.
    mpp : float
        Pixel size of the masks in µm.

    Raises
    ------
    PixCellError
        If there are no outlines, or the pixel size is out of range.
    """

    masks: tuple[Mask, ...]
    mpp: float
    name: str = ""

    def __post_init__(self) -> None:
        if not self.masks:
            raise PixCellError(
                "The layout has no whole nuclei to use as stamps. Choose a layout with cells that "
                "do not touch the border, or the bundled stamps."
            )
        check_range("pixel size of the stamps", self.mpp, 0.01, 10, " µm")

    def __len__(self) -> int:
        return len(self.masks)

    @classmethod
    def from_layout(
        cls, labels: NDArray[Any], mpp: float, name: str = "", most: int = MOST_STAMPS
    ) -> StampLibrary:
        """Return a library of the whole, single nuclei of a layout.

        Cells that touch the border, specks, and merged nuclei (much larger than the others, or
        with a waist) are left out. If more than ``most`` remain, a fixed random subset is used.

        Parameters
        ----------
        labels : instance label image, (height, width)
        mpp : float, µm per pixel
        most : int
            Largest number of outlines.

        Raises
        ------
        PixCellError
            If no cell remains.
        """
        masks: list[Mask] = []
        if labels.ndim == 2 and labels.any():
            shapes = cell_shapes(labels, mpp)
            low, high = np.array(RELATIVE_AREA) * np.median(shapes.area_um2)
            keep = ~shapes.cut & (shapes.area_um2 > low) & (shapes.area_um2 < high)
            keep &= shapes.area_um2 >= FEWEST_PX * mpp**2
            _, dense = np.unique(labels, return_inverse=True)
            dense = dense.reshape(labels.shape) + (0 if (labels == 0).any() else 1)
            boxes = ndimage.find_objects(dense)
            for row in np.random.default_rng(0).permutation(np.nonzero(keep)[0]):
                mask = ndimage.binary_fill_holes(dense[boxes[row]] == row + 1)
                if _is_single(mask):
                    masks.append(mask)
                if len(masks) == most:
                    break
        return cls(tuple(masks), mpp, name)

    @classmethod
    def load(cls, path: Path | str) -> StampLibrary:
        """Read a library written by :meth:`save`.

        Raises
        ------
        PixCellError
            If the file is not a stamp library.
        """
        path = Path(path)
        try:
            with np.load(path, allow_pickle=False) as file:
                sides = file["sides"].astype(int)
                sizes = sides.prod(axis=1)
                bits = np.unpackbits(file["bits"], count=int(sizes.sum())).astype(bool)
                mpp, name = float(file["mpp"]), str(file["name"])
            parts = np.split(bits, np.cumsum(sizes)[:-1])
            masks = tuple(part.reshape(side) for part, side in zip(parts, sides, strict=True))
            if not all(mask.any() for mask in masks):
                raise ValueError("an outline is empty")
        except Exception as error:  # a damaged archive can raise anything
            raise PixCellError(
                f"{path.name} is not a stamp library. Choose a file that was saved as one."
            ) from error
        return cls(masks, mpp, name)

    def save(self, path: Path | str) -> None:
        """Write the outlines as one small file, ``.npz`` without pickle."""
        np.savez_compressed(
            Path(path),
            bits=np.packbits(np.concatenate([mask.ravel() for mask in self.masks])),
            sides=np.array([mask.shape for mask in self.masks], np.uint8),
            mpp=np.float64(self.mpp),
            name=np.str_(self.name),
        )

    @cached_property
    def area_um2(self) -> NDArray[np.float64]:
        """Area of each outline in µm²."""
        return self._table[:, 0]

    @cached_property
    def elongation(self) -> NDArray[np.float64]:
        """Ratio of long to short axis of each outline."""
        return self._table[:, 1]

    @cached_property
    def _by_elongation(self) -> NDArray[np.int64]:
        return np.argsort(self.elongation, kind="stable")

    def alike(self, elongation: float, count: int = 24) -> NDArray[np.int64]:
        """Return the indices of the outlines with the most similar elongation."""
        order = self._by_elongation
        at = int(np.searchsorted(self.elongation[order], elongation))
        start = min(max(0, at - count // 2), max(0, len(order) - count))
        return order[start : start + count]

    @cached_property
    def _soft(self) -> list[NDArray[np.float32]]:
        """Outlines with blurred edges, so that enlarged ones have no steps."""
        return [
            ndimage.gaussian_filter(np.pad(mask, PAD).astype(np.float32), SMOOTHING_PX)
            for mask in self.masks
        ]

    @cached_property
    def _table(self) -> NDArray[np.float64]:
        """Area, elongation, angle, centre y and x (px of the soft mask), and radius in px."""
        rows = []
        for soft in self._soft:
            mask = soft > 0.5
            shape = cell_shapes(mask.astype(np.uint8), 1.0)
            if not len(shape):  # too thin to survive the blur
                shape = cell_shapes((soft > 0).astype(np.uint8), 1.0)
            y, x = float(shape.y_um[0]), float(shape.x_um[0])
            far = np.hypot(*(np.argwhere(soft > 0.25) - (y, x)).T).max(initial=1.0)
            area = shape.area_um2[0] * self.mpp**2
            rows.append((area, shape.elongation[0], shape.angle[0], y, x, far + 1))
        return np.array(rows)

    def draw(
        self,
        index: int,
        mpp: float,
        *,
        area_um2: float | None = None,
        angle: float | None = None,
        elongation: float | None = None,
        mirrored: bool = False,
    ) -> Mask:
        """Draw one outline.

        Parameters
        ----------
        mpp : float
            Pixel size of the drawing in µm.
        area_um2 : float, optional
            Area to scale to. Default: its own.
        angle : float, optional
            Angle of the long axis in radians, from x towards y. Default: its own.
        elongation : float, optional
            Elongation to stretch to at constant area. Default: its own.
        mirrored : bool
            Whether to mirror it along its long axis.

        Returns
        -------
        array, bool, (height, width)
            Odd sides with the centroid in the middle; empty if smaller than a pixel.
        """
        area, own_elongation, own_angle, y, x, far = self._table[index]
        size = np.sqrt((area_um2 or area) / area)
        stretch = np.sqrt((elongation or own_elongation) / own_elongation)
        turn = own_angle if angle is None else angle
        cos, sin = np.cos(turn), np.sin(turn)
        # From an offset (y, x) in the drawing to the axes of the outline (short, long) ...
        to_axes = np.array([[cos, -sin], [sin, cos]])
        to_axes[0] *= stretch / size * (-1 if mirrored else 1)
        to_axes[1] /= stretch * size
        cos, sin = np.cos(own_angle), np.sin(own_angle)
        # ... and from there to (y, x) in the stored mask.
        matrix = np.array([[cos, sin], [-sin, cos]]) @ to_axes * (mpp / self.mpp)
        half = int(np.ceil(far * size * max(stretch, 1 / stretch) * self.mpp / mpp))
        offset, shape = (y, x) - matrix @ (half, half), (2 * half + 1, 2 * half + 1)
        drawn = ndimage.affine_transform(self._soft[index], matrix, offset, shape, order=1)
        return np.asarray(drawn > 0.5)


def _is_single(mask: Mask) -> bool:
    """Whether a mask is in one piece, small enough to store, and without a deep waist."""
    import shapely

    if max(mask.shape) > LARGEST_SIDE or ndimage.label(mask)[1] != 1:
        return False
    y, x = np.nonzero(mask)
    corners = np.concatenate([np.c_[x + i, y + j] for i in (0, 1) for j in (0, 1)])
    hull = shapely.convex_hull(shapely.multipoints(corners))
    # The hull of a pixel staircase extends half a pixel beyond its outline.
    return bool(len(y) / (hull.area - hull.length / 4) >= LEAST_SOLIDITY)


@lru_cache(maxsize=1)
def default_library() -> StampLibrary:
    """Return the bundled outlines (CC0, see the README beside them), read once."""
    return StampLibrary.load(DEFAULT_FILE)


def join(libraries: Sequence[StampLibrary], name: str) -> StampLibrary:
    """Combine libraries of the same pixel size.

    Raises
    ------
    PixCellError
        If there are none, or their pixel sizes differ.
    """
    sizes = {library.mpp for library in libraries}
    if len(sizes) > 1:
        raise PixCellError("The stamps have different pixel sizes. Use one pixel size for all.")
    masks = tuple(mask for library in libraries for mask in library.masks)
    return StampLibrary(masks, sizes.pop() if sizes else 1.0, name)

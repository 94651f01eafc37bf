"""Layouts: where the cells of an image are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.inventing.recipe import Recipe
from napari_pixcell.cells.layout import classes_in, count_cells, describe
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.pixel_size import checked_mpp
from napari_pixcell.slides.region import Region

LARGEST_LABEL = 2**31 - 1
IMPORTED = LayoutSource("imported")


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the cells of an image are: a label image with a pixel size.

    Parameters
    ----------
    labels : array of int, (height, width)
        Instance label image: 0 is background, each cell has its own number. It is copied.
    mpp : float
        Pixel size in µm.
    classes : mapping of int to str, optional
        Class name of each label that has one.
    source : LayoutSource, optional
        How it was made, for records.
    region : Region, optional
        Where it lies on its slide, in level-0 pixels.
    slide_mpp : float, optional
        Pixel size of that slide in µm.

    Raises
    ------
    PixCellError
        If the labels are no label image, or the pixel size is implausible.
    """

    labels: NDArray[np.int32]
    mpp: float
    classes: Mapping[int, str] = field(default_factory=dict)
    source: LayoutSource | None = None
    region: Region | None = None
    slide_mpp: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", _checked(self.labels))
        object.__setattr__(self, "mpp", checked_mpp(float(self.mpp)))

    @classmethod
    def read(cls, path: str | Path, mpp: float | None = None) -> Layout:
        """Read a label image: TIFF, PNG, NPY, Cellpose's ``_seg.npy`` and others.

        Outlines lie on a slide: read them with :meth:`Engine.read_layout`.

        Parameters
        ----------
        mpp : float, optional
            Pixel size in µm. By default the one that the file states.

        Raises
        ------
        PixCellError
            If the file cannot be read, holds outlines, or states no pixel size and none is given.
        """
        from napari_pixcell.cells import read_cells

        file = read_cells(path)
        if file.labels is None:
            raise PixCellError(
                f"{file.name} has outlines, not labels. Read it with engine.read_layout(path, "
                "slide, region)."
            )
        mpp = mpp if mpp is not None else file.mpp
        if mpp is None:
            raise PixCellError(f"{file.name} states no pixel size. Pass mpp=, such as mpp=0.5.")
        return cls(file.labels, mpp, dict(file.classes), IMPORTED)

    @classmethod
    def invent(
        cls,
        width: float,
        height: float,
        *,
        mpp: float = 0.5,
        seed: int = 0,
        like: Layout | None = None,
        density_map: NDArray[Any] | None = None,
        **statistics: Any,
    ) -> Layout:
        """Invent a layout from the statistics of its cells.

        Parameters
        ----------
        width, height : float
            Size in µm.
        mpp : float
            Pixel size in µm.
        seed : int
            The same seed gives the same layout.
        like : Layout, optional
            Layout that the statistics are measured on.
        density_map : array, (any, any), optional
            Density relative to ``density``, stretched over the layout.
        **statistics
            ``density`` (cells per mm²), ``area_um2``, ``area_spread``, ``elongation``,
            ``elongation_spread``, ``alignment``, ``direction``, ``clustering``, ``gap_um``,
            ``classes``. They replace what is measured on ``like``, or the defaults.

        Raises
        ------
        PixCellError
            If a statistic is unknown or out of range.
        """
        from napari_pixcell.cells import invent, measure

        base = Recipe() if like is None else measure(like.labels, like.mpp)
        recipe = Recipe.from_dict({**vars(base), **statistics, "seed": seed})
        mpp = checked_mpp(float(mpp))
        shape = round(height / mpp), round(width / mpp)
        invented = invent(recipe, shape, mpp, density_map=density_map)
        source = LayoutSource("invented", recipe=recipe.to_dict())
        return cls(invented.labels, mpp, invented.classes, source)

    def vary(
        self, seed: int, *, jitter: float = 2.0, drop: float = 0.1, add: float = 0.1
    ) -> Layout:
        """Return a variation: cells are moved, left out and added.

        Parameters
        ----------
        seed : int
            The same seed gives the same variation.
        jitter : float
            Typical shift of a cell in µm, 0 to 50.
        drop, add : float
            Cells to leave out and to add, as a share of those present: 0 to 1, and 0 to 5.

        Raises
        ------
        PixCellError
            If a value is out of range.
        """
        from napari_pixcell.cells import vary

        labels = vary(self.labels, self.mpp, seed, jitter, drop, add).labels
        classes = classes_in(labels, self.classes)
        source = replace(self.source or LayoutSource("painted"), edited=True)
        return replace(self, labels=labels, classes=classes, source=source)

    def resampled(self, mpp: float) -> Layout:
        """Return the same cells at another pixel size in µm. None is lost or merged."""
        from napari_pixcell.cells import outlines_of, rasterise

        scale = self.mpp / checked_mpp(float(mpp))
        height, width = self.labels.shape
        shape = max(1, round(height * scale)), max(1, round(width * scale))
        outlines = outlines_of(self.labels, self.classes)
        exact = shape[1] / width, shape[0] / height
        labels, kept, _ = rasterise(outlines, shape, (0.0, 0.0), exact)
        names = enumerate(outlines.classes[kept].tolist(), 1)
        classes = {number: name for number, name in names if name}
        return replace(self, labels=labels, mpp=mpp, classes=classes)

    def save(self, path: str | Path) -> list[Path]:
        """Write it in the format of the file's name, and return the files written.

        Parameters
        ----------
        path : str or Path
            ``name.tif`` or ``name.ome.tif`` (label image), ``name_seg.npy`` (Cellpose), or
            ``name.geojson`` or ``name.geojson.gz`` (QuPath; on the slide, if ``region`` is known).

        Raises
        ------
        PixCellError
            If the format is unknown, or the file cannot be written.
        """
        from napari_pixcell.cells import export_layout

        box, (height, width), place = self.region, self.labels.shape, dict[str, Any]()
        if box is not None:
            place = {"origin": (box.x, box.y), "scale": (box.width / width, box.height / height)}
        return export_layout(Path(path), self.labels, self.mpp, self.classes, **place)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.labels.shape[0], self.labels.shape[1]

    def __len__(self) -> int:
        return count_cells(self.labels)

    def __str__(self) -> str:
        height, width = self.shape
        return f"{describe(self.labels, self.mpp)} ({width} × {height} px, {self.mpp:g} µm/px)"


def _checked(labels: Any) -> NDArray[np.int32]:
    """Return a copy of a label image as int32."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or 0 in labels.shape:
        raise PixCellError(
            f"The layout is an array of {labels.shape}. Use a label image of (height, width)."
        )
    if labels.dtype.kind not in "iu":
        raise PixCellError(
            f"The layout has values of the type {labels.dtype}. Use integers: 0 is background, and "
            "each cell has its own number."
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > LARGEST_LABEL:
        raise PixCellError(
            f"The layout has labels from {low:,} to {high:,}. Use numbers from 0 to "
            f"{LARGEST_LABEL:,}."
        )
    copied: NDArray[np.int32] = labels.astype(np.int32)
    return copied

"""Cells as read from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.outlines import Outlines, outlines_of
from napari_pixcell.cells.report import Report


@dataclass(frozen=True, eq=False)
class CellsFile:
    """Cells of a file: a label image, or outlines.

    Parameters
    ----------
    name : str
        File name; never a path.
    labels : array, int32, (height, width), optional
        Instance label image.
    outlines : Outlines, optional
        In pixels of the file, counted from pixel corners.
    classes : mapping
        Class name of each entry in ``labels`` that has one.
    shape : (height, width), optional
        Size of the segmented image in px, if the file states it.
    mpp : float, optional
        Its pixel size in µm, if the file states it.
    report : Report
        Report of the import.
    """

    name: str
    report: Report
    labels: NDArray[np.int32] | None = None
    outlines: Outlines | None = None
    classes: Mapping[int, str] = field(default_factory=dict)
    shape: tuple[int, int] | None = None
    mpp: float | None = None

    def as_outlines(self) -> Outlines:
        """Return the outlines, traced if the file is a label image."""
        if self.outlines is not None:
            return self.outlines
        assert self.labels is not None
        return outlines_of(self.labels, self.classes)

    def with_mpp(self, mpp: float | None) -> CellsFile:
        """Return the same cells with another pixel size; None changes nothing."""
        return self if mpp is None else replace(self, mpp=mpp)

"""What a file of cells holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.outlines import Outlines, outlines_of
from napari_pixcell.cells.report import Report


@dataclass(frozen=True, eq=False)
class CellsFile:
    """Cells as a file has them: a label image, or outlines.

    Parameters
    ----------
    name : str
        Of the file; never a path.
    labels : array, int32, (height, width), optional
        Instance label image.
    outlines : Outlines, optional
        In the file's own pixels, counted from pixel corners.
    classes : mapping
        From a label to its class name, where ``labels`` have some.
    shape : (height, width), optional
        Size of the picture that the cells were found in, in px, if the file says so.
    mpp : float, optional
        Its pixel size in µm, if the file says so.
    report : Report
        What was read and what was left out.
    """

    name: str
    report: Report
    labels: NDArray[np.int32] | None = None
    outlines: Outlines | None = None
    classes: Mapping[int, str] = field(default_factory=dict)
    shape: tuple[int, int] | None = None
    mpp: float | None = None

    def as_outlines(self) -> Outlines:
        """Give the outlines, traced where the file is a label image."""
        if self.outlines is not None:
            return self.outlines
        assert self.labels is not None
        return outlines_of(self.labels, self.classes)

    def with_mpp(self, mpp: float | None) -> CellsFile:
        """Give the same cells with a pixel size that somebody knows."""
        return self if mpp is None else replace(self, mpp=mpp)

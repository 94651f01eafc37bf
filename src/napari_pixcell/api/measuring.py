"""Measurement of haematoxylin and DAB."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.api.layouts import Layout
from napari_pixcell.api.slides import check_rgb
from napari_pixcell.api.warning import warn
from napari_pixcell.cells.ihc.measures import IhcMeasurement, measure_staining
from napari_pixcell.slides.pixel_size import checked_mpp


def measure_ihc(
    image: NDArray[np.uint8], mpp: float, nuclei: Layout | NDArray[Any] | None = None
) -> IhcMeasurement:
    """Measure the DAB of an image and of its nuclei.

    Parameters
    ----------
    image : array, uint8, (height, width, 3)
        IHC with haematoxylin and DAB.
    mpp : float
        Pixel size in µm.
    nuclei : Layout or array of int, (height, width), optional
        By default they are segmented.

    Returns
    -------
    IhcMeasurement
        Densities of all nuclei. Its method ``score()`` returns positive area, positive nuclei and
        H-score at thresholds of your choice.

    Warns
    -----
    PixCellWarning
        If the image looks like H&E.

    Raises
    ------
    PixCellError
        If it is no RGB image, has no tissue, or the nuclei have another size.
    """
    from napari_pixcell.cells import segment_nuclei

    check_rgb(image)
    mpp = checked_mpp(mpp)
    labels = nuclei.labels if isinstance(nuclei, Layout) else nuclei
    if labels is None:
        labels = segment_nuclei(image, mpp)
    measured = measure_staining(image, mpp, np.asarray(labels))
    warn(measured.warning)
    return measured

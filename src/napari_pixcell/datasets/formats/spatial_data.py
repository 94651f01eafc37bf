"""SpatialData: one Zarr per image, with its cells as labels and a table of measurements."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.formats.base import ExportedPair, Format, under
from napari_pixcell.errors import PixCellError

EXTRA = 'pip install "napari-pixcell[spatialdata]"'
IMAGE, CELLS, TABLE = "tissue", "cells", "measurements"
MICRONS = "micrometer"  # name of the coordinate system
SHAPES = ("eccentricity", "solidity")


class SpatialDataFormat(Format):
    """``NAME.sdata.zarr`` with the image, its cells, and their table."""

    name = "spatialdata"
    how = f"""\
Open each NAME.sdata.zarr with spatialdata.read_zarr. The image “{IMAGE}” (c, y, x) and the labels
“{CELLS}” lie in the coordinate system “{MICRONS}”. The table “{TABLE}” has a row for each cell:
area and perimeter in µm, shape, mean colour, and its centre in µm in obsm["spatial"]. attrs holds
the record that reproduces the image.
"""

    def begin(self) -> None:
        """Check that the library is installed."""
        if find_spec("spatialdata") is None:
            raise PixCellError(f"The format spatialdata needs an extra. Install it: {EXTRA}.")

    def add(self, pair: ExportedPair) -> dict[str, str]:
        """Write a pair."""
        import pandas as pd
        from anndata import AnnData
        from spatialdata import SpatialData
        from spatialdata.models import Image2DModel, Labels2DModel, TableModel
        from spatialdata.transformations import Scale

        mpp, labels, pixels = self.facts.description.mpp, pair.labels, pair.pixels
        where = {MICRONS: Scale([mpp, mpp], axes=("y", "x"))}
        image = Image2DModel.parse(
            pixels.transpose(2, 0, 1),
            dims=("c", "y", "x"),
            c_coords=["red", "green", "blue"],
            transformations=where,
        )
        cells = Labels2DModel.parse(labels.astype(np.int64), dims=("y", "x"), transformations=where)
        numbers, names, values, centres = measured(labels, pixels, mpp)
        rows = pd.DataFrame(
            {"region": pd.Categorical([CELLS] * len(numbers)), "cell": numbers},
            index=[str(number) for number in numbers],
        )
        found = AnnData(values, obs=rows, var=pd.DataFrame(index=names))
        found.obsm["spatial"] = centres
        table = TableModel.parse(found, region=CELLS, region_key="region", instance_key="cell")
        whole = SpatialData(
            images={IMAGE: image},
            labels={CELLS: cells},
            tables={TABLE: table},
            attrs={"napari-pixcell": pair.record.to_dict(), "synthetic": True},
        )
        name = under(pair.part, f"{pair.stem}.sdata.zarr")
        whole.write(self._path(name), overwrite=True, update_sdata_path=False)
        return {"image": name, "mask": f"{name}/labels/{CELLS}"}


def measured(
    labels: NDArray[Any], pixels: NDArray[np.uint8], mpp: float
) -> tuple[list[int], list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Measure cells.

    Returns
    -------
    numbers : list of int
        Of the cells in the label image.
    names : list of str
        Of the measurements.
    values : array, (cells, measurements)
    centres : array, (cells, 2)
        x and y in µm from the corner of the image.
    """
    from skimage.measure import regionprops_table

    wanted = ("label", "area", "perimeter", *SHAPES, "mean_intensity", "centroid")
    found = regionprops_table(labels.astype(np.int64), pixels, properties=wanted)
    columns = {
        "area µm²": found["area"] * mpp**2,
        "perimeter µm": found["perimeter"] * mpp,
        **{name: found[name] for name in SHAPES},
        **{
            f"mean {c}": found[f"mean_intensity-{i}"]
            for i, c in enumerate(("red", "green", "blue"))
        },
    }
    values = np.stack(list(columns.values()), axis=1).astype(np.float64)
    centres = np.stack([found["centroid-1"] + 0.5, found["centroid-0"] + 0.5], axis=1) * mpp
    return found["label"].tolist(), list(columns), values, centres

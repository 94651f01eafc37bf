"""QuPath: TIFF images with their pixel size, and a GeoJSON file of cells for each."""

from __future__ import annotations

from napari_pixcell.datasets.formats.base import ExportedPair, Format, under


class QuPath(Format):
    """``NAME.tif`` and ``NAME.geojson`` side by side."""

    name = "qupath"
    words = "QuPath: TIFF images, and their cells as GeoJSON"
    how = """\
Add the images to a QuPath project. Open one, and drag the GeoJSON file of the same name onto it to
import its cells as objects. The images state their pixel size.
"""

    def add(self, pair: ExportedPair) -> dict[str, str]:
        """Write a pair."""
        from napari_pixcell.cells.outlines import outlines_of
        from napari_pixcell.cells.writing import write_geojson

        stem = under(pair.part, pair.stem)
        image = self.put(f"{stem}.tif", pair.picture(".tif"))
        write_geojson(self.folder / f"{stem}.geojson", outlines_of(pair.labels))
        return {"image": image, "cells": f"{stem}.geojson"}

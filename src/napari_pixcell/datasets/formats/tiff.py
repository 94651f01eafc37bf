"""TIFF images in the folders that Cellpose, StarDist and QuPath read."""

from __future__ import annotations

from napari_pixcell.datasets.formats.base import ExportedPair, Format, under


class Cellpose(Format):
    """A folder for each part that Cellpose trains on."""

    name = "cellpose"
    how = """\
Train on it with: cellpose --train --dir FOLDER --mask_filter _masks
After a split, FOLDER is “train”, and --test_dir is “validation”. Images are NAME.tif, and their
cells NAME_masks.tif: 0 is background, each cell has a number.
"""

    def add(self, pair: ExportedPair) -> dict[str, str]:
        """Write a pair."""
        stem = under(pair.part, pair.stem)
        return {
            "image": self.put(f"{stem}.tif", pair.picture(".tif")),
            "mask": self.put(f"{stem}_masks.tif", pair.mask),
        }


class StarDist(Format):
    """Folders of images and masks with matching names, as in StarDist's examples."""

    name = "stardist"
    how = """\
StarDist's examples read images/*.tif and masks/*.tif with tifffile, sorted by name. An image and
its mask have the same name. In a mask 0 is background, and each cell has a number.
"""

    def add(self, pair: ExportedPair) -> dict[str, str]:
        """Write a pair."""
        name = f"{pair.stem}.tif"
        return {
            "image": self.put(under(pair.part, "images", name), pair.picture(".tif")),
            "mask": self.put(under(pair.part, "masks", name), pair.mask),
        }


class QuPath(Format):
    """``NAME.tif`` and ``NAME.geojson`` side by side."""

    name = "qupath"
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
        cells, name = (
            outlines_of(pair.labels, pair.classes),
            f"{self.facts.description.id} {pair.stem}",
        )
        write_geojson(self.folder / f"{stem}.geojson", cells, identity=name)
        return {"image": image, "outlines": f"{stem}.geojson"}

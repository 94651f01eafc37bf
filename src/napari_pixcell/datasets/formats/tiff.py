"""TIFF images in the folders that Cellpose and StarDist read."""

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

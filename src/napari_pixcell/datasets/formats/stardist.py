"""StarDist: ``images/000012.tif`` and ``masks/000012.tif``."""

from __future__ import annotations

from napari_pixcell.datasets.formats.base import ExportedPair, Format, under


class StarDist(Format):
    """Folders of images and masks with matching names, as in StarDist's examples."""

    name = "stardist"
    words = "StarDist: folders images and masks, TIFF"
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

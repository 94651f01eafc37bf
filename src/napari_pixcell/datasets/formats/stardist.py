"""StarDist: ``images/000012.tif`` and ``masks/000012.tif``."""

from __future__ import annotations

from napari_pixcell.datasets.formats.base import Format, Pair, under


class StarDist(Format):
    """Folders of images and of masks whose names match, as StarDist's examples read them."""

    name = "stardist"
    words = "StarDist: folders images and masks, TIFF"
    how = """\
StarDist's examples read images/*.tif and masks/*.tif with tifffile, in the order of their names:
an image and its mask have the same. In a mask 0 is background, and each cell has a number.
"""

    def add(self, pair: Pair) -> dict[str, str]:
        """Write a pair."""
        name = f"{pair.stem}.tif"
        return {
            "image": self.put(under(pair.part, "images", name), pair.picture(".tif")),
            "mask": self.put(under(pair.part, "masks", name), pair.mask),
        }

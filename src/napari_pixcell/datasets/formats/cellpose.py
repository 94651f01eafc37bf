"""Cellpose: ``000012.tif`` and ``000012_masks.tif`` side by side."""

from __future__ import annotations

from napari_pixcell.datasets.formats.base import ExportedPair, Format, under


class Cellpose(Format):
    """A folder for each part that Cellpose trains on."""

    name = "cellpose"
    words = "Cellpose: x.tif and x_masks.tif in one folder"
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

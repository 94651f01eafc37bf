"""Hugging Face ``datasets``: an imagefolder with masks, and a dataset card."""

from __future__ import annotations

import json

from napari_pixcell.datasets.formats.about import card
from napari_pixcell.datasets.formats.base import ExportedPair, Format
from napari_pixcell.datasets.splits import TRAIN

FOLDER_HOLDS = 1_000  # the hub recommends fewer than 10,000 files in a folder


class HuggingFace(Format):
    """A folder for each part with images, masks and ``metadata.jsonl``."""

    name = "huggingface"
    words = "Hugging Face imagefolder: images, masks and a dataset card"
    how = """\
Load it with `datasets.load_dataset("imagefolder", data_dir=FOLDER)`, or from the hub after
uploading the folder. Each row has an `image` and, if there are masks, a `mask`, in which 0 is
background and each cell has a number. Images with the same `style` or `layout` number share it.
"""
    needs_masks = False

    def add(self, pair: ExportedPair) -> dict[str, str]:
        """Write a pair and its row."""
        part, row = pair.part or TRAIN, pair.row
        some = f"{row['index'] // FOLDER_HOLDS:03}"
        names = {"file_name": f"images/{some}/{pair.stem}.png"}
        where = {"image": self.put(f"{part}/{names['file_name']}", pair.picture(".png"))}
        if row["mask"]:
            names["mask_file_name"] = f"masks/{some}/{pair.stem}.tif"
            where["mask"] = self.put(f"{part}/{names['mask_file_name']}", pair.mask)
        with (self.folder / part / "metadata.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(names | pair.about) + "\n")
        return where

    def readme(self, text: str) -> None:
        """Write the dataset card, which contains the README."""
        self.put("README.md", card(self.facts, text).encode())

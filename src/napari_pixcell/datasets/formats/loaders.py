"""Formats for data loaders: Hugging Face ``datasets``, and WebDataset."""

from __future__ import annotations

import io
import json
import tarfile

from napari_pixcell.datasets.formats.about import card
from napari_pixcell.datasets.formats.base import ExportedPair, Format
from napari_pixcell.datasets.splits import TRAIN

FOLDER_HOLDS = 1_000  # the hub recommends fewer than 10,000 files in a folder
SHARD_HOLDS = 1_000


class HuggingFace(Format):
    """A folder for each part with images, masks and ``metadata.jsonl``."""

    name = "huggingface"
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
        self.end(f"{part}/metadata.jsonl", json.dumps(names | pair.about).encode() + b"\n")
        return where

    def readme(self, text: str) -> None:
        """Write the dataset card, which contains the README."""
        self.put("README.md", card(self.facts, text).encode())


class WebDataset(Format):
    """Shards ``PART-000000.tar`` of ``KEY.png``, ``KEY.mask.tif`` and ``KEY.json``."""

    name = "webdataset"
    how = """\
Open it with webdataset.WebDataset("NAME-{000000..LAST}.tar"). A sample has “png”, “mask.tif” (0 is
background, each cell has a number) and “json” with its style, layout and seed.
"""
    needs_masks = False

    def add(self, pair: ExportedPair) -> dict[str, str]:
        """Write a pair."""
        files = {"png": pair.picture(".png")}
        if pair.row["mask"]:
            files["mask.tif"] = pair.mask
        about = pair.about | {"mpp": self.facts.description.mpp}
        files["json"] = json.dumps(about).encode()
        members = io.BytesIO()
        shard = tarfile.TarFile(fileobj=members, mode="w")  # not closed, because more follows
        for kind, data in files.items():
            member = tarfile.TarInfo(f"{pair.stem}.{kind}")  # without owner or time
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
        name = _shard(pair.part, pair.number // SHARD_HOLDS)
        self.end(name, members.getvalue())
        return {"shard": name, "key": pair.stem}

    def close(self) -> None:
        """End each shard as its format asks: two empty blocks, and whole records."""
        for part, count in self.facts.counts.items():
            for number in range(-(-count // SHARD_HOLDS)):
                path = self.folder / _shard(part, number)
                size = path.stat().st_size + 2 * tarfile.BLOCKSIZE
                size += -size % tarfile.RECORDSIZE
                with path.open("r+b") as file:
                    file.truncate(size)


def _shard(part: str, number: int) -> str:
    return f"{part or 'pairs'}-{number:06}.tar"

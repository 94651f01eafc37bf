"""Image–mask pairs on disk, each whole or not there at all."""

from __future__ import annotations

import errno
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_pixcell.datasets.marking import large_tiff, synthetic_png, synthetic_tiff
from napari_pixcell.datasets.store.rows import append_rows
from napari_pixcell.engine.record import Record
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import Write, write_whole
from napari_pixcell.models.catalogue import CELLPOSE
from napari_pixcell.models.families import get_family, stain_of
from napari_pixcell.models.licences import licence_texts
from napari_pixcell.slides.stored_picture import Picture, StoredPicture

MANIFEST = "manifest.jsonl"
LONGEST_NAME = 80
README = """SYNTHETIC images, made by napari-pixcell; not real tissue. For research use only.

images/         PNG, each with its record inside; what is too large for it is OME-TIFF
masks/          label images (TIFF): 0 is background, each cell has a number of its own
manifest.jsonl  one row for each pair, with its record: `napari-pixcell rerun` makes it again

"""
LICENCES = """
licences/       the licences of the weights, as they were when the weights were fetched
"""


class PairWriter:
    """Adds pairs to a folder; what is there already is kept.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.written = 0

    def write(self, image: Picture, labels: NDArray[Any] | None, record: Record) -> dict[str, Any]:
        """Write one pair: image, mask, and then its row in the manifest.

        Parameters
        ----------
        image : array, uint8, (height, width, 3)
            The variant; one that is too large for memory becomes an OME-TIFF.
        labels : array, (height, width), optional
            Its cells; a variant without a layout gets no mask.
        record : Record
            Its ``source.name`` names the files, and loses any folder that it holds.

        Returns
        -------
        dict
            The manifest's row; paths are relative to the folder.

        Raises
        ------
        PixCellError
            If the mask is of another size, the disk is full, or the folder cannot be written to.
            Earlier pairs are whole.
        """
        if labels is not None and labels.shape != image.shape[:2]:
            raise PixCellError(
                f"The mask is {' × '.join(map(str, labels.shape[::-1]))} px and its image "
                f"{image.shape[1]} × {image.shape[0]} px; export a mask of the image's own size."
            )
        record = _without_path(record)
        family = get_family(record.request.family)
        with self._explained():
            (self.folder / "images").mkdir(parents=True, exist_ok=True)
            stem = self._free_stem(record)
            name, mask = f"images/{stem}.png", f"masks/{stem}.tif" if labels is not None else None
            parts: dict[str, Write | bytes] = {}
            if isinstance(image, StoredPicture):
                picture, name = image, f"images/{stem}.ome.tif"
                parts[name] = lambda path: large_tiff(path, picture, record, family.mpp)
            else:
                png = synthetic_png(image, record, family.mpp)
                parts[name] = png
            if mask is not None and labels is not None:
                (self.folder / "masks").mkdir(exist_ok=True)
                tiff = synthetic_tiff(labels, family.mpp)
                parts[mask] = tiff
            try:
                row = {
                    "image": name,
                    "mask": mask,
                    "synthetic": True,
                    "files": {k: write_whole(self.folder / k, write) for k, write in parts.items()},
                    "record": record.to_dict(),
                }
                self._tell_licence(record)
                append_rows(self.folder / MANIFEST, [row])
            except BaseException:  # without its row it would not be a pair
                for part in parts:
                    (self.folder / part).unlink(missing_ok=True)
                raise
        self.written += 1
        return row

    def _tell_licence(self, record: Record) -> None:
        """Name the family's licence in the README; what is written there stays."""
        path = self.folder / "README.txt"
        text = path.read_text("utf-8", errors="replace") if path.exists() else README
        line = f"Weights of the family {record.request.family}: {record.licence or 'no licence'}"
        texts = licence_texts(get_family(record.request.family))
        for hub_id, licence in texts.items():
            self._keep_licence(hub_id.replace("/", "--"), licence.encode())
        if texts and LICENCES not in text:
            text = text.rstrip() + LICENCES
        lines = [f"{line}\n{record.notice}"]
        layout = record.request.source.layout
        if layout is not None and layout.licence:
            lines.append(f"Cells found by Cellpose {layout.model}: {layout.licence}")
            for hub_id, licence in licence_texts(CELLPOSE).items():
                self._keep_licence(hub_id.replace("/", "--"), licence.encode())
        new = [words for words in lines if words.splitlines()[0] not in text]
        if new:
            write_whole(path, "\n\n".join([text.rstrip(), *new, ""]).encode())

    def _keep_licence(self, stem: str, text: bytes) -> None:
        """Write a text once; one that has changed since goes beside it."""
        folder = self.folder / "licences"
        folder.mkdir(exist_ok=True)
        for number in itertools.count(1):
            path = folder / (f"{stem}.txt" if number == 1 else f"{stem}-{number}.txt")
            if not path.exists():
                write_whole(path, text)
                return
            if path.read_bytes() == text:
                return

    def _free_stem(self, record: Record) -> str:
        stain, request = stain_of(record.request.family), record.request
        what = f"{safe_name(stain)}-seed" if stain else "seed"
        base = f"{request.source.name}-{what}{request.seed}"
        stem, number = base, 1
        while any(
            (self.folder / name).exists()
            for name in (f"images/{stem}.png", f"images/{stem}.ome.tif", f"masks/{stem}.tif")
        ):
            number += 1
            stem = f"{base}-{number}"
        return stem

    @contextmanager
    def _explained(self) -> Iterator[None]:
        kept = f"{self.written:,} pair{' is' if self.written == 1 else 's are'} written whole"
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise PixCellError(
                    f"The disk of {self.folder.name} is full; free some space or choose another "
                    f"folder and export again ({kept})."
                ) from error
            raise PixCellError(
                f"Nothing can be written to {self.folder.name} ({error.strerror}); choose another "
                f"folder and export again ({kept})."
            ) from error


def _without_path(record: Record) -> Record:
    request = record.request
    source = replace(request.source, name=safe_name(request.source.name))
    return replace(record, request=replace(request, source=source))


def safe_name(name: str) -> str:
    """Turn a name into one that is safe in a file name and says nothing of folders."""
    last = re.split(r"[/\\]", name.strip())[-1]
    return re.sub(r"[^\w.-]+", "_", last)[:LONGEST_NAME].strip("._") or "variant"

"""Image–mask pairs on disk, each whole or not there at all."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import imwrite

from napari_pixcell.datasets.marking import synthetic_png
from napari_pixcell.engine.record import Record
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import get_family

MANIFEST = "manifest.jsonl"
README = """SYNTHETIC images, made by napari-pixcell; not real tissue. For research use only.

images/         PNG, each with its record inside
masks/          label images (TIFF): 0 is background, each cell has a number of its own
manifest.jsonl  one row for each pair, with its record: `napari-pixcell rerun` makes it again

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

    def write(
        self, image: NDArray[np.uint8], labels: NDArray[Any] | None, record: Record
    ) -> dict[str, Any]:
        """Write one pair: image, mask, and then its row in the manifest.

        Parameters
        ----------
        image : array, uint8, (height, width, 3)
            The variant.
        labels : array, (height, width), optional
            Its cells; a variant without a layout gets no mask.
        record : Record
            Its ``source.name`` names the files.

        Returns
        -------
        dict
            The manifest's row; paths are relative to the folder.

        Raises
        ------
        PixCellError
            If the disk is full or the folder cannot be written to. Earlier pairs are whole.
        """
        with self._explained():
            family = get_family(record.request.family)
            (self.folder / "images").mkdir(parents=True, exist_ok=True)
            stem = self._free_stem(record)
            files = {f"images/{stem}.png": synthetic_png(image, record, family.mpp)}
            if labels is not None:
                (self.folder / "masks").mkdir(exist_ok=True)
                files[f"masks/{stem}.tif"] = _mask_tiff(labels, family.mpp)
            for name, data in files.items():
                write_whole(self.folder / name, data)
            row = {
                "image": f"images/{stem}.png",
                "mask": f"masks/{stem}.tif" if labels is not None else None,
                "synthetic": True,
                "files": {k: hashlib.sha256(v).hexdigest() for k, v in files.items()},
                "record": record.to_dict(),
            }
            if not (self.folder / "README.txt").exists():
                text = README + f"Licence of the weights: {record.licence}\n{record.notice}\n"
                write_whole(self.folder / "README.txt", text.encode())
            self._append(row)
        self.written += 1
        return row

    def _free_stem(self, record: Record) -> str:
        base = f"{safe_name(record.request.source.name)}-seed{record.request.seed}"
        stem, number = base, 1
        while (self.folder / f"images/{stem}.png").exists():
            number += 1
            stem = f"{base}-{number}"
        return stem

    def _append(self, row: dict[str, Any]) -> None:
        path = self.folder / MANIFEST
        line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
        with path.open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # an earlier run was killed in the middle of a row
                    line = b"\n" + line
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(path, size)
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        kept = f"{self.written} pair{'' if self.written == 1 else 's'} before it were written whole"
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


def safe_name(name: str) -> str:
    """Turn a name into one that is safe in a file name and says nothing of folders."""
    last = re.split(r"[/\\]", name.strip())[-1]
    return re.sub(r"[^\w.-]+", "_", last).strip("._") or "variant"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _mask_tiff(labels: NDArray[Any], mpp: float) -> bytes:
    dtype = np.uint16 if labels.max(initial=0) <= np.iinfo(np.uint16).max else np.uint32
    buffer = io.BytesIO()
    per_centimetre = 1e4 / mpp
    imwrite(
        buffer,
        labels.astype(dtype),
        compression="zlib",
        resolution=(per_centimetre, per_centimetre),
        resolutionunit="CENTIMETER",
        metadata=None,
        description="Cells of a SYNTHETIC image made by napari-pixcell",
    )
    return buffer.getvalue()

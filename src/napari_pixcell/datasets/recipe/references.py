"""The real tissue of a dataset's styles as one file, for machines with other data folders.

The file is a zip archive of small grey pictures and embeddings, which the search for copies needs.
It is as private as the slides, and only its owner can read it. It must not lie with the dataset.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from napari_pixcell.datasets.recipe.preparing import (
    REAL,
    lacking_tissue,
    private_folder,
    real_files,
)
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder as make_private
from napari_pixcell.files import write_whole
from napari_pixcell.untrusted import check_regular

HEAD = "references.json"
KEY, SCHEMA = "napari-pixcell real tissue", 1
MOST_BYTES = 64 * 2**20  # of a style
MOST_HEAD = 10_000  # bytes


@dataclass(frozen=True)
class References:
    """How many styles have their real tissue on this machine.

    Parameters
    ----------
    here : int
        Styles whose tissue is in the data folder.
    lacking : int
        Other styles with tissue. While there are some, no pair is checked for copies.
    """

    here: int
    lacking: int


def references_of(dataset: Dataset) -> References:
    """Return how many styles of a dataset have their real tissue on this machine."""
    return References(len(real_files(dataset)), lacking_tissue(dataset))


def export_references(dataset: Dataset, path: Path) -> int:
    """Write the real tissue that is on this machine to a file, and return the number of styles.

    Raises
    ------
    PixCellError
        If there is none, or the file would lie in the dataset.
    OSError
        If it cannot be written.
    """
    files = real_files(dataset)
    if not files:
        raise PixCellError(
            f"No real tissue of {dataset.folder.name} is on this machine. Run the command where "
            "the dataset was prepared."
        )
    if path.resolve().is_relative_to(dataset.folder.resolve()):
        raise PixCellError(
            f"“{path.name}” would lie in the dataset, which holds no real tissue. Choose another "
            "folder, which only you can read."
        )

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(HEAD, json.dumps({KEY: SCHEMA, "dataset": dataset.description.id}))
            for number in sorted(files):
                archive.write(files[number], _name(number))

    write_whole(path, write, private=True)
    return len(files)


def import_references(dataset: Dataset, path: Path) -> int:
    """Keep the real tissue of a file in the data folder, and return its number of styles.

    Several files of the same dataset may be imported, one after another.

    Raises
    ------
    PixCellError
        If the file is none that :func:`export_references` wrote, is damaged, or is of another
        dataset.
    OSError
        If the data folder cannot be written.
    """
    check_regular(path)
    folder, count = private_folder(dataset.description) / REAL, 0
    try:
        with zipfile.ZipFile(path) as archive:
            _check_head(archive, dataset, path.name)
            for one in archive.infolist():
                stem = Path(one.filename).stem
                if one.filename == HEAD or not stem.isdecimal() or one.filename != _name(int(stem)):
                    continue
                if one.file_size > MOST_BYTES:
                    raise zipfile.BadZipFile(one.filename)
                write_whole(make_private(folder) / one.filename, archive.read(one), private=True)
                count += 1
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise PixCellError(
            f"“{path.name}” is no complete file of real tissue. Export it again with “dataset "
            "references --export”."
        ) from error
    return count


def _check_head(archive: zipfile.ZipFile, dataset: Dataset, name: str) -> None:
    try:
        with archive.open(HEAD) as file:
            head = json.loads(file.read(MOST_HEAD))
        schema, own = head[KEY], head["dataset"]
    except (KeyError, TypeError, ValueError) as error:
        raise zipfile.BadZipFile(HEAD) from error
    if schema != SCHEMA:
        raise PixCellError(
            f"“{name}” was written by a later version of napari-pixcell. Update napari-pixcell."
        )
    if own != dataset.description.id:
        raise PixCellError(
            f"“{name}” holds the real tissue of another dataset than {dataset.folder.name}. Choose "
            "the file that was exported for this one."
        )


def _name(number: int) -> str:
    return f"{number:06}.npz"

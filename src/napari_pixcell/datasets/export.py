"""Variants as files: single pictures, folders of image–mask pairs, and their records back."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_pixcell.datasets.marks import (
    for_export,
    large_tiff,
    png_text,
    safe_name,
    synthetic_png,
    synthetic_tiff,
    tiff_record,
)
from napari_pixcell.datasets.store.inputs import classes_in
from napari_pixcell.datasets.store.rows import append_rows, read_rows
from napari_pixcell.engine.record import Record
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import Write, is_disk_full, write_whole
from napari_pixcell.models.catalogue import CELLPOSE
from napari_pixcell.models.families import get_family, stain_of
from napari_pixcell.models.store import licence_texts
from napari_pixcell.slides.stored_picture import Picture, StoredPicture
from napari_pixcell.untrusted import MOST_JSON_BYTES, check_regular, parse_json, reading
from napari_pixcell.words import counted

MANIFEST = "manifest.jsonl"
OTHER_FILE = "Choose another exported image."
README = """SYNTHETIC images, made by napari-pixcell; not real tissue. For research use only.

images/         PNG, each with its record inside; very large images are OME-TIFF
masks/          label images (TIFF): 0 is background, each cell has its own number
manifest.jsonl  one row per pair, with its record: `napari-pixcell rerun` reproduces it

"""
LICENCES = """
licences/       the licences of the weights, as they were when the weights were downloaded
"""


# -- single pictures -----------------------------------------------------------------------


def suffix_of(on_disk: bool) -> str:
    """Return the file name suffix of a picture in memory, or of one that is stored on disk."""
    return ".ome.tif" if on_disk else ".png"


def save_picture(path: Path, image: Picture, record: Record, with_start: bool = False) -> Path:
    """Write a variant as PNG, or as OME-TIFF if it is too large for memory; return its path.

    Parameters
    ----------
    path : Path
        Its suffix is replaced if it does not fit the format.
    image : array, uint8, (height, width, 3)
    record : Record
    with_start : bool
        Embed the image that the variant started from, which may be real tissue. By default the
        record names it by its hash.

    Raises
    ------
    PixCellError
        If it cannot be written; nothing is left behind then.
    """
    suffix = suffix_of(isinstance(image, StoredPicture))
    if not path.name.lower().endswith(suffix):
        path = path.with_name(path.name.removesuffix(path.suffix) + suffix)
    try:
        write_whole(path, _picture_file(image, for_export(record, with_start)))
    except OSError as error:
        raise write_problem(path, error) from error
    return path


def write_problem(path: Path, error: OSError, then: str = "") -> PixCellError:
    """Return the error that names why a file or folder was not written, and what to do ``then``."""
    problem = f"{path.name} cannot be written ({error.strerror}). Choose"
    if is_disk_full(error):
        problem = f"The disk of {path.name} is full. Free some space or choose"
    return PixCellError(f"{problem} another folder{then}.")


def _picture_file(image: Picture, record: Record) -> Write | bytes:
    mpp = record.request.mpp
    if isinstance(image, StoredPicture):
        picture = image
        return lambda path: large_tiff(path, picture, record, mpp)
    return synthetic_png(image, record, mpp)


# -- pairs ---------------------------------------------------------------------------------


class PairWriter:
    """Adds image–mask pairs to a folder. Existing pairs are kept.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    with_start : bool
        See :func:`save_picture`.
    """

    def __init__(self, folder: Path | str, with_start: bool = False) -> None:
        self.folder, self.with_start = Path(folder), with_start
        self.written = 0
        self._known: set[tuple[str, str | None]] | None = None  # read when it is needed

    def write(self, image: Picture, labels: NDArray[Any] | None, record: Record) -> dict[str, Any]:
        """Write the image and the mask of a pair, then its row in the manifest, and return the row.

        Parameters
        ----------
        image : array, uint8, (height, width, 3)
            The variant. It becomes an OME-TIFF if it is too large for memory.
        labels : array, (height, width), optional
            Its cells; a variant without a layout gets no mask.
        record : Record
            Its ``source.name``, without any folder, names the files.

        Raises
        ------
        PixCellError
            If the mask has another size, the disk is full, or the folder is not writable.
            Earlier pairs stay complete.
        """
        if labels is not None and labels.shape != image.shape[:2]:
            raise PixCellError(
                f"The mask is {' × '.join(map(str, labels.shape[::-1]))} px, but its image is "
                f"{image.shape[1]} × {image.shape[0]} px. Export a mask of the same size."
            )
        record = for_export(record, self.with_start)
        with self._explained():
            (self.folder / "images").mkdir(parents=True, exist_ok=True)
            stem = self._free_stem(record)
            name = f"images/{stem}{suffix_of(isinstance(image, StoredPicture))}"
            mask = None
            parts: dict[str, Write | bytes] = {name: _picture_file(image, record)}
            if labels is not None:
                (self.folder / "masks").mkdir(exist_ok=True)
                mask = f"masks/{stem}.tif"
                parts[mask] = _mask_file(labels, record)
            try:
                row = {
                    "image": name,
                    "mask": mask,
                    "synthetic": True,
                    "files": {k: write_whole(self.folder / k, write) for k, write in parts.items()},
                    "record": record.to_dict(),
                }
                self._write_licences(record)
                append_rows(self.folder / MANIFEST, [row])
            except BaseException:  # without its row it would not be a pair
                for part in parts:
                    (self.folder / part).unlink(missing_ok=True)
                raise
        self.written += 1
        return row

    def has(self, labels: NDArray[Any] | None, record: Record) -> bool:
        """Return True if the folder holds a pair of these pixels and this mask.

        Parameters
        ----------
        labels : array, (height, width), optional
        record : Record
        """
        if self._known is None:
            self._known = {
                (str(row.get("record", {}).get("sha256")), row["files"].get(row.get("mask")))
                for row in load_manifest(self.folder)
                if isinstance(row.get("files"), dict) and isinstance(row.get("record"), dict)
            }
        mask = None
        if labels is not None:
            mask = hashlib.sha256(_mask_file(labels, record)).hexdigest()
        return (record.sha256, mask) in self._known

    def _write_licences(self, record: Record) -> None:
        """Add the licences of the weights to the README, below whatever it says already."""
        path, family = self.folder / "README.txt", get_family(record.request.family)
        text = path.read_text("utf-8", errors="replace") if path.exists() else README
        texts = licence_texts(family)
        if texts and LICENCES not in text:
            text = text.rstrip() + LICENCES
        line = f"Weights of the family {family.name}: {record.licence or 'no licence'}"
        lines = [f"{line}\n{record.notice}"]
        layout = record.request.source.layout
        if layout is not None and layout.licence:
            lines.append(f"Cells segmented by Cellpose {layout.model}: {layout.licence}")
            texts = texts | licence_texts(CELLPOSE)
        for hub_id, licence in texts.items():
            self._keep_licence(hub_id.replace("/", "--"), licence.encode())
        new = [words for words in lines if words.splitlines()[0] not in text]
        if new:
            write_whole(path, "\n\n".join([text.rstrip(), *new, ""]))

    def _keep_licence(self, stem: str, text: bytes) -> None:
        """Write a licence once; a text that has changed since gets a numbered file."""
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
        prefix = f"{safe_name(stain)}-seed" if stain else "seed"
        base = f"{request.source.name}-{prefix}{request.seed}"
        names = "images/{}.png", "images/{}.ome.tif", "masks/{}.tif"
        stem, number = base, 1
        while any((self.folder / name.format(stem)).exists() for name in names):
            number += 1
            stem = f"{base}-{number}"
        return stem

    @contextmanager
    def _explained(self) -> Iterator[None]:
        complete = f"{counted(self.written, 'complete pair')} so far"
        try:
            yield
        except OSError as error:
            raise write_problem(self.folder, error, f" and export again ({complete})") from error


# -- and back ------------------------------------------------------------------------------


def load_manifest(folder: Path | str) -> list[dict[str, Any]]:
    """Read the rows of a folder's manifest, or of the ``.jsonl`` itself, skipping torn rows."""
    path = Path(folder)
    if path.suffix != ".jsonl":
        path /= MANIFEST
    return [row for row in read_rows(path) if "image" in row]


def read_record(path: Path | str) -> Record:
    """Read a record from an exported image, a JSON file, or a manifest of one pair.

    Raises
    ------
    PixCellError
        If the file has no record, or a record of another version.
    """
    path = Path(path)
    check_regular(path)
    with reading(path.name, OTHER_FILE):
        match path.suffix.lower():
            case ".jsonl":
                rows = load_manifest(path)
                if len(rows) != 1:
                    raise PixCellError(
                        f"{path.name} holds {len(rows)} records. Choose one of the files in "
                        "“images”."
                    )
                return Record.from_dict(rows[0].get("record") or {})
            case ".png":
                text = _record_text(path, png_text)
            case ".tif" | ".tiff":
                text = _record_text(path, tiff_record)
            case _:
                return Record.load(path)
        if text is None:
            raise PixCellError(
                f"{path.name} carries no record. Choose an image that napari-pixcell exported."
            )
        if len(text) > MOST_JSON_BYTES:
            raise PixCellError(f"The record in {path.name} is too large. {OTHER_FILE}")
        try:
            value = parse_json(text, path.name)
        except PixCellError as error:
            raise PixCellError(f"The record in {path.name} is damaged. {OTHER_FILE}") from error
        return Record.from_dict(value)


def _record_text(path: Path, read: Callable[[Path], str | bytes | None]) -> str | bytes | None:
    try:
        return read(path)
    except (OSError, ValueError) as error:
        raise PixCellError(f"{path.name} cannot be read. Choose an exported image.") from error


def _mask_file(labels: NDArray[Any], record: Record) -> bytes:
    """Return the mask of a variant as TIFF, with the classes of its request."""
    classes = record.request.classes
    names = classes_in(labels, classes.names) if classes is not None else None
    return synthetic_tiff(labels, record.request.mpp, names)

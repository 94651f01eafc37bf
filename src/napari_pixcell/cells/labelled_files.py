"""Folders of images and, beside or below them, the files of their cells."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import reading

MOST_FILES = 10_000
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
LABELS = (".png", ".tif", ".tiff", ".npy", ".bmp")
LABEL_FOLDERS = ("labels", "masks")
_EXTENSION = re.compile(r"(\.ome)?\.[A-Za-z]{2,8}$")
_MARK = re.compile(r"_(cp_masks|masks?|labels?)$")  # as Cellpose and others name label images


def images_and_labels(
    folder: Path, cells: tuple[str, ...] = LABELS
) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the images of a folder and the files of their cells, by their names.

    The folder holds ``images`` and ``labels`` (or ``masks``) with the same names. Without these
    folders, files of cells lie beside their image. Label images are then named as Cellpose does:
    ``a.png`` and ``a_masks.tif``.

    Parameters
    ----------
    cells : tuple of str
        Suffixes of files of cells.

    Raises
    ------
    PixCellError
        If there is no such folder, it holds too many files, or two images of one name.
    """
    with reading(folder.name, "Choose another folder."):
        if not folder.is_dir():
            raise PixCellError(f"There is no folder “{folder.name}”. Choose one of labelled tiles.")
        apart = next((folder / one for one in LABEL_FOLDERS if (folder / one).is_dir()), None)
        if apart is not None and (folder / "images").is_dir():
            return _named(folder / "images", PICTURES), _named(apart, cells, True)
        every = _named(folder, PICTURES)
        marked = {key for key in every if _MARK.search(key)}
        labels = {
            key: path
            for key, path in _named(folder, cells, True).items()
            if path.suffix.lower() not in PICTURES or _MARK.search(name_of(path, folder))
        }
        return {key: path for key, path in every.items() if key not in marked}, labels


def _named(folder: Path, suffixes: tuple[str, ...], labels: bool = False) -> dict[str, Path]:
    """Return the files of a folder by subfolder and name, without the endings of labels."""
    entries = list(islice(folder.rglob("*"), MOST_FILES + 1))
    if len(entries) > MOST_FILES:
        raise PixCellError(
            f"“{folder.name}” holds more than {MOST_FILES:,} files. Choose a folder with only the "
            "labelled tiles."
        )
    found: dict[str, Path] = {}
    for path in sorted(entries):
        inside = path.relative_to(folder)
        if path.suffix.lower() not in suffixes or any(p.startswith(".") for p in inside.parts):
            continue
        key = name_of(path, folder)
        key = _MARK.sub("", key) if labels else key
        if key in found and not labels:
            raise PixCellError(
                f"“{folder.name}” holds “{found[key].name}” and “{path.name}”. Keep only one."
            )
        if path.is_file():
            # Of “a.png” and “a_masks.png” the second is certainly the label image.
            found[key] = path
    return found


def name_of(path: Path, folder: Path) -> str:
    """Return the name of a file with its subfolder, without its extension."""
    inside = path.relative_to(folder)
    return (inside.parent / (without_extension(inside.name) or inside.name)).as_posix()


def without_extension(name: str) -> str:
    """Return a file name without its extension, such as ``.png`` or ``.ome.tif``."""
    return _EXTENSION.sub("", name)

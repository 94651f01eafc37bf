"""The files in the folders that a recipe names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import reading

MOST_ENTRIES = 200_000  # of a folder and its subfolders


def files_in(folder: Path, suffixes: tuple[str, ...], noun: str) -> list[Path]:
    """Return the files in a folder and its subfolders, sorted by name, without hidden ones.

    Raises
    ------
    PixCellError
        If the folder does not exist or has no file with one of the suffixes.
    """
    if not is_folder(folder):
        raise PixCellError(f"The folder “{folder.name}” does not exist. Check the recipe's path.")
    with reading(folder.name, "Check its permissions, and that nothing else is changing it."):
        entries = list(islice(folder.rglob("*"), MOST_ENTRIES + 1))
    if len(entries) > MOST_ENTRIES:
        raise PixCellError(
            f"The folder “{folder.name}” has more than {MOST_ENTRIES:,} files. Choose a folder "
            f"with only {noun}."
        )
    files = sorted(
        path
        for path in entries
        if path.suffix.lower() in suffixes and path.is_file()
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not files:
        raise PixCellError(
            f"There are no {noun} in the folder “{folder.name}”. Choose a folder with files of the "
            f"types {', '.join(suffixes)}."
        )
    return files


def names_in(folder: str, files: Iterable[Path]) -> Iterator[str]:
    """Iterate over the paths of files relative to their folder."""
    return (path.relative_to(folder).as_posix() for path in files)


def is_folder(path: Path) -> bool:
    """Return True if a path is a folder; False also if the path is not valid."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long, a loop of links
        return False

"""Licence texts and model cards, as they were when the weights were downloaded."""

from __future__ import annotations

from pathlib import Path

from napari_pixcell.models.catalogue import Part, WeightSet
from napari_pixcell.models.store import find, weights_folder

FILES = ("LICENSE", "LICENSE.md", "LICENSE.txt", "README.md")
MAX_LENGTH = 1_000_000  # characters of a text that are read


def licence_files(part: Part) -> list[Path]:
    """Return the licence texts and the model card stored with a part's weights."""
    installed = find(part)
    if installed is None or not part.hub_id or installed.where == "cellpose":
        return []
    # Up from the weights to the top of the repository: one step for each folder in the name.
    return _licences_in(installed.weights.parents[part.weights.count("/")])


def licence_text(part: Part) -> str:
    """Return the licence of a part: its downloaded texts, else the catalogue's summary."""
    paths = licence_files(part)
    if not paths:
        return part.licence
    texts = (f"{path.name}\n\n{_read(path)}" for path in paths)
    return f"{part.hub_id}\n\n" + "\n\n".join(texts)


def licence_texts(family: WeightSet) -> dict[str, str]:
    """Return the downloaded texts of a family's weights by repository."""
    texts = {}
    for part in family.parts:
        if part.hub_id not in texts and licence_files(part):
            texts[part.hub_id] = licence_text(part)
    return texts


def stored_licences(hub_id: str) -> list[Path]:
    """Return the licence files of a repository in the user's folder of weights."""
    folder = weights_folder()
    return [] if folder is None else _licences_in(folder / hub_id)


def _licences_in(top: Path) -> list[Path]:
    return [top / name for name in FILES if (top / name).is_file()]


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(MAX_LENGTH).strip()

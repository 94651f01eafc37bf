"""Licence texts and model cards, as they were when the weights were fetched."""

from __future__ import annotations

from pathlib import Path

from napari_pixcell.models.catalogue import Part, WeightSet
from napari_pixcell.models.store import find, weights_folder

FILES = ("LICENSE", "LICENSE.md", "LICENSE.txt", "README.md")
LONGEST = 1_000_000


def licence_files(part: Part) -> list[Path]:
    """Give the licence texts and the card that are kept beside a part's weights."""
    found = find(part)
    if found is None or not part.hub_id or found.where == "cellpose":
        return []
    return _beside(found.files[part.weights], part)


def licence_text(part: Part) -> str:
    """Give the licence of a part: its texts and card as fetched, else what the catalogue says."""
    paths = licence_files(part)
    if not paths:
        return part.licence
    texts = (f"{path.name}\n\n{_read(path)}" for path in paths)
    return f"{part.hub_id}\n\n" + "\n\n".join(texts)


def licence_texts(family: WeightSet) -> dict[str, str]:
    """Give the texts that came with a family's weights, by repository."""
    texts = {}
    for part in family.parts:
        if part.hub_id not in texts and licence_files(part):
            texts[part.hub_id] = licence_text(part)
    return texts


def kept_licences(hub_id: str) -> list[Path]:
    """Give the licence files of a repository in the user's folder of weights."""
    folder = weights_folder()
    return [] if folder is None else _in(folder / hub_id)


def _beside(weights: Path, part: Part) -> list[Path]:
    # Up from the weights to the top of the repository: one step for each folder in the name.
    return _in(weights.parents[part.weights.count("/")])


def _in(top: Path) -> list[Path]:
    return [top / name for name in FILES if (top / name).is_file()]


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(LONGEST).strip()

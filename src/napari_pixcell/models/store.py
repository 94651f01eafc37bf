"""Where the files of a family are: bundled, in the user's folder, or in the hub's cache.

Nothing here uses the network; :mod:`napari_pixcell.models.hub` does, when the user asks for it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import CELLPOSE, Part, WeightSet
from napari_pixcell.preferences import preference, set_preference

# Of the small file that the adapter of a LoRA file is kept in, beside it.
ADAPTER_SUFFIX = ".adapter.safetensors"

Where = Literal["bundled", "own", "folder", "cellpose", "cache"]


@dataclass(frozen=True)
class Found:
    """The files of a part on this machine.

    Parameters
    ----------
    part : Part
        What was looked for.
    files : dict of str to Path
        Where each of ``part.files`` is.
    where : str
        ``bundled``, ``own`` (named by the user's family), ``folder`` (the user's folder of
        weights), ``cellpose`` (Cellpose's own folder) or ``cache`` (the hub's cache).
    """

    part: Part
    files: dict[str, Path]
    where: Where

    @property
    def weights(self) -> Path:
        """Path of the weight file."""
        return self.files[self.part.weights]

    @property
    def config(self) -> Path | None:
        """Path of the configuration, if the part has one."""
        return self.files[self.part.config] if self.part.config else None


def weights_folder() -> Path | None:
    """Give the user's folder of weights: ``PIXCELL_WEIGHTS``, else what was set in the dock."""
    named = os.environ.get("PIXCELL_WEIGHTS")
    if named:
        return Path(named)
    value = preference("weights folder")
    return Path(value) if isinstance(value, str) and value else None


def set_weights_folder(folder: Path | None) -> None:
    """Remember the user's folder of weights.

    Raises
    ------
    PixCellError
        If the folder does not exist, or the setting cannot be written.
    """
    if folder is not None and not Path(folder).is_dir():
        raise PixCellError(f"There is no folder {Path(folder).name}; choose one that exists.")
    set_preference("weights folder", str(folder) if folder is not None else None)


def cellpose_folder() -> Path:
    """Give Cellpose's own folder of models: ``CELLPOSE_LOCAL_MODELS_PATH``, else its default."""
    named = os.environ.get("CELLPOSE_LOCAL_MODELS_PATH")
    return Path(named) if named else Path.home() / ".cellpose" / "models"


def find(part: Part) -> Found | None:
    """Look for all files of a part, first found first.

    Where the part says; else in the user's folder, in Cellpose's own for its weights, and in the
    hub's cache.
    """
    if part.folder is not None:
        from napari_pixcell.models.catalogue import DEMO_FOLDER

        where: Where = "bundled" if part.folder == DEMO_FOLDER else "own"
        return _all(part, part.folder, where)
    folder = weights_folder()
    if folder is not None:
        owner_and_name = part.hub_id
        for place in (folder / owner_and_name, folder / owner_and_name.split("/")[-1]):
            found = _all(part, place, "folder")
            if found is not None:
                return found
    if part in CELLPOSE.parts:
        found = _all(part, cellpose_folder(), "cellpose")
        if found is not None:
            return found
    return _in_cache(part)


def missing(family: WeightSet) -> list[Part]:
    """Give the parts of a set that are not on this machine."""
    return [part for part in family.parts if find(part) is None]


def require(family: WeightSet, part: Part) -> Found:
    """Find a part, or say how to get it."""
    found = find(part)
    if found is None:
        if part.folder is not None:
            raise PixCellError(
                f"The {part.kind} of {family.title} is not in {part.folder.name}; put its files "
                "back, or reinstall napari-pixcell."
            )
        raise PixCellError(
            f"{family.title} is not installed: the {part.kind} from {part.hub_id} is missing; "
            f"get it in the model manager, or with “napari-pixcell models get {family.name}”."
        )
    return found


def kept_adapter(path: Path) -> Path:
    """Say where the adapter of a LoRA file is kept beside it."""
    return path.with_name(path.stem + ADAPTER_SUFFIX)


def _all(part: Part, folder: Path, where: Where) -> Found | None:
    files = {name: folder / name for name in part.files}
    return Found(part, files, where) if all(map(Path.is_file, files.values())) else None


def _in_cache(part: Part) -> Found | None:
    from huggingface_hub import try_to_load_from_cache

    files = {}
    for name in part.files:
        path = try_to_load_from_cache(part.hub_id, name, revision=part.revision)
        if not isinstance(path, str):
            return None
        files[name] = Path(path)
    return Found(part, files, "cache")

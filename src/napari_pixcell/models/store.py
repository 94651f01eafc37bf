"""The files of weight sets: bundled, in the user's folder, or in the hub's cache.

Here they are searched and identified, with their licences and model cards. Nothing here uses the
network. :mod:`napari_pixcell.models.hub` does, when the user asks for it. Imports no torch.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import CELLPOSE, DEMO_FOLDER, Family, Part, WeightSet
from napari_pixcell.preferences import WEIGHTS, preference, set_preference
from napari_pixcell.slides.content import ends_key, file_stamp

ADAPTER_SUFFIX = ".adapter.safetensors"  # of the small copy of an adapter, see lora.py
LICENCE_FILES = ("LICENSE", "LICENSE.md", "LICENSE.txt", "README.md")
LONGEST_LICENCE = 1_000_000  # characters of a text that are read

Location = Literal["bundled", "own", "folder", "cellpose", "cache"]


@dataclass(frozen=True)
class InstalledPart:
    """The files of a part on this machine: the path of each of ``part.files``.

    ``where`` is ``bundled``, ``own`` (named by the user's family), ``folder`` (the user's folder of
    weights), ``cellpose`` (Cellpose's own folder) or ``cache`` (the hub's cache).
    """

    part: Part
    files: dict[str, Path]
    where: Location

    @property
    def weights(self) -> Path:
        """Path of the weight file."""
        return self.files[self.part.weights]

    @property
    def config(self) -> Path | None:
        """Path of the configuration, if the part has one."""
        return self.files[self.part.config] if self.part.config else None


def weights_folder() -> Path | None:
    """Return the user's folder of weights: ``PIXCELL_WEIGHTS``, else the one set in the dock."""
    named = os.environ.get(WEIGHTS.variable)
    if named:
        return Path(named)
    value = preference(WEIGHTS.name)
    return Path(value) if isinstance(value, str) and value else None


def set_weights_folder(folder: Path | None) -> None:
    """Remember the user's folder of weights.

    Raises
    ------
    PixCellError
        If the folder does not exist, or the setting cannot be written.
    """
    if folder is not None and not Path(folder).is_dir():
        raise PixCellError(f"There is no folder {Path(folder).name}. Choose an existing one.")
    set_preference(WEIGHTS.name, str(folder) if folder is not None else None)


def cellpose_folder() -> Path:
    """Return Cellpose's own model folder: ``CELLPOSE_LOCAL_MODELS_PATH``, else its default."""
    named = os.environ.get("CELLPOSE_LOCAL_MODELS_PATH")
    return Path(named) if named else Path.home() / ".cellpose" / "models"


def find(part: Part) -> InstalledPart | None:
    """Return the files of a part, or None unless all of them are installed.

    A part with a folder of its own is searched only there. Others are searched in the user's
    folder, in Cellpose's own for its weights, and in the hub's cache, in this order.
    """
    if part.folder is not None:
        return _in_folder(part, part.folder, "bundled" if part.folder == DEMO_FOLDER else "own")
    places: list[tuple[Path, Location]] = []
    folder = weights_folder()
    if folder is not None:
        names = (part.hub_id, part.hub_id.split("/")[-1])
        places += [(folder / name, "folder") for name in names]
    if part in CELLPOSE.parts:
        places.append((cellpose_folder(), "cellpose"))
    installed = (_in_folder(part, place, where) for place, where in places)
    return next((files for files in installed if files is not None), None) or _in_cache(part)


def cache_repository(hub_id: str, dataset: bool = False) -> Path:
    """Return the folder of a repository, of a model or a data set, in the hub's cache."""
    from huggingface_hub import constants

    # The hub documents this name. Its own function for it takes as long to import as its client.
    kind = "datasets" if dataset else "models"
    return Path(constants.HF_HUB_CACHE) / f"{kind}--{hub_id.replace('/', '--')}"


def missing(family: WeightSet) -> list[Part]:
    """Return the parts of a weight set that are not installed."""
    return [part for part in family.parts if find(part) is None]


def lacks_only_encoder(family: WeightSet) -> bool:
    """True if a family generates, but embeds nothing: its styles come from files of features."""
    stain = any(part.kind == "flow" for part in family.parts)  # it starts from embedded tissue
    return not stain and [part.kind for part in missing(family)] == ["encoder"]


def require(family: WeightSet, part: Part) -> InstalledPart:
    """Return the files of a part of a family.

    Raises
    ------
    PixCellError
        If the part is not installed. The message says how to get it.
    """
    installed = find(part)
    if installed is None:
        if part.folder is not None:
            raise PixCellError(
                f"The {part.kind} of {family.title} is missing from {part.folder.name}. Put its "
                "files back, or reinstall napari-pixcell."
            )
        raise PixCellError(
            f"{family.title} is not installed: the {part.kind} from {part.hub_id} is missing. "
            f"Get it in the model manager, or with “napari-pixcell models get {family.name}”."
        )
    return installed


def locations(family: WeightSet) -> list[str]:
    """Return where the parts of a family are installed, each location once, sorted."""
    return sorted({files.where for part in family.parts if (files := find(part)) is not None})


def kept_adapter(path: Path) -> Path:
    """Return the path of the small copy of an adapter, beside its LoRA file."""
    return path.with_name(path.stem + ADAPTER_SUFFIX)


def _in_folder(part: Part, folder: Path, where: Location) -> InstalledPart | None:
    files = {name: folder / name for name in part.files}
    return InstalledPart(part, files, where) if all(map(Path.is_file, files.values())) else None


def _in_cache(part: Part) -> InstalledPart | None:
    if not cache_repository(part.hub_id, part.dataset).is_dir():
        return None
    from huggingface_hub import try_to_load_from_cache

    files = {}
    for name in part.files:
        path = try_to_load_from_cache(
            part.hub_id, name, revision=part.revision, repo_type=part.repo_type
        )
        if not isinstance(path, str):
            return None
        files[name] = Path(path)
    return InstalledPart(part, files, "cache")


def encoder_identity(family: Family) -> str | None:
    """Return the identity of a family's encoder files as they are now; None if not installed.

    It is 64 hexadecimal digits over hub id, revision and, for each file, its name in the
    repository, size, modification time and both ends. Paths are not included. Families with the
    same encoder have the same identity, and can share their embeddings.
    """
    return _identity(family, file_stamp)


def encoder_kind(family: Family) -> str | None:
    """Return the identity of a family's encoder for what is kept for years, such as saved styles.

    Unlike :func:`encoder_identity` it ignores modification times, so it stays the same when the
    same files are installed again.
    """
    return _identity(family, ends_key)


def _identity(family: Family, key_of: Callable[[Path], str]) -> str | None:
    part = family.part("encoder")
    installed = find(part) if part is not None else None
    if part is None or installed is None:
        return None
    try:
        files = [(name, key_of(path)) for name, path in sorted(installed.files.items())]
    except OSError:
        return None
    value = [part.network, part.hub_id, part.revision, files]
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


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
    return [top / name for name in LICENCE_FILES if (top / name).is_file()]


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(LONGEST_LICENCE).strip()

"""Families carried to machines without internet, and taken off this one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Part, WeightSet, weight_sets
from napari_pixcell.models.hub import human_size
from napari_pixcell.models.licences import kept_licences, licence_files
from napari_pixcell.models.manifest import (
    NAME,
    Entry,
    add_to_manifest,
    copy_whole,
    disk_explained,
    read_manifest,
    sha256_of,
    take_from_manifest,
)
from napari_pixcell.models.store import (
    find,
    kept_adapter,
    missing,
    require,
    set_weights_folder,
    weights_folder,
)

OnProgress = Callable[[int, int, str], None]


def _silent(done: int, total: int, message: str) -> None:
    pass


def export_family(
    family: WeightSet, directory: Path, on_progress: OnProgress = _silent
) -> dict[str, Entry]:
    """Copy a family's files, licences and hashes into a folder that can be carried away.

    Parameters
    ----------
    family : WeightSet
        Installed here.
    directory : Path
        Made if it is not there; further families can be added to it. Files lie in it as
        ``owner/name/path``.
    on_progress : callable
        Told (bytes done, bytes in all, message).

    Returns
    -------
    dict of str to Entry
        What was copied.

    Raises
    ------
    PixCellError
        If a part is missing, is the user's own or bundled, or the disk is full.
    """
    _refuse_bundled(family, "exported")
    sources: dict[str, Path] = {}
    for part in family.parts:
        if part.folder is not None:
            raise PixCellError(
                f"The {part.kind} of {family.title} is your own; copy {part.folder.name} and the "
                "family's TOML file by hand."
            )
        found = require(family, part)
        for name, path in found.files.items():
            sources[f"{part.hub_id}/{name}"] = path
        for path in licence_files(part):
            sources[f"{part.hub_id}/{path.name}"] = path
    with disk_explained(directory):
        directory.mkdir(parents=True, exist_ok=True)
        read_manifest(directory)  # a damaged one is found before any copying
        copied = _copy(sources, directory, on_progress)
        add_to_manifest(directory, copied)
    return copied


def import_folder(directory: Path, on_progress: OnProgress = _silent) -> Path:
    """Check an exported folder and take its weights over.

    They are copied to the user's folder of weights; without one, the folder itself becomes it.

    Returns
    -------
    Path
        The folder that holds the weights now.

    Raises
    ------
    PixCellError
        If a file is missing, damaged, or named outside the folder, or the disk is full; then
        nothing is taken over.
    """
    if not directory.is_dir():
        raise PixCellError(
            f"There is no folder {directory.name}; choose one that “models export” wrote."
        )
    files = read_manifest(directory)
    if not files:
        raise PixCellError(
            f"{directory.name} holds no {NAME}; choose a folder that “models export” wrote."
        )
    with disk_explained(directory):
        for problem in folder_problems(directory, files, on_progress):
            raise PixCellError(f"{problem}; export the family again.")
    target = weights_folder()
    if target is None or target.resolve() == directory.resolve():
        set_weights_folder(directory.resolve())
        return directory.resolve()
    with disk_explained(target):
        target.mkdir(parents=True, exist_ok=True)
        listed = read_manifest(target)
        own = {name for name in files if (target / name).is_file() and name not in listed}
        for name in own:
            if sha256_of(target / name) != files[name].sha256:
                raise PixCellError(
                    f"{name} is in {target.name} already and is another file; move it away first."
                )
        sources = {name: directory / name for name in files if name not in own}
        add_to_manifest(target, _copy(sources, target, on_progress))
    return target


def folder_problems(
    folder: Path, files: dict[str, Entry], on_progress: OnProgress = _silent
) -> list[str]:
    """Compare the files of a folder with its manifest; give what is wrong, without a full stop."""
    problems, done, total = [], 0, sum(entry.size for entry in files.values())
    for name, entry in files.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name} is missing from {folder.name}")
        elif path.stat().st_size != entry.size:
            problems.append(f"{name} in {folder.name} has another size than it should")
        elif sha256_of(path) != entry.sha256:
            problems.append(f"{name} in {folder.name} is damaged: its hash is another")
        done += entry.size
        on_progress(done, total, f"Checking {name}")
    return problems


def remove(family: WeightSet, shared: bool = False) -> list[str]:
    """Delete the files of a family from the cache and from the folder of weights.

    Parameters
    ----------
    family : WeightSet
        Its bundled files, the user's own, and those that the user put into the folder of
        weights stay.
    shared : bool
        Also delete what another installed family uses.

    Returns
    -------
    list of str
        What was deleted, as ``owner/name/path``.
    """
    _refuse_bundled(family, "removed")
    others = [
        other
        for other in weight_sets().values()
        if other.name != family.name and not missing(other)
    ]
    used = set() if shared else {name for other in others for name in _names(other.parts)}
    removed = []
    with disk_explained(weights_folder() or Path("The cache")):
        for part in family.parts:
            if not part.hub_id or set(_names([part])) & used:
                continue
            removed += _remove_from_folder(part)
            removed += _remove_from_cache(part)
    return sorted(set(removed))


def _names(parts: tuple[Part, ...] | list[Part]) -> list[str]:
    return [f"{part.hub_id}/{name}" for part in parts if part.hub_id for name in part.files]


def _refuse_bundled(family: WeightSet, done: str) -> None:
    if family.bundled:
        raise PixCellError(
            f"{family.title} comes with napari-pixcell and cannot be {done}; choose another family."
        )


def _copy(sources: dict[str, Path], target: Path, on_progress: OnProgress) -> dict[str, Entry]:
    """Copy files that are not there yet; room for all of them is looked for first."""
    there = read_manifest(target)
    sizes = {name: path.stat().st_size for name, path in sources.items()}
    kept = {
        name
        for name, path in sources.items()
        if name in there
        and (target / name).is_file()
        and (target / name).stat().st_size == sizes[name] == there[name].size
        and sha256_of(path) == there[name].sha256
    }
    needed = sum(size for name, size in sizes.items() if name not in kept)
    free = shutil.disk_usage(target).free
    if needed > free:
        raise PixCellError(
            f"There is room for {human_size(free)} in {target.name} and {human_size(needed)} are "
            "needed; free some space, or choose another folder."
        )
    copied, new, done = {}, [], 0
    try:
        for name, path in sources.items():
            if name in kept:
                copied[name] = there[name]
                continue

            def advance(count: int, name: str = name) -> None:
                nonlocal done
                done += count
                on_progress(done, needed, f"Copying {name}")

            if not (target / name).exists():
                new.append(target / name)
            copied[name] = copy_whole(path, target / name, advance)
    except BaseException:  # a part of a family is of no use
        for path in new:
            path.unlink(missing_ok=True)
        raise
    return copied


def _remove_from_folder(part: Part) -> list[str]:
    folder = weights_folder()
    if folder is None:
        return []
    top = folder / part.hub_id
    for partial in [*top.rglob(".*.part"), *top.rglob(".*.lock")]:
        partial.unlink(missing_ok=True)
    listed = read_manifest(folder)
    gone = [name for name in _names([part]) if name in listed]
    left = [n for n in listed if n.startswith(f"{part.hub_id}/") and n not in gone]
    licences = [f"{part.hub_id}/{path.name}" for path in kept_licences(part.hub_id)]
    if set(left) <= set(licences):  # the last weights of a repository take its licence along
        gone += left
    for name in gone:
        (folder / name).unlink(missing_ok=True)
        kept_adapter(folder / name).unlink(missing_ok=True)
    take_from_manifest(folder, set(gone))
    _drop_empty(top)
    return gone


def _remove_from_cache(part: Part) -> list[str]:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    cache = Path(constants.HF_HUB_CACHE)
    repository = cache / repo_folder_name(repo_id=part.hub_id, repo_type="model")
    blobs = repository / "blobs"
    for partial in [*blobs.glob(".*.part"), *blobs.glob(".*.lock")]:
        partial.unlink(missing_ok=True)
    gone = []
    for name in part.files:
        for pointer in (repository / "snapshots").glob(f"*/{name}"):
            blob = _linked(pointer)
            pointer.unlink()
            kept_adapter(pointer).unlink(missing_ok=True)
            gone.append(f"{part.hub_id}/{name}")
            shown = (repository / "snapshots").rglob("*")
            if blob is not None and blob not in {_linked(path) for path in shown}:
                (blobs / blob).unlink(missing_ok=True)
    if gone:
        _drop_empty(repository / "snapshots")
    return gone


def _linked(pointer: Path) -> str | None:
    """Name of the blob that the cache shows under a file's name; a copy has none."""
    return pointer.readlink().name if pointer.is_symlink() else None


def _drop_empty(top: Path) -> None:
    for folder in sorted((p for p in top.rglob("*") if p.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    for folder in (top, top.parent):  # the repository, and its owner
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def found_where(family: WeightSet) -> list[str]:
    """Give the places that the parts of a family were found in, each once."""
    return sorted({found.where for part in family.parts if (found := find(part)) is not None})

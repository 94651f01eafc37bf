"""Export, import and removal of weight sets, for machines without internet."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import UNFINISHED, sha256_of
from napari_pixcell.models.catalogue import Part, WeightSet
from napari_pixcell.models.families import weight_sets
from napari_pixcell.models.integrity import entry_problem
from napari_pixcell.models.manifest import (
    NAME,
    ManifestEntry,
    add_to_manifest,
    copy_resumed,
    copy_whole,
    explain_disk_errors,
    partial_path,
    read_manifest,
    remove_from_manifest,
)
from napari_pixcell.models.store import (
    LICENCE_FILES,
    cache_repository,
    kept_adapter,
    licence_files,
    missing,
    require,
    set_weights_folder,
    stored_licences,
    weights_folder,
)
from napari_pixcell.words import file_size

OnProgress = Callable[[int, int, str], None]


def _silent(done: int, total: int, message: str) -> None: ...


def export_family(
    family: WeightSet, directory: Path, on_progress: OnProgress = _silent
) -> dict[str, ManifestEntry]:
    """Copy the files, licences and hashes of an installed family to a portable folder.

    Parameters
    ----------
    directory : Path
        Created if missing. It can receive several families, as ``owner/name/path``.
    on_progress : callable
        Called with (bytes done, bytes in total, message).

    Returns
    -------
    dict of str to ManifestEntry
        The copied files.

    Raises
    ------
    PixCellError
        If a part is missing, bundled or the user's own, or the disk is full.
    """
    _refuse_bundled(family, "exported")
    sources: dict[str, Path] = {}
    for part in family.parts:
        if part.folder is not None:
            raise PixCellError(
                f"The {part.kind} of {family.title} is your own. Copy {part.folder.name} and the "
                "family's TOML file by hand."
            )
        for name, path in require(family, part).files.items():
            sources[f"{part.hub_id}/{name}"] = path
        for path in licence_files(part):
            sources[f"{part.hub_id}/{path.name}"] = path
    with explain_disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        read_manifest(directory)  # raises if damaged, before anything is copied
        return _copy(sources, directory, on_progress)


def import_folder(directory: Path, on_progress: OnProgress = _silent) -> Path:
    """Check an exported folder, install its weights, and return the folder that holds them now.

    They are copied to the user's folder of weights. Without one, the exported folder becomes it.
    An import that was interrupted resumes.

    Raises
    ------
    PixCellError
        If a file is missing, damaged, or named outside the folder, or the disk is full. Nothing
        is installed then.
    """
    if not directory.is_dir():
        raise PixCellError(f"There is no folder {directory.name}. Choose one from “models export”.")
    files = read_manifest(directory)
    if not files:
        raise PixCellError(
            f"{directory.name} contains no {NAME}. Choose a folder from “models export”."
        )
    with explain_disk_errors(directory):
        _check_folder(directory, files, on_progress)
    target = weights_folder()
    if target is None or target.resolve() == directory.resolve():
        set_weights_folder(directory.resolve())
        return directory.resolve()
    with explain_disk_errors(target):
        target.mkdir(parents=True, exist_ok=True)
        listed = read_manifest(target)
        own = {name for name in files if (target / name).is_file() and name not in listed}
        for name in own:
            if sha256_of(target / name) != files[name].sha256:
                raise PixCellError(
                    f"{target.name} already contains a different {name}. Move it away first."
                )
        sources = {name: directory / name for name in files if name not in own}
        _copy(sources, target, on_progress, files)
    return target


def remove(family: WeightSet, shared: bool = False) -> list[str]:
    """Delete the files of a family from the cache and from the folder of weights.

    Bundled files, the user's own, and those that the user put into the folder of weights are kept.
    So are files that another installed family uses, unless ``shared``. Returns the deleted files,
    as ``owner/name/path``.
    """
    _refuse_bundled(family, "removed")
    others = [
        other
        for other in weight_sets().values()
        if other.name != family.name and not missing(other)
    ]
    used = set() if shared else {name for other in others for name in _names(other.parts)}
    removed = []
    with explain_disk_errors(weights_folder() or Path("The cache")):
        for part in family.parts:
            if not part.hub_id or set(_names([part])) & used:
                continue
            removed += _remove_from_folder(part)
            removed += _remove_from_cache(part)
    return sorted(set(removed))


def _check_folder(folder: Path, files: dict[str, ManifestEntry], on_progress: OnProgress) -> None:
    """Raise a PixCellError at the first file that differs from the manifest."""
    done, total = 0, sum(entry.size for entry in files.values())
    for name, entry in files.items():
        path = folder / name
        problem = entry_problem(path, entry) if path.is_file() else "is missing"
        if problem:
            raise PixCellError(f"{name} in {folder.name} {problem}. Export the family again.")
        done += entry.size
        on_progress(done, total, f"Checking {name}")


def _names(parts: Iterable[Part]) -> list[str]:
    return [f"{part.hub_id}/{name}" for part in parts if part.hub_id for name in part.files]


def _refuse_bundled(family: WeightSet, action: str) -> None:
    if family.bundled:
        raise PixCellError(
            f"{family.title} is part of napari-pixcell and cannot be {action}. Choose another "
            "family."
        )


def _copy(
    sources: dict[str, Path],
    target: Path,
    on_progress: OnProgress,
    known: dict[str, ManifestEntry] | None = None,
) -> dict[str, ManifestEntry]:
    """Copy the files that are not there yet, after checking the disk for enough space.

    Each is in the manifest before it has its name, so that one which a killed copy left behind is
    neither copied again nor taken for the user's own. ``known`` are the hashes that the files must
    have; those copies resume within a file.
    """
    there, known = read_manifest(target), known or {}
    copied = {
        name: there[name]
        for name in sources
        if name in there
        and (target / name).is_file()
        and _is_copied(sources[name], target / name, there[name], known.get(name))
    }
    left = {name: path for name, path in sources.items() if name not in copied}
    needed = sum(path.stat().st_size for path in left.values())
    partial = sum(_size_of(partial_path(target / n, known[n].sha256)) for n in left if n in known)
    free = shutil.disk_usage(target).free
    if needed - partial > free:
        raise PixCellError(
            f"The weights need {file_size(needed)}, but only {file_size(free)} are free in "
            f"{target.name}. Free some space, or choose another folder."
        )
    new, done = [], 0
    try:
        for name, path in left.items():

            def advance(count: int, name: str = name) -> None:
                nonlocal done
                done += count
                on_progress(done, needed, f"Copying {name}")

            if not (target / name).exists():
                new.append(name)
            if name in known:
                add_to_manifest(target, {name: known[name]})
                copy_resumed(path, target / name, known[name], advance)
                copied[name] = known[name]
            else:
                _remove_unfinished_copies(target / name)
                copied[name] = copy_whole(path, target / name, advance)
                add_to_manifest(target, {name: copied[name]})
    except Exception:  # half a family is of no use; what was interrupted is kept and resumed
        for name in new:
            (target / name).unlink(missing_ok=True)
            if name in known:
                partial_path(target / name, known[name].sha256).unlink(missing_ok=True)
        remove_from_manifest(target, set(new))
        raise
    return copied


def _is_copied(
    source: Path, copy: Path, entry: ManifestEntry, wanted: ManifestEntry | None
) -> bool:
    if wanted is not None:  # the source was checked before
        return entry == wanted and not entry_problem(copy, entry)
    return copy.stat().st_size == entry.size and not entry_problem(source, entry)


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _remove_unfinished_copies(path: Path) -> None:
    for left in path.parent.glob(f".{path.name}.*{UNFINISHED}"):
        left.unlink(missing_ok=True)


def _remove_from_folder(part: Part) -> list[str]:
    folder = weights_folder()
    if folder is None:
        return []
    top = folder / part.hub_id
    _remove_unfinished(top)
    _remove_unfinished_copies(folder / NAME)
    listed = read_manifest(folder)
    gone = [name for name in _names([part]) if name in listed]
    left = [n for n in listed if n.startswith(f"{part.hub_id}/") and n not in gone]
    licences = [f"{part.hub_id}/{path.name}" for path in stored_licences(part.hub_id)]
    if set(left) <= set(licences):  # licences go with the last weights of their repository
        gone += left
    for name in gone:
        (folder / name).unlink(missing_ok=True)
        kept_adapter(folder / name).unlink(missing_ok=True)
    remove_from_manifest(folder, set(gone))
    _remove_empty_folders(top)
    return gone


def _remove_from_cache(part: Part) -> list[str]:
    repository = cache_repository(part.hub_id)
    _remove_unfinished(repository / "blobs")
    pointers = [
        (name, path) for name in part.files for path in (repository / "snapshots").glob(f"*/{name}")
    ]
    for _, path in pointers:
        kept_adapter(path).unlink(missing_ok=True)
    _unlink_in_cache(repository, [path for _, path in pointers])
    if pointers:
        _remove_rest(repository)
    return [f"{part.hub_id}/{name}" for name, _ in pointers]


def _unlink_in_cache(repository: Path, pointers: list[Path]) -> None:
    """Delete files of the cache: the links, and the blobs to which no other link points."""
    blobs = {_linked(pointer) for pointer in pointers}
    for pointer in pointers:
        pointer.unlink()
    used = {_linked(path) for path in (repository / "snapshots").rglob("*")}
    for blob in blobs - used:
        if blob is not None:
            (repository / "blobs" / blob).unlink(missing_ok=True)
    names = {pointer.relative_to(repository).as_posix() for pointer in pointers}
    remove_from_manifest(repository, names)


def _remove_rest(repository: Path) -> None:
    """Delete what a download brings beside weights, with the last weights of a repository."""
    snapshots = repository / "snapshots"
    left = [path for path in snapshots.rglob("*") if path.is_symlink() or path.is_file()]
    if all(path.name in LICENCE_FILES and path.parent.parent == snapshots for path in left):
        _unlink_in_cache(repository, left)
        shutil.rmtree(repository.parent / ".locks" / repository.name, ignore_errors=True)
        if not any(path.is_file() for path in (repository / "blobs").glob("*")):
            shutil.rmtree(repository / "refs", ignore_errors=True)
            shutil.rmtree(repository / ".no_exist", ignore_errors=True)
    if repository.is_dir():
        inside = sorted((p for p in repository.rglob("*") if p.is_dir()), reverse=True)
        for folder in [*inside, repository]:
            if not any(folder.iterdir()):
                folder.rmdir()


def _remove_unfinished(top: Path) -> None:
    for path in [*top.rglob(".*.part"), *top.rglob(".*.lock")]:
        path.unlink(missing_ok=True)


def _linked(pointer: Path) -> str | None:
    """Name of the blob that a link of the cache points to. None if it is a copy."""
    return pointer.readlink().name if pointer.is_symlink() else None


def _remove_empty_folders(top: Path) -> None:
    inside = sorted((p for p in top.rglob("*") if p.is_dir()), reverse=True)
    for folder in [*inside, top, top.parent]:  # the repository, and its owner
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

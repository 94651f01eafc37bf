"""Downloads from the hub, once the user has agreed.

The model manager and ``napari-pixcell models get`` call this after showing :func:`offer`. The
hub's own client reads and sends the token. It is in no message, log or record of ours.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import sha256_of
from napari_pixcell.models.catalogue import Part, WeightSet
from napari_pixcell.models.hub_errors import hub_error_message, offline_message
from napari_pixcell.models.hub_file import (
    DownloadStopped,
    RemoteFile,
    describe,
    download_file,
    endpoint,
    offline,
)
from napari_pixcell.models.manifest import (
    ManifestEntry,
    add_to_manifest,
    partial_path,
    read_manifest,
)
from napari_pixcell.models.store import (
    LICENCE_FILES,
    cache_repository,
    find,
    missing,
    weights_folder,
)
from napari_pixcell.words import file_size

POLL = 0.1  # s between checks of progress and cancel
LOCK_WAIT = 15.0  # s for another program, or for a cancelled request that still hangs


class DownloadCancelled(PixCellError):
    """The user cancelled a download."""


def offer(family: WeightSet) -> str:
    """Return size, licences and gates of what is missing of a family. Uses no network."""
    wanted = [part for part in _distinct(missing(family)) if part.hub_id]
    if not wanted:
        return f"{family.title} is installed. Nothing to download."
    sources = list(dict.fromkeys(part.hub_id for part in wanted))
    size = sum(part.bytes for part in wanted)
    sentences = [
        f"{family.title} needs {file_size(size)} from {', '.join(sources)}.",
        f"Licence: {family.licence}. These terms apply to what you generate with it.",
    ]
    gated = list(dict.fromkeys(part.hub_id for part in wanted if part.gated))
    if gated:
        sentences.append(f"{', '.join(gated)} is gated: request access from its authors first.")
    return " ".join(sentences)


def wanted_parts(family: WeightSet, encoder: bool = True) -> list[Part]:
    """Return the parts of a family to download: those that are missing.

    Parameters
    ----------
    encoder : bool
        Whether it is to embed. Without its encoder, styles come from files of features.

    Raises
    ------
    PixCellError
        If a part is the user's own, which nobody offers.
    """
    parts = [part for part in missing(family) if encoder or part.kind != "encoder"]
    for part in parts:
        if not part.hub_id:
            folder = part.folder.name if part.folder else "its folder"
            raise PixCellError(
                f"The {part.kind} of {family.title} is your own and is missing. Put its files "
                f"back into {folder}."
            )
    return parts


def access(part: Part) -> str:
    """Return why the files of a part cannot be downloaded, and the remedy. Empty if they can."""
    if part.folder is not None or not part.hub_id:
        return ""
    if offline():
        return offline_message(part)
    try:
        describe(part, part.weights)
    except PixCellError as error:
        return str(error)
    except Exception as error:
        return hub_error_message(error, part)
    return ""


def download(
    parts: Iterable[Part],
    on_progress: Callable[[int, int, str], None] = lambda done, total, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Download the parts that are missing, with their licence texts.

    They go to the user's folder of weights if there is one, else into the hub's cache.
    Interrupted downloads are resumed. A file gets its name only when it is complete and its hash
    is correct.

    Parameters
    ----------
    on_progress : callable
        Called with (bytes done, bytes in total, message) a few times a second, in this thread.
    cancelled : callable
        Whether to cancel; called a few times a second.

    Raises
    ------
    DownloadCancelled
        If ``cancelled`` returned True.
    PixCellError
        If a file cannot be downloaded, is damaged, or does not fit on the disk.
    """
    wanted = [part for part in _distinct(parts) if part.hub_id and find(part) is None]
    if not wanted:
        return
    if offline():
        raise PixCellError(offline_message(wanted[0]))
    job = _Job(wanted)
    thread = Thread(target=job.run, name="pixcell-download", daemon=True)
    thread.start()
    running = True
    try:
        while running:
            thread.join(POLL)
            running = thread.is_alive()  # before progress is read, so the last report is complete
            if running and cancelled():
                raise DownloadCancelled(
                    "Download cancelled. Start it again to resume from what was received."
                )
            on_progress(job.done, job.total, job.message)
    finally:
        job.stop.set()  # a request that hangs times out, and nothing more is written
    if job.error is not None:
        raise job.error


@dataclass(frozen=True)
class _Step:
    """One file to download, and its destination."""

    part: Part
    file: RemoteFile
    folder: Path | None  # the user's; None for the cache

    @property
    def final(self) -> Path:
        if self.folder is not None:
            return self.folder / self.file.hub_id / self.file.name
        top = cache_repository(self.file.hub_id, self.part.dataset)
        return top / "blobs" / self.file.etag

    @property
    def partial(self) -> Path:
        return partial_path(self.final, self.file.etag)

    @property
    def complete(self) -> bool:
        return self.final.is_file() and self.final.stat().st_size == self.file.size

    @property
    def is_users(self) -> bool:
        """Whether the file came from the user, and must not be overwritten."""
        return (
            self.folder is not None
            and self.final.is_file()
            and f"{self.file.hub_id}/{self.file.name}" not in read_manifest(self.folder)
        )

    @property
    def remaining(self) -> int:
        """Bytes still to come."""
        if self.complete:
            return 0
        return self.file.size - (self.partial.stat().st_size if self.partial.is_file() else 0)


class _Job:
    """A download in a thread of its own, so that a stalled network blocks nobody."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self.stop = Event()
        self.error: Exception | None = None
        self.done = self.total = 0
        self.message = "Contacting the hub"

    def run(self) -> None:
        """Download everything. An error is kept for the caller's thread."""
        part = self.parts[0]
        try:
            steps: list[_Step] = []
            for part in self.parts:
                steps += self._plan(part, {step.file.hub_id: step for step in steps})
            steps = list({(s.file.hub_id, s.file.name): s for s in steps}.values())
            # Licences first: no weights without them.
            steps.sort(key=lambda step: step.file.name not in LICENCE_FILES)
            _check_disk(steps)
            self.total = sum(step.file.size for step in steps)
            for step in steps:
                part = step.part
                self.message = f"Downloading {step.file.name} from {step.file.hub_id}"
                self._run_step(step)
        except DownloadStopped:
            pass
        except PixCellError as error:
            self.error = error
        except Exception as error:
            self.error = PixCellError(hub_error_message(error, part))
            self.error.__cause__ = error

    def _plan(self, part: Part, before: dict[str, _Step]) -> list[_Step]:
        from huggingface_hub.errors import EntryNotFoundError

        folder = weights_folder()
        commit = _known_commit(part) if folder is None else None
        if part.hub_id in before and before[part.hub_id].part.revision == part.revision:
            commit = before[part.hub_id].file.commit
        steps = []
        licences = () if part.hub_id in before else LICENCE_FILES
        for name in (*part.files, *licences):
            if self.stop.is_set():
                raise DownloadStopped
            try:
                file = describe(part, name, commit)
            except EntryNotFoundError:
                if name in part.files:
                    raise
                continue
            commit = file.commit or commit  # all files of a repository from one commit
            step = _Step(part, file, folder)
            if not step.complete and step.is_users:
                if name in LICENCE_FILES:
                    continue
                raise PixCellError(
                    f"{name} in your folder of weights differs from the one of {part.hub_id}. "
                    "Move it away, or choose another folder of weights."
                )
            steps.append(step)
        return steps

    def _run_step(self, step: _Step) -> None:
        from filelock import FileLock, Timeout

        step.final.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(step.partial.with_suffix(".lock"), timeout=LOCK_WAIT):
                ours = not step.complete
                if ours:
                    download_file(step.file, step.partial, self.stop, self._advance)
                    step.partial.replace(step.final)
                else:
                    self._advance(step.file.size)
        except Timeout:
            raise PixCellError(
                f"Another program is downloading {step.file.hub_id}. Wait until it has finished."
            ) from None
        step.partial.with_suffix(".lock").unlink(missing_ok=True)
        if step.folder is None:
            _link_in_cache(step)
        elif ours:
            name = f"{step.file.hub_id}/{step.file.name}"
            add_to_manifest(step.folder, {name: _entry(step, step.final)})

    def _advance(self, count: int) -> None:
        self.done += count


def _distinct(parts: Iterable[Part]) -> list[Part]:
    return list({(part.hub_id, part.files): part for part in parts}.values())


def _known_commit(part: Part) -> str | None:
    """Return the commit of this revision in the cache.

    A repository stays at the commit of its first download. If its reference moved on, files of
    other families would no longer be found.
    """
    path = cache_repository(part.hub_id, part.dataset) / "refs" / part.revision
    return path.read_text("utf-8").strip() or None if path.is_file() else None


def _link_in_cache(step: _Step) -> None:
    """Let the hub's client link a complete blob under its name. It downloads nothing."""
    from huggingface_hub import hf_hub_download

    # By name only while the cache has no reference yet, because this writes it.
    revision = step.file.commit if _known_commit(step.part) else step.part.revision
    hub_id, name, part = step.file.hub_id, step.file.name, step.part
    path = Path(
        hf_hub_download(
            hub_id, name, revision=revision, endpoint=endpoint(), repo_type=part.repo_type
        )
    )
    if not path.is_symlink():  # no links on this disk: the client made a copy
        step.final.unlink(missing_ok=True)
        # Elsewhere a link is named after the hash of its file. Here only this says what it is.
        top = cache_repository(hub_id, part.dataset)
        add_to_manifest(top, {path.relative_to(top).as_posix(): _entry(step, path)})


def _entry(step: _Step, path: Path) -> ManifestEntry:
    etag = step.file.etag
    return ManifestEntry(step.file.size, etag if len(etag) == 64 else sha256_of(path))


def _check_disk(steps: list[_Step]) -> None:
    needed = sum(step.remaining for step in steps)
    folder = steps[0].final.parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise PixCellError(
            f"The weights need {file_size(needed)}, but only {file_size(free)} are free. Free some "
            "space, or choose another folder of weights."
        )

"""The hub: what it asks of the user, and fetching a family when the user has agreed.

Nothing here runs on its own: the model manager and ``napari-pixcell models get`` call it after
the user has seen :func:`offer`. A token is read and sent by the hub's own client; it is in no
message, log or record of ours.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Part, WeightSet
from napari_pixcell.models.licences import FILES as LICENCE_FILES
from napari_pixcell.models.manifest import Entry, add_to_manifest, read_manifest, sha256_of
from napari_pixcell.models.refusals import explain, offline_sentence
from napari_pixcell.models.store import find, missing, weights_folder
from napari_pixcell.models.transfer import (
    RemoteFile,
    Stopped,
    describe,
    endpoint,
    fetch,
    offline,
)

OnProgress = Callable[[int, int, str], None]
POLL = 0.1  # s between looks at progress and cancel
LOCK_WAIT = 15.0  # s for another program, or for a cancelled request that still hangs


class DownloadCancelled(PixCellError):
    """The user stopped a download."""


def offer(family: WeightSet) -> str:
    """Say what getting a family means: size, licences and gates. Uses no network."""
    wanted = _distinct(missing(family))
    wanted = [part for part in wanted if part.hub_id]
    if not wanted:
        return f"{family.title} is installed; there is nothing to get."
    sources = list(dict.fromkeys(part.hub_id for part in wanted))
    size = sum(part.bytes for part in wanted)
    sentences = [
        f"{family.title} needs {human_size(size)} from {', '.join(sources)}.",
        f"Licence: {family.licence}; these terms reach what you make with it.",
    ]
    gated = list(dict.fromkeys(part.hub_id for part in wanted if part.gated))
    if gated:
        sentences.append(
            f"{', '.join(gated)} is gated: its authors have to grant you access first."
        )
    return " ".join(sentences)


def access(part: Part) -> str:
    """Say what keeps the files of a part from being fetched; empty if nothing does.

    Returns
    -------
    str
        One sentence with what to do, or ``""``.
    """
    if part.folder is not None or not part.hub_id:
        return ""
    if offline():
        return offline_sentence(part)
    try:
        describe(part, part.weights)
    except PixCellError as error:
        return str(error)
    except Exception as error:
        return explain(error, part)
    return ""


def download(
    parts: Iterable[Part],
    on_progress: OnProgress = lambda done, total, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Fetch the parts that are missing, with their licence texts.

    They go to the user's folder of weights if there is one, else into the hub's cache. A part
    that was cut off is gone on with; a file has its name only when it is whole and its
    hash is right.

    Parameters
    ----------
    parts : iterable of Part
        Those that are there already are passed over.
    on_progress : callable
        Told (bytes done, bytes in all, message) a few times a second, in this thread.
    cancelled : callable
        Asked a few times a second.

    Raises
    ------
    DownloadCancelled
        If ``cancelled`` says so.
    PixCellError
        If a file cannot be fetched, is damaged, or does not fit on the disk.
    """
    wanted = [part for part in _distinct(parts) if part.hub_id and find(part) is None]
    if not wanted:
        return
    if offline():
        raise PixCellError(offline_sentence(wanted[0]))
    job = _Job(wanted)
    thread = Thread(target=job.run, name="pixcell-download", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(POLL)
            if cancelled():
                raise DownloadCancelled(
                    "Cancelled; what came so far is kept, and getting it again goes on from there."
                )
            on_progress(job.done, job.total, job.message)
    finally:
        job.stop.set()  # a request that hangs ends by itself; nothing more is written
    if job.error is not None:
        raise job.error


@dataclass(frozen=True)
class _Step:
    """One file to fetch: where it comes from, and where it goes."""

    part: Part
    file: RemoteFile
    folder: Path | None  # the user's; None for the cache

    @property
    def final(self) -> Path:
        if self.folder is not None:
            return self.folder / self.file.hub_id / self.file.name
        return _repository(self.file.hub_id) / "blobs" / self.file.etag

    @property
    def partial(self) -> Path:
        return self.final.with_name(f".{self.final.name[:80]}.{self.file.etag[:12]}.part")

    @property
    def there(self) -> bool:
        return self.final.is_file() and self.final.stat().st_size == self.file.size

    @property
    def is_users(self) -> bool:
        """Whether the user put a file there, which is never written over."""
        return (
            self.folder is not None
            and self.final.is_file()
            and f"{self.file.hub_id}/{self.file.name}" not in read_manifest(self.folder)
        )

    @property
    def left(self) -> int:
        """Bytes that are still to come."""
        if self.there:
            return 0
        return self.file.size - (self.partial.stat().st_size if self.partial.is_file() else 0)


class _Job:
    """A download in a thread of its own, so that a network that hangs holds nobody up."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self.stop = Event()
        self.error: Exception | None = None
        self.done = self.total = 0
        self.message = "Asking the hub"

    def run(self) -> None:
        """Fetch everything; an error is kept for the caller's thread."""
        part = self.parts[0]
        try:
            steps: list[_Step] = []
            for part in self.parts:
                steps += self._plan(part, {step.file.hub_id: step for step in steps})
            steps = list({(s.file.hub_id, s.file.name): s for s in steps}.values())
            # Licences first: no weights without them.
            steps.sort(key=lambda step: step.file.name not in LICENCE_FILES)
            _refuse_small_disk(steps)
            self.total = sum(step.file.size for step in steps)
            for step in steps:
                part = step.part
                self.message = f"Getting {step.file.name} from {step.file.hub_id}"
                self._take(step)
        except Stopped:
            pass
        except PixCellError as error:
            self.error = error
        except Exception as error:
            try:
                self.error = PixCellError(explain(error, part))
                self.error.__cause__ = error
            except Exception as mistake:
                self.error = mistake

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
                raise Stopped
            try:
                file = describe(part, name, commit)
            except EntryNotFoundError:
                if name in part.files:
                    raise
                continue
            commit = file.commit or commit  # all files of a repository from one commit
            step = _Step(part, file, folder)
            if not step.there and step.is_users:
                if name in LICENCE_FILES:
                    continue
                raise PixCellError(
                    f"{name} in your folder of weights is not the one of {part.hub_id}; move it "
                    "away, or choose another folder of weights."
                )
            steps.append(step)
        return steps

    def _take(self, step: _Step) -> None:
        from filelock import FileLock, Timeout

        step.final.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(step.partial.with_suffix(".lock"), timeout=LOCK_WAIT):
                ours = not step.there
                if ours:
                    fetch(step.file, step.partial, self.stop, self._advance)
                    step.partial.replace(step.final)
                else:
                    self._advance(step.file.size)
        except Timeout:
            raise PixCellError(
                f"{step.file.hub_id} is being fetched by another program; wait until it is done."
            ) from None
        step.partial.with_suffix(".lock").unlink(missing_ok=True)
        if step.folder is None:
            _show_in_cache(step)
        elif ours:
            file = step.file
            known = file.etag if len(file.etag) == 64 else sha256_of(step.final)
            name = f"{file.hub_id}/{file.name}"
            add_to_manifest(step.folder, {name: Entry(file.size, known)})

    def _advance(self, count: int) -> None:
        self.done += count


def human_size(size: int) -> str:
    """Write a number of bytes for people."""
    if size >= 999_500_000:
        return f"{size / 1e9:.1f} GB"
    if size >= 999_500:
        return f"{size / 1e6:.0f} MB"
    return f"{max(1, round(size / 1e3))} kB"


def _distinct(parts: Iterable[Part]) -> list[Part]:
    return list({(part.hub_id, part.files): part for part in parts}.values())


def _repository(hub_id: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=hub_id, repo_type="model")


def _known_commit(part: Part) -> str | None:
    """Give the commit that the cache holds of this revision.

    A repository stays at the commit it was first fetched at: were its reference moved on, files
    of other families would no longer be found.
    """
    path = _repository(part.hub_id) / "refs" / part.revision
    return path.read_text("utf-8").strip() or None if path.is_file() else None


def _show_in_cache(step: _Step) -> None:
    """Let the hub's client file a blob that is whole under its name; it fetches nothing."""
    from huggingface_hub import hf_hub_download

    # By its name only while the cache has no reference yet: this writes it.
    revision = step.file.commit if _known_commit(step.part) else step.part.revision
    hub_id, name = step.file.hub_id, step.file.name
    path = Path(hf_hub_download(hub_id, name, revision=revision, endpoint=endpoint()))
    if not path.is_symlink():  # no links on this disk: the client made a copy
        step.final.unlink(missing_ok=True)


def _refuse_small_disk(steps: list[_Step]) -> None:
    needed = sum(step.left for step in steps)
    place = steps[0].final.parent
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed > free:
        raise PixCellError(
            f"There is room for {human_size(free)} where the weights go and {human_size(needed)} "
            "are needed; free some space, or choose another folder of weights."
        )

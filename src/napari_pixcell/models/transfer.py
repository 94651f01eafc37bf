"""One file from the hub: what the hub says of it, and its bytes, resumed and checked.

``hf_hub_download`` starts again from nothing after a cut, and looks up from its work every
10 MB only. So the bytes are fetched here, with the hub's own session and headers, and a partial
file is kept under a name that holds the hash of what it will be. They are plain HTTP: xet is not
used, and not needed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import BinaryIO, Protocol

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Part

log = logging.getLogger(__name__)

TIMEOUT = 10.0  # s without a byte
ATTEMPTS = 5  # in a row without a byte
FIRST_WAIT = 0.2  # s, doubled each time
CHUNK = 4 << 20


class Stopped(Exception):
    """The download was asked to stop."""


class Hash(Protocol):
    """What hashlib gives."""

    def update(self, data: bytes, /) -> None: ...  # noqa: D102
    def hexdigest(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub describes it.

    Parameters
    ----------
    hub_id, name : str
        Repository, and path in it.
    url : str
        Where its bytes are.
    etag : str
        Its sha256 (64 digits) if it is large, else the sha1 that git gives it (40 digits).
    size : int
        In bytes.
    commit : str
        The commit that this was said of.
    """

    hub_id: str
    name: str
    url: str
    etag: str
    size: int
    commit: str

    def new_hash(self) -> Hash:
        """Start the hash that ends as ``etag``."""
        if len(self.etag) == 64:
            return hashlib.sha256()
        return hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False)


def endpoint() -> str:
    """Give the address of the hub: ``HF_ENDPOINT``, or the public one."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` is set."""
    from huggingface_hub import constants

    named = os.environ.get("HF_HUB_OFFLINE", "").upper() in constants.ENV_VARS_TRUE_VALUES
    return constants.HF_HUB_OFFLINE or named


def describe(part: Part, name: str, revision: str | None = None) -> RemoteFile:
    """Ask the hub for size and hash of a file.

    Raises
    ------
    PixCellError
        If the answer is not that of a hub.
    huggingface_hub.errors.HTTPError
        As the hub's client raises it; see :func:`napari_pixcell.models.refusals.explain`.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    place = endpoint()
    url = hf_hub_url(part.hub_id, name, revision=revision or part.revision, endpoint=place)
    said = get_hf_file_metadata(url, timeout=TIMEOUT, endpoint=place)
    etag, commit = said.etag or "", said.commit_hash or ""
    # The etag becomes part of a file name, so it has to be a hash and nothing else.
    if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", etag) or said.size is None:
        raise PixCellError(
            "The address in HF_ENDPOINT, or a proxy on the way, does not answer as the hub does; "
            "correct it, or ask who runs the network."
        )
    return RemoteFile(part.hub_id, name, url, etag, said.size, commit)


def fetch(file: RemoteFile, partial: Path, stop: Event, advance: Callable[[int], None]) -> None:
    """Fetch the bytes of a file, going on where an earlier try was cut.

    Parameters
    ----------
    file : RemoteFile
        What to fetch.
    partial : Path
        Where to; after this it is whole and checked.
    stop : Event
        Ends the transfer; what came so far stays.
    advance : callable
        Told of each step's bytes; negative where bytes have to be fetched again.

    Raises
    ------
    Stopped
        If ``stop`` is set.
    PixCellError
        If the bytes are not those that the hub promised; they are deleted.
    """
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    partial.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("a+b") as target:
        bytes_ = _Bytes(file, target, stop, advance)
        bytes_.take_up()
        failures = 0
        while bytes_.size < file.size:
            before = bytes_.size
            try:
                bytes_.stream()
            except HTTPError as error:
                status = error.response.status_code if isinstance(error, HfHubHTTPError) else 503
                failures = 1 if bytes_.size > before else failures + 1
                if (status < 500 and status not in (408, 429)) or failures >= ATTEMPTS:
                    raise
                log.debug("cut after %d bytes: %s", bytes_.size, type(error).__name__)
                if stop.wait(FIRST_WAIT * 2 ** (failures - 1)):
                    raise Stopped from error
        target.flush()
        os.fsync(target.fileno())
    if bytes_.size != file.size or bytes_.digest.hexdigest() != file.etag:
        partial.unlink()
        advance(-bytes_.size)
        raise PixCellError(
            f"{file.name} from {file.hub_id} came damaged: its size or hash is not what the hub "
            "says; get it again."
        )


class _Bytes:
    """The bytes of a file so far, on the disk and in its hash."""

    def __init__(
        self, file: RemoteFile, target: BinaryIO, stop: Event, advance: Callable[[int], None]
    ) -> None:
        self.file, self.target, self.stop, self.advance = file, target, stop, advance
        self.size, self.digest = 0, file.new_hash()

    def take_up(self) -> None:
        """Hash what an earlier try left."""
        self.target.seek(0)
        while chunk := self.target.read(CHUNK):
            self._count(chunk)

    def stream(self) -> None:
        """Fetch the rest, or as much of it as comes."""
        from huggingface_hub import get_session
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        if self.size:
            headers["Range"] = f"bytes={self.size}-"
        url = self.file.url
        with get_session().stream("GET", url, headers=headers, timeout=TIMEOUT) as response:
            hf_raise_for_status(response)
            if self.size and response.status_code != 206:  # no ranges here: from the start
                self.target.truncate(0)
                self.advance(-self.size)
                self.size, self.digest = 0, self.file.new_hash()
            for chunk in response.iter_bytes():
                if self.stop.is_set():
                    raise Stopped
                self.target.write(chunk)
                self._count(chunk)
                if self.size > self.file.size:
                    break

    def _count(self, chunk: bytes) -> None:
        if self.stop.is_set():
            raise Stopped
        self.digest.update(chunk)
        self.size += len(chunk)
        self.advance(len(chunk))

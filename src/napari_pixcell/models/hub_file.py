"""Download of one file from the hub: its size and hash, and its bytes, resumed and checked.

``hf_hub_download`` starts from scratch after an interruption, and can be cancelled only every
10 MB. So the bytes are downloaded here, with the hub's own session and headers, to a partial file
whose name contains the expected hash. The transfer is plain HTTP, without xet.
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
from typing import BinaryIO

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Part
from napari_pixcell.models.manifest import LARGEST

log = logging.getLogger(__name__)

TIMEOUT = 10.0  # s without a byte
ATTEMPTS = 5  # in a row without a byte
FIRST_WAIT = 0.2  # s, doubled after each attempt
CHUNK = 4 << 20
MOST_LISTED = 10_000  # files of a data set


class DownloadStopped(Exception):
    """The download was asked to stop."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub describes it.

    Parameters
    ----------
    hub_id, name : str
        Repository, and path in it.
    url : str
        Address of its bytes.
    etag : str
        Its sha256 (64 digits) if it is large, else its git sha1 (40 digits).
    size : int
        In bytes.
    commit : str
        The commit that the description refers to.
    """

    hub_id: str
    name: str
    url: str
    etag: str
    size: int
    commit: str

    def new_hash(self) -> hashlib._Hash:
        """Return a hash that equals ``etag`` once all bytes have been added."""
        if len(self.etag) == 64:
            return hashlib.sha256()
        return hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False)


def endpoint() -> str:
    """Return the address of the hub: ``HF_ENDPOINT``, or the public one."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` is set."""
    from huggingface_hub import constants

    named = os.environ.get("HF_HUB_OFFLINE", "").upper() in constants.ENV_VARS_TRUE_VALUES
    return constants.HF_HUB_OFFLINE or named


def describe(part: Part, name: str, revision: str | None = None) -> RemoteFile:
    """Request size and hash of a file from the hub.

    Raises
    ------
    PixCellError
        If the answer is not that of a hub.
    huggingface_hub.errors.HTTPError
        From the hub's client; see :func:`napari_pixcell.models.hub_errors.hub_error_message`.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    address = endpoint()
    url = hf_hub_url(
        part.hub_id,
        name,
        revision=revision or part.revision,
        endpoint=address,
        repo_type=part.repo_type,
    )
    answer = get_hf_file_metadata(url, timeout=TIMEOUT, endpoint=address)
    etag, commit = answer.etag or "", answer.commit_hash or ""
    # The etag becomes part of a file name, so it must be a hash and nothing else.
    if (
        not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", etag)
        or not re.fullmatch("([0-9a-f]{40})?", commit)
        or answer.size is None
        or not 0 <= answer.size <= LARGEST
    ):
        raise PixCellError(
            "The address in HF_ENDPOINT, or a proxy in between, does not answer as the hub does. "
            "Correct it, or ask your network administrator."
        )
    return RemoteFile(part.hub_id, name, url, etag, answer.size, commit)


def list_dataset(part: Part) -> dict[str, int]:
    """Request the files of a data set from the hub: their size in bytes by path.

    Raises like :func:`describe`.
    """
    from huggingface_hub import HfApi

    about = HfApi(endpoint=endpoint()).dataset_info(
        part.hub_id, revision=part.revision, timeout=TIMEOUT, files_metadata=True
    )
    files = about.siblings or []
    return {one.rfilename: one.size or 0 for one in files[:MOST_LISTED]}


def download_file(
    file: RemoteFile, partial: Path, stop: Event, advance: Callable[[int], None]
) -> None:
    """Download the bytes of a file, resuming an interrupted attempt.

    Parameters
    ----------
    file : RemoteFile
        From :func:`describe`.
    partial : Path
        Where to; complete and checked on return.
    stop : Event
        Ends the transfer. The bytes received so far are kept.
    advance : callable
        Called with the number of bytes of each chunk; negative if bytes must be sent again.

    Raises
    ------
    DownloadStopped
        If ``stop`` is set.
    PixCellError
        If size or hash differ from what the hub stated. The partial file is then deleted.
    """
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    partial.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("a+b") as target:
        transfer = _PartialFile(file, target, stop, advance)
        transfer.resume()
        failures = 0
        while transfer.size < file.size:
            before = transfer.size
            try:
                transfer.stream()
            except HTTPError as error:
                status = error.response.status_code if isinstance(error, HfHubHTTPError) else 503
                failures = 1 if transfer.size > before else failures + 1
                if (status < 500 and status not in (408, 429)) or failures >= ATTEMPTS:
                    raise
                log.debug("cut after %d bytes: %s", transfer.size, type(error).__name__)
                if stop.wait(FIRST_WAIT * 2 ** (failures - 1)):
                    raise DownloadStopped from error
        target.flush()
        os.fsync(target.fileno())
    if transfer.size != file.size or transfer.digest.hexdigest() != file.etag:
        partial.unlink()
        advance(-transfer.size)
        raise PixCellError(
            f"{file.name} from {file.hub_id} arrived damaged: its size or hash differs from the "
            "hub's. Download it again."
        )


class _PartialFile:
    """The bytes of a file received so far, on disk and in its hash."""

    def __init__(
        self, file: RemoteFile, target: BinaryIO, stop: Event, advance: Callable[[int], None]
    ) -> None:
        self.file, self.target, self.stop, self.advance = file, target, stop, advance
        self.size, self.digest = 0, file.new_hash()

    def resume(self) -> None:
        """Hash the bytes of an earlier attempt."""
        self.target.seek(0)
        while chunk := self.target.read(CHUNK):
            self._count(chunk)

    def stream(self) -> None:
        """Receive the remaining bytes, or as many as arrive."""
        from huggingface_hub import get_session
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        if self.size:
            headers["Range"] = f"bytes={self.size}-"
        url = self.file.url
        with get_session().stream("GET", url, headers=headers, timeout=TIMEOUT) as response:
            hf_raise_for_status(response)
            if self.size and response.status_code != 206:  # no ranges here: start over
                self.target.truncate(0)
                self.advance(-self.size)
                self.size, self.digest = 0, self.file.new_hash()
            # Not decompressed: a small answer could become very large.
            for chunk in response.iter_raw():
                if self.stop.is_set():
                    raise DownloadStopped
                self.target.write(chunk)
                self._count(chunk)
                if self.size > self.file.size:
                    break

    def _count(self, chunk: bytes) -> None:
        if self.stop.is_set():
            raise DownloadStopped
        self.digest.update(chunk)
        self.size += len(chunk)
        self.advance(len(chunk))

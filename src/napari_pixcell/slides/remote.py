"""Slides on the network: addresses, the user's permission, and reading files by HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import urlopen

from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import MOST_JSON_BYTES

SCHEMES = ("http", "https")
PATIENCE_S = 30  # for one file
EXTRA = 'pip install "napari-pixcell[remote]"'


def is_url(text: str | Path) -> bool:
    """Whether a text is an address that slides can be read from, not a path."""
    return isinstance(text, str) and urlsplit(text).scheme.lower() in SCHEMES


def slide_location(text: str) -> Path | str:
    """Return an address as it is, and anything else as a path."""
    return text if is_url(text) else Path(text)


def location_name(location: Path | str) -> str:
    """Return the name of a slide that lies at a path or an address."""
    if isinstance(location, str) and is_url(location):
        return unquote(urlsplit(location).path).rstrip("/").rpartition("/")[2] or host_of(location)
    return Path(location).name


def host_of(url: str) -> str:
    """Return the server of an address, with its port."""
    return urlsplit(url).netloc.rpartition("@")[2] or "the network"


def not_allowed(url: str) -> PixCellError:
    """Return the error for an address that was not allowed."""
    return PixCellError(
        f"“{location_name(url)}” lies on {host_of(url)}. Add --allow-network to read it from there."
    )


class RemoteFolder:
    """A folder on a server, read only.

    Parameters
    ----------
    url : str
        Starts with ``http`` or ``https``.

    Raises
    ------
    PixCellError
        If the extra ``remote`` is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            import aiohttp
            from fsspec.implementations.http import HTTPFileSystem
        except ImportError as error:
            raise PixCellError(
                f"Slides on the network need aiohttp. Install it: {EXTRA}."
            ) from error
        parts = urlsplit(url)
        self.url = parts._replace(path=parts.path.rstrip("/"), query="", fragment="").geturl()
        self.name = location_name(url)
        self.failures = aiohttp.ClientError, TimeoutError, OSError
        clients: list[tuple[Any, Any]] = []

        async def client(**_: Any) -> Any:
            made = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S))
            clients.append((asyncio.get_running_loop(), made))
            return made

        self._files = HTTPFileSystem(
            asynchronous=True, get_client=client, skip_instance_cache=True, use_listings_cache=False
        )
        self.closed = False
        self._end = weakref.finalize(self, _close, clients)

    def read(self, key: str) -> bytes | None:
        """Return a small file, or None if the server has none of that name.

        Raises
        ------
        PixCellError
            If the server cannot be reached or refuses.
        """
        try:
            with urlopen(f"{self.url}/{quote(key)}", timeout=PATIENCE_S) as answer:
                data: bytes = answer.read(MOST_JSON_BYTES + 1)
        except HTTPError as error:
            if error.code in (404, 410):
                return None
            raise self.unreachable(error) from error
        except (OSError, ValueError) as error:
            raise self.unreachable(error) from error
        if len(data) > MOST_JSON_BYTES:
            raise PixCellError(f"“{key}” of “{self.name}” is too large. Check the address.")
        return data

    def store(self) -> Any:
        """Return the folder as a store of the library zarr."""
        from zarr.storage import FsspecStore

        return FsspecStore(self._files, read_only=True, path=self.url)

    def close(self) -> None:
        """Close the connections."""
        self.closed = True
        self._end()

    def unreachable(self, error: BaseException) -> PixCellError:
        """Return the error for a file that the server did not send."""
        status = getattr(error, "status", None)
        if status in (401, 403):
            return PixCellError(
                f"{host_of(self.url)} refuses access to “{self.name}”. Use a public address, or "
                "copy the slide to this computer."
            )
        why = f"it answered {status}" if status else "it did not answer"
        return PixCellError(
            f"“{self.name}” cannot be read from {host_of(self.url)}: {why}. Check the address and "
            "the network, then try again."
        )


def _close(clients: list[tuple[Any, Any]]) -> None:
    """Close the connections, in the thread of the loop that opened them."""
    for loop, client in clients:
        with contextlib.suppress(Exception):  # Python may be exiting
            asyncio.run_coroutine_threadsafe(client.close(), loop).result(timeout=2)

"""A local hub that implements as much of the real protocol as its client needs."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "a" * 40
LARGE = (".safetensors", ".bin", ".pth")


@dataclass
class FakeHub:
    """Repositories of files, with switches for failures of hub and network.

    Data sets are named ``datasets/owner/name``. Large files are redirected to another host, as on
    the real hub.
    """

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    commit: str = COMMIT
    token: str = ""  # the only valid one, if set
    refusals: dict[str, tuple[int, str, str]] = field(default_factory=dict)  # by repository
    cuts: list[int] = field(default_factory=list)  # bytes after which each answer is cut
    damaged: set[str] = field(default_factory=set)
    ranges: bool = True
    stall_after: int | None = None  # bytes after which an answer hangs until ``released``
    plain: bool = False  # behaves as any other web server
    requests: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    stalled: bool = False  # whether an answer hangs now

    def __post_init__(self) -> None:
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def sent(self, name: str) -> list[str | None]:
        """Ranges of the GET requests for the bytes of a large file."""
        digest = next(
            hashlib.sha256(files[name]).hexdigest()
            for files in self.repositories.values()
            if name in files
        )
        return [r[2] for r in self.requests if r[:2] == ("GET", f"/cdn/{digest}")]


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # which delays each answer by 40 ms

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            self.answer()

    def answer(self) -> None:
        hub = self.hub
        headers = self.headers
        hub.requests.append(
            (self.command, self.path, headers.get("Range"), headers.get("Authorization"))
        )
        if self.path.startswith("/cdn/"):
            files = (item for files in hub.repositories.values() for item in files.items())
            wanted = self.path.removeprefix("/cdn/")
            name, data = next((n, d) for n, d in files if hashlib.sha256(d).hexdigest() == wanted)
            self.send_bytes(name, data, {"ETag": f'"{wanted[:32]}"'})
            return
        match = re.fullmatch(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        listed = re.fullmatch(r"/api/((?:datasets/)?[^/]+/[^/]+)/revision/([^/]+)\?.*", self.path)
        match = match or listed
        if not match:
            self.refuse(404, "", "Not found")
            return
        repository, revision, name = (*match.groups(), "")[:3]
        authorization = headers.get("Authorization")
        if hub.token and authorization not in (None, f"Bearer {hub.token}"):
            self.refuse(401, "", "Invalid credentials in Authorization header")
        elif repository in hub.refusals:
            self.refuse(*hub.refusals[repository])
        elif repository not in hub.repositories:
            code = (
                404 if authorization else 401
            )  # the real hub does not reveal which repositories exist
            self.refuse(code, "RepoNotFound", "Repository not found")
        elif revision not in ("main", hub.commit):
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif listed:
            self.send_list(hub.repositories[repository])
        elif name not in hub.repositories[repository]:
            self.refuse(404, "EntryNotFound", "Entry not found")
        else:
            self.send_file(name, hub.repositories[repository][name])

    def send_list(self, files: dict[str, bytes]) -> None:
        listed = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
        about = {"id": "owner/name", "sha": self.hub.commit, "siblings": listed}
        self.send_bytes("info.json", json.dumps(about).encode(), {})

    def send_file(self, name: str, data: bytes) -> None:
        commit = {} if self.hub.plain else {"X-Repo-Commit": self.hub.commit}
        if name.endswith(LARGE) and not self.hub.plain:
            digest = hashlib.sha256(data).hexdigest()
            self.send_response(302)
            for key, value in (
                *commit.items(),
                ("X-Linked-Size", str(len(data))),
                ("X-Linked-ETag", f'"{digest}"'),
                ("Location", f"http://localhost:{self.hub.port}/cdn/{digest}"),
                ("Content-Length", "0"),
            ):
                self.send_header(key, value)
            self.end_headers()
            return
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        self.send_bytes(name, data, {**commit, "ETag": '"x-1"' if self.hub.plain else f'"{blob}"'})

    def send_bytes(self, name: str, data: bytes, extra: dict[str, str]) -> None:
        hub, start = self.hub, 0
        if name in hub.damaged:
            data = data[:-1] + bytes([data[-1] ^ 1])
        total, wanted = len(data), self.headers.get("Range")
        if wanted and hub.ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            data = data[start:]
        self.send_response(206 if start else 200)
        if start:
            extra["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        for key, value in {**extra, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if name.endswith(LARGE) and hub.cuts:
            self.wfile.write(data[: hub.cuts.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            return
        if name.endswith(LARGE) and hub.stall_after is not None:
            self.wfile.write(data[: hub.stall_after])
            self.wfile.flush()
            hub.stalled = True
            hub.released.wait()
            hub.stalled = False
            self.close_connection = True
            return
        self.wfile.write(data)

    def refuse(self, status: int, code: str, message: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()

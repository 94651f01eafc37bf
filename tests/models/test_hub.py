"""Downloads from a hub: complete, resumed, checked, and refused with a remedy."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO, PIXCELL_256, PIXCELL_256_CELLS
from napari_pixcell.models.hub import DownloadCancelled, access, download, offer
from napari_pixcell.models.manifest import read_manifest
from napari_pixcell.models.store import find, licence_text, licence_texts, missing

TRANSFORMER = PIXCELL_256.parts[0]
UNI = PIXCELL_256.part("encoder")
assert UNI is not None
PIXCELL, UNI_ID = TRANSFORMER.hub_id, UNI.hub_id


def content(hub, part) -> bytes:
    return hub.repositories[part.hub_id][part.weights]


def left_behind(folder: Path) -> list[str]:
    ours = (p for p in folder.rglob("*") if ".locks" not in p.parts)  # the client keeps its locks
    return [p.name for p in ours if p.name.endswith((".part", ".lock", ".incomplete"))]


def cache() -> Path:
    return Path(os.environ["HF_HUB_CACHE"])


def refused(part=TRANSFORMER) -> str:
    with pytest.raises(PixCellError) as caught:
        download([part])
    assert access(part) == str(caught.value)
    assert str(caught.value).count(". ") == 1 and str(caught.value).endswith(".")
    return str(caught.value)


# ---- complete downloads


def test_a_family_is_downloaded_into_the_cache(hub) -> None:
    seen = []
    download(missing(PIXCELL_256), lambda *event: seen.append(event))
    assert missing(PIXCELL_256) == []
    for part in PIXCELL_256.parts:
        found = find(part)
        assert found is not None and found.where == "cache"
        for name, path in found.files.items():
            assert path.read_bytes() == hub.repositories[part.hub_id][name]
    assert left_behind(cache()) == []
    done, total, _ = seen[-1]
    assert done == total > 3 * 200_000
    before = len(hub.requests)
    download(PIXCELL_256.parts)
    assert len(hub.requests) == before  # installed files are not requested again


def test_a_family_is_downloaded_into_the_users_folder(hub, weights) -> None:
    download(PIXCELL_256.parts)
    found = find(TRANSFORMER)
    assert found is not None and found.where == "folder"
    assert found.weights == weights / PIXCELL / TRANSFORMER.weights
    assert not cache().exists()
    entry = read_manifest(weights)[f"{PIXCELL}/{TRANSFORMER.weights}"]
    assert entry.sha256 == hashlib.sha256(content(hub, TRANSFORMER)).hexdigest()
    config = read_manifest(weights)[f"{PIXCELL}/transformer/config.json"]
    assert config.sha256 == hashlib.sha256(b'{"of": "transformer"}').hexdigest()
    assert left_behind(weights) == []


def test_a_token_is_sent_to_the_hub_only(hub, monkeypatch, caplog) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret123")
    hub.token = "hf_secret123"
    with caplog.at_level(logging.DEBUG):
        download([UNI])
    assert {auth for _, path, _, auth in hub.requests if "/cdn/" in path} == {None}
    assert {auth for _, path, _, auth in hub.requests if "/cdn/" not in path} == {
        "Bearer hf_secret123"
    }
    assert "hf_secret123" not in caplog.text


def test_the_cache_stays_at_one_commit(hub) -> None:
    download([PIXCELL_256_CELLS.parts[0]])
    older, hub.commit = hub.commit, "b" * 40
    hub.repositories[PIXCELL]["README.md"] = b"changed"
    download([TRANSFORMER])
    assert find(PIXCELL_256_CELLS.parts[0]) is not None
    vae = PIXCELL_256.part("vae")
    hub.commit = older
    download([vae])
    assert find(vae) is not None and find(PIXCELL_256_CELLS.parts[0]) is not None


# ---- cuts, cancels, damage


@pytest.mark.parametrize("location", ["cache", "folder"])
def test_an_interrupted_transfer_is_resumed(hub, request, location) -> None:
    if location == "folder":
        request.getfixturevalue("weights")
    hub.cuts = [60_000, 0, 50_000]
    done = []
    download([TRANSFORMER], lambda d, t, m: done.append((d, t)))
    found = find(TRANSFORMER)
    assert found is not None and found.weights.read_bytes() == content(hub, TRANSFORMER)
    assert hub.sent(TRANSFORMER.weights)[1:] == ["bytes=60000-", "bytes=60000-", "bytes=110000-"]
    assert done[-1][0] == done[-1][1]


def test_a_failed_download_is_resumed_later(hub, weights) -> None:
    hub.cuts = [60_000] + [0] * 4
    with pytest.raises(PixCellError, match=r"cannot be reached.*Check the network"):
        download([TRANSFORMER])
    assert find(TRANSFORMER) is None
    assert not (weights / PIXCELL / TRANSFORMER.weights).exists()
    hub.requests.clear()
    download([TRANSFORMER])
    assert hub.sent(TRANSFORMER.weights) == ["bytes=60000-"]
    assert find(TRANSFORMER).weights.read_bytes() == content(hub, TRANSFORMER)


def test_a_server_without_ranges_sends_everything_again(hub) -> None:
    hub.cuts, hub.ranges = [60_000, 70_000], False
    done = []
    download([TRANSFORMER], lambda d, t, m: done.append((d, t)))
    assert find(TRANSFORMER).weights.read_bytes() == content(hub, TRANSFORMER)
    assert done[-1][0] == done[-1][1]


@pytest.mark.parametrize("name", [TRANSFORMER.weights, "transformer/config.json"])
def test_bytes_with_the_wrong_hash_are_refused(hub, weights, name) -> None:
    hub.damaged = {name}
    with pytest.raises(
        PixCellError, match=f"{name} from {PIXCELL} arrived damaged.*Download it again"
    ):
        download([TRANSFORMER])
    assert not (weights / PIXCELL / name).exists()
    assert not list(weights.rglob("*.part"))
    hub.damaged = set()
    download([TRANSFORMER])
    assert find(TRANSFORMER) is not None


def test_cancelling_does_not_wait_for_a_stalled_request(hub, weights) -> None:
    hub.stall_after = 50_000
    before_the_stall = 50_000 + len(hub.repositories[PIXCELL]["README.md"])
    received = []
    with pytest.raises(DownloadCancelled, match="Start it again to resume"):
        download(
            [TRANSFORMER],
            lambda done, _total, _message: received.append(done),
            cancelled=lambda: before_the_stall in received,
        )
    assert hub.stalled  # the request still hangs
    assert find(TRANSFORMER) is None
    partial = next(weights.rglob("*.safetensors.*.part"))
    hub.stall_after = None
    hub.released.set()
    hub.requests.clear()
    download([TRANSFORMER])
    assert hub.sent(TRANSFORMER.weights)[0] == "bytes=50000-"
    assert find(TRANSFORMER).weights.read_bytes() == content(hub, TRANSFORMER)
    assert not partial.exists()


def test_a_file_of_the_users_is_never_overwritten(hub, weights) -> None:
    path = weights / PIXCELL / TRANSFORMER.weights
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    (weights / PIXCELL / "README.md").write_text("mine too")
    with pytest.raises(
        PixCellError, match=r"in your folder of weights differs from the one of .*\. Move"
    ):
        download([TRANSFORMER])
    assert path.read_bytes() == b"mine"
    path.unlink()
    download([TRANSFORMER])
    assert (weights / PIXCELL / "README.md").read_text() == "mine too"


def test_two_programs_do_not_download_the_same_file(hub, weights, monkeypatch) -> None:
    monkeypatch.setattr("napari_pixcell.models.hub.LOCK_WAIT", 0.1)
    path = weights / PIXCELL / TRANSFORMER.weights
    path.parent.mkdir(parents=True)
    digest = hashlib.sha256(content(hub, TRANSFORMER)).hexdigest()
    with (
        FileLock(path.with_name(f".{path.name}.{digest[:12]}.lock")),
        pytest.raises(PixCellError, match=r"Another program is downloading .*Wait until"),
    ):
        download([TRANSFORMER])
    download([TRANSFORMER])
    assert find(TRANSFORMER) is not None


# ---- gates


def test_an_open_repository_needs_no_token(hub) -> None:
    assert access(TRANSFORMER) == ""
    assert access(DEMO.parts[0]) == ""


def test_a_gated_repository_needs_a_token(hub) -> None:
    hub.refusals[UNI_ID] = (401, "GatedRepo", "Access to model is restricted. Please log in.")
    message = refused(UNI)
    assert f"{UNI_ID} is gated and you are not logged in. Request access" in message
    assert "hf auth login" in message


def test_a_token_without_the_gated_scope_is_explained(hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    hub.refusals[UNI_ID] = (
        403,
        "",
        "Please enable access to public gated repositories in your fine-grained token settings "
        "to view this repository.",
    )
    message = refused(UNI)
    assert "Your token may not read gated repositories" in message
    assert "Read access to contents of all public gated repos" in message


def test_access_that_was_not_granted_is_explained(hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    hub.refusals[UNI_ID] = (
        403,
        "GatedRepo",
        "Access to model is restricted and you are not in the authorized list.",
    )
    assert "You have no access to MahmoodLab/UNI2-h yet. Request it" in refused(UNI)


def test_an_unanswered_request_for_access_is_explained(hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    hub.refusals[UNI_ID] = (
        403,
        "GatedRepo",
        "Your request to access model is awaiting a review from the repo authors.",
    )
    assert "have not yet answered your request for access" in refused(UNI)


def test_a_rejected_token_is_explained_without_naming_it(hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    hub.token = "hf_new"
    assert "rejects your token" in refused(UNI)
    assert "hf_old" not in refused(UNI)


@pytest.mark.parametrize("token", ["", "hf_x"])
def test_a_missing_repository_is_explained(hub, monkeypatch, token) -> None:
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    del hub.repositories[PIXCELL]
    assert f"The hub has no repository {PIXCELL}, or it is private" in refused()


def test_a_missing_file_is_explained(hub) -> None:
    del hub.repositories[PIXCELL][TRANSFORMER.weights]
    assert f"{PIXCELL} no longer has the files" in refused()


def test_a_closed_repository_is_explained(hub) -> None:
    hub.refusals[PIXCELL] = (403, "", "Access to this resource is disabled.")
    assert f"The hub denies you {PIXCELL}" in refused()


def test_an_error_of_the_hub_is_explained(hub) -> None:
    hub.refusals[PIXCELL] = (503, "", "Service unavailable")
    assert "The hub answered with an error (503)" in refused()


def test_an_unreachable_hub_is_explained(monkeypatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    message = refused()
    assert "The hub cannot be reached" in message and "models import" in message


def test_a_server_that_is_not_a_hub_is_refused(hub) -> None:
    hub.plain = True
    assert "does not answer as the hub does" in refused()


def test_offline_mode_sends_no_request(hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    message = refused()
    assert "HF_HUB_OFFLINE is set" in message and "Unset it" in message
    assert hub.requests == []


# ---- the disk

FILL = """
import resource, signal, sys
from napari_pixcell.errors import PixCellError
from napari_pixcell.models import hub
from napari_pixcell.models.catalogue import PIXCELL_256
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    hub.download([PIXCELL_256.parts[0]])
except PixCellError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on the size of files")
def test_a_download_is_resumed_after_the_disk_was_full(hub, weights) -> None:
    done = subprocess.run([sys.executable, "-c", FILL], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        f"The disk is full, so {PIXCELL} is incomplete. Free some space or choose another folder "
        "of weights, then download it again to resume."
    )
    assert not (weights / PIXCELL / TRANSFORMER.weights).exists()
    download([TRANSFORMER])
    assert find(TRANSFORMER).weights.read_bytes() == content(hub, TRANSFORMER)


def test_a_disk_that_is_too_small_is_noticed_before_the_download(
    hub, tmp_path, monkeypatch
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(small)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted as root")
    try:
        monkeypatch.setenv("PIXCELL_WEIGHTS", str(small))
        with pytest.raises(PixCellError, match=r"weights need 200 kB, but only 131 kB are"):
            download([TRANSFORMER])
        assert hub.sent(TRANSFORMER.weights) == []
        assert not any(small.iterdir())
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.skipif(os.name == "nt", reason="needs a file where a folder should be")
def test_a_folder_that_cannot_be_written_is_explained(hub, weights) -> None:
    (weights / "StonyBrook-CVLab").write_text("")
    with pytest.raises(PixCellError, match=r"cannot be written .*Choose another folder of weights"):
        download([TRANSFORMER])


class RawHub:
    """A server that answers every request with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.socket = answer, socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                with connection, suppress(OSError):
                    connection.recv(65_536)
                    connection.sendall(self.answer)


def answer(*headers: str, status: str = "200 OK", body: bytes = b"") -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status}\r\n{lines}Connection: close\r\n\r\n".encode() + body


ETAG, SHA = f'ETag: "{"a" * 40}"', "X-Repo-Commit: " + "c" * 40


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"\xff" * 500,
        answer(ETAG, SHA, "Content-Length: -5"),
        answer(ETAG, SHA, "Content-Length: many"),
        answer(ETAG, SHA, "X-Linked-Size: 1e9"),
        answer(ETAG, SHA, "X-Linked-Size: -1"),
        answer(ETAG, SHA, f"X-Linked-Size: {'9' * 40}"),
        answer(ETAG, SHA, f"X-Linked-Size: {'9' * 5000}"),
        answer(ETAG, "X-Repo-Commit: ../../evil", "Content-Length: 3"),
        answer('ETag: "../../evil"', SHA, "Content-Length: 3"),
        answer("Content-Type: text/html", "Content-Length: 6", body=b"<html>"),
        answer(f"X-Huge: {'x' * 1_000_000}", ETAG, SHA, "Content-Length: 3"),
        answer(*(f"X-{n}: y" for n in range(5000)), ETAG, SHA, "Content-Length: 3"),
        answer("Location: /again", status="302 Found"),
        answer("Location: http://[::1", status="302 Found"),
        answer("Location: ://", status="307 Temporary Redirect"),
        answer("Location: file:///etc/passwd", status="302 Found"),
        answer(status="500 Broken"),
        answer(status="999 ?"),
        answer(ETAG, SHA, "Content-Length: 3", body=b"abc"),  # with another hash
        answer(ETAG, SHA, "Content-Length: 100", body=b"abc"),
        answer(ETAG, SHA, "Content-Length: 3", "Content-Encoding: gzip", body=b"abc"),
    ],
)
def test_strange_answers_are_explained(given, monkeypatch) -> None:
    hub = RawHub(given)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.socket.getsockname()[1]}")
    monkeypatch.setattr("napari_pixcell.models.hub_file.FIRST_WAIT", 0.001)
    with pytest.raises(PixCellError) as caught:
        download([TRANSFORMER])
    hub.socket.close()
    assert str(caught.value).endswith(".") and len(str(caught.value)) < 500
    assert find(TRANSFORMER) is None


# ---- offers and licences


def test_an_offer_states_size_licence_and_gate_without_a_network() -> None:
    text = offer(PIXCELL_256)
    assert "PixCell-256 needs 5.5 GB from StonyBrook-CVLab/PixCell-256" in text
    assert "CC BY-NC-ND 4.0" in text
    assert "MahmoodLab/UNI2-h is gated" in text
    assert offer(DEMO) == "Demo (bundled) is installed. Nothing to download."


def test_an_offer_counts_only_missing_parts(hub) -> None:
    download([UNI])
    text = offer(PIXCELL_256)
    assert "needs 2.8 GB" in text and "gated" not in text


@pytest.mark.parametrize("location", ["cache", "folder"])
def test_licences_are_stored_beside_the_weights(hub, request, location) -> None:
    if location == "folder":
        request.getfixturevalue("weights")
    assert licence_text(UNI) == UNI.licence
    download([TRANSFORMER, UNI])
    assert "Only for research." in licence_text(UNI)
    assert "README.md\n\n# MahmoodLab/UNI2-h" in licence_text(UNI)
    assert set(licence_texts(PIXCELL_256)) == {PIXCELL, UNI_ID}

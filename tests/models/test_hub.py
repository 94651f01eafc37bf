"""Fetching from a hub: whole, resumed, checked, refused in one sentence."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO, PIXCELL_256, PIXCELL_256_CELLS
from napari_pixcell.models.hub import DownloadCancelled, access, download, human_size, offer
from napari_pixcell.models.licences import licence_text, licence_texts
from napari_pixcell.models.manifest import read_manifest
from napari_pixcell.models.store import find, missing

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
    assert str(caught.value).count(". ") == 0 and str(caught.value).endswith(".")
    return str(caught.value)


# ---- whole downloads


def test_a_family_is_fetched_into_the_cache(hub) -> None:
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
    assert len(hub.requests) == before  # what is there is not asked for


def test_a_family_is_fetched_into_the_users_folder(hub, weights) -> None:
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


def test_a_token_goes_to_the_hub_and_nowhere_else(hub, monkeypatch, caplog) -> None:
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


@pytest.mark.parametrize("place", ["cache", "folder"])
def test_a_cut_within_a_download_is_resumed(hub, request, place) -> None:
    if place == "folder":
        request.getfixturevalue("weights")
    hub.cuts = [60_000, 0, 50_000]
    done = []
    download([TRANSFORMER], lambda d, t, m: done.append((d, t)))
    found = find(TRANSFORMER)
    assert found is not None and found.weights.read_bytes() == content(hub, TRANSFORMER)
    assert hub.sent(TRANSFORMER.weights)[1:] == ["bytes=60000-", "bytes=60000-", "bytes=110000-"]
    assert done[-1][0] == done[-1][1]


def test_a_download_that_failed_goes_on_later(hub, weights) -> None:
    hub.cuts = [60_000] + [0] * 4
    with pytest.raises(PixCellError, match=r"cannot be reached.*check the network"):
        download([TRANSFORMER])
    assert find(TRANSFORMER) is None
    assert not (weights / PIXCELL / TRANSFORMER.weights).exists()
    hub.requests.clear()
    download([TRANSFORMER])
    assert hub.sent(TRANSFORMER.weights) == ["bytes=60000-"]
    assert find(TRANSFORMER).weights.read_bytes() == content(hub, TRANSFORMER)


def test_a_server_without_ranges_sends_all_again(hub) -> None:
    hub.cuts, hub.ranges = [60_000, 70_000], False
    done = []
    download([TRANSFORMER], lambda d, t, m: done.append((d, t)))
    assert find(TRANSFORMER).weights.read_bytes() == content(hub, TRANSFORMER)
    assert done[-1][0] == done[-1][1]


@pytest.mark.parametrize("name", [TRANSFORMER.weights, "transformer/config.json"])
def test_bytes_with_another_hash_are_refused(hub, weights, name) -> None:
    hub.damaged = {name}
    with pytest.raises(PixCellError, match=f"{name} from {PIXCELL} came damaged.*get it again"):
        download([TRANSFORMER])
    assert not (weights / PIXCELL / name).exists()
    assert not list(weights.rglob("*.part"))
    hub.damaged = set()
    download([TRANSFORMER])
    assert find(TRANSFORMER) is not None


def test_cancel_ends_a_stalled_download_within_a_second(hub, weights, monkeypatch) -> None:
    # The request that hangs ends by its own time limit, in its own thread.
    monkeypatch.setattr("napari_pixcell.models.hub_file.TIMEOUT", 2.0)
    hub.stall_after = 50_000
    began = []

    def cancelled() -> bool:
        if not began and len(hub.sent(TRANSFORMER.weights)):
            began.append(time.monotonic())
        return bool(began) and time.monotonic() - began[0] > 0.2

    with pytest.raises(DownloadCancelled, match="Cancelled; what came so far is kept"):
        download([TRANSFORMER], cancelled=cancelled)
    assert time.monotonic() - began[0] < 1.2
    assert find(TRANSFORMER) is None
    partial = next(weights.rglob("*.safetensors.*.part"))
    hub.stall_after = None
    hub.released.set()
    hub.requests.clear()
    download([TRANSFORMER])
    assert hub.sent(TRANSFORMER.weights)[0] == "bytes=50000-"
    assert find(TRANSFORMER).weights.read_bytes() == content(hub, TRANSFORMER)
    assert not partial.exists()


def test_a_file_of_the_users_is_not_written_over(hub, weights) -> None:
    path = weights / PIXCELL / TRANSFORMER.weights
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    (weights / PIXCELL / "README.md").write_text("mine too")
    with pytest.raises(PixCellError, match=r"in your folder of weights is not the one of .*; move"):
        download([TRANSFORMER])
    assert path.read_bytes() == b"mine"
    path.unlink()
    download([TRANSFORMER])
    assert (weights / PIXCELL / "README.md").read_text() == "mine too"


def test_two_programs_do_not_fetch_the_same_file(hub, weights, monkeypatch) -> None:
    monkeypatch.setattr("napari_pixcell.models.hub.LOCK_WAIT", 0.1)
    path = weights / PIXCELL / TRANSFORMER.weights
    path.parent.mkdir(parents=True)
    digest = hashlib.sha256(content(hub, TRANSFORMER)).hexdigest()
    with (
        FileLock(path.with_name(f".{path.name}.{digest[:12]}.lock")),
        pytest.raises(PixCellError, match="is being fetched by another program; wait until"),
    ):
        download([TRANSFORMER])
    download([TRANSFORMER])
    assert find(TRANSFORMER) is not None


# ---- gates


def test_an_open_repository_needs_nothing(hub) -> None:
    assert access(TRANSFORMER) == ""
    assert access(DEMO.parts[0]) == ""


def test_no_token(hub) -> None:
    hub.refusals[UNI_ID] = (401, "GatedRepo", "Access to model is restricted. Please log in.")
    sentence = refused(UNI)
    assert f"{UNI_ID} is gated and you are not logged in; ask for access" in sentence
    assert "hf auth login" in sentence


def test_a_token_without_the_gated_scope(hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    hub.refusals[UNI_ID] = (
        403,
        "",
        "Please enable access to public gated repositories in your fine-grained token settings "
        "to view this repository.",
    )
    sentence = refused(UNI)
    assert "Your token may not read gated repositories" in sentence
    assert "Read access to contents of all public gated repos" in sentence


def test_access_not_granted(hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    hub.refusals[UNI_ID] = (
        403,
        "GatedRepo",
        "Access to model is restricted and you are not in the authorized list.",
    )
    assert "You have no access to MahmoodLab/UNI2-h yet; ask for it" in refused(UNI)


def test_access_asked_for_and_not_answered(hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    hub.refusals[UNI_ID] = (
        403,
        "GatedRepo",
        "Your request to access model is awaiting a review from the repo authors.",
    )
    assert "have not answered your request for access yet" in refused(UNI)


def test_a_token_that_the_hub_does_not_know(hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    hub.token = "hf_new"
    assert "does not accept your token" in refused(UNI)
    assert "hf_old" not in refused(UNI)


@pytest.mark.parametrize("token", ["", "hf_x"])
def test_a_repository_that_is_not_there(hub, monkeypatch, token) -> None:
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    del hub.repositories[PIXCELL]
    assert f"The hub has no repository {PIXCELL}, or hides it from you" in refused()


def test_a_file_that_is_not_there(hub) -> None:
    del hub.repositories[PIXCELL][TRANSFORMER.weights]
    assert f"{PIXCELL} no longer has the files" in refused()


def test_a_repository_that_is_closed(hub) -> None:
    hub.refusals[PIXCELL] = (403, "", "Access to this resource is disabled.")
    assert f"The hub refuses {PIXCELL} to you" in refused()


def test_a_hub_in_trouble(hub) -> None:
    hub.refusals[PIXCELL] = (503, "", "Service unavailable")
    assert "The hub answers with an error (503)" in refused()


def test_a_hub_that_cannot_be_reached(monkeypatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    sentence = refused()
    assert "The hub cannot be reached" in sentence and "models import" in sentence


def test_something_that_is_no_hub(hub) -> None:
    hub.plain = True
    assert "does not answer as the hub does" in refused()


def test_offline(hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    sentence = refused()
    assert "HF_HUB_OFFLINE is set" in sentence and "unset it" in sentence
    assert hub.requests == []


# ---- the disk

FILL = """
import resource, signal, sys
from napari_pixcell.errors import PixCellError
from napari_pixcell.models import hub, transfer
from napari_pixcell.models.catalogue import PIXCELL_256
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    hub.download([PIXCELL_256.parts[0]])
except PixCellError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on the size of files")
def test_a_disk_that_fills_up(hub, weights) -> None:
    done = subprocess.run([sys.executable, "-c", FILL], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        f"The disk is full, so {PIXCELL} was not fetched whole; free some space or choose another "
        "folder of weights, and get it again: it goes on from here."
    )
    assert not (weights / PIXCELL / TRANSFORMER.weights).exists()
    download([TRANSFORMER])
    assert find(TRANSFORMER).weights.read_bytes() == content(hub, TRANSFORMER)


def test_a_disk_that_is_too_small_is_said_before(hub, tmp_path, monkeypatch) -> None:
    small = tmp_path / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(small)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted as root")
    try:
        monkeypatch.setenv("PIXCELL_WEIGHTS", str(small))
        with pytest.raises(PixCellError, match=r"There is room for 131 kB .* and 200 kB are need"):
            download([TRANSFORMER])
        assert hub.sent(TRANSFORMER.weights) == []
        assert not any(small.iterdir())
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.skipif(os.name == "nt", reason="needs a file where a folder should be")
def test_a_folder_that_cannot_be_written(hub, weights) -> None:
    (weights / "StonyBrook-CVLab").write_text("")
    with pytest.raises(PixCellError, match=r"cannot be written .*choose another folder of weights"):
        download([TRANSFORMER])


# ---- what the user sees


def test_an_offer_says_size_licence_and_gate_without_a_network() -> None:
    text = offer(PIXCELL_256)
    assert "PixCell-256 needs 5.5 GB from StonyBrook-CVLab/PixCell-256" in text
    assert "CC BY-NC-ND 4.0" in text
    assert "MahmoodLab/UNI2-h is gated" in text
    assert offer(DEMO) == "Demo (bundled) is installed; there is nothing to get."


def test_an_offer_counts_what_is_missing_only(hub) -> None:
    download([UNI])
    text = offer(PIXCELL_256)
    assert "needs 2.8 GB" in text and "gated" not in text


@pytest.mark.parametrize(
    ("size", "text"), [(10, "1 kB"), (150_400, "150 kB"), (999_600, "1 MB"), (2.43e9, "2.4 GB")]
)
def test_sizes_for_people(size, text) -> None:
    assert human_size(size) == text


@pytest.mark.parametrize("place", ["cache", "folder"])
def test_licences_are_kept_beside_the_weights(hub, request, place) -> None:
    if place == "folder":
        request.getfixturevalue("weights")
    assert licence_text(UNI) == UNI.licence
    download([TRANSFORMER, UNI])
    assert "Only for research." in licence_text(UNI)
    assert "README.md\n\n# MahmoodLab/UNI2-h" in licence_text(UNI)
    assert set(licence_texts(PIXCELL_256)) == {PIXCELL, UNI_ID}

"""The sample data: downloaded from a hub, or in a folder; and what is wrong with them."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_samples import CELLS

from napari_pixcell.engine.events import Event, Failure, Finished, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.verification.job import verify
from napari_pixcell.verification.report import VerificationReport
from napari_pixcell.verification.request import VerifyRequest
from napari_pixcell.verification.samples import (
    FEATURES,
    HUB_ID,
    PATCHES,
    find_samples,
    offer,
    read_set,
)
from napari_pixcell.worker.process import Worker
from napari_pixcell.worker.protocol import ImageBlock, event_from_message, slot_bytes

SET = f"datasets/{HUB_ID}"


@pytest.fixture
def family(installed):
    return get_family(CELLS)


@pytest.fixture
def own(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the set that a test may damage."""
    return shutil.copytree(tiny / "samples", tmp_path / "own")


def first(folder: Path, end: str) -> Path:
    return next(folder.rglob(f"*{end}"))


# -- from the hub ----------------------------------------------------------------------------


@pytest.mark.parametrize("cache", [True, False])
def test_the_set_is_downloaded_once_into_the_cache_or_the_folder_of_weights(
    hub, family, tmp_path, monkeypatch, cache
) -> None:
    monkeypatch.delenv("PIXCELL_WEIGHTS")
    if not cache:
        (tmp_path / "weights").mkdir()
        monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
    assert "35 MB" in offer(family) and "CC BY 4.0" in offer(family)
    told: list[tuple[int, int, str]] = []
    folder, patches = find_samples(family, "", True, 2, lambda *now: told.append(now))
    assert [patch.slide for patch in patches] == ["slide_a", "slide_b"]
    assert told[-1][0] == told[-1][1] > 1e6 and "Downloading" in told[-1][2]
    assert patches[0].read_latents(16).shape == (16, 128, 128)
    hub.requests.clear()
    assert find_samples(family, "", True, 2) == (folder, patches)
    assert hub.requests == [] and offer(family) == ""


def test_the_hubs_set_passes(hub, check, tmp_path, monkeypatch, installed) -> None:
    shutil.copytree(installed / "weights", tmp_path / "weights")
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
    report = check(CELLS, folder="", download=True)
    assert not report.failed and report.samples == "PixCell-sample-data, downloaded"
    assert not any("slide_" in text for text in json.dumps(report.to_dict()).split())


def test_nothing_is_downloaded_unless_the_user_agreed(hub, family) -> None:
    with pytest.raises(PixCellError, match="Agree to the download, or name the folder of a copy"):
        find_samples(family)
    assert hub.requests == []


def test_names_outside_the_set_are_not_downloaded(hub, family, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("PIXCELL_WEIGHTS")
    files = hub.repositories[SET]
    files |= {"patches/../../evil.jpeg": b"x", "features/a/b/1_1.pkl": b"x", "/1_1.jpeg": b"x"}
    folder, _ = find_samples(family, "", True, 2)
    assert not [path for path in folder.rglob("*") if path.name in ("evil.jpeg", "1_1.pkl")]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((403, "", "no"), f"The hub denies you {HUB_ID}"),
        ((500, "", "no"), "with an error .500., so .* copy them from another machine"),
        ((404, "RepoNotFound", "no"), f"The hub has no repository {HUB_ID}"),
    ],
)
def test_a_refusal_of_the_hub_is_explained(hub, family, monkeypatch, refusal, words) -> None:
    monkeypatch.delenv("PIXCELL_WEIGHTS")
    hub.refusals[SET] = refusal
    with pytest.raises(PixCellError, match=words):
        find_samples(family, "", True)


def test_without_a_network_the_folder_is_named(family, monkeypatch) -> None:
    monkeypatch.delenv("PIXCELL_WEIGHTS")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(PixCellError, match=r"cannot be reached .* name their folder with --folder"):
        find_samples(family, "", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(PixCellError, match=r"HF_HUB_OFFLINE is set, so .* with --folder"):
        find_samples(family, "", True)


def test_a_hub_without_the_files_is_explained(hub, family, monkeypatch) -> None:
    monkeypatch.delenv("PIXCELL_WEIGHTS")
    hub.repositories[SET] = {"README.md": b"moved"}
    with pytest.raises(PixCellError, match="no longer has the files"):
        find_samples(family, "", True)


# -- in a folder -----------------------------------------------------------------------------


def test_a_folder_without_the_set_is_explained(family, tmp_path) -> None:
    with pytest.raises(PixCellError, match=r"does not hold PixCell-sample-data. Choose the folder"):
        find_samples(family, str(tmp_path))


def test_a_patch_without_its_features_is_left_out(own) -> None:
    first(own / FEATURES, "_uni.npy").unlink()
    assert len(read_set(own)) == 1
    first(own / PATCHES, ".jpeg")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:500])


def save(path: Path, values: np.ndarray) -> None:
    np.save(path, values)


def small(path: Path) -> None:
    Image.new("RGB", (256, 256)).save(path)


@pytest.mark.parametrize(
    ("end", "damage", "words"),
    [
        (".jpeg", cut, "is damaged|cannot be read"),
        (".jpeg", small, "is 256 × 256 px, and a sample patch is 1024 × 1024 px"),
        ("_sd3_vae.npy", cut, "is damaged and cannot be read"),
        ("_uni.npy", lambda p: save(p, np.zeros((16, 1536), np.float16)), "of its own encoder"),
        ("_uni.npy", lambda p: save(p, np.zeros((16, 64), np.int16)), "of its own encoder"),
        ("_uni.npy", lambda p: save(p, np.full((16, 64), np.nan, np.float16)), "holds no numbers"),
    ],
)
def test_a_damaged_file_is_named(own, end, damage, words) -> None:
    path = first(own, end)
    damage(path)
    with pytest.raises(PixCellError, match=words) as found:
        for patch in read_set(own):
            patch.read_pixels(), patch.read_latents(16), patch.read_embeddings(64)
    assert path.name in str(found.value)


def test_damaged_figures_of_a_set_are_named(check, own) -> None:
    for text, words in (
        ('{"psnr": "many"}', r"“figures.json” of the sample data is damaged. Copy"),
        ('{"scaling_factor": 0}', "scaling factor is 0. Choose one from"),
    ):
        (own / "figures.json").write_text(text)
        with pytest.raises(PixCellError, match=words):
            check(CELLS, folder=str(own))


# -- requests --------------------------------------------------------------------------------


def test_a_family_that_is_not_installed_says_how_to_get_it(own, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path))
    with pytest.raises(PixCellError, match=r"PixCell-256 is not installed: .* models get"):
        verify(VerifyRequest("pixcell-256", str(own)), None, lambda event: None)


def test_numbers_out_of_range_are_refused() -> None:
    for values in ({"patches": 0}, {"pictures": 1000}, {"steps": 0}):
        with pytest.raises(PixCellError, match="Choose one from 1 to"):
            VerifyRequest("demo", **values)


def in_the_worker(request: VerifyRequest, engine: object = None) -> list[Event]:
    answers = io.BytesIO()
    block = ImageBlock(slot_bytes(request))
    job = {"job": 1, "request": request.to_dict(), "slot_bytes": slot_bytes(request)}
    job |= {"block": block.name, "inputs": None, "previews": False}
    try:
        Worker(io.BytesIO(), answers)._run(engine, job)
    finally:
        block.close()
    messages = [json.loads(line) for line in answers.getvalue().splitlines()]
    return [event_from_message(message, None) for message in messages]


def test_the_worker_answers_in_one_sentence(installed, tmp_path) -> None:
    (failure,) = in_the_worker(VerifyRequest(CELLS, str(tmp_path)))
    assert isinstance(failure, Failure) and "does not hold PixCell-sample-data" in failure.message


def test_a_check_can_be_cancelled_between_steps(installed) -> None:
    from napari_pixcell.engine.engine import Engine

    events: list[Event] = []
    request = VerifyRequest(CELLS, str(installed / "samples"))
    verify(request, Engine(), events.append, lambda: len(events) > 1)
    assert events[-1] == Finished(cancelled=True)
    assert all(isinstance(one, Progress) for one in events[:-1])


def test_a_report_of_another_kind_is_refused() -> None:
    for value in ({}, [], {"napari-pixcell verification": 1, "family": "demo"}):
        with pytest.raises(PixCellError, match="This report of a verification is damaged"):
            VerificationReport.from_dict(value)

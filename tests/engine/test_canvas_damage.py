"""Damage to a canvas on disk costs the damaged part, and never yields wrong pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from running import pictures, run

from napari_pixcell.engine import pipeline as computing
from napari_pixcell.engine.canvas.painter import CanvasPainter
from napari_pixcell.engine.canvas.store import JOURNAL, MARK, canvases_folder
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Progress, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.slides.stored_picture import StoredPicture

STYLES = np.random.default_rng(0).normal(size=(2, 2, 128)).astype(np.float32)
REQUEST = GenerateRequest(
    "demo", PackedArray.pack(STYLES), size=(384, 500), count=1, steps=2, guidance=1.0
)


@pytest.fixture(autouse=True)
def rows_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode in small windows: three rows of them."""
    monkeypatch.setattr(computing, "DECODED", 32)


@pytest.fixture(scope="module")
def whole(shallow: Engine) -> np.ndarray:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(computing, "DECODED", 32)
        (found,) = pictures(run(shallow, REQUEST))
    return np.asarray(found)


def stopped(shallow: Engine, words: str = "Window", times: int = 2) -> Path:
    """Cancel the request at such a progress, so many of them later, and return its folder."""
    seen: list[object] = []

    def emit(event: object) -> None:
        if isinstance(event, Progress) and event.message.startswith(words):
            seen.append(event)

    shallow.run(REQUEST, emit, lambda: len(seen) >= times)
    (folder,) = (path for path in canvases_folder().iterdir() if path.is_dir())
    return folder


def flip(path: Path, at: float) -> None:
    """Change a byte; ``at`` is its place, from 0 (start) to 1 (end)."""
    data = bytearray(path.read_bytes())
    data[int(at * (len(data) - 1))] ^= 0x40
    path.write_bytes(data)


def rows_decoded(shallow: Engine, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, float]:
    """Resume, and return the image and how many rows of windows were decoded."""
    calls, decode = [], computing.decode
    with monkeypatch.context() as patch:
        patch.setattr(computing, "decode", lambda *a: calls.append(1) or decode(*a))
        (found,) = pictures(run(shallow, REQUEST))
    return np.asarray(found), len(calls) / 3


@pytest.mark.parametrize(("name", "at"), [("latents.npy", 0.3), ("clean.npy", 0.9), (JOURNAL, 0.5)])
def test_damaged_latents_are_generated_again(
    shallow: Engine, whole: np.ndarray, monkeypatch: pytest.MonkeyPatch, name: str, at: float
) -> None:
    flip(stopped(shallow) / name, at)
    found, rows = rows_decoded(shallow, monkeypatch)
    assert np.array_equal(found, whole) and rows == 3


@pytest.mark.parametrize("limit", ["100", "0.2"])
def test_damaged_pixels_are_decoded_again_and_no_others(
    shallow: Engine, whole: np.ndarray, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setenv("PIXCELL_PICTURE_MB", limit)
    folder = stopped(shallow, "Decoding")
    damaged = [*folder.glob("picture.npy"), *folder.glob("picture.zarr/0/c/0/0/0")]
    flip(damaged[0], 0.4)
    predict = []
    monkeypatch.setattr(CanvasPainter, "_predict", lambda *a: predict.append(1))
    found, rows = rows_decoded(shallow, monkeypatch)
    assert np.array_equal(found, whole) and not predict
    assert 1 <= rows <= 3


def test_damage_to_latents_that_are_decoded_costs_nothing(
    shallow: Engine, whole: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stopped(shallow, "Decoding")
    flip(folder / "clean.npy", 0.5)
    latents = np.load(folder / "latents.npy", mmap_mode="r+")
    latents[:, 0] += 1
    latents.flush()
    found, rows = rows_decoded(shallow, monkeypatch)
    assert np.array_equal(found, whole) and rows <= 1


def test_a_journal_of_an_earlier_version_resumes(shallow: Engine, whole: np.ndarray) -> None:
    folder = stopped(shallow)
    path = folder / JOURNAL
    path.write_bytes(path.read_bytes()[len(MARK) + 32 :])
    with np.load(path) as journal:
        parts = {name: journal[name] for name in journal.files if not name.startswith("sums")}
    with path.open("wb") as file:
        np.savez(file, **parts)
    windows = [e for e in run(shallow, REQUEST) if str(getattr(e, "message", "")).startswith("Wi")]
    assert np.array_equal(pictures(run(shallow, REQUEST))[0], whole)
    assert len(windows) >= 1


@pytest.mark.parametrize("limit", ["100", "0.2"])
def test_a_finished_variant_is_not_made_twice_after_a_kill(
    shallow: Engine, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setenv("PIXCELL_PICTURE_MB", limit)
    request = replace(REQUEST, count=2)
    made: list[np.ndarray] = []

    class Killed(BaseException):
        pass

    def emit(event: object) -> None:
        if isinstance(event, Variant):
            made.append(np.asarray(event.image))
            raise Killed

    with pytest.raises(Killed):
        shallow.run(request, emit, lambda: False)
    names = {path.name for folder in canvases_folder().iterdir() for path in folder.glob("*")}
    assert "latents.npy" not in names and "finished.json" in names
    predicted, predict = [], CanvasPainter._predict

    def counted(self: CanvasPainter, *arguments: object) -> np.ndarray:
        predicted.append(self.seed)
        return predict(self, *arguments)

    monkeypatch.setattr(CanvasPainter, "_predict", counted)
    first, second = pictures(run(shallow, request))
    assert set(predicted) == {request.seed + 1}
    assert np.array_equal(np.asarray(first), made[0])
    assert not np.array_equal(np.asarray(second), made[0])
    assert not list(canvases_folder().iterdir())


def test_a_stored_picture_that_was_deleted_is_generated_again(
    shallow: Engine, whole: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXCELL_PICTURE_MB", "0.2")
    (image,) = pictures(run(shallow, REQUEST))
    assert isinstance(image, StoredPicture)
    image.delete()
    assert np.array_equal(np.asarray(pictures(run(shallow, REQUEST))[0]), whole)

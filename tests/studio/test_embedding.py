"""Stored styles in a session: no Qt, no torch, no display."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from scripted import ScriptedClient

from napari_pixcell.engine.styles.cache import EmbeddingCache
from napari_pixcell.folders import cache_folder
from napari_pixcell.slides import ArraySlide, Region, Slide, open_slide
from napari_pixcell.slides.write import write_pyramid
from napari_pixcell.studio.session import Session
from napari_pixcell.worker.client import WorkerClient

NAME = "Patient-Doe-1954"


def tissue(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (700, 700, 3), np.uint8)


@pytest.fixture
def start() -> Iterator[Callable[[Slide], Session]]:
    """Give sessions that each start with a client of their own, as after napari was closed."""
    sessions: list[Session] = []

    def start(slide: Slide, cache: EmbeddingCache | None = None) -> Session:
        session = Session(ScriptedClient(), cache)
        sessions.append(session)
        session.slides.set(slide)
        session.wait(20)
        return session

    yield start
    for session in sessions:
        session.close()


@pytest.fixture(params=["file", "set of files", "layer"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Slide]:
    if request.param == "layer":
        return lambda: ArraySlide([tissue()], 0.5, NAME)
    path = tmp_path / (f"{NAME}.tif" if request.param == "file" else f"{NAME}.ome.tif")
    write_pyramid(path, tissue(), 0.5)
    return lambda: open_slide(path)


def asked(session: Session) -> int:
    return len(session.client.requests)


def add(session: Session, centre: tuple[float, float] = (300, 300)):
    item = session.regions.add(centre)
    session.wait(20)
    assert item is not None and item.embedding is not None and not item.embedding_busy
    assert item.pixels is not None
    return item


def test_a_slide_reopens_with_its_cached_embeddings(start, reopen) -> None:
    first = start(reopen())
    computed = add(first)
    assert asked(first) == 1 and not computed.embedding_stored
    second = start(reopen())
    stored = add(second)
    assert asked(second) == 0 and stored.embedding_stored
    assert stored.embedding == computed.embedding
    np.testing.assert_array_equal(stored.pixels, computed.pixels)
    assert second.generator.why_not() == ""


@pytest.mark.parametrize("reopen", ["file"], indirect=True)
def test_a_cached_embedding_does_not_start_the_worker(reopen, one_worker) -> None:
    styles, idle = [], WorkerClient()
    for client in (one_worker, idle):
        session = Session(client)
        session.slides.set(reopen())
        item = session.regions.add((300, 300))
        session.wait(120)
        styles.append(item.embedding)
        session.close()
    assert idle.process_id is None
    assert styles[0] is not None and styles[0] == styles[1]


def test_another_position_or_pixel_size_is_computed(start, reopen) -> None:
    add(start(reopen()))
    other = start(reopen())
    assert not add(other, (320, 300)).embedding_stored
    other.slides.set(reopen().with_mpp(0.6))
    other.wait(20)
    assert not add(other).embedding_stored
    assert asked(other) == 2


def test_a_region_moved_back_uses_the_cache(start, reopen) -> None:
    session = start(reopen())
    item = add(session)
    place = item.region
    session.regions.move(item.number, Region(0, 0, 256, 256))
    session.wait(20)
    assert not item.embedding_stored
    session.regions.move(item.number, place)
    session.wait(20)
    assert item.embedding_stored and asked(session) == 2


def test_a_damaged_cache_entry_is_computed_again(start, reopen) -> None:
    add(start(reopen()))
    (entry,) = (cache_folder() / "embeddings").iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(whole[:-1] + b"\x7f")
    session = start(reopen())
    assert not add(session).embedding_stored
    assert asked(session) == 1
    assert entry.read_bytes() == whole


def test_without_a_writable_cache_embeddings_are_computed(start, reopen, tmp_path) -> None:
    (tmp_path / "in the way").touch()
    for _ in range(2):
        session = start(reopen(), EmbeddingCache(tmp_path / "in the way" / "embeddings"))
        add(session)
        assert asked(session) == 1 and not session.notices.problems


def test_embeddings_are_computed_again_after_the_cache_is_cleared(start, reopen) -> None:
    session = start(reopen())
    item = add(session)
    session.embeddings.embed(item.number)
    session.wait(20)
    assert item.embedding_stored
    assert session.embedder.cache.bytes > 0
    session.embeddings.clear_cache()
    session.wait(20)
    assert session.embedder.cache.bytes == 0
    assert session.notices.notes["style"] == "The embedding cache was cleared. Saved styles stay."
    assert item.embedding is not None and not item.embedding_stored
    again = start(reopen())
    assert again.embedder.cache.bytes == 0
    add(again)
    assert asked(again) == 1


def test_a_failed_embedding_is_not_cached(start, reopen) -> None:
    session = start(reopen())
    session.client.embedding_failure = "The worker process ended unexpectedly; generate again."
    session.regions.add((300, 300))
    session.wait(20)
    assert not (cache_folder() / "embeddings").exists()


def test_the_cache_contains_no_name_and_no_path(start, reopen, tmp_path) -> None:
    session = start(reopen())
    item = session.regions.add((300, 300))
    session.regions.rename(item.number, f"tumour of {NAME}")
    session.wait(20)
    secrets = [NAME, "tumour", *tmp_path.parts[1:], str(Path.home())]
    files = [path for path in cache_folder().rglob("*") if path.is_file()]
    assert files
    for path in files:
        text = str(path.relative_to(cache_folder())).encode() + path.read_bytes()
        assert not any(secret.encode() in text for secret in secrets if len(secret) > 3)
        if os.name != "nt":
            assert path.stat().st_mode & 0o077 == 0

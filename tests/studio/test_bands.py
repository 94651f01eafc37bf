"""Very large regions: read and embedded band by band."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from scripted import ScriptedClient

from napari_pixcell.engine import tissue as tissue_module
from napari_pixcell.engine.events import Embedding, Failure, Finished, Progress
from napari_pixcell.engine.request_values import EmbedRequest
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.models.families import get_family
from napari_pixcell.models.store import encoder_identity
from napari_pixcell.slides import ArraySlide, Region, open_slide
from napari_pixcell.slides.write import write_pyramid
from napari_pixcell.studio.session import Session


class Patient(ScriptedClient):
    """Keeps embeddings waiting until they are answered."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding: list[tuple[EmbedRequest, Any]] = []

    def submit(self, request: Any, on_event: Any = None, previews: bool = True) -> Any:
        if not isinstance(request, EmbedRequest):
            return super().submit(request, on_event)
        self.requests.append(request)
        self.embedding.append((request, on_event))
        return Handle(on_event)

    def answer(self, encoder: str | None = None) -> None:
        request, tell = self.embedding.pop(0)
        rows, columns = (side // 256 for side in request.pixels.shape[:2])
        number = np.float32(len(self.requests))
        values = np.full((rows, columns, 8), number)
        values = values.reshape(1, 8) if (rows, columns) == (1, 1) else values
        tell(Embedding(values, encoder or encoder_identity(DEMO) or ""))
        tell(Finished())


class Handle:
    def __init__(self, on_event: Any) -> None:
        self.cancel: Callable[[], None] = lambda: on_event(Finished(cancelled=True))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tissue_module, "LARGEST_READ", 8 * 256**2)


@pytest.fixture
def client() -> Patient:
    return Patient()


@pytest.fixture
def session(client: Patient, tmp_path) -> Iterator[Session]:
    session = Session(client)
    image = np.random.default_rng(0).integers(0, 255, (1500, 1500, 3), np.uint8)
    write_pyramid(tmp_path / "slide.tif", image, 0.5)
    session.slides.set(open_slide(tmp_path / "slide.tif"))
    session.wait(20)
    yield session
    session.close()


def asked(session: Session, client: Patient, count: int) -> None:
    session.wait(20, until=lambda: len(client.requests) == count)


def test_bands_are_embedded_one_after_another_and_joined(session, client) -> None:
    item = session.regions.draw(Region(100, 100, 1000, 1100))
    for band in (1, 2, 3):
        asked(session, client, band)
        session.wait(20, until=lambda: not session.background.busy)
        assert len(client.requests) == band and item.embedding is None  # one after another
        rows = (2, 2, 1)[band - 1]
        assert client.requests[-1].pixels.shape == (rows * 256, 1024, 3)
        client.answer()
    session.wait(20)
    values = item.embedding.unpack()
    assert values.shape == (5, 4, 8)
    np.testing.assert_array_equal(values[:, 0, 0], [1, 1, 2, 2, 3])
    assert not item.embedding_busy and not item.embedding_stored
    assert item.pixels is None  # too much to keep
    session.embeddings.embed(item.number)
    session.wait(20)
    assert item.embedding_stored and len(client.requests) == 3
    np.testing.assert_array_equal(item.embedding.unpack(), values)


def test_bands_report_their_progress(session, client) -> None:
    item = session.regions.draw(Region(100, 100, 1000, 1100))
    asked(session, client, 1)
    assert item.embedding_job.sentence() == "Embedding…"
    client.embedding[0][1](Progress(4, 8, "Embedding"))
    session.wait(20, until=lambda: item.embedding_job.done > 0)
    assert item.embedding_job.sentence() == "Embedding… 4 of 20 tiles"
    client.answer()
    asked(session, client, 2)
    client.embedding[0][1](Progress(3, 8, "Embedding"))
    session.wait(20, until=lambda: item.embedding_job.done > 8)
    assert item.embedding_job.sentence() == "Embedding… 11 of 20 tiles"


def test_a_large_embedding_can_be_cancelled(session, client) -> None:
    item = session.regions.draw(Region(100, 100, 1000, 1100))
    asked(session, client, 1)
    session.cancel()
    assert item.embedding_job.sentence() == "Cancelling…"
    session.wait(20)
    assert len(client.requests) == 1 and item.embedding is None and not session.notices.problems
    assert session.generator.why_not() == "No style yet: embed it"


@pytest.mark.parametrize("how", ["moved", "removed"])
def test_a_moved_region_requests_no_more_bands(session, client, how) -> None:
    item = session.regions.draw(Region(100, 100, 1000, 1100))
    asked(session, client, 1)
    if how == "moved":
        session.regions.move(item.number, Region(0, 0, 256, 256))
        asked(session, client, 2)
        client.answer()
        client.answer()
    else:
        session.regions.remove(item.number)
    session.wait(20)
    assert len(client.requests) == (2 if how == "moved" else 1)
    assert (item.embedding is not None) == (how == "moved")


def test_a_failed_band_is_reported_and_a_retry_starts_from_the_first(session, client) -> None:
    item = session.regions.draw(Region(100, 100, 1000, 1100))
    asked(session, client, 1)
    client.answer()
    asked(session, client, 2)
    client.embedding.pop()[1](Failure("The worker process ended unexpectedly; try again."))
    session.wait(20)
    assert session.notices.problems["style"] == "The worker process ended unexpectedly; try again."
    assert item.embedding is None and not item.embedding_busy
    session.embeddings.embed(item.number)
    asked(session, client, 3)
    assert client.requests[-1] == client.requests[0]


def test_bands_of_different_weights_are_not_cached(session, client) -> None:
    item = session.regions.draw(Region(100, 100, 1000, 1100))
    for band, encoder in ((1, None), (2, "exchanged"), (3, None)):
        asked(session, client, band)
        client.answer(encoder)
    session.wait(20)
    session.embeddings.embed(item.number)
    asked(session, client, 4)


def test_no_band_is_smaller_than_a_tile() -> None:
    slide = ArraySlide([np.zeros((9000, 3000, 3), np.uint8)], 0.5, "large")
    region = Region(0, 0, 2048, 8700)
    bands = Tissue(slide, region, get_family("pixcell-1024")).bands()
    assert bands[0][0] == 0 and bands[-1][1] == 34
    assert all(stop - start >= 4 for start, stop in bands)
    assert [stop for _, stop in bands[:-1]] == [start for start, _ in bands[1:]]
    read = Tissue(slide, region, get_family("pixcell-1024")).read(*bands[-1])
    assert read.shape == (256 * (bands[-1][1] - bands[-1][0]), 2048, 3)

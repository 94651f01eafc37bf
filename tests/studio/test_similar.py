"""Finding tissue like a region's: no Qt, no torch, no display."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scripted import ScriptedClient
from two_tissues import GLASS, PINK, ColourClient, two_tissues

from napari_pixcell.engine.request_values import EmbedRequest
from napari_pixcell.engine.styles.similarity import overlap
from napari_pixcell.slides import ArraySlide, Region, open_slide
from napari_pixcell.slides.write import write_pyramid
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.similar import LARGEST_BATCH
from napari_pixcell.worker.client import WorkerClient


@pytest.fixture
def client() -> ColourClient:
    return ColourClient()


@pytest.fixture
def picture() -> np.ndarray:
    return two_tissues()


PINK_PLACE, PURPLE_PLACE = (300, 900), (1700, 1200)


@pytest.fixture
def session(client: ColourClient, picture: np.ndarray) -> Iterator[Session]:
    session = Session(client)
    session.slides.set(ArraySlide([picture], 0.5, "case 7"))
    add(session, PINK_PLACE)
    client.requests.clear()
    yield session
    session.close()


def add(session: Session, centre: tuple[float, float]):
    item = session.regions.add(centre)
    session.wait(20)
    assert item is not None and item.embedding is not None
    return item


def find(session: Session):
    session.similar.find()
    session.wait(20)
    found = session.similar.found
    assert found is not None and session.similar.job is None
    return found


def places_asked(client: ScriptedClient) -> int:
    return sum(r.pixels.shape[0] // 256 for r in client.requests if isinstance(r, EmbedRequest))


def test_a_search_ranks_positions_by_their_similarity_to_the_region(session, client) -> None:
    found = find(session)
    assert found.heat.shape == (6, 8)
    assert np.isnan(found.heat[:2]).all()
    assert (found.heat[2:, :4] > 0.9).all() and (found.heat[2:, 4:] < 0.1).all()
    assert (found.seen, found.total, found.unreadable) == (32, 32, 0)
    assert found.sentence("Region 1") == "Most similar to Region 1"
    item = session.regions.active
    assert 2 <= len(found.best) <= 6
    for place, pixels in found.best:
        assert place.region.x < 1024 and place.region.y >= 512
        assert not overlap(place.region, item.region)
        np.testing.assert_array_equal(pixels, session.slides.current.read(place.region, 0.5))
    assert places_asked(client) == 32
    assert not session.notices.problems


def test_positions_are_embedded_in_small_batches_with_the_time_left(session, client) -> None:
    said: list[str] = []

    def note() -> None:
        job = session.similar.job
        said.append(job.sentence() if job is not None else "")

    session.similar.changed.connect(note)
    find(session)
    sizes = [r.pixels.shape[0] // 256 for r in client.requests]
    assert len(sizes) > 1 and max(sizes) <= LARGEST_BATCH
    assert said[0] == "Finding tissue…" and "Searching… 4 of 32 positions" in said[2]
    assert said[-1] == ""


def test_the_second_search_on_a_slide_needs_no_worker(session, client) -> None:
    first = find(session)
    add(session, PURPLE_PLACE)
    client.requests.clear()
    second = find(session)
    assert not client.requests
    assert (second.heat[2:, 4:] > 0.9).all() and second.heat[5, 0] < 0.1 < first.heat[5, 0]


@pytest.mark.parametrize("kind", ["file", "layer"])
def test_a_reopened_slide_is_searched_from_the_cache(picture, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "slide.tif"
    write_pyramid(path, picture, 0.5)
    heats, asked = [], []
    for _ in range(2):
        session = Session(ColourClient())
        session.slides.set(open_slide(path) if kind == "file" else ArraySlide([picture], 0.5, "a"))
        add(session, PINK_PLACE)
        heats.append(find(session).heat)
        asked.append(places_asked(session.client))
        session.close()
    assert asked == [33, 0]  # with the region itself
    np.testing.assert_array_equal(*heats)


def test_a_search_stops_at_once_and_resumes_later(session, client) -> None:
    client.hold_from = 2
    session.similar.find()
    session.wait(20, until=lambda: bool(client.held))
    assert session.busy
    session.cancel()  # Esc
    assert session.similar.job is None
    client.release()  # too late
    session.wait(20)
    partly = session.similar.found
    assert 0 < partly.seen < 32 and partly.best
    assert partly.sentence("Region 1").endswith(f"{partly.seen} of 32 positions compared")
    client.hold_from = 1000
    client.requests.clear()
    whole = find(session)
    assert whole.seen == 32 and places_asked(client) == 32 - partly.seen
    assert not session.notices.problems


@pytest.mark.parametrize("change", ["slide", "closed", "pixel size", "removed", "moved"])
def test_a_change_of_region_or_slide_ends_the_search(session, client, change: str) -> None:
    client.hold_from = 0
    session.similar.find()
    session.wait(20, until=lambda: bool(client.held))
    item = session.regions.active
    if change == "slide":
        session.slides.set(ArraySlide([np.full((600, 600, 3), PINK, np.uint8)], 0.5, "other"))
    elif change == "closed":
        session.slides.current.close()
        session.slides.set(None)
    elif change == "pixel size":
        session.slides.set(session.slides.current.with_mpp(0.6), session.slides.key)
    elif change == "removed":
        session.regions.remove(item.number)
    else:
        session.regions.move(item.number, Region(600, 900, 256, 256))
    assert session.similar.job is None
    client.hold_from = 1000
    client.release()
    session.wait(20)
    assert session.similar.found is None
    assert not session.notices.problems


def test_a_result_is_removed_with_its_region_or_slide(session) -> None:
    find(session)
    add(session, PURPLE_PLACE)
    assert session.similar.found is not None  # another region does not matter
    session.slides.set(None)
    assert session.similar.found is None


def test_a_worker_failure_is_reported_and_the_search_can_be_retried(session, client) -> None:
    client.embedding_failure = "The worker process ended unexpectedly; generate again."
    session.similar.find()
    session.wait(20)
    assert session.notices.problems["region"] == client.embedding_failure
    assert session.similar.job is None
    client.embedding_failure = ""
    assert find(session).seen == 32
    assert "region" not in session.notices.problems


def test_a_slide_without_tissue_is_reported(client) -> None:
    session = Session(client)
    session.slides.set(ArraySlide([np.full((900, 900, 3), GLASS, np.uint8)], 0.5, "empty"))
    add(session, (400, 400))
    session.similar.find()
    session.wait(20)
    assert "No tissue was found" in session.notices.problems["region"]
    session.close()


def test_a_search_that_cannot_start_is_explained(session, client) -> None:
    assert session.similar.why_not() == ""
    session.regions.remove(session.regions.active.number)
    assert session.similar.why_not() == "Add a region first: the search compares with its tissue"
    client.hold_from = 0
    session.regions.add(PINK_PLACE)
    session.embeddings.forget(session.regions.active)
    assert session.similar.why_not() == "Embed Region 2 first"
    session.settings.use_family("pixcell-256")
    assert session.similar.why_not().endswith("is not installed")
    session.slides.set(None)
    assert session.similar.why_not() == "Open a slide whose pixel size is known first"
    session.similar.find()
    assert session.similar.job is None


def test_a_position_of_the_result_becomes_a_region_or_a_style(session, client) -> None:
    found = find(session)
    first, (place, _) = session.regions.active, found.best[0]
    client.requests.clear()
    session.similar.use_style(place)
    session.wait(20)
    assert session.regions.active is first
    style = session.styles.source_region()
    assert style is not first and style.region == place.region
    assert style.embedding is not None and not client.requests
    session.similar.add_region(found.best[1][0])
    assert session.regions.active.region == found.best[1][0].region


def test_with_the_real_worker_epidermis_is_like_epidermis(
    cmu_slide: Path, one_worker: WorkerClient
) -> None:
    session = Session(one_worker)
    session.slides.set(open_slide(cmu_slide))
    item = session.regions.add((1250, 2000))  # epidermis
    session.wait(120)
    assert item is not None and item.embedding is not None
    session.similar.find()
    session.wait(120)
    found = session.similar.found
    assert found is not None and not session.notices.problems
    best, others = found.best[0][0], [place.similarity for place, _ in found.best[1:]]
    assert overlap(best.region, Region(1100, 800, 300, 300))  # the epidermis above
    assert best.similarity > 0.5 > max(others)
    session.close()

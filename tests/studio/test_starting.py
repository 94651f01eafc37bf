"""Starting a generation from the tissue or from a variant, all over or in a part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scripted import ScriptedClient

from napari_pixcell.engine import tissue
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.slides import Region
from napari_pixcell.studio.generation.generator import start_words
from napari_pixcell.studio.regions.geometry import area_shape
from napari_pixcell.studio.session import Session


@pytest.fixture
def started(session: Session) -> Session:
    """With a region, which the next generation starts from."""
    session.regions.add((400, 400))
    session.wait(until=lambda: session.regions.active.pixels is not None and not session.busy)
    session.settings.start_from, session.settings.count = "tissue", 2
    return session


def queued(session: Session) -> GenerateRequest:
    session.generator.generate()
    session.wait(until=lambda: not session.background.busy)
    assert not session.notices.problems
    return session.client.waiting[-1][0]


def mark(session: Session) -> np.ndarray:
    item = session.regions.active
    item.area = np.zeros(area_shape(item.size), np.uint8)
    item.area[10:20, 5:9] = 2
    return np.kron(item.area > 0, np.ones((8, 8))).astype(np.uint8)


def test_a_generation_starts_from_noise_by_default(started: Session) -> None:
    started.settings.start_from = "nothing"
    started.settings.only_part = True  # of nothing
    request = queued(started)
    assert request.start is None and request.part is None and request.strength == 1


def test_a_request_holds_the_tissue_and_the_strength(started: Session, picture: np.ndarray) -> None:
    started.settings.strength = 0.3
    request = queued(started)
    np.testing.assert_array_equal(request.start.unpack(), picture[272:528, 272:528])
    assert (request.strength, request.part) == (0.3, None)
    assert "30% changes" in started.queue.jobs[0].summary()


def test_the_marked_area_is_captured_when_the_job_is_queued(started: Session) -> None:
    expected = mark(started)
    started.settings.only_part, started.settings.feather_um = True, 5.0
    started.generator.generate()
    started.regions.active.area[:] = 1
    started.regions.remove(started.regions.active.number)
    started.slides.set(None)
    started.wait(until=lambda: not started.background.busy)
    request = started.client.waiting[-1][0]
    np.testing.assert_array_equal(request.part.unpack(), expected)
    assert request.feather == 10
    started.client.play()
    started.wait()
    assert [r.record.request.part for r in started.gallery.results] == [request.part] * 2


def test_the_marked_area_can_have_the_style_of_another_region(started: Session) -> None:
    number = started.regions.active.number
    other = started.regions.add((1100, 1100)).number
    started.wait(until=lambda: not started.busy)
    started.regions.activate(number)
    mark(started)
    started.settings.only_part = True
    started.styles.set(other)
    request = queued(started)
    assert (
        request.embedding
        == started.regions.get(other).embedding
        != started.regions.get(number).embedding
    )
    np.testing.assert_array_equal(request.start.unpack(), started.regions.get(number).pixels)


def test_a_start_image_can_be_combined_with_a_layout(started: Session) -> None:
    labels = np.zeros((256, 256), np.int32)
    labels[9:30, 9:30] = 1
    started.layouts.set(started.regions.active.number, labels)
    request = queued(started)
    assert request.layout is not None and request.start is not None


def test_a_generation_starts_from_the_shown_variant_of_the_same_position(started: Session) -> None:
    started.settings.start_from = "shown"
    assert started.generator.why_not() == "Show a variant to start from"
    started.settings.start_from = "nothing"
    queued(started)
    started.client.play()
    started.wait()
    started.settings.start_from = "shown"
    second = started.gallery.results[1]
    started.gallery.show(second)
    np.testing.assert_array_equal(queued(started).start.unpack(), second.image)
    started.regions.move(started.regions.active.number, Region(700, 700, 256, 256))
    started.wait(until=lambda: not started.regions.active.embedding_busy)
    assert started.generator.why_not() == "The variant shown belongs to another position"


def test_a_missing_area_is_reported(started: Session) -> None:
    started.settings.only_part = True
    assert started.generator.why_not() == "Mark an area first"
    started.generator.generate()
    assert not started.queue.jobs
    mark(started)
    assert (
        started.generator.why_not() == ""
        and started.generator.where_words() == " in the marked area"
    )


def test_a_region_too_large_for_memory_is_read_in_bands(
    session: Session, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tissue, "LARGEST_READ", 512 * 256)
    session.regions.draw(Region(100, 200, 500, 700))
    session.wait(until=lambda: not session.busy)
    assert session.regions.active.pixels is None
    session.settings.start_from = "tissue"
    np.testing.assert_array_equal(queued(session).start.unpack(), picture[200:900, 100:600])


def test_a_retry_starts_from_the_same_picture(started: Session) -> None:
    request = queued(started)
    started.settings.start_from = "nothing"
    started.cancel()
    started.wait()
    started.queue.retry(started.queue.ended[0])
    started.wait(until=lambda: not started.background.busy)
    assert started.client.waiting[-1][0] == request


def test_the_expected_duration_depends_on_the_area(session: Session) -> None:
    session.regions.draw(Region(0, 0, 1280, 1280))
    session.wait(until=lambda: not session.busy)
    session.settings.start_from, session.settings.strength = "tissue", 0.5
    assert session.generator.capture(session.regions.active).start.share == 0.5
    session.settings.only_part = True
    mark(session)  # 80 × 32 px of it
    share = session.generator.capture(session.regions.active).start.share
    assert share == pytest.approx(0.5 * (80 + 256) / 1280 * (32 + 256) / 1280)


def test_the_settings_of_a_record_can_be_used(started: Session) -> None:
    mark(started)
    started.settings.only_part, started.settings.strength = True, 0.25
    request, settings = queued(started), started.settings
    settings.start_from, settings.only_part, settings.strength = "nothing", False, 0.9
    settings.use(request)
    assert (settings.start_from, settings.strength, settings.only_part) == ("tissue", 0.25, True)
    assert settings.feather_um == 8.0
    settings.start_from = "shown"
    settings.use(replace(request, part=None))
    assert (settings.start_from, settings.only_part) == ("shown", False)
    settings.use(replace(request, start=None, part=None, strength=1.0))
    assert settings.start_from == "nothing"


def test_each_strength_is_described(started: Session) -> None:
    said = []
    for strength in (0, 0.1, 0.3, 0.6, 0.9, 1):
        started.settings.strength = strength
        said.append(started.generator.start_words())
    assert len(set(said)) == 6
    started.settings.start_from = "nothing"
    assert start_words(started.settings) == ""


def test_a_start_image_of_another_size_is_refused(started: Session, client: ScriptedClient) -> None:
    captured = started.generator.capture(started.regions.active)
    start = replace(captured.start, picture=np.zeros((9, 9, 3), np.uint8))
    request = replace(captured.request, size=(256, 256))
    started.queue.add(request, captured.target, start=start)
    started.wait(until=lambda: not started.background.busy)
    assert "start image is 9 × 9 px" in started.notices.problems["generate"]
    assert not client.waiting


def test_grids_and_live_pictures_use_the_start_image(started: Session) -> None:
    mark(started)
    started.settings.only_part, started.settings.grid_seeds = True, 2
    started.generator.generate_grid()
    started.wait(until=lambda: not started.background.busy)
    requests = started.queue.jobs[0].requests
    assert len(requests) == 2 and all(r.start and r.part for r in requests)
    started.generator.set_live(True)
    started.settings.strength = 0.4
    started.wait(until=lambda: any(job.live and job.ready for job in started.queue.jobs))
    live = next(job for job in started.queue.jobs if job.live)
    assert live.request.part is not None and live.request.strength == 0.4


def test_the_published_method_does_not_start_from_the_tissue(started: Session) -> None:
    started.settings.start_from = "nothing"
    started.settings.use_preset("published")
    assert started.generator.why_not() == ""
    started.settings.start_from = "tissue"
    assert started.generator.why_not() == "As published starts from noise"
    started.settings.use_preset("exact")
    assert started.generator.why_not() == ""

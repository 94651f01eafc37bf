"""Pictures larger than a tile, ways to be faster, and what was stopped on its way."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scripted import ScriptedClient, preview
from settling import settled

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.canvas.plan import Canvas
from napari_pixcell.engine.events import Failure, Finished, Preview, Progress, Variant
from napari_pixcell.engine.presets import BALANCED, EXACT, PRESETS, QUICK
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.models.families import get_family
from napari_pixcell.slides import Region
from napari_pixcell.studio import tasks
from napari_pixcell.studio.generation.job import Stopped, picture_of
from napari_pixcell.studio.generation.timing import Paces, windows_of
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.tasks import Clock
from napari_pixcell.words import duration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


class Clocks:
    """A time that passes only when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(tasks.time, "monotonic", lambda: self.now)


def region(session: Session, *box: float):
    item = session.regions.draw(Region(*(box or (100, 100, 768, 512))))
    session.wait(20)
    assert item is not None
    return item


def started(session: Session, client: ScriptedClient, count: int = 1):
    session.settings.count = count
    session.generator.generate()
    settled(session)
    return client.waiting[-1]


def ended(session: Session, client: ScriptedClient, event: object) -> None:
    """End the first job that waits, as the engine or its death does."""
    client.waiting.pop(0)[1](event)
    settled(session)


def window(number: int, of: int = 200, before: int = 0, count: int = 1) -> Progress:
    return Progress(before + number, count * of, f"Window {number} of {of}")


# -- requests ----------------------------------------------------------------------------------


def test_the_request_has_the_size_of_the_region_and_the_record_its_preset(session, client) -> None:
    item = region(session, 100, 100, 768, 300)
    session.settings.use_preset("quick")
    request, _ = started(session, client)
    assert request.size == (300, 768) and request.preset == "quick" and request.steps == 8
    assert request.embedding.shape[:2] == (2, 3)
    client.play()
    session.wait(20)
    (result,) = session.gallery.results
    assert result.image.shape == (300, 768, 3)
    assert result.target.region == item.region and result.target.size == (300, 768)
    assert json.loads(json.dumps(result.record.to_dict()))["request"]["preset"] == "quick"


def test_a_tile_is_requested_without_a_size(session, client) -> None:
    region(session, 100, 100, 256, 256)
    request, _ = started(session, client)
    assert request.size is None and request.preset == "exact"
    assert request.embedding.shape[0] == 1 and len(request.embedding.shape) == 2


def test_a_tile_of_a_large_model_is_one_tile(session, client, pretend_installed) -> None:
    pretend_installed()
    session.settings.use_family("pixcell-1024")
    session.regions.add((700, 700))
    session.wait(20)
    assert session.generator.outlook() == ""
    request, _ = started(session, client)
    assert request.size is None and request.embedding.shape[0] == 16
    client.play()
    region(session, 0, 0, 1300, 1024)
    assert session.generator.outlook() == "1300 × 1024 px, 2 tiles"


def test_the_style_can_be_a_region_of_another_shape(session, client) -> None:
    tile, canvas = region(session, 0, 0, 256, 256), region(session)
    session.styles.set(tile.number)
    request, _ = started(session, client)
    assert request.embedding == tile.embedding and request.size == canvas.size


def test_the_layout_is_captured_when_the_job_is_queued(session, client) -> None:
    item = region(session, 100, 100, 384, 300)
    session.layouts.set(item.number, np.zeros((300, 384), np.int32), "painted")
    item.layout[5:15, 5:15] = 3
    session.layouts.edited(item.number)
    session.generator.generate()
    item.layout[:] = 9
    settled(session)
    request = client.waiting[-1][0]
    assert request.layout.shape == (300, 384)
    assert np.unique(request.layout.unpack()).tolist() == [0, 3]


def test_an_unusable_layout_is_reported_in_its_section(session, client, monkeypatch) -> None:
    monkeypatch.setattr("napari_pixcell.cells.layout.MAX_CELLS", 65_535)
    item = region(session, 100, 100, 384, 300)
    session.layouts.set(item.number, np.arange(300 * 384).reshape(300, 384), "imported")
    session.generator.generate()
    session.wait(20)
    assert "more than 65,535" in session.notices.problems["generate"]
    assert session.queue.current is None and not client.waiting


def test_jobs_are_requested_in_the_order_of_the_queue(session, client) -> None:
    item = region(session)
    session.layouts.set(item.number, np.ones((512, 768), np.int32), "painted")
    session.generator.generate()
    session.layouts.set(item.number, None)
    session.generator.generate()
    settled(session)
    (first,) = client.waiting
    ended(session, client, Finished())
    (second,) = client.waiting
    assert [request.layout is not None for request, _ in (first, second)] == [True, False]


def test_a_generation_cancelled_in_time_is_never_sent(session, client) -> None:
    region(session)
    session.generator.generate()
    session.cancel()
    session.wait(20)
    assert not client.waiting and session.queue.current is None and not session.notices.problems


# -- presets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_its_steps(name: str) -> None:
    settings = Settings()
    settings.use_preset(name)
    assert settings.steps == PRESETS[name].steps_of(DEMO.steps)
    settings.use_family("pixcell-1024")
    assert settings.preset == name
    assert settings.steps == PRESETS[name].steps_of(get_family("pixcell-1024").steps)


def test_the_settings_of_a_record_include_its_preset() -> None:
    settings = Settings()
    settings.use(GenerateRequest("demo", preset="balanced", steps=7, seed=5))
    assert (settings.preset, settings.steps, settings.seed) == ("balanced", 7, 1234)


def test_presets_state_their_cost() -> None:
    assert EXACT.text == "Every step in full."
    assert BALANCED.text == "Nearly the same image in half the time."
    assert QUICK.text == "A third of the time, for drafts. Details differ."


# -- progress and previews ---------------------------------------------------------------------


def test_progress_counts_windows_and_shows_the_time_left(session, client, clock) -> None:
    region(session)
    _, tell = started(session, client, count=2)
    job = session.queue.current
    assert job.sentence() == "Waiting for the model…"
    tell(Progress(0, 0, "Loading the model"))
    settled(session)
    assert job.sentence() == "Loading the model…"
    tell(window(10, count=2))
    settled(session)
    assert job.sentence() == "1 of 2 · window 10 of 200"
    clock.now += 5
    tell(window(20, count=2))
    settled(session)
    assert job.sentence() == "1 of 2 · window 20 of 200 · 3 min left"
    tell(window(200, count=2))
    settled(session)
    assert job.sentence() == "1 of 2 · finishing · 5 s left"
    session.cancel()
    assert job.sentence() == "Cancelling…"


def test_windows_done_before_a_resume_do_not_count_for_the_time_left(clock) -> None:
    timed = Clock()
    timed.note(0, 0)
    timed.note(900, 1000)  # a canvas that goes on
    assert timed.left == ""
    clock.now += 10
    timed.note(910, 1000)
    assert timed.left == "90 s left" or timed.left == "2 min left"
    timed.note(0, 0)  # again, another way
    assert timed.pace is None and timed.left == ""


def test_durations_are_written_in_words() -> None:
    said = [duration(seconds) for seconds in (0.2, 30.4, 89, 91, 600, 5399, 9000)]
    assert said == ["1 s", "30 s", "89 s", "2 min", "10 min", "90 min", "2.5 h"]


@pytest.mark.parametrize("size", [(512, 768), (300, 384), (257, 1000)])
def test_a_preview_is_cropped_to_the_picture(session, client, size) -> None:
    seen = []
    session.queue.preview.connect(lambda target, image: seen.append(image))
    region(session, 100, 100, size[1], size[0])
    request, tell = started(session, client)
    whole = preview(request)
    assert whole.shape[0] % 32 == 0 and whole.shape[1] % 32 == 0
    tell(Preview(0, whole))
    settled(session)
    assert seen[-1].shape[:2] == (round(size[0] / 8), round(size[1] / 8))


def test_a_reduced_preview_is_cropped_in_proportion() -> None:
    request = GenerateRequest("demo", size=(9000, 20_000))
    canvas = Canvas((9000, 20_000), 256, 1)
    thinned = np.zeros((canvas.height, canvas.width, 3), np.uint8)[::5, ::5]
    height, width = picture_of(thinned, request).shape[:2]
    assert abs(height * 40 - 9000) <= 40 and abs(width * 40 - 20_000) <= 40


# -- outlook -----------------------------------------------------------------------------------


def test_the_size_and_duration_of_a_canvas_are_shown_in_advance(session, client, clock) -> None:
    assert session.generator.outlook() == ""
    region(session)
    assert session.generator.outlook() == "768 × 512 px, 6 tiles"
    _, tell = started(session, client)
    tell(window(10))
    settled(session)
    clock.now += 10
    tell(window(60))
    settled(session)
    ended(session, client, Finished())
    windows = windows_of((512, 768), 256, 1, 20)
    assert session.generator.outlook() == f"768 × 512 px, 6 tiles · about {duration(windows * 0.2)}"
    session.settings.count = 3
    assert session.generator.outlook().endswith(f"about {duration(3 * windows * 0.2)}")
    session.settings.use_preset("quick")
    assert session.generator.outlook() == "768 × 512 px, 6 tiles"  # never seen
    session.settings.use_preset("exact")
    region(session, 0, 0, 256, 256)
    session.settings.count = 1
    assert session.generator.outlook() == "About 4 s"


def test_generations_with_a_layout_have_their_own_pace(clock) -> None:
    paces, timed = Paces(), Clock()
    request = GenerateRequest("demo", steps=10, count=1)
    timed.note(1, 10)
    clock.now += 3
    timed.note(4, 10)
    paces.learn(request, timed)
    assert paces.expect(request, layout=False) == pytest.approx(10)
    assert paces.expect(request, layout=True) is None
    assert paces.expect(replace(request, guidance=1.0), layout=False) is None


# -- stopped -----------------------------------------------------------------------------------

STOPPED = "Stopped at 43 %. Generate again with the same settings to resume."


def test_a_cancelled_canvas_resumes_with_its_own_settings(session, client) -> None:
    item = region(session)
    session.layouts.set(
        item.number, np.ones((512, 768), np.int32), "painted", LayoutSource("painted")
    )
    request, tell = started(session, client)
    tell(window(87))
    settled(session)
    session.cancel()
    client.waiting.pop(0)
    settled(session)
    assert session.queue.stopped.sentence() == STOPPED and not session.notices.problems
    session.settings.seed, session.settings.steps = 99, 3
    session.layouts.set(item.number, None)
    session.regions.move(item.number, Region(0, 0, 256, 256))
    session.queue.resume()
    settled(session)
    assert client.waiting[-1][0] == request
    assert session.queue.stopped is None
    client.play()
    session.wait(20)
    (result,) = session.gallery.results
    assert result.target.region == Region(100, 100, 768, 512)
    session.queue.resume()
    assert not session.busy


@pytest.mark.parametrize(
    "message",
    [
        "The worker process ended unexpectedly (code -9). Generate again to start a new one.",
        "The memory was freed, which stopped this request. Start it again.",
    ],
)
def test_a_canvas_whose_worker_crashed_can_be_resumed(session, client, message) -> None:
    region(session)
    request, tell = started(session, client)
    tell(window(87))
    ended(session, client, Failure(message))
    assert session.notices.problems["generate"] == message
    assert session.queue.stopped.sentence() == STOPPED
    session.queue.resume()
    settled(session)
    assert client.waiting[-1][0] == request and "generate" not in session.notices.problems


def test_finished_variants_are_not_generated_again(session, client) -> None:
    region(session)
    request, tell = started(session, client, count=3)
    tell(window(200, count=3))
    image = np.zeros((512, 768, 3), np.uint8)
    tell(Variant(0, image, Record(request.variants()[0])))
    tell(window(50, before=200, count=3))
    settled(session)
    ended(session, client, Finished(cancelled=True))
    stopped = session.queue.stopped
    assert stopped.sentence().startswith("Stopped at 12 %.")
    session.queue.resume()
    settled(session)
    again = client.waiting[-1][0]
    assert (again.seed, again.count) == (1235, 2)
    assert again.variants() == request.variants()[1:]


def test_a_canvas_stopped_again_before_its_first_window_can_be_resumed(session, client) -> None:
    region(session)
    _, tell = started(session, client)
    tell(window(87))
    ended(session, client, Finished(cancelled=True))
    session.queue.resume()
    settled(session)
    client.waiting[0][1](Progress(0, 0, "Loading the model"))
    ended(session, client, Finished(cancelled=True))
    assert session.queue.stopped.sentence() == STOPPED


@pytest.mark.parametrize("box", [(100, 100, 256, 256), (100, 100, 768, 512)])
def test_tiles_and_jobs_that_did_not_begin_cannot_be_resumed(session, client, box) -> None:
    region(session, *box)
    _, tell = started(session, client)
    tell(Progress(0, 0, "Loading the model"))
    if box[2] == 256:
        tell(Progress(10, 20, "Variant 1 of 1"))
    ended(session, client, Finished(cancelled=True))
    assert session.queue.stopped is None


def test_another_generation_replaces_the_stopped_canvas(session, client) -> None:
    region(session)
    _, tell = started(session, client)
    tell(window(87))
    ended(session, client, Finished(cancelled=True))
    session.settings.seed = 7
    started(session, client)
    assert session.queue.stopped is None


def test_a_finished_canvas_leaves_nothing_to_resume(session, client) -> None:
    region(session)
    started(session, client)
    client.play()
    session.wait(20)
    assert session.queue.stopped is None


def test_a_stopped_canvas_is_shown_as_1_to_99_percent_done(session) -> None:
    request = GenerateRequest("demo", size=(512, 768))
    said = [Stopped(request, None, part).sentence().split(".")[0] for part in (0.001, 0.999)]
    assert said == ["Stopped at 1 %", "Stopped at 99 %"]


def test_a_refused_canvas_is_reported(session, client) -> None:
    region(session)
    started(session, client)
    message = (
        "A picture of this size needs 9.1 GB on disk while it is made, and 2.0 GB are free in the "
        "cache folder; choose a smaller region, or name another folder in PIXCELL_CACHE_DIR."
    )
    ended(session, client, Failure(message))
    assert session.notices.problems["generate"] == message and session.queue.stopped is None

"""Grids of settings as one job, their sheets, and when a live picture is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scripted import ScriptedClient
from settling import settled

from napari_pixcell.datasets.report.sheets import contact_sheet
from napari_pixcell.engine.events import Failure, Finished
from napari_pixcell.engine.presets import QUICK
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.sweep import MOST_PICTURES, Axis, Sweep
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.slides import Region
from napari_pixcell.studio.generation import timing
from napari_pixcell.studio.generation.timing import LONGEST, PAUSE, Live
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.styles.choice import StyleChoice


@pytest.fixture
def ready(session: Session) -> Session:
    session.regions.add((400, 400))
    session.wait(20)
    return session


def play_all(session: Session, client: ScriptedClient) -> None:
    settled(session)
    while client.waiting:
        client.play()
        settled(session)


# -- sweeps ------------------------------------------------------------------------------------


def test_a_sweep_has_a_request_for_each_cell_row_by_row() -> None:
    sweep = Sweep((Axis.seeds(5, 2), Axis.numbers("guidance", "1, 2.5"), Axis("steps", (4,))))
    made = sweep.requests(GenerateRequest("demo", count=7))
    assert [(r.seed, r.guidance, r.steps, r.count) for r in made] == [
        (5, 1.0, 4, 1),
        (6, 1.0, 4, 1),
        (5, 2.5, 4, 1),
        (6, 2.5, 4, 1),
    ]
    assert sweep.columns == ("seed 5", "seed 6")
    assert sweep.rows == ("guidance 1, 4 steps", "guidance 2.5, 4 steps")


def test_captions_tell_what_differs_in_a_grid() -> None:
    sweep = Sweep((Axis.seeds(5, 2), Axis.numbers("guidance", "1, 2.5"), Axis("steps", (4,))))
    captions = [sweep.caption(request) for request in sweep.requests(GenerateRequest("demo"))]
    assert captions == [f"seed {seed}, guidance {g}" for g in ("1", "2.5") for seed in (5, 6)]


def test_lists_of_numbers_are_parsed_without_repeats() -> None:
    assert Axis.numbers("guidance", "1; 1.5  2,2").values == (1.0, 1.5, 2.0)
    assert Axis.numbers("steps", "4 8").values == (4, 8)
    assert Axis.seeds(2**32 - 1, 2).values == (2**32 - 1, 0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Axis.numbers("guidance", "one"), "“one” is not a list of numbers"),
        (lambda: Axis.numbers("guidance", " "), "has no values for guidance"),
        (lambda: Axis("colour", (1,)), "A grid cannot sweep “colour”"),
        (lambda: Sweep((Axis.seeds(0, 2), Axis.seeds(0, 3))), "each only once"),
        (lambda: Sweep(()), "at least one setting"),
        (lambda: Sweep((Axis.seeds(0, MOST_PICTURES + 1),)), f"at most {MOST_PICTURES}"),
    ],
)
def test_an_invalid_sweep_is_refused(make, words: str) -> None:
    with pytest.raises(PixCellError, match=words):
        make()


# -- sheets ------------------------------------------------------------------------------------


def test_a_sheet_leaves_the_cells_of_missing_pictures_empty() -> None:
    red, blue = (np.full((64, 64, 3), c, np.uint8) for c in ((200, 0, 0), (0, 0, 200)))
    sheet = contact_sheet([red, None, blue, red], ("a", "b"), ("x", "y"), "T", "F", side=100)
    rows, columns = sheet.shape[:2]
    is_red = (sheet == (200, 0, 0)).all(-1)
    is_blue = (sheet == (0, 0, 200)).all(-1)
    assert is_red.sum() == 2 * 100 * 100 and is_blue.sum() == 100 * 100
    y, x = (values.mean() for values in is_blue.nonzero())
    assert y > rows / 2 and x < columns / 2
    assert (sheet < 100).all(-1).any()  # there are words


def test_a_sheet_needs_a_picture() -> None:
    with pytest.raises(PixCellError, match="Generate the grid first"):
        contact_sheet([None], ("a",), ("",), "T", "F")


def test_a_grid_is_one_job_and_its_sheet_is_saved_as_synthetic(
    ready: Session, client: ScriptedClient, tmp_path: Path
) -> None:
    ready.settings.grid_seeds, ready.settings.grid_guidance = 2, "1, 3"
    ready.generator.generate_grid()
    (job,) = ready.queue.jobs
    assert job.summary() == "grid of 4 pictures, 20 steps"
    settled(ready)
    client.play()
    settled(ready)
    grid = ready.grids.last
    assert [r is not None for r in ready.grids.pictures(grid)] == [True, False, False, False]
    play_all(ready, client)
    results = ready.grids.pictures(grid)
    assert [(r.seed, r.record.request.guidance) for r in results] == [
        (1234, 1.0),
        (1235, 1.0),
        (1234, 3.0),
        (1235, 3.0),
    ]
    sheets, said = [], []
    ready.grids.sheet(grid, sheets.append, said.append)
    ready.wait(20, until=lambda: bool(sheets))
    ready.grids.save(sheets[0], tmp_path / "sheet.png", said.append, said.append)
    ready.wait(20, until=lambda: bool(said))
    with Image.open(tmp_path / "sheet.png") as saved:
        assert "SYNTHETIC" in saved.text["parameters"]
        assert "trainedAlgorithmicMedia" in saved.text["XML:com.adobe.xmp"]
        assert np.array_equal(np.asarray(saved), sheets[0])
    ready.grids.save(sheets[0], tmp_path / "no" / "sheet.png", said.append, said.append)
    ready.wait(20, until=lambda: len(said) == 2)
    assert said[1] == (
        "The sheet cannot be written (No such file or directory). Choose another folder."
    )


def test_a_grid_that_failed_is_completed_by_a_retry(ready: Session, client: ScriptedClient) -> None:
    ready.settings.grid_seeds = 3
    ready.generator.generate_grid()
    settled(ready)
    client.play()
    settled(ready)
    client.waiting.pop(0)[1](Failure("The result is not a picture."))
    settled(ready)
    ready.queue.retry(ready.queue.ended[0])
    play_all(ready, client)
    assert [r.seed for r in ready.grids.pictures(ready.grids.last)] == [1234, 1235, 1236]


def test_an_invalid_grid_is_reported_and_not_queued(ready: Session) -> None:
    ready.settings.grid_guidance = "much"
    ready.generator.generate_grid()
    assert "not a list of numbers" in ready.notices.problems["generate"] and not ready.queue.jobs


# -- live --------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Clock:
    """A time that passes only when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 50.0
        monkeypatch.setattr(timing.time, "monotonic", lambda: self.now)


def test_a_picture_is_due_after_a_pause_and_once(clock: Clock) -> None:
    watch = Live()
    watch.touched()
    clock.now += 9
    assert not watch.due()  # it is off
    watch.on = True
    watch.touched()
    clock.now += PAUSE * 0.9
    assert not watch.due()
    watch.touched()
    clock.now += PAUSE * 0.9
    assert not watch.due()
    clock.now += PAUSE * 0.2
    assert watch.due() and not watch.due()


def test_a_picture_is_due_after_a_while_without_a_pause(clock: Clock) -> None:
    watch = Live()
    watch.on = True
    waited = 0.0
    watch.touched()
    while not watch.due():
        clock.now += 0.1
        waited += 0.1
        watch.touched()
    assert waited == pytest.approx(LONGEST, abs=0.15)


def test_the_live_picture_is_quick_and_kept_only_on_request(
    ready: Session, client: ScriptedClient
) -> None:
    shown = []
    ready.queue.preview.connect(lambda _target, image: shown.append(image))
    ready.generator.set_live(True)
    ready.wait(20, until=lambda: bool(client.waiting))
    request = client.waiting[0][0]
    assert (request.preset, request.steps, request.count) == (
        QUICK.name,
        QUICK.steps_of(DEMO.steps),
        1,
    )
    play_all(ready, client)
    assert shown[-1].shape == (256, 256, 3) and not ready.gallery.results
    ready.queue.keep_live()
    assert [r.seed for r in ready.gallery.results] == [1234] and shown[-1] is None
    assert ready.queue.live is None


def test_newer_strokes_replace_the_waiting_live_picture(
    ready: Session, client: ScriptedClient
) -> None:
    ready.generator.generate()
    settled(ready)
    ready.generator.set_live(True)
    for seed in (1, 2, 3):
        ready.settings.seed = seed
        ready.wait(20, until=lambda seed=seed: ready.queue.jobs[-1].request.seed == seed)
    assert len(ready.queue.jobs) == 2  # the variants, and the newest picture
    ready.generator.generate()
    assert [job.live for job in ready.queue.jobs] == [False, True, False]  # it goes first
    ready.generator.set_live(False)
    assert [job.live for job in ready.queue.jobs] == [False, False]
    assert not ready.queue.ended


def test_large_regions_have_no_live_picture(ready: Session, client: ScriptedClient) -> None:
    ready.regions.draw(Region(0, 0, 1400, 1400))
    ready.wait(20)
    ready.generator.set_live(True)
    settled(ready)
    assert ready.generator.why_no_live() == "Live mode needs a region of at most 4 tiles"
    assert not client.waiting


def test_a_failed_live_picture_is_reported_and_leaves_no_row(
    ready: Session, client: ScriptedClient
) -> None:
    ready.generator.set_live(True)
    ready.wait(20, until=lambda: bool(client.waiting))
    client.waiting.pop(0)[1](Failure("The result is not a picture."))
    settled(ready)
    assert ready.notices.problems["generate"] == "The result is not a picture."
    assert not ready.queue.ended
    ready.settings.seed = 9
    ready.wait(20, until=lambda: bool(client.waiting))
    client.waiting.pop(0)[1](Finished())
    settled(ready)


def test_a_grid_can_sweep_the_strength(ready: Session, client: ScriptedClient) -> None:
    ready.settings.start_from, ready.settings.grid_seeds = "tissue", 2
    ready.settings.grid_strength = "0.2, 2"
    ready.generator.generate_grid()
    assert ready.notices.problems["generate"] == "The strength is 2; choose one from 0 to 1."
    ready.settings.grid_strength = "0.2, 0.5"
    ready.generator.generate_grid()
    play_all(ready, client)
    made = [r.record.request for r in ready.grids.pictures(ready.grids.last)]
    assert [(r.seed, r.strength) for r in made] == [
        (1234, 0.2),
        (1235, 0.2),
        (1234, 0.5),
        (1235, 0.5),
    ]
    assert len({r.start for r in made}) == 1 and made[0].start.shape == (256, 256, 3)
    assert ready.grids.last.sweep.rows == ("change 0.2", "change 0.5")


def test_a_grid_can_sweep_a_blend_of_styles(ready: Session, client: ScriptedClient) -> None:
    first = ready.regions.active
    second = ready.regions.add((900, 900))
    ready.wait(20)
    ready.styles.choose(StyleChoice.of(first.number, second.number))
    ready.settings.grid_styles, ready.settings.grid_seeds = 3, 2
    assert ready.generator.grid_sweep().count == 6
    ready.generator.generate_grid()
    play_all(ready, client)
    made = [r.record.request for r in ready.grids.pictures(ready.grids.last)]
    assert [r.seed for r in made] == [1234] * 3 + [1235] * 3
    assert [r.embedding for r in made[:3]] == [r.embedding for r in made[3:]]
    assert made[0].embedding == first.embedding and made[2].embedding == second.embedding
    assert [r.source.style for r in made[:3]] == [r.source.style for r in made[3:]]
    assert ready.grids.last.title == "Region 2, grid of 6 pictures"

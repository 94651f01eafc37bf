"""Which variants there are, which are kept and seen, and where their pixels lie."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from napari_pixcell.datasets import read_record
from napari_pixcell.engine.events import Variant
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.slides import Region
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.generation.target import Target
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.results.spill import KEPT_S, drop_old_results, results_folder
from napari_pixcell.studio.results.swipe import LINE, compose

SIDE = 100
MB = 3 * SIDE * SIDE / 1e6  # of one picture


class Many:
    """A gallery, and pictures for it."""

    def __init__(self) -> None:
        self.background, self.notices = Background(), Notices()
        self.gallery = Gallery(self.background, self.notices)
        self.pictures: list[np.ndarray] = []

    def target(self, number: int = 1) -> Target:
        region = Region(0, 0, SIDE, SIDE)
        tissue = np.zeros((SIDE, SIDE, 3), np.uint8)
        return Target(number, f"Region {number}", "slide", region, 0.5, (SIDE, SIDE), tissue)

    def add(self, count: int = 1, region: int = 1, job: int = 1, show: bool = False) -> Result:
        for _ in range(count):
            seed = len(self.pictures)
            image = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
            self.pictures.append(image)
            request = GenerateRequest(family="demo", seed=seed)
            variant = Variant(0, image, Record(request, sha256=pixels_sha256(image)))
            result = self.gallery.add(self.target(region), variant, job, show)
        return result

    def settle(self) -> None:
        end = time.monotonic() + 10
        while self.background.busy:
            assert time.monotonic() < end
            if not self.background.pump():
                time.sleep(0.002)

    def there(self) -> list[bool]:
        return [result.memory is not None for result in self.gallery.results]


@pytest.fixture
def many(monkeypatch):
    monkeypatch.setenv("PIXCELL_RESULTS_MB", "500")
    many = Many()
    yield many
    many.gallery.close()
    many.background.close()


def shown(many: Many) -> list[int]:
    return [result.number for result in many.gallery.results if result.shown]


def test_what_is_not_kept_is_seen_one_at_a_time_and_what_is_kept_beside_it(many) -> None:
    many.add(3)
    many.add(2, region=2, job=2)
    first, second, _, fourth, fifth = many.gallery.results
    many.gallery.show(first)
    many.gallery.show(fourth)
    assert shown(many) == [4] and many.gallery.previewed is fourth
    many.gallery.star([first, fourth])
    many.gallery.show(first)
    assert shown(many) == [1, 4]
    many.gallery.show(fifth)  # in place of its region's other
    assert shown(many) == [1, 5] and many.gallery.previewed is fifth
    many.gallery.show(second)
    assert shown(many) == [2]
    many.gallery.toggle(second)
    assert shown(many) == [] and many.gallery.looked is None
    assert many.gallery.kept == [first, fourth]


def test_no_longer_kept_it_goes_into_the_shared_layer_alone(many) -> None:
    many.add(1)
    many.add(1, region=2, job=2)
    first, second = many.gallery.results
    many.gallery.star(first)
    many.gallery.show(first)
    many.gallery.show(second)
    assert shown(many) == [1, 2]
    many.gallery.star(first, on=False)
    assert shown(many) == [1] and many.gallery.previewed is first


def test_numbers_are_those_of_the_regions_newest_job(many) -> None:
    many.add(3, job=1)
    many.add(2, job=2)
    many.add(2, region=2, job=3)
    many.gallery.show_nth(1, 2)
    assert shown(many) == [5]
    many.gallery.show_nth(1, 3)  # there is none
    many.gallery.show_nth(9, 1)
    assert shown(many) == [5]
    many.gallery.show_nth(1, 0)
    assert shown(many) == []


def test_what_was_discarded_comes_back_in_its_place_until_something_new_is_made(many) -> None:
    many.add(4)
    before = list(many.gallery.results)
    many.gallery.discard(before[1], before[2])
    assert many.gallery.results == [before[0], before[3]]
    assert many.notices.notes["results"] == "2 variants were discarded."
    many.gallery.undo_discard()
    assert many.gallery.results == before and "results" not in many.notices.notes
    many.gallery.discard(before[0])
    many.add()
    assert not many.gallery.discarded and "results" not in many.notices.notes
    many.gallery.undo_discard()
    assert before[0] not in many.gallery.results


def test_the_oldest_leave_the_memory_and_come_back_exactly(many, monkeypatch) -> None:
    monkeypatch.setenv("PIXCELL_RESULTS_MB", str(2 * MB))
    many.add(2)
    many.gallery.star(many.gallery.results[0])
    many.add(4)
    many.settle()
    assert many.there() == [True, False, False, False, True, True]
    second = many.gallery.results[1]
    np.testing.assert_array_equal(second.image, many.pictures[1])  # as an export reads it
    assert second.memory is None
    many.gallery.show(second)
    assert not second.shown  # not before its pixels are there
    many.settle()
    assert second.shown
    np.testing.assert_array_equal(second.memory, many.pictures[1])
    assert many.there() == [True, True, False, False, False, True]
    many.gallery.star(many.gallery.results[2])
    many.settle()
    assert many.there()[2]  # what is kept is in memory again
    assert (results_folder()).exists()
    many.gallery.close()
    assert not any(results_folder().iterdir())


def test_the_last_click_wins_while_pixels_are_read(many, monkeypatch) -> None:
    monkeypatch.setenv("PIXCELL_RESULTS_MB", str(MB))
    many.add(3)
    many.settle()
    first, second, third = many.gallery.results
    many.gallery.show(first)
    many.gallery.show(second)
    many.gallery.show(third)
    many.settle()
    assert shown(many) == [3]


def test_the_oldest_on_a_full_disk_are_discarded_with_a_note_but_never_kept_ones(
    many, monkeypatch
) -> None:
    monkeypatch.setenv("PIXCELL_RESULTS_MB", str(MB))
    monkeypatch.setenv("PIXCELL_RESULTS_DISK_MB", str(2 * MB))
    many.add(1)
    many.settle()
    many.gallery.star(many.gallery.results[0])
    many.add(5)
    many.settle()
    assert [result.number for result in many.gallery.results] == [1, 4, 5, 6]
    assert many.notices.notes["results"] == (
        "The 2 oldest variants were discarded to make room. Keep those that you want (S)."
    )
    (folder,) = results_folder().iterdir()
    assert len(list(folder.glob("*.npy"))) == 2
    for result in many.gallery.results:
        np.testing.assert_array_equal(result.image, many.pictures[result.number - 1])


def test_a_disk_that_takes_nothing_loses_nothing(many, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PIXCELL_RESULTS_MB", str(MB))
    (results_folder().parent).mkdir(parents=True, exist_ok=True)
    results_folder().write_text("a file where the folder should be")
    many.add(3)
    many.settle()
    assert many.there() == [True] * 3
    assert many.notices.problems["results"].startswith(
        "Older variants cannot move from memory to the disk ("
    )
    assert many.notices.problems["results"].endswith("discard variants that you do not need.")
    results_folder().unlink()
    many.add()
    many.settle()
    assert many.there() == [False, False, False, True]


@pytest.mark.parametrize("harm", ["gone", "cut", "altered"])
def test_pixels_that_are_gone_or_damaged_are_said_to_be(many, monkeypatch, harm) -> None:
    monkeypatch.setenv("PIXCELL_RESULTS_MB", str(MB))
    many.add(2)
    many.settle()
    first = many.gallery.results[0]
    if harm == "gone":
        first.place.unlink()
    elif harm == "cut":
        first.place.write_bytes(first.place.read_bytes()[:500])
    else:
        np.save(first.place, many.pictures[1])
    many.gallery.show(first)
    many.settle()
    assert not first.shown
    assert many.notices.problems["results"] == (
        "This variant is gone from the cache folder, or damaged there; generate it again with its "
        "seed and settings."
    )


def test_what_a_killed_session_left_goes_when_it_is_old() -> None:
    for name, age in (("old", KEPT_S + 60), ("new", 60)):
        folder = results_folder() / name
        folder.mkdir(parents=True)
        os.utime(folder, (time.time() - age,) * 2)
    drop_old_results()
    assert [path.name for path in results_folder().iterdir()] == ["new"]


def test_a_divider_shows_one_picture_on_either_side() -> None:
    left = np.full((50, 40, 3), 10, np.uint8)
    right = np.full((100, 80, 3), 200, np.uint8)
    out = np.empty_like(right)
    for at in (0.25, 0.75, 0.5):
        compose(left, right, at, out)
        column = round(80 * at)
        assert (out[:, : column - 1] == 10).all() and (out[:, column + 1 :] == 200).all()
        assert tuple(out[50, column]) == LINE
    assert (right == 200).all()


def test_a_divider_needs_a_variant_and_what_it_is_compared_with(many) -> None:
    first, second = many.add(), many.add()
    other = many.add(region=2, job=2)
    swipe = many.gallery.swipe
    assert swipe.why_not(None) == "Show a variant first."
    assert swipe.why_not(first) == "" and swipe.words(first) == "tissue | seed 0"
    many.gallery.swipe_against(second)
    assert swipe.on and swipe.words(first) == "seed 1 | seed 0"
    assert swipe.beside(first) is second.memory
    assert swipe.beside(other) is other.target.pixels  # nothing of another region
    many.gallery.discard(second)
    assert swipe.words(first) == "tissue | seed 0"
    first.target.pixels = None
    assert swipe.why_not(first) == "Its tissue is not at hand; hold H to see the original."
    first.shape = (5000, 100, 3)
    assert swipe.why_not(first).startswith("A picture this large has no divider; hold H")


def test_a_saved_image_carries_its_record_and_no_path(session, tmp_path, client) -> None:
    session.regions.add((300, 300))
    session.wait()
    session.generator.generate()
    session.wait(until=lambda: client.waiting and not session.background.busy)
    client.play()
    session.wait()
    result = session.gallery.results[0]
    session.exporter.name = "a/b case"
    assert session.exporter.picture_name(result) == ("b_case-seed1234.png", ".png")
    session.exporter.save_picture(result, tmp_path / "mine.jpg")
    session.wait()
    assert session.notices.notes["results"] == "Saved mine.png"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.png"]
    record = read_record(tmp_path / "mine.png")
    assert record.request.seed == 1234 and record.request.source.name == "b_case"
    session.exporter.save_picture(result, tmp_path / "nowhere" / "mine.png")
    session.wait()
    assert session.notices.problems["results"] == (
        "mine.png cannot be written (No such file or directory). Choose another folder."
    )


def test_an_export_takes_the_kept_ones_if_there_are_any(session, tmp_path, client) -> None:
    session.regions.add((300, 300))
    session.wait()
    session.generator.generate()
    session.wait(until=lambda: client.waiting and not session.background.busy)
    client.play()
    session.wait()
    gallery = session.gallery
    assert len(gallery.to_export()) == 4
    gallery.star(gallery.results[2])
    session.exporter.write_pairs(tmp_path)
    session.wait()
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["case_7-seed1236.png"]
    gallery.kept_only = False
    assert len(gallery.to_export()) == 4

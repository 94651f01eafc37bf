"""The gallery: its variants, which are starred and shown, and where their pixels are."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from napari_pixcell.datasets import read_record
from napari_pixcell.engine.events import Variant
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.slides import Region
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.generation.target import Target
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.results.spill import KEPT_S, drop_old_results, results_folder
from napari_pixcell.studio.results.swipe import LINE, compose

SIDE = 100
MB = 3 * SIDE * SIDE / 1e6  # size of one picture


class Bench:
    """A gallery with pictures to add to it."""

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

    def in_memory(self) -> list[bool]:
        return [result.memory is not None for result in self.gallery.results]


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.setenv("PIXCELL_RESULTS_MB", "500")
    bench = Bench()
    yield bench
    bench.gallery.close()
    bench.background.close()


def shown(bench: Bench) -> list[int]:
    return [result.number for result in bench.gallery.results if result.shown]


def test_variants_without_a_star_are_shown_one_at_a_time_beside_the_starred_ones(bench) -> None:
    bench.add(3)
    bench.add(2, region=2, job=2)
    first, second, _, fourth, fifth = bench.gallery.results
    bench.gallery.show(first)
    bench.gallery.show(fourth)
    assert shown(bench) == [4] and bench.gallery.previewed is fourth
    bench.gallery.star([first, fourth])
    bench.gallery.show(first)
    assert shown(bench) == [1, 4]
    bench.gallery.show(fifth)  # replaces the other variant of its region
    assert shown(bench) == [1, 5] and bench.gallery.previewed is fifth
    assert bench.gallery.shown_in(1) is first and bench.gallery.shown_in(2) is fifth
    bench.gallery.show(second)
    assert shown(bench) == [2]
    bench.gallery.toggle(second)
    assert shown(bench) == [] and bench.gallery.looked is None
    assert bench.gallery.shown_in(1) is None
    assert bench.gallery.kept == [first, fourth]


def test_a_variant_that_loses_its_star_is_alone_in_the_shared_layer(bench) -> None:
    bench.add(1)
    bench.add(1, region=2, job=2)
    first, second = bench.gallery.results
    bench.gallery.star(first)
    bench.gallery.show(first)
    bench.gallery.show(second)
    assert shown(bench) == [1, 2]
    bench.gallery.star(first, on=False)
    assert shown(bench) == [1] and bench.gallery.previewed is first


def test_variants_are_numbered_within_the_newest_job_of_a_region(bench) -> None:
    bench.add(3, job=1)
    bench.add(2, job=2)
    bench.add(2, region=2, job=3)
    bench.gallery.show_nth(1, 2)
    assert shown(bench) == [5]
    bench.gallery.show_nth(1, 3)  # there are only two
    bench.gallery.show_nth(9, 1)
    assert shown(bench) == [5]
    bench.gallery.show_nth(1, 0)
    assert shown(bench) == []


def test_discarded_variants_can_be_restored_until_another_is_added(bench) -> None:
    bench.add(4)
    before = list(bench.gallery.results)
    bench.gallery.discard(before[1], before[2])
    assert bench.gallery.results == [before[0], before[3]]
    assert bench.notices.notes["results"] == "2 variants were discarded."
    bench.gallery.undo_discard()
    assert bench.gallery.results == before and "results" not in bench.notices.notes
    bench.gallery.discard(before[0])
    bench.add()
    assert not bench.gallery.discarded and "results" not in bench.notices.notes
    bench.gallery.undo_discard()
    assert before[0] not in bench.gallery.results


def test_the_oldest_variants_move_to_disk_and_are_read_back_exactly(bench, monkeypatch) -> None:
    monkeypatch.setenv("PIXCELL_RESULTS_MB", str(2 * MB))
    bench.add(2)
    bench.gallery.star(bench.gallery.results[0])
    bench.add(4)
    bench.settle()
    assert bench.in_memory() == [True, False, False, False, True, True]
    second = bench.gallery.results[1]
    np.testing.assert_array_equal(
        second.image, bench.pictures[1]
    )  # as an export reads it, without keeping it
    assert second.memory is None
    bench.gallery.show(second)
    assert not second.shown  # its pixels are not read yet
    bench.settle()
    assert second.shown
    np.testing.assert_array_equal(second.memory, bench.pictures[1])
    assert bench.in_memory() == [True, True, False, False, False, True]
    bench.gallery.star(bench.gallery.results[2])
    bench.settle()
    assert bench.in_memory()[2]  # starred variants are in memory
    assert (results_folder()).exists()
    bench.gallery.close()
    assert not any(results_folder().iterdir())


def test_the_variant_clicked_last_is_shown_once_its_pixels_are_read(bench, monkeypatch) -> None:
    monkeypatch.setenv("PIXCELL_RESULTS_MB", str(MB))
    bench.add(3)
    bench.settle()
    first, second, third = bench.gallery.results
    bench.gallery.show(first)
    bench.gallery.show(second)
    bench.gallery.show(third)
    bench.settle()
    assert shown(bench) == [3]


def test_the_oldest_variants_without_a_star_are_discarded_above_the_disk_limit(
    bench, monkeypatch
) -> None:
    monkeypatch.setenv("PIXCELL_RESULTS_MB", str(MB))
    monkeypatch.setenv("PIXCELL_RESULTS_DISK_MB", str(2 * MB))
    bench.add(1)
    bench.settle()
    bench.gallery.star(bench.gallery.results[0])
    bench.add(5)
    bench.settle()
    assert [result.number for result in bench.gallery.results] == [1, 4, 5, 6]
    assert bench.notices.notes["results"] == (
        "Discarded the 2 oldest variants to free disk space. Star variants to keep them (S)."
    )
    (folder,) = results_folder().iterdir()
    assert len(list(folder.glob("*.npy"))) == 2
    for result in bench.gallery.results:
        np.testing.assert_array_equal(result.image, bench.pictures[result.number - 1])


def test_variants_stay_in_memory_if_the_disk_cannot_be_written(
    bench, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("PIXCELL_RESULTS_MB", str(MB))
    (results_folder().parent).mkdir(parents=True, exist_ok=True)
    results_folder().write_text("a file where the folder should be")
    bench.add(3)
    bench.settle()
    assert bench.in_memory() == [True] * 3
    assert bench.notices.problems["results"].startswith(
        "Older variants could not be moved from memory to disk ("
    )
    assert bench.notices.problems["results"].endswith("or discard variants.")
    results_folder().unlink()
    bench.add()
    bench.settle()
    assert bench.in_memory() == [False, False, False, True]


@pytest.mark.parametrize("harm", ["missing", "cut", "altered"])
def test_missing_or_damaged_pixels_are_reported(bench, monkeypatch, harm) -> None:
    monkeypatch.setenv("PIXCELL_RESULTS_MB", str(MB))
    bench.add(2)
    bench.settle()
    first = bench.gallery.results[0]
    if harm == "missing":
        first.place.unlink()
    elif harm == "cut":
        first.place.write_bytes(first.place.read_bytes()[:500])
    else:
        np.save(first.place, bench.pictures[1])
    bench.gallery.show(first)
    bench.settle()
    assert not first.shown
    assert bench.notices.problems["results"] == (
        "The pixels of this variant are missing from the cache, or damaged. Generate it again with "
        "the same seed and settings."
    )


def test_old_files_of_killed_sessions_are_removed() -> None:
    for name, age in (("old", KEPT_S + 60), ("new", 60)):
        folder = results_folder() / name
        folder.mkdir(parents=True)
        os.utime(folder, (time.time() - age,) * 2)
    drop_old_results()
    assert [path.name for path in results_folder().iterdir()] == ["new"]


def test_the_divider_shows_one_picture_on_each_side() -> None:
    left = np.full((50, 40, 3), 10, np.uint8)
    right = np.full((100, 80, 3), 200, np.uint8)
    out = np.empty_like(right)
    for at in (0.25, 0.75, 0.5):
        compose(left, right, at, out)
        column = round(80 * at)
        assert (out[:, : column - 1] == 10).all() and (out[:, column + 1 :] == 200).all()
        assert tuple(out[50, column]) == LINE
    assert (right == 200).all()


def test_the_divider_needs_a_variant_and_something_to_compare_it_with(bench) -> None:
    first, second = bench.add(), bench.add()
    other = bench.add(region=2, job=2)
    swipe = bench.gallery.swipe
    assert swipe.why_not(None) == "Show a variant first."
    assert swipe.why_not(first) == "" and swipe.words(first) == "tissue | seed 0"
    bench.gallery.swipe_against(second)
    assert swipe.on and swipe.words(first) == "seed 1 | seed 0"
    assert swipe.beside(first) is second.memory
    assert swipe.beside(other) is other.target.pixels  # a variant of another region does not fit
    bench.gallery.discard(second)
    assert swipe.words(first) == "tissue | seed 0"
    first.target.pixels = None
    assert swipe.why_not(first) == "The tissue is not in memory. Hold H to see the original."
    first.shape = (5000, 100, 3)
    assert swipe.why_not(first).startswith("The picture is too large for the divider. Hold H")


def test_a_saved_image_contains_its_record_and_no_path(session, tmp_path, client) -> None:
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


def test_an_export_is_limited_to_starred_variants_if_there_are_any(
    session, tmp_path, client
) -> None:
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
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["variant-seed1236.png"]
    gallery.kept_only = False
    assert len(gallery.to_export()) == 4

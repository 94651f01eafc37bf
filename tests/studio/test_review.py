"""Reviewing a dataset without a window: lists, decisions, storing and reading."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_dataset import DRAWN_CHECKS, SIDE, judge, labels_of, make_dataset, write_pairs

from napari_pixcell.datasets.store.checks import SCORES, Checks
from napari_pixcell.datasets.store.decisions import decide, is_used, read_decisions
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.nuclei import DifferingNuclei
from napari_pixcell.datasets.store.rows import append_rows
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.engine.repair import NucleusCounts
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.results.lazy_pictures import UNREADABLE, LazyPictures
from napari_pixcell.studio.review import review as review_module
from napari_pixcell.studio.review.captions import (
    TITLES,
    caption,
    flag_sentences,
    nucleus_counts,
    pair_words,
    score_lines,
)
from napari_pixcell.studio.review.columns import CODES, Columns, counts, encoded, used
from napari_pixcell.studio.review.open_dataset import (
    PARTIAL,
    PLACED,
    WRONG,
    YELLOW,
    outlines,
    pair_picture,
)
from napari_pixcell.studio.review.review import Review


def wait(review: Review, until: Callable[[], bool] | None = None) -> None:
    end = time.monotonic() + 20
    while review.busy if until is None else not until():
        assert time.monotonic() < end, review.problem
        if not review.pump():
            time.sleep(0.002)
    review.pump()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 12 pairs of 4 styles and 3 layouts; pairs 4 and 9 do not follow their masks."""
    return make_dataset(tmp_path_factory.mktemp("made") / "data", styles=4, layouts=3).folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


@pytest.fixture
def review(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Review]:
    monkeypatch.setattr(review_module, "POLL_S", 0.1)
    review = opened(folder)
    yield review
    review.close()


def opened(folder: Path) -> Review:
    review = Review()
    review.open(folder)
    wait(review, lambda: not review.opening)
    return review


def numbers(review: Review) -> list[int]:
    assert review.columns is not None
    return review.columns.index[review.order].tolist()


def current_number(review: Review) -> int:
    assert review.columns is not None and review.current is not None
    return int(review.columns.index[review.current])


def on_disk(folder: Path) -> list[tuple[int, str | None]]:
    lines = (folder / "decisions.jsonl").read_text().splitlines()
    return [(row["index"], row["decision"]) for row in map(json.loads, lines)]


def test_pairs_are_counted_filtered_and_sorted(review: Review) -> None:
    assert review.columns is not None
    assert counts(review.columns, review.codes) == "12 pairs, 10 pass the checks"
    assert numbers(review) == list(range(12)) and current_number(review) == 0
    review.want(show="flagged")
    assert numbers(review) == [4, 9] and current_number(review) == 4
    review.want(show="mask")
    assert numbers(review) == [4, 9]
    review.want(show="blur")
    assert numbers(review) == [] and review.current is None
    assert review.why_no_pair() == "No pair is listed: show all pairs"
    review.want(show="all", style=1)
    assert numbers(review) == [1, 5, 9]
    review.want(sort="dice", style=None)
    assert numbers(review)[:3] == [4, 9, 0] and current_number(review) == 4
    review.want(highest_first=True)
    assert numbers(review)[:2] == [11, 10] and numbers(review)[-2:] == [4, 9]
    review.want(sort="copy_pixels")  # high values are suspicious, so they are first
    assert review.wanted.highest_first and numbers(review) == list(range(12))
    review.want(sort="cells")
    cells = review.columns.cells[review.order]
    assert (np.diff(cells) >= 0).all() and cells[0] < cells[-1]


def moved(row: dict, index: int) -> dict:
    """Return the row of a pair as that of another one."""
    text = json.dumps(row).replace(f"/{row['index']:06}.", f"/{index:06}.")
    return json.loads(text) | {"index": index}


def test_pairs_without_the_score_are_last_in_either_order(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", pairs=3)
    row = json.loads((dataset.folder / "manifest.jsonl").read_text().splitlines()[0])
    append_rows(dataset.folder / "manifest.jsonl", [moved(row, 3) | {"scores": {"dice": None}}])
    review = opened(dataset.folder)
    for highest_first, order in ((False, [0, 1, 2, 3]), (True, [2, 1, 0, 3])):
        review.want(sort="dice", highest_first=highest_first)
        assert numbers(review) == order
    review.close()


def test_a_decision_moves_to_the_next_pair_and_can_be_undone(review: Review, folder: Path) -> None:
    review.decide("accepted")
    review.decide("rejected")
    assert current_number(review) == 2
    assert review.columns is not None
    words = counts(review.columns, review.codes)
    assert words == "12 pairs, 10 pass the checks, 1 accepted, 1 rejected"
    review.decide("rejected", [4, 5, 6])  # one step of undo for all three
    assert current_number(review) == 2
    review.undo()
    assert [review.decision(at) for at in (4, 5, 6)] == [None, None, None]
    review.undo()
    assert current_number(review) == 1 and review.decision(1) is None
    review.redo()
    assert review.decision(1) == "rejected"
    review.decide(None, [0])
    assert review.decision(0) is None and review.why_no_redo()
    wait(review)
    assert read_decisions(folder) == {1: "rejected"}
    again = opened(folder)
    assert again.decision(1) == "rejected" and again.why_no_undo()
    again.close()


def test_repeating_a_decision_writes_nothing(review: Review, folder: Path) -> None:
    review.decide("accepted")
    review.go(0)
    review.decide("accepted")
    assert current_number(review) == 1
    wait(review)
    assert on_disk(folder) == [(0, "accepted")]
    review.undo()
    assert review.why_no_undo()


def test_decided_pairs_leave_the_list_of_undecided_ones(review: Review) -> None:
    review.want(show="undecided")
    review.go(3)
    review.decide("rejected")
    assert numbers(review) == [0, 1, 2, *range(4, 12)] and current_number(review) == 4
    review.go(11)
    review.decide("accepted")
    assert current_number(review) == 10
    review.undo()
    assert numbers(review)[-1] == 11 and current_number(review) == 11
    review.want(show="rejected")
    assert numbers(review) == [3]


def test_the_count_of_used_pairs_is_that_of_exports(review: Review) -> None:
    review.decide("accepted", [4])
    review.decide("rejected", [0, 9])
    columns = review.columns
    assert columns is not None
    expected = [is_used(bool(f), review.decision(i)) for i, f in enumerate(columns.flagged)]
    assert used(columns, review.codes) == sum(expected) == 10


def test_a_dataset_can_be_reviewed_while_another_process_generates_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_module, "POLL_S", 0.1)
    dataset = make_dataset(tmp_path / "data", pairs=2)
    review = opened(dataset.folder)
    with locked(dataset.folder):  # as during generation
        review.want(sort="dice", highest_first=True)
        review.go(1)
        review.decide("rejected", [1])
        write_pairs(dataset, 5)
        wait(review, lambda: len(review.order) == 5)
        assert numbers(review) == [3, 2, 1, 0, 4] and current_number(review) == 0
        assert review.decision(1) == "rejected"
        wait(review, lambda: not review.unsaved)
        assert read_decisions(dataset.folder) == {1: "rejected"}
    decide(dataset.folder, {0: "accepted"})  # another reviewer
    wait(review, lambda: review.decision(0) == "accepted")
    review.close()


def test_a_table_continues_after_a_partly_written_row(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", pairs=2)
    manifest = dataset.folder / "manifest.jsonl"
    row = json.dumps(moved(json.loads(manifest.read_text().splitlines()[1]), 2)).encode()
    table = PairTable(dataset)
    with manifest.open("ab") as file:
        file.write(row[:40])
    assert table.refresh() == 2
    with manifest.open("ab") as file:
        file.write(row[40:] + b"\n")
    assert table.refresh() == 3 and table.index.tolist() == [0, 1, 2]
    assert table.row(2)["index"] == 2


def test_a_dataset_that_replaces_the_open_one_is_read(review: Review, folder: Path) -> None:
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:3]))
    wait(review, lambda: review.columns is not None and len(review.columns) == 3)
    assert numbers(review) == [0, 1, 2]


def test_decisions_that_could_not_be_stored_are_kept_and_retried(
    review: Review, folder: Path, tmp_path: Path
) -> None:
    obstacle = folder / "decisions.jsonl"
    obstacle.mkdir()
    review.decide("accepted")
    wait(review, lambda: bool(review.cannot_save))
    assert review.cannot_save == (
        "1 decision could not be stored in data (Is a directory). Check the folder, then retry. "
        "Until then they are kept in memory."
    )
    review.decide("rejected")
    wait(review, lambda: review.cannot_save.startswith("2 decisions"))
    review.open(make_dataset(tmp_path / "other", pairs=1).folder)
    assert not review.opening and review.problem == review.cannot_save
    obstacle.rmdir()
    review.save_again()
    wait(review, lambda: not review.unsaved)
    assert not review.cannot_save and on_disk(folder) == [(0, "accepted"), (1, "rejected")]


def test_closing_stores_the_latest_decisions(folder: Path) -> None:
    review = opened(folder)
    for _ in range(5):
        review.decide("accepted")
    review.decide("rejected", [0])
    review.close()  # without a pump in between
    assert read_decisions(folder) == {0: "rejected"} | dict.fromkeys(range(1, 5), "accepted")


def test_closing_raises_if_decisions_cannot_be_stored(folder: Path) -> None:
    review = opened(folder)
    (folder / "decisions.jsonl").mkdir()
    review.decide("accepted")
    with pytest.raises(PixCellError, match="1 decision could not be stored"):
        review.close()


def test_a_folder_without_a_dataset_is_refused(review: Review, tmp_path: Path) -> None:
    review.open(tmp_path)
    assert review.why_no_pair() == "A dataset is being opened"
    wait(review, lambda: not review.opening)
    assert review.problem.startswith(f"There is no dataset in {tmp_path.name}. Choose a folder")
    assert current_number(review) == 0  # the open dataset is still there


def test_damaged_rows_are_counted_also_after_new_ones(folder: Path, tmp_path: Path) -> None:
    path = folder / "manifest.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(["[]\n", *lines[1:10], "{}\n"]))
    review = opened(folder)
    expected = "Skipped 2 rows of manifest.jsonl, which cannot be read. Resume the dataset,"
    assert review.damage.startswith(expected) and len(numbers(review)) == 9
    with path.open("a") as file:
        file.write(lines[10])
    review._poll_at = 0
    wait(review, lambda: len(numbers(review)) == 10)
    assert review.damage.startswith(expected)
    review.close()
    assert review.damage == ""


def test_a_pair_without_its_files_is_reported(review: Review, folder: Path) -> None:
    pairs = []
    review.read(1, pairs.append)
    wait(review)
    assert pairs[0].number == 1 and np.array_equal(pairs[0].labels, labels_of(1))
    (folder / "images" / "000000.png").unlink()
    review.small.want([review.key(0, 48), review.key(1, 48)])
    review.read(0, pairs.append)
    wait(review)
    assert review.small.get(review.key(0, 48)) is UNREADABLE
    picture = review.small.get(review.key(1, 48))
    assert picture is not None and picture.shape == (48, 48, 3)
    assert review.problem == (
        "Pair 0 cannot be read. Restore its files from a backup, or resume the dataset."
    )


def test_only_the_newest_request_is_read_and_the_oldest_pictures_leave_the_cache() -> None:
    read: list[int] = []
    gate = threading.Event()
    background = Background()

    def draw(number: int) -> np.ndarray:
        read.append(number)
        assert gate.wait(20)
        return np.full((10, 10, 3), number, np.uint8)

    pictures: LazyPictures[int] = LazyPictures(background, draw, most_bytes=900)
    came = []
    pictures.came.connect(lambda: came.append(len(read)))
    pictures.want(range(100))
    while len(read) < 2:
        time.sleep(0.002)
    pictures.want([1, 7, 8, 200])
    gate.set()
    while pictures.busy:
        time.sleep(0.002)
    background.pump()
    assert sorted(read) == [0, 1, 7, 8, 200] and came
    assert pictures.get(200) is not None and pictures.get(8) is not None
    kept = sum(pictures.get(number) is not None for number in set(read))
    assert kept == 3  # of 300 bytes each
    pictures.close()
    background.close()


def test_outlines_separate_touching_cells() -> None:
    labels = np.zeros((8, 10), np.uint16)
    labels[1:7, 1:5], labels[1:7, 5:9] = 1, 2
    edge = outlines(labels)
    assert edge[1:7, 4:6].all() and not edge[2:6, 2:4].any() and not edge[labels == 0].any()
    image = np.full((8, 10, 3), 200, np.uint8)
    drawn = pair_picture(image, labels, 200)
    assert drawn.shape == (160, 200, 3)
    yellow = (drawn == YELLOW).all(axis=2)
    assert yellow.any() and (drawn[~yellow] == 200).all()
    assert not (pair_picture(image, None, 5) == YELLOW).all(axis=2).any()


EXTRA = np.zeros((SIDE, SIDE), np.uint8)
EXTRA[40:46, 2:9], EXTRA[40:46, 9:15] = 1, 2  # touching


def ring(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """Return the outermost pixels of a rectangle, its ends included."""
    which = np.zeros((480, 640), bool)
    which[top : bottom + 1, left : right + 1] = True
    which[top + 1 : bottom, left + 1 : right] = False
    return which


def test_outlines_show_agreement_on_the_very_pixels_of_the_nuclei() -> None:
    """Rectangles, whose outlines are known without the code that draws them."""
    places = {1: (20, 30, 49, 69), 2: (20, 70, 49, 99), 5: (100, 30, 139, 59)}
    places[300] = 10, 590, 19, 629
    labels, extra = np.zeros((480, 640), np.uint16), np.zeros((480, 640), np.uint8)
    for label, (top, left, bottom, right) in places.items():
        labels[top : bottom + 1, left : right + 1] = label
    extra[130:180, 50:90] = 1  # overlaps the partial nucleus
    nuclei = DifferingNuclei(np.array([5]), np.array([300]), extra)
    image = np.full((480, 640, 3), 200, np.uint8)
    wrong = ring(10, 590, 19, 629) | ring(130, 50, 179, 89)
    expected = {
        PLACED: ring(20, 30, 49, 69) | ring(20, 70, 49, 99),
        PARTIAL: ring(100, 30, 139, 59) & ~wrong,
        WRONG: wrong,
    }
    drawn = pair_picture(image, labels, 640, nuclei)
    for colour, where in expected.items():
        assert np.array_equal((drawn == colour).all(axis=2), where)
    assert (drawn[~np.any(list(expected.values()), axis=0)] == 200).all()
    twice = pair_picture(image, labels, 1280, nuclei)  # still one pixel wide, and as exact
    large = np.zeros((960, 1280), bool)
    large[200:280, 60:120] = True
    large[201:279, 61:119] = False
    large[260:360, 100:180] = False  # covered by the extra nucleus, whose inside is empty
    outside = np.ones_like(large)
    outside[260:360, 100:180] = False
    assert np.array_equal((twice == PARTIAL).all(axis=2) & outside, large)
    small = pair_picture(image, labels, 64, nuclei)  # translucent
    assert not (small == WRONG).all(axis=2).any() and (small[1, 59:63] != 200).all()


@pytest.mark.parametrize(
    "seen",  # Machado et al., IEEE TVCG 15, 2009: protanopia, deuteranopia, tritanopia
    [
        ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
        ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
        ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
    ],
)
def test_colour_blind_readers_can_tell_the_outlines_apart(seen: Any) -> None:
    from skimage.color import deltaE_ciede2000, rgb2lab

    colours = np.array([PLACED, PARTIAL, WRONG]) / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    linear = (linear @ np.array(seen).T).clip(0, 1)
    shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    lab = rgb2lab(shown)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert deltaE_ciede2000(lab[one], lab[other]) > 20


def test_agreement_is_counted_filtered_sorted_and_shown(folder: Path) -> None:
    judge(folder, 2, 2, 4, EXTRA)  # of four nuclei
    judge(folder, 1, 1, 2, EXTRA // 3)  # of three, without extra ones
    review = opened(folder)
    columns = review.columns
    assert columns is not None and review.opened is not None
    assert nucleus_counts(columns, 2) == NucleusCounts(2, 1, 1, 2)
    assert nucleus_counts(columns, 0) is None  # of an earlier version
    assert nucleus_counts(columns, 1) == NucleusCounts(1, 1, 1, 0)
    assert caption(columns, 2, "placed") == "2 · 50 %" and caption(columns, 0, "extra") == "0 · –"
    words = [line[:3] for line in score_lines(columns, 2, Checks())]
    assert ("Nuclei placed", "50 %", "at least 40 %") in words and len(words) == 6
    review.want(show="unplaced")
    assert numbers(review) == [1, 2]
    review.want(show="extra")
    assert numbers(review) == [2]
    review.want(show="all", sort="extra")  # the worst first
    assert numbers(review)[:3] == [2, 1, 0]
    review.want(sort="placed")
    assert numbers(review)[:2] == [1, 2] and review.wanted.highest_first is False

    assert review.judged
    coloured = [review.opened.picture(review.key(at, SIDE * 4)) for at in (0, 2)]
    review.judge(False)
    plain = [review.opened.picture(review.key(at, SIDE * 4)) for at in (0, 2)]
    assert np.array_equal(coloured[0], plain[0]) and (plain[0] == YELLOW).all(axis=2).any()
    assert (coloured[1] == WRONG).all(axis=2)[40 * 4, 2 * 4 : 15 * 4].all()
    assert not (coloured[1] == YELLOW).all(axis=2).any()
    review.outline(False)
    assert review.why_not_judged() == "Show the outlines first (M)"
    pairs = []
    review.read(2, pairs.append)
    wait(review)
    assert np.array_equal(pairs[0].nuclei.extra, EXTRA)
    review.close()


def test_a_pair_with_damaged_nuclei_is_reported(folder: Path) -> None:
    judge(folder, 1, 2, 4, EXTRA)
    manifest = folder / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace('"zlib": "', '"zlib": "AAAA'))
    review = opened(folder)
    review.read(1, lambda pair: None)
    wait(review)
    assert review.problem.startswith("Pair 1 cannot be read. Restore its files from a backup")
    review.close()


def test_scores_and_flags_are_described_in_words(review: Review) -> None:
    columns, checks = review.columns, DRAWN_CHECKS
    assert columns is not None and review.opened is not None
    (dice, style) = score_lines(columns, 4, checks)
    assert dice[:3] == ("Overlap with its mask", "0.30", "at least 0.50")
    assert style.title == "Similarity to its style" and "cosine" in style.meaning
    assert flag_sentences(columns, 4, checks) == [
        "Does not follow its mask: overlap with its mask 0.30, expected at least 0.50."
    ]
    assert flag_sentences(columns, 0, checks) == []
    styles = review.opened.styles
    assert pair_words(columns, 4, styles, None) == "Pair 4 · Style 0 · 3 cells · undecided"
    assert caption(columns, 4, "dice") == "4 · 0.30" and caption(columns, 4, "number") == "4"
    assert caption(columns, 4, "colour") == "4 · –"
    assert set(TITLES) == set(SCORES)


def test_a_flag_names_only_the_scores_beyond_their_thresholds(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", pairs=1)
    row = next(dataset.rows())
    scores = {"copy_style": 0.9, "copy_pixels": 0.95, "contrast": 1.0, "saturated": 0.3}
    more = {"index": 1, "flags": ["copy", "failed"], "scores": scores}
    append_rows(dataset.folder / "manifest.jsonl", [moved(row, 1) | more])
    checks = Checks(most_copy_pixels=0.9, least_contrast=2.0)
    assert flag_sentences(Columns.of(PairTable(dataset)), 1, checks) == [
        "Too close to a real tile: pixel correlation with a real tile 0.95, expected at most 0.90.",
        "Blank, saturated or not a picture: contrast 1.0, expected at least 2.0.",
    ]
    checks = Checks(most_copy_pixels=0.97, least_contrast=None, most_saturated=None)
    assert flag_sentences(Columns.of(PairTable(dataset)), 1, checks) == [
        "Too close to a real tile: pixel correlation with a real tile 0.95.",
        "Blank, saturated or not a picture.",
    ]


def test_the_decisions_of_100_000_pairs_make_a_column() -> None:
    index = np.arange(100_000, dtype=np.int32)
    codes = encoded(index, {5: "accepted", 99_999: "rejected", 200_000: "accepted"})
    assert codes[5] == CODES["accepted"] and codes[99_999] == CODES["rejected"]
    assert np.count_nonzero(codes) == 2


def test_columns_do_not_change_while_the_table_grows(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", pairs=2)
    table = PairTable(dataset)
    columns = Columns.of(table)
    write_pairs(dataset)
    table.refresh()
    assert len(columns) == 2 and len(table) == 6 and columns.flagged.shape == (2,)

"""Files of features in a session: patches of the slide as styles, and their similarity."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from feature_files import features_of, make_endless, places, write_trident

from napari_pixcell.engine.request_values import EmbedRequest
from napari_pixcell.engine.styles.features import checking
from napari_pixcell.engine.styles.features.writing import write_features
from napari_pixcell.models.families import get_family
from napari_pixcell.slides import ArraySlide, Region
from napari_pixcell.studio.session import Session

GRID, SIDE, DIMENSION = (5, 5), 256, 128
SHAPE = (1500, 1500)


@pytest.fixture
def values() -> np.ndarray:
    return features_of(25, DIMENSION).reshape(*GRID, DIMENSION)


@pytest.fixture
def write(tmp_path: Path, values: np.ndarray) -> Callable[..., Path]:
    """Write the features of the slide's first 1280 px, as the demo family embeds them."""

    def write(name: str = "case 7", shape: tuple[int, int] = SHAPE, start: int = 0) -> Path:
        path = tmp_path / f"{name}.h5"
        box = Region(start, start, GRID[1] * SIDE, GRID[0] * SIDE)
        write_features(path, values, box, (shape, 0.5), get_family("demo"))
        return path

    return write


@pytest.fixture
def opened(session: Session, write: Callable[..., Path]) -> Session:
    session.features.open(write())
    session.wait(20)
    assert session.features.current is not None
    return session


def chosen(session: Session):
    """Return the style of the active region."""
    (one,) = session.styles.ingredients(session.regions.active)
    return one.style


def test_a_file_is_opened_in_the_background(session, write) -> None:
    session.features.open(write())
    assert session.features.current is None
    assert session.features.opening.sentence() == "Opening case 7.h5…"
    session.wait(20)
    assert len(session.features.current) == 25 and session.features.opening is None
    assert not session.features.why_not() and not session.features.why_no_map()
    assert not session.notices.problems and "style" not in session.notices.notes


ENDLESS = "import time; print('reading', flush=True); time.sleep(10**6)"


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Let each process that checks a file read for ever, and list these processes."""
    started: list[subprocess.Popen[bytes]] = []

    def start(path: Path, limit: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline()  # it reads by now
        started.append(process)
        return process

    monkeypatch.setattr(checking, "_start", start)
    monkeypatch.setattr(checking, "_checked", set())
    return started


@pytest.mark.parametrize("way", ["cancel", "close", "another"])
def test_reading_without_an_end_is_cancelled(
    session, write, endless, monkeypatch, way: str
) -> None:
    session.features.open(write())
    session.wait(until=lambda: bool(endless))
    session.pump()  # the window goes on
    assert session.features.opening is not None and session.busy
    if way == "cancel":
        assert session.cancel()
    elif way == "close":
        session.features.close()
    else:
        monkeypatch.undo()
        session.features.open(write("case 8"))
    endless[0].wait(60)
    session.wait(60)
    assert session.features.opening is None and not session.notices.problems
    now = session.features.current
    assert now is None if way != "another" else now.name == "case 8.h5"
    endless[0].stdout.close()


REFUSED = (
    "“case 7.h5” cannot be read: it is damaged, or its drive does not answer. Download or copy it "
    "again."
)


def test_a_file_that_ends_its_reader_is_refused(session, write, monkeypatch) -> None:
    start, code = subprocess.Popen, "import os; os.abort()"
    monkeypatch.setattr(checking, "_checked", set())
    monkeypatch.setattr(checking, "_start", lambda *_: start([sys.executable, "-c", code]))
    session.features.open(write())
    session.wait(60)
    assert session.features.current is None and session.features.opening is None
    assert session.notices.problems["style"] == REFUSED


def test_a_reader_that_fills_the_memory_is_ended(session, write, endless, monkeypatch) -> None:
    monkeypatch.setattr(checking, "MOST_BYTES", 1)
    session.features.open(write())
    session.wait(60)
    endless[0].stdout.close()
    assert session.features.current is None and session.notices.problems["style"] == REFUSED


def test_a_file_on_which_hdf5_loops_is_refused(session, write, monkeypatch) -> None:
    monkeypatch.setattr(checking, "LIMIT_S", 1)
    path = write()
    make_endless(path)
    session.features.open(path)
    session.wait(60)
    assert session.features.current is None
    # A later HDF5 may notice the loop by itself.
    assert session.notices.problems["style"].startswith("“case 7.h5” ")
    assert session.notices.problems["style"].endswith("Download or copy it again.")


def test_a_reader_that_cannot_be_started_is_named(session, write, monkeypatch) -> None:
    monkeypatch.setattr(checking, "_checked", set())
    monkeypatch.setattr(sys, "executable", str(write().with_name("no python")))
    session.features.open(write())
    session.wait(60)
    assert session.notices.problems["style"] == (
        "The process that reads “case 7.h5” cannot be started (No such file or directory). Close "
        "other programs and try again."
    )


def test_the_process_that_reads_ends_by_itself_in_a_loop_without_python(write) -> None:
    # A regular expression that takes for ever keeps Python's lock, as HDF5 does.
    code = (
        "import re, sys; from napari_pixcell.engine.styles.features import checking\n"
        "checking._read = lambda path: re.match('(a+)+$', 'a' * 60 + 'b')\n"
        "sys.argv[1:] = ['0.1', 'case.h5']; checking.main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ended.returncode == 1 and b"Timeout" in ended.stderr


def test_files_are_told_apart_in_another_process(write, tmp_path, endless, monkeypatch) -> None:
    good, cut, other = write(), tmp_path / "cut.h5", tmp_path / "other.h5"
    monkeypatch.setattr(checking, "GLANCE_S", 0)
    monkeypatch.setattr(checking, "EXTRA_S", 0)
    assert checking.seems_features(good) and endless[0].wait(60)  # opening it says what is wrong
    endless[0].stdout.close()
    monkeypatch.undo()
    monkeypatch.setattr(checking, "GLANCE_S", 600)  # however busy this machine is
    monkeypatch.setattr(checking, "_checked", set())
    cut.write_bytes(good.read_bytes()[:600])
    other.write_bytes(b"no HDF5")
    found = [checking.seems_features(path) for path in (good, other, tmp_path / "no.h5")]
    assert found == [True, False, False]
    checking.check_readable(cut)  # opening it says what is wrong
    checking.check_readable(good)
    monkeypatch.setattr(checking, "_start", None)
    checking.check_readable(good)  # known to be readable


def test_a_patch_becomes_the_style_of_the_active_region(opened, client, values) -> None:
    item = opened.regions.add((700, 700))
    opened.wait(20)
    client.requests.clear()
    opened.features.use_at(300, 600)  # the third row of patches, the second column
    opened.wait(20)
    style = chosen(opened)
    np.testing.assert_array_equal(style.embedding[0, 0], values[2, 1])
    assert style.name == "Patch 11" and style.thumbnail.shape == (96, 96, 3)
    assert style.colours is not None and style.id in opened.library.temporary
    assert opened.features.current.chosen.tolist() == [11] and not client.requests
    opened.features.use_at(310, 610)  # again
    opened.wait(20)
    assert chosen(opened) is style and len(opened.library.temporary) == 1
    assert not opened.styles.why_not(item)


def test_without_a_region_a_patch_can_be_selected_later(opened) -> None:
    opened.features.use(3)
    opened.wait(20)
    (style,) = opened.library.all
    assert style.name == "Patch 3"
    assert opened.notices.notes["style"] == "“Patch 3” can be selected as a style now."


def test_a_patch_is_saved_by_name(opened) -> None:
    assert opened.features.suggested_name(4) == "Patch 4"
    opened.features.save(4, "Stroma")
    opened.wait(20)
    (style,) = opened.library.saved.values()
    assert style.name == "Stroma" and style.thumbnail is not None
    opened.features.save(4, " ")
    assert "A style needs a name" in opened.notices.problems["style"]


def test_a_click_beside_the_patches_is_explained(opened) -> None:
    opened.regions.add((700, 700))
    opened.wait(20)
    opened.features.use_at(1400, 1400)
    opened.wait(20)
    assert (
        "has no patch at 1400, 1400. The nearest one is row 24" in opened.notices.problems["style"]
    )
    assert not opened.library.all


@pytest.mark.usefixtures("pretend_installed")
def test_a_large_family_takes_four_by_four_neighbours(session, tmp_path, pretend_installed) -> None:
    pretend_installed()
    session.settings.use_family("pixcell-1024")
    numbers = features_of(25)
    stated = {"patch_size_level0": 256, "level0_width": 1500, "level0_height": 1500}
    path = write_trident(tmp_path / "case 7.h5", numbers, places(5, 5, 256), **stated)
    session.features.open(path)
    session.regions.add((700, 700))
    session.wait(20)
    session.features.use(12)
    session.wait(20)
    style = chosen(session)
    assert style.embedding.shape == (4, 4, 1536)
    np.testing.assert_array_equal(style.embedding[0, 0], numbers[0])
    assert len(session.features.current.chosen) == 16
    few = write_trident(tmp_path / "few.h5", numbers[:6], places(2, 3, 256), **stated)
    session.features.open(few)
    session.wait(20)
    session.features.use(1)
    session.wait(20)
    assert "needs 4 × 4 neighbouring patches" in session.notices.problems["style"]


def test_a_file_of_another_slide_is_a_list(session, write) -> None:
    session.features.open(write("other", shape=(4000, 3000)))
    session.wait(20)
    assert session.features.why_no_map() == (
        "The patches do not fit this slide. Open their own slide, or choose a patch in the list."
    )
    session.features.use(7)
    session.wait(20)
    (style,) = session.library.all
    assert style.thumbnail is None and style.colours is None


@pytest.mark.parametrize("change", ["beyond", "scale"])
def test_patches_that_do_not_fit_are_noticed(session, picture, write, change: str) -> None:
    if change == "scale":
        session.slides.set(ArraySlide([picture], 0.25, "case 7"))
        session.features.open(write())
    else:
        session.features.open(write(start=400))
    session.wait(20)
    assert "do not fit this slide" in session.features.why_no_map()


def test_a_file_with_the_name_of_another_slide_is_shown_and_said(session, write) -> None:
    session.features.open(write("Case 8"))
    session.wait(20)
    assert not session.features.why_no_map()
    assert session.notices.notes["style"] == (
        "“Case 8.h5” bears another name than this slide. Check that it belongs to it."
    )


def test_another_slide_or_model_says_why_it_cannot_be_used(
    opened, picture, pretend_installed
) -> None:
    opened.slides.set(None)
    assert opened.features.why_no_map().startswith("Choose a patch in the list")
    opened.slides.set(ArraySlide([picture], None, "case 7"))
    assert opened.features.why_no_map().startswith("Set the pixel size of the slide")
    opened.slides.set(ArraySlide([picture], 0.5, "case 7"))
    assert not opened.features.why_no_map()
    pretend_installed()
    opened.settings.use_family("pixcell-256")
    assert "PixCell-256 needs those of UNI2-h" in opened.features.why_no_map()
    opened.features.use(3)
    assert "needs those of UNI2-h" in opened.notices.problems["style"]
    opened.settings.use_family("demo")
    assert not opened.features.why_no_map()


def test_closing_keeps_the_styles_and_closes_the_file(opened) -> None:
    file = opened.features.current.file
    opened.features.use(3)
    opened.wait(20)
    opened.features.close()
    opened.wait(20)
    assert opened.features.current is None and len(opened.library.all) == 1
    assert not file._file.id.valid
    assert opened.features.why_not() == "Open a file of features first."


def test_a_file_that_cannot_be_used_is_reported_and_the_open_one_stays(opened, tmp_path) -> None:
    before = opened.features.current
    (tmp_path / "bad.h5").write_bytes(b"no features")
    opened.features.open(tmp_path / "bad.h5")
    opened.wait(20)
    assert opened.features.current is before and opened.features.opening is None
    assert "“bad.h5” is not an HDF5 file" in opened.notices.problems["style"]


def test_the_last_of_two_files_opened_at_once_stays(session, write) -> None:
    session.features.open(write("a"))
    session.features.open(write("b"))
    session.wait(20)
    assert session.features.current.name == "b.h5"


def test_without_a_slide_a_problem_is_said_where_it_is_seen(client, write, tmp_path) -> None:
    session = Session(client)
    session.features.open(write())
    assert session.notices.notes["slide"] == "Opening case 7.h5…"
    session.wait(20)
    assert "slide" not in session.notices.notes and session.features.current is not None
    (tmp_path / "bad.h5").write_bytes(b"no features")
    session.features.open(tmp_path / "bad.h5")
    session.wait(20)
    assert "“bad.h5” is not an HDF5 file" in session.notices.problems["slide"]
    session.close()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", list(range(25))),
        ("2", [2, 20, 21, 22, 23, 24]),
        ("0", [0]),
        ("25", []),
        ("patch", []),
        ("1 2 3", []),
        ("-4", []),
    ],
)
def test_patches_are_found_by_their_row(opened, text: str, rows: list[int]) -> None:
    assert opened.features.current.matching(text).tolist() == rows


@pytest.mark.parametrize("text", ["300, 600", "300 600", "300;600"])
def test_patches_are_found_by_their_position(opened, text: str) -> None:
    found = opened.features.current.matching(text)
    assert found[0] == 11 and sorted(found) == list(range(25))


# -- similarity -------------------------------------------------------------------------------


def test_similar_tissue_comes_from_the_file_without_a_request(opened, client, values) -> None:
    opened.regions.add((384, 640))  # exactly the patch in row 2, column 1
    opened.wait(20)
    client.requests.clear()
    opened.similar.find()
    opened.wait(20)
    found = opened.similar.found
    assert not client.requests and not opened.notices.problems
    assert found.complete and (found.seen, found.total) == (25, 25)
    assert found.heat[2, 1] == pytest.approx(1, abs=1e-5) == np.nanmax(found.heat)
    assert np.isfinite(found.heat).sum() == 25
    for place, pixels in found.best:
        assert place.row != 11 and pixels.shape == (256, 256, 3)


def test_it_needs_no_embedding_of_the_region(opened, client) -> None:
    item = opened.regions.add((384, 640))
    opened.wait(20)
    item.embedding = None
    assert not opened.similar.why_not()
    opened.similar.find()
    opened.wait(20)
    assert opened.similar.found.complete


def test_a_region_beyond_the_patches_is_embedded_as_usual(opened, client) -> None:
    opened.regions.add((1372, 1372))
    opened.wait(20)
    client.requests.clear()
    opened.similar.find()
    opened.wait(20)
    assert any(isinstance(request, EmbedRequest) for request in client.requests)


def test_a_match_is_used_as_a_style_without_a_region_or_a_request(opened, client) -> None:
    opened.regions.add((384, 640))
    opened.wait(20)
    opened.similar.find()
    opened.wait(20)
    client.requests.clear()
    place, _ = opened.similar.found.best[0]
    opened.similar.use_style(place)
    opened.wait(20)
    assert chosen(opened).name == f"Patch {place.row}"
    assert len(opened.regions.current) == 1 and not client.requests


def test_patches_like_a_patch_are_found(opened, client) -> None:
    assert opened.similar.why_no_patch() == "Click a patch first"
    opened.features.use(11)
    opened.wait(20)
    opened.similar.find_patch()
    opened.wait(20)
    found = opened.similar.found
    assert found.name == "patch 11" and found.number == 0 and not client.requests
    assert found.heat[2, 1] == pytest.approx(1, abs=1e-5)
    opened.regions.add((700, 700))
    assert opened.similar.found is found  # it depends on no region
    opened.slides.set(None)
    assert opened.similar.found is None


def test_a_closed_file_ends_its_search(opened) -> None:
    opened.regions.add((384, 640))
    opened.wait(20)
    opened.similar.find()
    opened.features.close()
    assert opened.similar.job is None
    opened.wait(20)
    assert not opened.notices.problems


def test_patches_without_numbers_are_counted_or_explained(session, tmp_path, values) -> None:
    values[2, 1] = values[4, 4] = np.nan
    path = tmp_path / "case 7.h5"
    write_features(path, values, Region(0, 0, 1280, 1280), (SHAPE, 0.5), get_family("demo"))
    session.features.open(path)
    session.regions.add((640, 640))
    session.wait(20)
    session.similar.find()
    session.wait(20)
    assert session.similar.found.unreadable == 2
    session.regions.add((384, 640))
    session.wait(20)
    session.similar.find()
    session.wait(20)
    words = "The patches of “case 7.h5” here hold no numbers. Choose others."
    assert session.notices.problems["region"] == words

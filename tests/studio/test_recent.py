"""Saved sessions of all slides are listed when no slide is open."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from pictures import tissue
from scripted import ScriptedClient
from settling import settled
from tifffile import imwrite

from napari_pixcell.folders import data_folder
from napari_pixcell.slides import ArraySlide, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.studio.saving import recent
from napari_pixcell.studio.saving.places import Offer, own_folder
from napari_pixcell.studio.session import Session

Start = Callable[[], Session]


def slide_at(folder: Path, name: str = "case 7") -> Path:
    """Write a slide of 400 × 400 px at 0.5 µm/px, and return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    per_cm = 1e4 / 0.5
    path = folder / f"{name}.tif"
    imwrite(path, tissue(400), resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")
    return path


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Return a function that starts a session without a slide."""
    monkeypatch.setenv("PIXCELL_SESSIONS", "1")
    sessions: list[Session] = []

    def make() -> Session:
        session = Session(ScriptedClient())
        sessions.append(session)
        session.saver.start()
        settled(session)
        return session

    yield make
    for session in sessions:
        session.close()
        session.saver._thread.shutdown(wait=True)


def work_on(session: Session, slide: Path | ArraySlide) -> Path:
    """Add a region to a slide, save the session, and return its folder."""
    session.slides.set(open_slide(slide) if isinstance(slide, Path) else slide, str(slide))
    session.saver.flush()
    session.regions.add((200, 200))
    session.wait(20)
    session.saver.flush()
    book = session.saver.book()
    assert book is not None and book.folder is not None
    return book.folder.path


def listed(session: Session) -> list[Offer]:
    """Read the saved sessions, and return them."""
    session.recent.refresh()
    settled(session)
    return session.recent.sessions


def dated(folder: Path, when: str, *, variants: int = 0) -> None:
    """Change when a session was saved, and its number of variants."""
    file = folder / "session.json"
    document = json.loads(file.read_text("utf-8"))
    document |= {"saved": f"{when}+00:00", "results": [{}] * variants}
    file.write_text(json.dumps(document))
    seconds = datetime.fromisoformat(f"{when}+00:00").timestamp()
    os.utime(file, (seconds, seconds))


def test_sessions_of_all_slides_are_listed_with_the_newest_first(
    start: Start, tmp_path: Path
) -> None:
    session = start()
    first = work_on(session, slide_at(tmp_path / "a", "case 7"))
    second = work_on(session, slide_at(tmp_path / "b", "case 8"))
    dated(first, "2026-05-03T12:02:00", variants=3)
    dated(second, "2025-01-02T12:02:00")
    newest, oldest = listed(start())
    assert (newest.path, newest.slide) == (first, "case 7.tif")
    assert (oldest.path, oldest.slide) == (second, "case 8.tif")
    assert newest.contents() == "1 region, 3 variants"
    assert oldest.contents() == "1 region, 0 variants"
    assert newest.saved.date() == datetime(2026, 5, 3).date()
    assert newest.day().startswith("3 May ")


def test_a_change_of_the_list_is_told_once(start: Start, tmp_path: Path) -> None:
    work_on(start(), slide_at(tmp_path))
    session, told = start(), []
    session.notices.changed.connect(lambda: told.append(session.recent.known))
    assert not session.recent.known
    assert len(listed(session)) == 1
    assert told == [True]
    listed(session)
    assert told == [True]  # a window that refreshes whenever it is told does not run for ever


def test_that_there_are_none_is_told_too(start: Start) -> None:
    session, told = start(), []
    session.notices.changed.connect(lambda: told.append(session.recent.known))
    assert listed(session) == []
    assert told == [True]


def test_a_session_that_is_saved_elsewhere_or_opened_is_listed(
    start: Start, tmp_path: Path
) -> None:
    session = start()
    first = work_on(session, slide_at(tmp_path / "a"))
    (tmp_path / "b").mkdir()
    session.saver.save_as(tmp_path / "b" / "renamed")
    session.saver.flush()
    assert {one.path for one in listed(session)} == {first, tmp_path / "b" / "renamed.pixcell"}

    received = shutil.copytree(first, tmp_path / "c" / "received.pixcell")
    other = start()
    assert received not in [one.path for one in listed(other)]
    other.restoring.open(received)
    settled(other)
    assert received in [one.path for one in listed(other)]
    assert len(listed(other)) == 3


def test_only_the_newest_are_listed(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "LISTED", 2)
    session = start()
    folder = work_on(session, slide_at(tmp_path))
    for year in (2021, 2022, 2023):
        copy = shutil.copytree(folder, tmp_path / f"{year}.pixcell")
        dated(copy, f"{year}-01-01T12:00:00")
        session.recent.remember(copy)
    dated(folder, "2020-01-01T12:00:00")
    assert [one.path.name for one in listed(session)] == ["2023.pixcell", "2022.pixcell"]


def test_folders_that_are_gone_or_damaged_are_not_listed_and_nothing_is_deleted(
    start: Start, tmp_path: Path
) -> None:
    session = start()
    kept = work_on(session, slide_at(tmp_path / "kept"))
    gone = work_on(session, slide_at(tmp_path / "gone"))
    damaged = work_on(session, slide_at(tmp_path / "damaged"))
    gone.rename(tmp_path / "away.pixcell")
    for name in ("session.json", "session.before.json"):
        (damaged / name).write_text("{")
    again = start()
    assert [one.path for one in listed(again)] == [kept]
    assert (damaged / "session.json").read_text() == "{"
    (tmp_path / "away.pixcell").rename(gone)  # such as on a disk that was not connected
    assert {one.path for one in listed(again)} == {kept, gone}


WRONG_PLACES = '{"sessions": [3, "relative.pixcell", "/a", "/\\u0000.pixcell"]}'


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"sessions": 3}', WRONG_PLACES])
def test_a_damaged_file_of_places_is_an_empty_list_and_is_set_aside(
    start: Start, tmp_path: Path, text: str
) -> None:
    file = data_folder() / "recent.json"
    file.write_text(text)
    session = start()
    assert listed(session) == []
    folder = work_on(session, slide_at(tmp_path))
    assert [one.path for one in listed(session)] == [folder]
    aside = file.with_name("recent.json.damaged")
    assert not aside.exists() or aside.read_text() == text
    assert aside.exists() == (not text.startswith('{"'))


def test_sessions_in_the_users_own_folder_are_found_without_the_file(
    start: Start, tmp_path: Path
) -> None:
    session = start()
    folder = work_on(session, SAMPLE_SLIDE)
    assert folder.parent == own_folder()
    assert not (data_folder() / "recent.json").exists()
    assert [one.path for one in listed(session)] == [folder]


def test_a_sample_or_a_layer_that_cannot_be_opened_again_is_not_listed(
    start: Start, tmp_path: Path
) -> None:
    session = start()
    sample = tmp_path / "removed program" / SAMPLE_SLIDE.name
    sample.parent.mkdir()
    shutil.copy(SAMPLE_SLIDE, sample)
    folder = work_on(session, sample)
    work_on(session, ArraySlide([tissue(400)], 0.5, "a layer"))
    assert [one.path for one in listed(session)] == [folder]
    sample.unlink()
    assert listed(session) == []


def test_nothing_is_remembered_while_saving_is_off(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = work_on(start(), slide_at(tmp_path / "a"))
    file = data_folder() / "recent.json"
    file.unlink()
    monkeypatch.setenv("PIXCELL_SESSIONS", "0")
    session = start()
    session.restoring.open(folder)
    settled(session)
    assert len(session.regions.current) == 1
    assert not file.exists()
    session.saver.save_as(tmp_path / "wanted")  # the user asks for this one
    session.saver.flush()
    assert [one.path for one in listed(session)] == [tmp_path / "wanted.pixcell"]


def test_work_is_saved_if_its_place_cannot_be_remembered(start: Start, tmp_path: Path) -> None:
    (data_folder() / "recent.json").mkdir()
    session = start()
    folder = work_on(session, slide_at(tmp_path))
    assert (folder / "session.json").exists()
    assert not session.notices.problems
    assert listed(session) == []


def test_windows_that_save_at_once_lose_no_place() -> None:
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from napari_pixcell.studio.background import Background\n"
        "from napari_pixcell.studio.notices import Notices\n"
        "from napari_pixcell.studio.saving.recent import RecentSessions\n"
        "places = RecentSessions(Background(), Notices())\n"
        "for number in range(20):\n"
        "    places.remember(Path(f'/{sys.argv[1]} {number}.pixcell'))\n"
    )
    windows = [subprocess.Popen([sys.executable, "-c", script, name]) for name in ("a", "b")]
    assert [window.wait(120) for window in windows] == [0, 0]
    written = json.loads((data_folder() / "recent.json").read_text())["sessions"]
    assert sorted(written) == sorted(f"/{n} {i}.pixcell" for n in ("a", "b") for i in range(20))

"""Nothing that was saved is lost, whatever the disk, another program or a stranger does."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import count, failing, killed, power_cut
from pictures import tissue
from scripted import ScriptedClient
from settling import settled

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import ArraySlide
from napari_pixcell.studio.saving.arrays import layout_bytes, layout_from, packed_from
from napari_pixcell.studio.saving.book import Book
from napari_pixcell.studio.saving.document import OLDER, read_document
from napari_pixcell.studio.saving.folder import SessionFolder
from napari_pixcell.studio.saving.loading import Loader
from napari_pixcell.studio.session import Session

SLIDE = ArraySlide([tissue(600)], 0.5, "case 7")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """Return a session with a region, its layout and a variant, saved in ``DATA/sessions``."""
    monkeypatch.setenv("PIXCELL_SESSIONS", "1")
    session = Session(ScriptedClient())
    session.saver.start()
    session.slides.set(SLIDE)
    item = session.regions.add((300, 300))
    session.wait(20)
    session.layouts.new()
    another_step(session, 1)
    session.saver.flush()
    assert item is not None
    yield session
    session.close()
    session.saver._thread.shutdown(wait=True)


def another_step(session: Session, number: int) -> None:
    item = session.regions.current[0]
    session.regions.rename(item.number, f"Region {number}")
    item.layout[:] = number
    session.layouts.edited(item.number)
    session.settings.count = 1
    session.generator.generate()
    settled(session)
    session.client.play()
    settled(session)


def number_in(folder: Path) -> int:
    """Read all of a session, which must be whole; return the step that it is at."""
    document = read_document(folder)
    assert not document[OLDER], "session.json was damaged"
    loader = Loader(SessionFolder(folder), document, "slide")
    (item,) = loader.regions()
    results = [loader.result(value) for value in document["results"]]
    assert not loader.lost, loader.lost
    number = int(item.name.removeprefix("Region "))
    assert item.layout is not None and (item.layout == number).all() and item.embedding is not None
    assert len(results) == number
    return number


def test_a_session_is_whole_after_a_fault_at_any_call(session: Session, tmp_path: Path) -> None:
    book = session.saver.book()
    folder = book.folder.path
    saved = tmp_path / "saved"
    shutil.copytree(folder, saved)
    session.saver.on = False
    another_step(session, 2)
    snapshot = session.saver._take(book.key)

    def write() -> None:
        again = Book(book.key, book.stem, book.mark, SessionFolder(folder), None, dict(book.names))
        again._before = SessionFolder(folder).all()
        again.write(snapshot)

    def restore() -> None:
        shutil.rmtree(folder)
        shutil.copytree(saved, folder)

    calls = count(write)
    assert calls > 10 and number_in(folder) == 2
    reached = set()
    for number in range(calls):
        restore()
        assert killed(number, write)
        reached.add(number_in(folder))
        restore()
        kept = tmp_path / f"after a cut at {number}"
        assert power_cut(number, write, folder, kept)
        number_in(kept)
        shutil.rmtree(kept)
        restore()
        error = (errno.ENOSPC, errno.EIO, errno.EROFS)[number % 3]
        with failing(number, error):
            try:
                write()
            except OSError as failed:
                assert failed.errno == error
        number_in(folder)
        write()
        assert number_in(folder) == 2
    assert reached == {1, 2}
    restore()
    assert not power_cut(calls, write, folder, tmp_path / "kept")
    assert number_in(tmp_path / "kept") == 2


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_failed_save_is_said_in_one_sentence_and_retried(session: Session, error: int) -> None:
    session.regions.rename(session.regions.current[0].number, "Region 7")
    with failing(0, error):
        session.saver.flush(1)
    assert os.strerror(error) in session.notices.problems["slide"]
    session.saver.flush()
    assert session.notices.notes["slide"] == "Your work is being saved again."


def test_a_session_can_be_read_by_its_owner_only(session: Session) -> None:
    folder = session.saver.book().folder.path
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_damaged_file_of_the_same_length_is_written_again(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path / "x.pixcell")
    name = folder.put(b"content", ".array")
    (folder.files / name).write_bytes(b"CONTENT")
    assert folder.put(b"content", ".array") == name and folder.get(name) == b"content"


# -- received sessions -----------------------------------------------------------------------


def received(session: Session, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Return a copy of a session's folder, and its JSON."""
    folder = tmp_path / "received.pixcell"
    shutil.copytree(session.saver.book().folder.path, folder)
    return folder, json.loads((folder / "session.json").read_text())


def opened(session: Session, folder: Path) -> str:
    """Open a session beside what is there, check that work is saved after it, return the words."""
    session.restoring.open(folder)
    settled(session)
    problem = session.notices.problems.get("slide", "")
    assert "unexpected error" not in problem
    session.regions.rename(session.regions.current[0].number, "Later")
    session.saver.flush()
    saved = read_document(session.saver.book().folder.path)
    assert "Later" in {region["name"] for region in saved["regions"]}
    return problem


WRONG: list[Any] = [None, True, -1, 10**40, float("nan"), 1e308, "", "x" * 5000, [], {}, {"a": 1}]
PLACES = [
    ("styles",),
    ("regions",),
    ("results",),
    ("targets",),
    ("jobs",),
    ("settings",),
    ("recipe",),
    ("measures",),
    ("active",),
    ("export_name",),
    ("settings", "count"),
    ("settings", "guidance"),
    ("regions", 0, "number"),
    ("regions", 0, "place"),
    ("regions", 0, "size"),
    ("regions", 0, "layout"),
    ("regions", 0, "style"),
    ("targets", 0, "number"),
    ("targets", 0, "place", 0),
    ("results", 0, "target"),
    ("results", 0, "file"),
    ("results", 0, "made"),
    ("measures", "rows"),
    ("slide", "mpp"),
    ("slide", "shape"),
]


def test_a_wrong_value_costs_its_part_and_saving_goes_on(session: Session, tmp_path: Path) -> None:
    folder, document = received(session, tmp_path)
    for number, place in enumerate(PLACES):
        changed = json.loads(json.dumps(document))
        at = changed
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = WRONG[number % len(WRONG)]
        copy = tmp_path / f"{number}.pixcell"
        shutil.copytree(folder, copy)
        (copy / "session.json").write_text(json.dumps(changed))
        opened(session, copy)


def test_a_session_whose_files_lead_elsewhere_touches_nothing_there(
    session: Session, tmp_path: Path
) -> None:
    folder, document = received(session, tmp_path)
    outside = tmp_path / "outside"
    (folder / "files").rename(outside)
    (outside / "mine.txt").write_text("mine")
    (folder / "files").symlink_to(outside)
    assert "leads out of the session. Replace the link." in opened(session, folder)
    assert (outside / "mine.txt").read_text() == "mine"
    (folder / "files").unlink()
    (folder / "files").mkdir()
    document["results"][0] |= {"picture": {"name": "../../outside", "kept": True}, "file": ""}
    document["regions"][0]["embedding"] = "../../outside/mine.txt"
    (folder / "session.json").write_text(json.dumps(document))
    assert "Not restored: 1 layout, 1 variant" in opened(session, folder)


def test_files_that_a_user_put_beside_the_arrays_stay(session: Session) -> None:
    folder = session.saver.book().folder
    (folder.files / "notes.txt").write_text("mine")
    (folder.files / ("0" * 32 + ".array")).write_text("unused")
    session.regions.rename(session.regions.current[0].number, "Later")
    session.saver.flush()
    session.regions.rename(session.regions.current[0].number, "Later still")
    session.saver.flush()
    assert (folder.files / "notes.txt").exists()
    assert not (folder.files / ("0" * 32 + ".array")).exists()


def test_a_pipe_or_a_deep_json_is_damage(session: Session, tmp_path: Path) -> None:
    folder, _ = received(session, tmp_path)
    (folder / "session.before.json").unlink(missing_ok=True)
    (folder / "session.json").write_text("[" * 100_000)
    assert "is damaged. Restore the folder" in opened(session, folder)
    (folder / "session.json").unlink()
    os.mkfifo(folder / "session.json")
    assert "is damaged. Restore the folder" in opened(session, folder)


def test_a_folder_that_cannot_be_locked_is_opened_and_saved_beside(
    session: Session, tmp_path: Path
) -> None:
    folder, _ = received(session, tmp_path)
    (folder / "lock").unlink(missing_ok=True)
    (folder / "lock").mkdir()
    session.restoring.open(folder)
    settled(session)
    assert "saved beside it" in session.notices.notes["slide"]


def head(dtype: str, shape: Any) -> bytes:
    return json.dumps({"dtype": dtype, "shape": shape}).encode() + b"\n"


@pytest.mark.parametrize(
    "data",
    [
        head("uint8", [4]) + zlib.compress(bytes(10**8)),
        head("uint8", [10**12]) + zlib.compress(bytes(4)),
        head("object", [1]) + zlib.compress(bytes(8)),
        head("uint8", [-4]) + zlib.compress(bytes(4)),
        head("uint8", "4") + zlib.compress(bytes(4)),
        head("uint8", [4]) + b"nothing",
        b"[" * 100_000 + b"\n",
        b"",
    ],
    ids=["bomb", "huge", "objects", "negative", "text", "not packed", "deep", "empty"],
)
def test_an_array_is_never_larger_than_it_states(data: bytes) -> None:
    with pytest.raises((ValueError, TypeError, PixCellError)):
        packed_from(data)


def test_a_label_image_is_never_larger_than_it_states() -> None:
    labels = np.arange(300 * 20, dtype=np.int32).reshape(300, 20) - 5
    assert np.array_equal(layout_from(layout_bytes(labels)), labels)
    data = layout_bytes(np.zeros((300, 20), np.uint16))
    for old, new in ((b"\x2c\x01", b"\xff\xff"), (b"\x14\x00", b"\xff\xff")):
        with pytest.raises(ValueError, match=r"decompressed|incomplete"):
            layout_from(data.replace(old, new))


def test_a_hostile_file_has_the_right_hash_and_costs_its_part(
    session: Session, tmp_path: Path
) -> None:
    folder, document = received(session, tmp_path)
    for suffix, text in ((".tif", '"file"'), (".png", '"file"'), (".array", '"embedding"')):
        (path,) = [
            p for p in (folder / "files").glob(f"*{suffix}") if p.name in json.dumps(document)
        ][:1]
        damaged = path.read_bytes()[:200]
        name = hashlib.sha256(damaged).hexdigest()[:32] + suffix
        (folder / "files" / name).write_bytes(damaged)
        document = json.loads(json.dumps(document).replace(path.name, name))
        assert text in json.dumps(document)
    (folder / "session.json").write_text(json.dumps(document))
    assert "Not restored: 1 layout, 1 variant" in opened(session, folder)


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_the_lock_of_a_session_never_truncates_the_file_that_it_links_to(
    session: Session, tmp_path: Path
) -> None:
    folder, _ = received(session, tmp_path)
    (tmp_path / "mine").write_text("mine")
    (folder / "lock").unlink(missing_ok=True)
    (folder / "lock").symlink_to(tmp_path / "mine")
    opened(session, folder)
    assert (tmp_path / "mine").read_text() == "mine"

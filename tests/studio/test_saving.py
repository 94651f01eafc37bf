"""Sessions are saved automatically, and are restored when they are opened again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from feature_files import features_of
from ome_zarr_slides import write_ome_zarr
from own_classes import PALETTE, write_own_classes
from pictures import tissue
from scripted import ScriptedClient
from settling import settled
from tifffile import imwrite

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.styles.features.writing import write_features
from napari_pixcell.models.families import encoder_of, get_family
from napari_pixcell.preferences import set_preference
from napari_pixcell.slides import ArraySlide, Region, open_slide
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.styles.choice import StyleChoice
from napari_pixcell.worker.client import WorkerClient

Start = Callable[..., Session]


@pytest.fixture
def slide_file(tmp_path: Path) -> Path:
    """Return the file of a slide of 800 × 800 px at 0.5 µm/px."""
    path = tmp_path / "here" / "case 7.tif"
    path.parent.mkdir()
    per_cm = 1e4 / 0.5
    imwrite(path, tissue(800), resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")
    return path


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Return a function that starts a session, with or without a slide."""
    monkeypatch.setenv("PIXCELL_SESSIONS", "1")
    sessions: list[Session] = []

    def make(slide: Any = None) -> Session:
        session = Session(ScriptedClient())
        sessions.append(session)
        session.saver.start()
        if slide is not None:
            session.slides.set(open_slide(slide) if isinstance(slide, Path) else slide)
        session.saver.flush()
        settled(session)
        return session

    yield make
    for session in sessions:
        session.close()


def saved(session: Session) -> Path:
    """Save a session, and return its folder."""
    session.saver.flush()
    book = session.saver.book()
    assert book is not None and book.folder is not None
    return book.folder.path


def closed(session: Session) -> None:
    """Close a session, and wait until everything is written."""
    session.close()
    session.saver._thread.shutdown(wait=True)


def work_on(session: Session) -> None:
    """Create regions, layouts and variants, and leave a job waiting."""
    first = session.regions.add((300, 300))
    session.wait(20)
    assert first is not None
    session.layouts.new()
    first.layout[20:40, 30:50] = 1
    first.layout[60:80, 30:50] = 2
    session.layouts.edited(first.number)
    first.area = np.zeros((32, 32), np.uint8)
    first.area[4:9, 4:9] = 2
    session.regions.rename(first.number, "Tumour")
    session.settings.count, session.settings.seed = 2, 77
    session.generator.generate()
    settled(session)
    session.client.play()
    settled(session)
    second = session.regions.add((500, 500))
    session.wait(20)
    session.styles.set(first.number)
    if session.slides.current.path is not None:
        session.styles.add_picture(session.slides.current.path)
        settled(session)
        blend = StyleChoice.of(first.number, *session.regions.active.style.refs)
        session.styles.choose(blend.with_balance(0.25))
    source = LayoutSource("imported", licence="CC BY")
    labels = np.zeros((256, 256), np.int32)
    labels[5:9, 5:9] = 70_000
    session.layouts.set(second.number, labels, "imported from x.tif", source, {70_000: "tumour"})
    session.settings.guidance = 3.5
    session.settings.start_from = "tissue"
    session.invention.change(density=3000.0)
    session.generator.generate()
    settled(session)


def test_an_opened_session_is_restored_completely(start: Start, slide_file: Path) -> None:
    session = start(slide_file)
    work_on(session)
    folder = saved(session)
    assert folder == slide_file.with_name("case 7.pixcell")
    closed(session)

    again = start()
    again.restoring.open(folder)
    settled(again)
    assert not again.notices.problems
    assert again.notices.notes["slide"] == "“case 7.pixcell” was opened: 2 regions, 2 variants."
    assert again.slides.current.path == slide_file
    for item, other in zip(session.regions.current, again.regions.current, strict=True):
        names = ("number", "name", "region", "drawn", "size", "family", "style", "embedding")
        for name in (*names, "layout_origin", "layout_source", "classes", "cells", "layout_text"):
            assert getattr(other, name) == getattr(item, name), name
        np.testing.assert_array_equal(other.layout, item.layout)
        np.testing.assert_array_equal(other.pixels, item.pixels)
    np.testing.assert_array_equal(again.regions.current[0].area, session.regions.current[0].area)
    assert again.regions.active is not None and again.regions.active.number == 2
    assert [again.library.get(style.id).name for style in session.library.all] == ["Picture"]
    assert again.settings == session.settings
    assert again.invention.recipe == session.invention.recipe
    for result, other in zip(session.gallery.results, again.gallery.results, strict=True):
        np.testing.assert_array_equal(other.image, result.image)
        assert other.record == result.record
        assert other.shown == result.shown
        assert other.target.region == result.target.region
        np.testing.assert_array_equal(other.target.pixels, result.target.pixels)
        assert abs(other.made - result.made).total_seconds() < 1
    assert again.client.requests == []  # nothing is embedded or generated again

    assert again.queue.put_off_note() == "1 job waited when this session was saved."
    again.queue.resume_put_off()
    settled(again)
    assert [request for request, _ in again.client.waiting] == [
        request for request, _ in session.client.waiting
    ]


def test_another_class_of_a_cell_is_saved(start: Start, slide_file: Path) -> None:
    session = start(slide_file)
    work_on(session)
    saved(session)
    number = session.regions.active.number
    session.classes.set(number, [70_000], "stroma")
    folder = saved(session)
    closed(session)
    again = start()
    again.restoring.open(folder)
    settled(again)
    assert again.regions.active.classes == {70_000: "stroma"}


@pytest.mark.parametrize(
    ("picked", "palette", "restored"),
    [
        ("stroma", PALETTE, "stroma"),
        ("", PALETTE, ""),  # no class
        ("stroma", (PALETTE[0], ("vessel", "#20d020")), "tumour"),  # the model lacks it by now
    ],
)
def test_the_picked_class_is_restored(
    start: Start, slide_file: Path, picked: str, palette: Any, restored: str
) -> None:
    session = start(slide_file)
    session.settings.use_family(write_own_classes())
    session.regions.add((300, 300))
    settled(session)
    session.classes.pick(picked)
    folder = saved(session)
    closed(session)
    write_own_classes(palette=palette)
    again = start()
    again.restoring.open(folder)
    settled(again)
    assert again.settings.family == "marked" and again.classes.picked == restored
    assert not again.notices.problems


def features_beside(slide: Path) -> Path:
    """Write features of the demo family for the slide's first 768 px, in its folder."""
    family = get_family("demo")
    path = slide.with_name("case 7.h5")
    values = features_of(9, 128).reshape(3, 3, 128)
    write_features(path, values, Region(0, 0, 768, 768), ((800, 800), 0.5), family)
    return path


def test_open_features_are_restored_wherever_they_were_moved_with_the_slide(
    start: Start, slide_file: Path, tmp_path: Path
) -> None:
    session = start(slide_file)
    session.features.open(features_beside(slide_file))
    session.regions.add((300, 300))
    settled(session)
    session.features.show(False)
    saved(session)
    closed(session)
    there = tmp_path / "there"
    slide_file.parent.rename(there)
    again = start()
    again.restoring.open(there / "case 7.pixcell")
    settled(again)
    opened = again.features.current
    assert opened is not None and opened.file.path == there / "case 7.h5" and len(opened) == 9
    assert not again.features.shown and not again.features.why_no_map()
    assert not again.notices.problems
    again.features.close()
    folder = saved(again)
    closed(again)
    assert json.loads((folder / "session.json").read_text())["features"] is None


@pytest.mark.parametrize("change", ["removed", "changed", "damaged"])
def test_a_session_opens_without_its_features_and_names_them(
    start: Start, slide_file: Path, change: str
) -> None:
    session = start(slide_file)
    path = features_beside(slide_file)
    session.features.open(path)
    session.regions.add((300, 300))
    settled(session)
    folder = saved(session)
    closed(session)
    if change == "removed":
        path.unlink()
    elif change == "changed":
        path.write_bytes(path.read_bytes() + b"more")
    else:
        document = json.loads((folder / "session.json").read_text())
        document["features"]["path"] = 3
        (folder / "session.json").write_text(json.dumps(document))
    again = start()
    again.restoring.open(folder)
    settled(again)
    assert len(again.regions.current) == 1 and again.features.current is None
    if change == "damaged":
        assert "Not restored: 1 file of features." in again.notices.problems["slide"]
        return
    assert again.notices.notes["slide"] == (
        "“case 7.pixcell” was opened: 1 region, 0 variants. The features “case 7.h5” were not "
        "opened, because the file was moved or changed. Open it again by “Open features…” in the "
        "⋯ menu."
    )


def test_features_belong_to_the_session_of_their_slide(
    start: Start, slide_file: Path, tmp_path: Path
) -> None:
    session = start(slide_file)
    session.features.open(features_beside(slide_file))
    session.regions.add((300, 300))
    settled(session)
    first = saved(session)
    session.slides.set(ArraySlide([tissue(600)], 0.5, "other"))  # which the features do not fit
    session.regions.add((300, 300))
    settled(session)
    second = saved(session)
    assert first != second
    documents = [json.loads((one / "session.json").read_text()) for one in (first, second)]
    assert documents[0]["features"]["relative"] == "../case 7.h5"
    assert documents[1]["features"] is None


def test_a_session_finds_its_ome_zarr_after_both_were_moved(start: Start, tmp_path: Path) -> None:
    slide = write_ome_zarr(tmp_path / "here" / "case 7.ome.zarr", tissue(800), levels=1)
    session = start(slide)
    session.regions.add((300, 300))
    folder = saved(session)
    assert folder == slide.with_name("case 7.pixcell")
    closed(session)
    there = (tmp_path / "here").rename(tmp_path / "there")

    again = start()
    again.restoring.open(there / folder.name)
    settled(again)
    assert not again.notices.problems
    assert again.slides.current.path == there / slide.name
    assert [item.region for item in again.regions.current] == [
        item.region for item in session.regions.current
    ]


def test_waiting_jobs_are_left_out_when_other_weights_embedded_their_styles(
    start: Start, slide_file: Path
) -> None:
    session = start(slide_file)
    work_on(session)
    folder = saved(session)
    closed(session)
    document = json.loads((folder / "session.json").read_text("utf-8"))
    (job,) = document["jobs"]
    assert job["encoder"] == encoder_of("demo")
    job["encoder"] = "of another edition"
    (folder / "session.json").write_text(json.dumps(document), "utf-8")

    again = start()
    again.restoring.open(folder)
    settled(again)
    assert again.queue.put_off == []
    assert again.notices.notes["slide"] == (
        "“case 7.pixcell” was opened: 2 regions, 2 variants. 1 waiting job was left out, because "
        "the weights that embedded the styles were replaced. Generate the regions again."
    )


def test_work_is_saved_to_the_folder_that_was_opened(start: Start, slide_file: Path) -> None:
    session = start(slide_file)
    work_on(session)
    folder = saved(session)
    closed(session)
    again = start()
    again.restoring.open(folder)
    settled(again)
    again.regions.remove(2)
    number = again.regions.add((200, 600)).number
    assert number == 3
    settled(again)
    assert saved(again) == folder
    third = start()
    closed(again)
    third.restoring.open(folder)
    settled(third)
    assert [item.name for item in third.regions.current] == ["Tumour", "Region 3"]
    assert sorted(folder.parent.iterdir()) == [folder, slide_file]


def test_one_session_is_opened_at_a_time(start: Start, slide_file: Path) -> None:
    session = start(slide_file)
    work_on(session)
    folder = saved(session)
    closed(session)
    again = start()
    again.restoring.open(folder)
    again.restoring.open(folder)
    assert (
        again.notices.problems["slide"] == "Another session is being opened. Wait until it is done."
    )
    settled(again)
    assert len(again.regions.current) == 2


def test_only_changes_are_written(start: Start, slide_file: Path) -> None:
    session = start(slide_file)
    work_on(session)
    folder = saved(session)
    before = {path: path.stat().st_mtime_ns for path in (folder / "files").iterdir()}
    session.regions.current[0].layout[100:110, 100:110] = 3
    session.layouts.edited(1)
    saved(session)
    session.regions.rename(1, "Tumour A")
    saved(session)
    after = {path: path.stat().st_mtime_ns for path in (folder / "files").iterdir()}
    assert len(set(after.items()) - set(before.items())) == 1
    assert len(after) == len(before)  # the previous layout was removed
    text = json.loads((folder / "session.json").read_text())
    assert text["napari-pixcell session"] == 1


def test_a_change_is_saved_after_a_pause_but_an_empty_session_is_not(
    start: Start, slide_file: Path
) -> None:
    session = start(slide_file)
    session.saver.pause, session.saver.longest = 0.2, 0.5
    session.wait(1, until=lambda: session.pump() or True)
    assert not slide_file.with_name("case 7.pixcell").exists()  # the session is empty
    session.regions.add((300, 300))
    file = slide_file.with_name("case 7.pixcell") / "session.json"
    session.wait(5, until=file.exists)


def test_a_session_can_be_moved_together_with_its_slide(start: Start, slide_file: Path) -> None:
    session = start(slide_file)
    work_on(session)
    saved(session)
    closed(session)
    moved = slide_file.parent.parent / "elsewhere"
    shutil.move(slide_file.parent, moved)
    again = start()
    again.restoring.open(moved / "case 7.pixcell")
    settled(again)
    assert again.slides.current.path == moved / "case 7.tif"
    assert len(again.regions.current) == 2


def test_a_slide_that_was_moved_must_be_located(start: Start, slide_file: Path) -> None:
    session = start(slide_file)
    work_on(session)
    folder = saved(session)
    closed(session)
    moved = slide_file.parent.parent / "renamed.tif"
    shutil.move(slide_file, moved)
    imwrite(slide_file, tissue(700))
    again = start()
    again.restoring.open(folder)
    settled(again)
    assert "“case 7.tif”, was moved or replaced" in again.notices.problems["slide"]
    again.restoring.slide_moved_to(slide_file)
    settled(again)
    assert "is not the slide of this session" in again.notices.problems["slide"]
    assert again.slides.current is None and again.restoring.slide_lost is not None
    again.restoring.slide_moved_to(moved)
    settled(again)
    assert again.restoring.slide_lost is None
    assert [item.name for item in again.regions.current] == ["Tumour", "Region 2"]
    saved(again)
    assert json.loads((folder / "session.json").read_text())["slide"]["relative"] == (
        "../../renamed.tif"
    )


def test_a_session_of_a_layer_needs_that_layer(start: Start, tmp_path: Path) -> None:
    session = start(ArraySlide([tissue(800)], 0.5, "a layer"))
    work_on(session)
    folder = saved(session)
    closed(session)
    again = start()
    again.restoring.open(folder)
    settled(again)
    assert "belongs to the layer “a layer”. Open that image" in again.notices.problems["slide"]
    again.slides.set(ArraySlide([tissue(800)], 0.5, "another name"))
    again.restoring.open(folder)
    settled(again)
    assert len(again.regions.current) == 2


def test_existing_regions_stay_when_a_session_is_opened(start: Start, slide_file: Path) -> None:
    session = start(slide_file)
    work_on(session)
    folder = saved(session)
    closed(session)
    again = start(slide_file)
    again.regions.add((600, 200))
    settled(again)
    again.restoring.open(folder)
    settled(again)
    assert [(item.number, item.name) for item in again.regions.current] == [
        (1, "Region 1"),
        (3, "Tumour"),
        (2, "Region 2"),
    ]
    assert again.regions.current[2].style.refs[0] == 3  # its number was in use
    assert {result.target.number for result in again.gallery.results} == {3}
    assert saved(again) == folder


def test_earlier_work_is_offered_and_never_overwritten(start: Start, slide_file: Path) -> None:
    session = start(slide_file)
    work_on(session)
    folder = saved(session)
    closed(session)
    before = (folder / "session.json").read_bytes()
    again = start(slide_file)
    offer = again.saver.offer
    assert offer is not None
    assert offer.sentence().startswith("Your work of today ")
    assert offer.sentence().endswith(" is saved: 2 regions, 2 variants.")
    again.regions.add((300, 300))
    settled(again)
    assert again.saver.offer == offer  # a region does not take it away
    again.saver.dismiss_offers()
    assert again.saver.offer is None and again.saver.offers == [offer]
    assert saved(again) == slide_file.with_name("case 7 2.pixcell")
    assert (folder / "session.json").read_bytes() == before
    third = start(slide_file)
    settled(third)
    assert {one.path.name for one in third.saver.offers} == {"case 7 2.pixcell", "case 7.pixcell"}
    third.restoring.open(folder)
    settled(third)
    assert third.saver.offer is None and len(third.saver.offers) == 1
    assert len(third.gallery.results) == 2


def test_a_session_is_saved_when_python_exits(start: Start, slide_file: Path) -> None:
    session = start(slide_file)
    session.regions.add((300, 300))
    session.wait(20)
    folder = saved(session)
    session.regions.rename(1, "Tumour")
    session.saver._thread.shutdown(wait=True)  # as Python does first
    session.close()
    assert "Tumour" in (folder / "session.json").read_text("utf-8")


def test_a_second_window_saves_beside_the_first(start: Start, slide_file: Path) -> None:
    session = start(slide_file)
    work_on(session)
    folder = saved(session)
    other = start()
    other.restoring.open(folder)
    settled(other)
    assert "It is open in another window too" in other.notices.notes["slide"]
    assert len(other.regions.current) == 2
    assert saved(other) == folder.with_name("case 7 2.pixcell")
    session.regions.rename(1, "still mine")
    assert saved(session) == folder


# -- failures ------------------------------------------------------------------------------


def test_the_intact_parts_of_a_damaged_session_are_restored_and_its_files_kept(
    start: Start, slide_file: Path
) -> None:
    session = start(slide_file)
    work_on(session)
    folder = saved(session)
    closed(session)
    text = json.loads((folder / "session.json").read_text())
    (folder / "files" / text["results"][0]["file"]).unlink()
    layout = folder / "files" / text["regions"][1]["layout"]["file"]
    layout.write_bytes(layout.read_bytes()[:-9] + b"123456789")
    text["settings"]["steps"] = "many"
    (folder / "session.json").write_text(json.dumps(text))
    before = (folder / "session.json").read_bytes()
    again = start()
    again.restoring.open(folder)
    settled(again)
    assert again.notices.problems["slide"] == (
        "“case 7.pixcell” is damaged. Not restored: 1 layout, 1 setting, 1 variant. Restored: 2 "
        "regions, 1 variant. The damaged session is left unchanged, and your work is saved beside "
        "it."
    )
    assert again.regions.current[0].cells == 2 and again.regions.current[1].layout is None
    assert saved(again) == folder.with_name("case 7 2.pixcell")
    assert (folder / "session.json").read_bytes() == before


def test_a_missing_embedding_is_computed_again(start: Start, slide_file: Path) -> None:
    session = start(slide_file)
    session.regions.add((300, 300))
    session.wait(20)
    folder = saved(session)
    closed(session)
    for file in (folder / "files").glob("*.array"):
        file.unlink()
    again = start()
    again.restoring.open(folder)
    again.wait(20)
    assert not again.notices.problems
    assert again.regions.current[0].embedding == session.regions.current[0].embedding


@pytest.mark.parametrize("encoder", ["own", "other", "unknown"])
def test_embeddings_of_another_encoder_are_computed_again(
    start: Start, slide_file: Path, encoder: str
) -> None:
    session = start(slide_file)
    session.regions.add((300, 300))
    session.wait(20)
    [item] = session.regions.current
    computed, stored = item.embedding, PackedArray.pack(np.zeros((1, 128), np.float32))
    item.embedding = stored
    folder = saved(session)
    closed(session)
    text = json.loads((folder / "session.json").read_text())
    if encoder == "other":
        text["regions"][0]["encoder"] = "0" * 64
    elif encoder == "unknown":  # as in sessions of version 0.1.0
        del text["regions"][0]["encoder"]
    (folder / "session.json").write_text(json.dumps(text))
    again = start()
    again.restoring.open(folder)
    again.wait(20)
    assert again.regions.current[0].embedding == (stored if encoder == "own" else computed)


def test_a_truncated_session_falls_back_to_its_previous_version(
    start: Start, slide_file: Path
) -> None:
    session = start(slide_file)
    work_on(session)
    saved(session)
    session.regions.rename(1, "later")
    folder = saved(session)
    closed(session)
    (folder / "session.json").write_text('{"napari-pixcell session": 1, "sli')
    again = start()
    again.restoring.open(folder)
    settled(again)
    assert "1 variant" not in again.notices.problems["slide"]
    assert "Not restored: the last change." in again.notices.problems["slide"]
    assert [item.name for item in again.regions.current] == ["Tumour", "Region 2"]
    assert len(again.gallery.results) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"napari-pixcell session": 2}', "was saved by a newer napari-pixcell (format 2"),
        ('{"napari-pixcell session": 1}', "is damaged. Restore the folder"),
        ("not json", "is damaged. Restore the folder"),
        (None, "contains no session. Choose a folder whose name ends in .pixcell"),
    ],
)
def test_a_folder_without_a_readable_session_is_refused(
    start: Start, tmp_path: Path, text: str | None, sentence: str
) -> None:
    folder = tmp_path / "x.pixcell"
    folder.mkdir()
    if text is not None:
        (folder / "session.json").write_text(text)
    session = start()
    session.restoring.open(folder)
    settled(session)
    assert sentence in session.notices.problems["slide"]
    session.restoring.open(tmp_path / "y.pixcell")
    settled(session)
    assert "There is no session “y.pixcell”. Check its name" in session.notices.problems["slide"]


def test_a_session_of_version_0_is_read(start: Start, slide_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "old.pixcell"
    shutil.copytree(Path(__file__).parent / "version0.pixcell", folder)
    shutil.copy(folder / "slide.png", tmp_path / "slide.png")
    session = start()
    session.restoring.open(folder)
    settled(session)
    assert session.notices.notes["slide"] == "“old.pixcell” was opened: 2 regions, 1 variant."
    assert (session.settings.layout_strength, session.settings.layout_until) == (0.7, 0.5)
    assert session.settings.colour_match == "off"  # as all pictures of that version
    first, second = session.regions.current
    assert (first.name, first.region.as_list()) == ("Tumour", [10, 20, 256, 256])
    assert first.cells == 1 and second.style == StyleChoice.of(1)
    assert session.gallery.results[0].target.region == first.region
    saved(session)
    text = json.loads((folder / "session.json").read_text())
    assert text["napari-pixcell session"] == 1 and "box" not in text["regions"][0]


def test_a_session_is_saved_elsewhere_if_the_folder_of_the_slide_is_read_only(
    start: Start, slide_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    real = os.access
    beside = slide_file.parent
    monkeypatch.setattr(os, "access", lambda path, mode: path != beside and real(path, mode))
    session = start(slide_file)
    session.regions.add((300, 300))
    session.wait(20)
    folder = saved(session)
    assert folder.parent == Path(os.environ["PIXCELL_DATA_DIR"]) / "sessions"
    assert "The folder of the slide is read-only" in session.notices.notes["slide"]
    closed(session)
    again = start(slide_file)
    assert again.saver.offer is not None and again.saver.offer.path == folder


def test_a_full_disk_is_reported_once_and_saving_is_retried(start: Start, slide_file: Path) -> None:
    import resource

    session = start(slide_file)
    session.regions.add((300, 300))
    session.wait(20)
    folder = saved(session)
    before = (folder / "session.json").read_bytes()
    said: list[str] = []
    session.changed.connect(lambda: said.append(session.notices.problems.get("slide", "")))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        session.regions.rename(1, "not saved")
        session.saver.flush(1)
        assert session.notices.problems["slide"].startswith(
            "Your work is not being saved (File too large)"
        )
        assert (folder / "session.json").read_bytes() == before
        assert not list(folder.rglob("*.part"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    session.saver.flush()
    assert session.notices.notes["slide"] == "Your work is being saved again."
    assert json.loads((folder / "session.json").read_text())["regions"][0]["name"] == "not saved"


def test_a_failed_snapshot_does_not_stop_the_session(
    start: Start, slide_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start(slide_file)
    monkeypatch.setattr(session.invention, "recipe", None)
    session.regions.add((300, 300))
    session.wait(20)
    session.saver.flush(1)
    assert session.notices.problems["slide"].startswith(
        "Your work is not being saved (AttributeError)"
    )
    session.saver.before_removal()


def test_deleted_files_are_written_again(start: Start, slide_file: Path) -> None:
    session = start(slide_file)
    work_on(session)
    folder = saved(session)
    shutil.rmtree(folder)
    session.regions.rename(1, "again")
    assert saved(session) == folder
    closed(session)
    again = start()
    again.restoring.open(folder)
    settled(again)
    assert not again.notices.problems and len(again.gallery.results) == 2


def test_saving_elsewhere_copies_everything(start: Start, slide_file: Path, tmp_path: Path) -> None:
    session = start(slide_file)
    work_on(session)
    saved(session)
    session.saver.save_as(tmp_path / "mine")
    session.saver.flush()
    assert session.notices.notes["slide"] == "Your work is saved as “mine.pixcell”."
    assert saved(session) == tmp_path / "mine.pixcell"
    session.saver.save_as(tmp_path / "mine.pixcell")
    session.saver.flush()
    assert "The folder “mine.pixcell” exists already" in session.notices.problems["slide"]
    closed(session)
    again = start()
    again.restoring.open(tmp_path / "mine.pixcell")
    settled(again)
    assert len(again.gallery.results) == 2 and len(again.regions.current) == 2


def test_nothing_is_saved_if_saving_is_off(
    start: Start, slide_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start(slide_file)
    session.saver.switch(False)
    session.regions.add((300, 300))
    session.wait(20)
    session.saver.flush()
    closed(session)
    monkeypatch.delenv("PIXCELL_SESSIONS")
    set_preference("save sessions", False)
    session = start(slide_file)
    session.regions.add((300, 300))
    session.wait(20)
    session.saver.flush()
    closed(session)
    assert list(slide_file.parent.iterdir()) == [slide_file]


def test_a_large_picture_with_a_star_is_kept_in_the_session(
    start: Start, slide_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from napari_pixcell.slides import stored_picture

    monkeypatch.setenv("PIXCELL_PICTURE_MB", "0.1")
    session = start(slide_file)
    session.regions.add((300, 300))
    session.wait(20)
    session.settings.count = 2
    session.generator.generate()
    settled(session)
    session.client.play()
    settled(session)
    for number, result in enumerate(session.gallery.results):
        array = stored_picture.create(tmp_path / f"p{number}", result.image.shape[:2])
        array[:] = result.image
        result.memory = stored_picture.finish(tmp_path / f"p{number}")
        result.starred = number == 0
    folder = saved(session)
    closed(session)
    shutil.rmtree(stored_picture.pictures_folder())
    again = start()
    again.restoring.open(folder)
    settled(again)
    assert "Not restored: 1 variant." in again.notices.problems["slide"]
    (kept,) = again.gallery.results
    np.testing.assert_array_equal(np.asarray(kept.image), 1234 % 251)
    assert kept.record.request.seed == 1234


def test_a_session_of_the_real_worker_is_restored_to_the_exact_pixels(
    start: Start, slide_file: Path, one_worker: WorkerClient
) -> None:
    session = Session(one_worker)
    session.saver.start()
    session.slides.set(open_slide(slide_file))
    item = session.regions.add((300, 300))
    session.layouts.new()
    item.layout[100:120, 100:120] = 1
    session.layouts.edited(item.number)
    session.wait(120)
    session.settings.count, session.settings.steps = 1, 2
    session.generator.generate()
    session.wait(120)
    assert not session.notices.problems
    folder = saved(session)
    closed(session)
    again = start()
    again.restoring.open(folder)
    settled(again)
    (made,), (opened,) = session.gallery.results, again.gallery.results
    np.testing.assert_array_equal(opened.image, made.image)
    assert opened.record == made.record and opened.record.weights
    assert again.regions.current[0].embedding == item.embedding
    assert again.client.requests == []


def test_measurements_are_restored_with_their_thresholds(start, shared_data, tmp_path) -> None:
    slide = tmp_path / "ki67.ome.tif"
    shutil.copy(shared_data / "openslide_os1_os2_crops" / "OS-2-ndpi.ome.tif", slide)
    first = start(slide)
    first.regions.add((1500, 900))
    first.wait(20)
    first.measures.measure()
    first.wait(20)
    first.measures.move_threshold(0, 0.3)
    before = first.measures.rows[0]
    folder = saved(first)
    closed(first)
    second = start()
    second.restoring.open(folder)
    settled(second)
    (row,) = second.measures.rows
    assert row.row == before.row
    assert row.thresholds.weak == second.measures.thresholds.weak == 0.3
    np.testing.assert_array_equal(row.labels, before.labels)
    np.testing.assert_array_equal(row.staining.dab, before.staining.dab)
    assert second.measures.chosen is row
    second.measures.clear()
    assert json.loads((saved(second) / "session.json").read_text())["measures"]["rows"] == []

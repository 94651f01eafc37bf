"""What a session does with styles, with a scripted worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictures import tissue
from PIL import Image
from scripted import ScriptedClient

from napari_pixcell.engine.colour_match import ColourMatch
from napari_pixcell.engine.request_values import request_from_dict
from napari_pixcell.engine.styles import pictures
from napari_pixcell.engine.styles.blending import blend
from napari_pixcell.engine.styles.library import StyleLibrary
from napari_pixcell.engine.styles.region_embedding import region_colours
from napari_pixcell.engine.styles.style import new_id
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.engine.tissue_colours import mixed_colours, tissue_colours
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.slides import ArraySlide, Region
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.styles import styles as style_actions
from napari_pixcell.studio.styles.choice import StyleChoice, StylePart
from napari_pixcell.studio.styles.ingredients import Ingredient


@pytest.fixture
def two(session: Session):
    """Give two regions of one tile; the second is active."""
    items = [session.regions.add((300, 300)), session.regions.add((900, 900))]
    settle(session)
    # The scripted worker gives every tissue the same direction.
    for seed, item in enumerate(items):
        values = np.random.default_rng(seed).normal(size=(1, 128)).astype(np.float32)
        item.embedding = type(item.embedding).pack(values)
    return items


def settle(session: Session) -> None:
    """Wait until all is done but generations, which wait to be played."""
    session.wait(20, until=lambda: not session.background.busy and not session.library.coming)


def save_picture(folder: Path, side: int = 300, dpi: tuple[float, float] | None = None) -> Path:
    path = folder / "Doe 1954.png"
    Image.fromarray(tissue(side)).save(path, **({"dpi": dpi} if dpi else {}))
    return path


def asked(session: Session, client: ScriptedClient):
    session.generator.generate()
    settle(session)
    assert not session.notices.problems
    request = client.waiting[0][0]
    client.play()
    settle(session)
    return request


def test_a_request_holds_the_blend_and_the_names_of_its_styles(session, client, two) -> None:
    first, second = two
    session.styles.choose(StyleChoice.of(first.number, second.number).with_balance(0.25))
    request = asked(session, client)
    expected = blend([first.embedding.unpack(), second.embedding.unpack()], [0.75, 0.25])
    assert np.array_equal(request.embedding.unpack(), expected.reshape(1, 128))
    assert request.source.style == (("Region 1", 0.75), ("Region 2", 0.25))
    assert request_from_dict(request.to_dict()) == request


def test_the_record_names_a_style_unless_it_is_the_regions_own(session, client, two):
    assert asked(session, client).source.style == ()
    session.styles.set(two[0].number)
    assert asked(session, client).source.style == (("Region 1", 1.0),)
    session.styles.set(0)
    request = asked(session, client)
    assert request.source.style == () and request.embedding is None


def test_a_blend_for_a_canvas_covers_its_cells(session, client, two) -> None:
    canvas = session.regions.draw(Region(0, 0, 700, 500))
    settle(session)
    session.styles.choose(StyleChoice.of(canvas.number, two[0].number))
    assert asked(session, client).embedding.shape == (2, 3, 128)


def test_a_large_blend_is_computed_in_a_thread(session, client, two, monkeypatch) -> None:
    session.styles.choose(StyleChoice.of(*(item.number for item in two)))
    at_once = asked(session, client).embedding
    monkeypatch.setattr(style_actions, "AT_ONCE", 1)
    session.styles.choose(session.regions.active.style.with_balance(0.4))
    assert session.generator.why_not() == "Blending…"
    session.styles.choose(session.regions.active.style.with_balance(0.5))
    assert session.generator.why_not() == "Blending…"
    settle(session)
    assert session.generator.why_not() == "" and asked(session, client).embedding == at_once


def test_removing_a_region_leaves_the_rest_of_a_blend(session, two) -> None:
    first, second = two
    session.styles.choose(StyleChoice.of(first.number, second.number).with_balance(0.25))
    session.regions.remove(first.number)
    assert second.style.refs == (second.number,) and second.style.shares == (1.0,)
    assert (
        session.notices.notes["style"]
        == "A style of Region 2 was removed. It now imitates its own tissue."
    )
    assert session.generator.why_not() == ""


def test_a_saved_style_is_available_in_the_next_session(session, client, two, start_again) -> None:
    session.styles.choose(StyleChoice.of(*(item.number for item in two)))
    assert session.styles.suggested_name() == "Region 1 + Region 2"
    session.styles.save("Stroma / A")
    settle(session)
    assert "Saved as “Stroma / A”" in session.notices.notes["style"]
    blended = asked(session, client).embedding
    other = start_again()
    (style,) = other.library.all
    assert style.made_of == (("Region 1", 0.5), ("Region 2", 0.5)) and style.thumbnail is not None
    other.styles.set(style.id)
    request = asked(other, other.client)
    assert request.embedding == blended and request.source.style == (("Stroma / A", 1.0),)
    content = next(StyleLibrary().folder.iterdir()).read_bytes()
    assert b"case 7" not in content


@pytest.fixture
def start_again(session: Session):
    started: list[Session] = []

    def start() -> Session:
        other = Session(ScriptedClient())
        started.append(other)
        other.slides.set(ArraySlide([tissue(800)], 0.5, "case 8"))
        other.regions.add((400, 400))
        settle(other)
        return other

    yield start
    for other in started:
        other.close()


def test_sessions_notice_styles_saved_and_removed_by_others(session, two, start_again) -> None:
    other = start_again()
    session.styles.save("A")
    settle(session)
    other.library.refresh()
    settle(other)
    (style,) = other.library.all
    item = other.regions.active
    other.styles.choose(StyleChoice.of(item.number, style.id))
    session.library.rename(style.id, "B")
    settle(session)
    other.library.refresh()
    settle(other)
    assert [one.name for one in other.styles.ingredients(item)] == ["Region 1", "B"]
    session.library.remove(style.id)
    settle(session)
    other.library.refresh()
    settle(other)
    assert other.library.all == [] and item.style == StyleChoice.of(item.number)
    assert other.generator.why_not() == ""
    assert session.notices.notes["style"] == "“B” was removed."
    session.library.undo_remove()
    settle(session)
    other.library.refresh()
    settle(other)
    (back,) = other.library.all
    assert (back.id, back.name) == (style.id, "B") and session.library.last_removed is None


def test_a_picture_becomes_a_style_without_its_file_name(session, client, two, tmp_path) -> None:
    session.styles.add_picture(save_picture(tmp_path))
    assert session.busy and session.library.coming[0].sentence() == "Picture: reading…"
    assert session.generator.why_not() == "Embedding Picture…"
    settle(session)
    (style,) = session.library.all
    assert style.name == "Picture" and style.embedding.shape == (2, 2, 128)
    assert session.regions.active.style == StyleChoice.of(style.id)
    assert "0.5 µm/px is assumed" in session.notices.notes["style"]
    assert asked(session, client).source.style == (("Picture", 1.0),)
    session.styles.add_picture(save_picture(tmp_path, 256, (50800, 50800)))
    settle(session)
    assert [one.name for one in session.library.all] == ["Picture", "Picture 2"]
    assert "style" not in session.notices.notes  # the file says 0.5 µm/px
    session.styles.save("Kept")
    settle(session)
    assert [one.name for one in session.library.all] == ["Kept", "Picture"]
    assert session.styles.ingredients(session.regions.active)[0].name == "Kept"


def cells_file(folder: Path) -> Path:
    path = folder / "mask.png"
    Image.fromarray(np.zeros((300, 300), np.uint8)).save(path)
    return path


def text_file(folder: Path) -> Path:
    path = folder / "notes.jpg"
    path.write_text("no picture")
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: save_picture(folder, 255), "smaller than one tile"),
        (lambda folder: save_picture(folder, 300, (25400, 25400)), None),
        (lambda folder: save_picture(folder, 300, (101600, 101600)), "512 × 512 px at 0.25"),
        (cells_file, "is greyscale or holds cells"),
        (text_file, "not a readable slide or image"),
        (lambda folder: folder / "gone.png", "“gone.png” does not exist"),
        (lambda folder: folder, "is a folder"),
    ],
)
def test_an_unsuitable_picture_is_reported(
    session: Session, two, tmp_path: Path, make: Callable[[Path], Path], words: str | None
) -> None:
    before = session.regions.active.style
    session.styles.add_picture(make(tmp_path))
    settle(session)
    if words is None:  # large pixels make it larger
        assert session.library.all[0].embedding.shape == (3, 3, 128)
        return
    assert words in session.notices.problems["style"]
    assert (
        session.regions.active.style == before
        and not session.library.all
        and not session.library.coming
    )


def test_a_whole_slide_is_too_large_for_one_style(session, two, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(pictures, "MOST_TILES", 1)
    session.styles.add_picture(save_picture(tmp_path))
    settle(session)
    assert "draw a region on the tissue that you want" in session.notices.problems["style"]


def test_failures_and_cancels_leave_the_style_unchanged(session, client, two, tmp_path) -> None:
    before, client.embedding_failure = session.regions.active.style, "There is no memory left."
    session.styles.add_picture(save_picture(tmp_path))
    settle(session)
    assert session.notices.problems["style"] == client.embedding_failure
    session.styles.add_picture(save_picture(tmp_path))
    session.cancel()
    settle(session)
    assert "style" not in session.notices.problems and session.regions.active.style == before
    assert not session.library.all and not session.library.coming


def test_a_variant_becomes_a_style(session, client, two) -> None:
    asked(session, client)
    session.styles.add_variant(session.gallery.results[1])
    session.regions.activate(two[0].number)  # it lands where it was asked for
    settle(session)
    (style,) = session.library.all
    assert style.name == "Variant · seed 1235" and style.thumbnail is not None
    assert two[1].style == StyleChoice.of(style.id)
    assert two[0].style == StyleChoice.of(two[0].number)


def test_a_style_of_another_encoder_is_refused(session, client, two, monkeypatch) -> None:
    session.styles.save("Old")
    settle(session)
    session.styles.set(session.library.all[0].id)
    assert session.generator.why_not() == ""
    session.models._encoders["demo"] = "another"
    assert (
        session.generator.why_not() == "“Old” was embedded by the encoder of another model (demo)"
    )
    assert "embed its tissue again" in session.styles.why_no_blend(session.regions.active)
    session.styles.choose(StyleChoice.of(two[0].number, session.library.all[0].id).with_balance(0))
    assert session.generator.why_not() == ""  # none of it is used
    session.generator.generate_series(3)
    assert "of another model" in session.notices.problems["style"]


def test_a_series_leads_from_the_first_style_to_the_last_with_one_seed(
    session, client, two
) -> None:
    first, second = two
    session.styles.choose(StyleChoice.of(first.number, second.number))
    session.generator.generate_series(5)
    settle(session)
    for _ in range(5):
        client.play()
        settle(session)
    (job,) = {result.job for result in session.gallery.results}
    assert session.grids.last.job == job
    assert session.grids.last.sweep.columns[:2] == ("Region 1", "75 % Region 1 · 25 % Region 2")
    assert len([one for one in session.grids.pictures(session.grids.last) if one]) == 5
    requests = [result.record.request for result in session.gallery.results]
    assert [one.seed for one in requests] == [1234] * 5 and {one.count for one in requests} == {1}
    assert requests[0].embedding == first.embedding and requests[-1].embedding == second.embedding
    assert [dict(one.source.style).get("Region 2", 0) for one in requests] == [
        0,
        0.25,
        0.5,
        0.75,
        1,
    ]


def test_another_style_updates_the_live_picture(session, client, two) -> None:
    session.generator.set_live(True)
    session.generator.live.forget()
    session.styles.choose(StyleChoice.of(*(item.number for item in two)))
    session.wait(20, until=lambda: bool(client.waiting))
    assert client.waiting[0][0].source.style == (("Region 1", 0.5), ("Region 2", 0.5))


def test_a_series_needs_two_styles(session, two) -> None:
    session.generator.generate_series(3)
    assert "Blend with…" in session.notices.problems["style"]
    assert [c.shares for c in StyleChoice.of(1, 2, 3).series(3)] == [
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
    ]
    with pytest.raises(PixCellError, match="2 or more"):
        StyleChoice.of(1, 2).series(1)


def test_shares_and_balance_of_three_styles() -> None:
    choice = StyleChoice.of(1, 2).with_more("a")
    assert choice.shares == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    choice = choice.with_share(2, 0.5).with_balance(0.8)
    assert choice.shares == pytest.approx((0.1, 0.4, 0.5)) and choice.balance == pytest.approx(0.8)
    assert choice.without(1).shares == pytest.approx((1 / 6, 5 / 6))
    assert choice.with_share(2, 1).with_share(2, 0.5).shares == pytest.approx((0.25, 0.25, 0.5))
    assert StyleChoice((StylePart(1, 0), StylePart(2, 0))).shares == (0.5, 0.5)


def test_a_choice_is_restored_from_json_and_damage_is_refused() -> None:
    choice = StyleChoice.of(1, "a" * 32).with_balance(0.3)
    assert StyleChoice.from_dict(choice.to_dict()) == choice
    assert StyleChoice.from_dict({"parts": []}) == StyleChoice()
    for value in ({}, {"parts": 3}, {"parts": [{"ref": [1], "weight": 1}]}, {"parts": [{}]}):
        with pytest.raises(PixCellError, match="Choose its style again"):
            StyleChoice.from_dict(value)


def test_a_style_that_is_not_embedded_yet_is_explained() -> None:
    with pytest.raises(PixCellError, match="Choose a second one with “Blend with…”"):
        StyleChoice.of(1).series(3)
    with pytest.raises(PixCellError, match=r"embedded yet\. Wait for it, or embed it"):
        Ingredient("Tumour", 1.0).unpacked()


def test_requests_hold_the_tissue_colours_of_their_style(session, client, two, tmp_path) -> None:
    first, second = two
    assert first.colours == tissue_colours(first.pixels, 0.5) and first.colours.classes
    assert asked(session, client).colour_match == ColourMatch("full", second.colours)
    session.settings.colour_match = "gentle"
    session.styles.choose(StyleChoice.of(first.number, second.number))
    both = mixed_colours([(first.colours, 0.5), (second.colours, 0.5)])
    assert asked(session, client).colour_match == ColourMatch("gentle", both)
    session.generator.generate_series(2)
    settle(session)
    ends = [request.colour_match.tissue for request, _ in client.waiting]
    client.play()
    settle(session)
    ends += [request.colour_match.tissue for request, _ in client.waiting]
    assert ends == [first.colours, second.colours]
    client.play()
    session.settings.use_preset("published")
    session.settings.colour_match = ""
    assert asked(session, client).colour_match is None
    session.settings.use_preset("exact")
    session.settings.use(session.gallery.results[0].record.request)
    assert session.settings.colour_setting == "full"
    session.settings.use(session.gallery.results[-1].record.request)
    assert session.settings.colour_setting == "off"


def test_saved_styles_keep_their_colours_and_older_ones_say_that_they_have_none(
    session, client, two, tmp_path
) -> None:
    session.styles.set(two[0].number)
    session.styles.save("Stroma")
    settle(session)
    (saved,) = StyleLibrary().read()
    assert saved.colours == two[0].colours
    session.styles.add_picture(save_picture(tmp_path))
    settle(session)
    (picture,) = session.library.temporary.values()
    slide = ArraySlide([tissue(300)], 0.5, "Picture")
    own = region_colours(Tissue(slide, Region(0, 0, 300, 300), DEMO))
    assert picture.colours == own
    older = replace(saved, name="Older", id=new_id(), colours=None)
    session.library.save(lambda: older)
    settle(session)
    session.styles.set(older.id)
    words = session.generator.colours_words()
    assert words == "“Older” holds no tissue colours. Save it again from its tissue to match them."
    assert asked(session, client).colour_match is None
    session.settings.colour_match = "off"
    assert session.generator.colours_words() == ""

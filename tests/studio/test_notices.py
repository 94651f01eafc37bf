"""Messages belong to their region, and are shown with it."""

from __future__ import annotations

from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.notices import Notices


def test_messages_about_a_region_are_shown_while_it_is_active() -> None:
    notices = Notices()
    notices.turn_to(1)
    notices.say("layout", "No nuclei were found.")
    notices.note("export", "Wrote 4 images.")
    notices.turn_to(2)
    assert notices.problems == {} and notices.notes == {"export": "Wrote 4 images."}
    notices.note("layout", "Imported 20 cells.")
    notices.say("style", "The worker ended.", about=1)  # another region's work ends late
    assert notices.problems == {}
    notices.turn_to(1)
    assert notices.problems == {"layout": "No nuclei were found.", "style": "The worker ended."}
    assert "layout" not in notices.notes
    notices.say("layout", "")
    notices.turn_to(2)
    assert notices.notes["layout"] == "Imported 20 cells."
    notices.turn_to(1)
    assert "layout" not in notices.problems


def test_an_error_in_a_block_is_the_message_of_its_section() -> None:
    notices = Notices()
    notices.note("slide", "Saved.")
    with notices.reporting("slide"):
        raise PixCellError("The file is damaged.")
    assert notices.problems == {"slide": "The file is damaged."} and notices.notes == {}

"""The studio's actions in napari's command palette, each under its id in ``napari.yaml``.

Each command opens the studio if needed. If its button is disabled, napari's status bar says why.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from napari.viewer import Viewer
from qtpy.QtWidgets import QAbstractButton

from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.docked import find_or_open
from napari_pixcell.ui.key_table import KEYS, key_list, show_words, tool_title
from napari_pixcell.ui.review.dock import open_review
from napari_pixcell.ui.sections.tools import TOOLS


def studio_of(viewer: Viewer) -> PixCellStudio:
    """Return the studio of a viewer, opened if needed."""
    return find_or_open(viewer, PixCellStudio, "PixCell studio")


def _press(viewer: Viewer, button: QAbstractButton) -> None:
    if button.isEnabled():
        button.click()
    else:
        viewer.status = f"{button.text()}: {button.toolTip()}"


def _tool(name: str) -> Callable[[PixCellStudio], None]:
    return lambda studio: _press(studio.viewer, studio.layout_.tools.buttons[name])


def _unfold(section: str, button: str) -> Callable[[PixCellStudio], None]:
    def press(studio: PixCellStudio) -> None:
        found = attrgetter(button)(getattr(studio, section))
        studio.tabs.bring(found)
        _press(studio.viewer, found)

    return press


def _save_session_as(studio: PixCellStudio) -> None:
    menu = studio.header.menu
    menu.refresh()
    if menu.save_action.isEnabled():
        menu.save_action.trigger()
    else:
        studio.viewer.status = "Save session as: Open a slide first"


def _style_from_image(studio: PixCellStudio) -> None:
    if studio.session.regions.active is None:
        studio.viewer.status = "Style from image: Add a region first"
    else:
        studio.style_.open_picture()


def _hide_variants(studio: PixCellStudio) -> None:
    active = studio.session.regions.active
    if active is not None:
        studio.session.gallery.show_none(active.number)


def _swipe(studio: PixCellStudio) -> None:
    swipe = studio.session.gallery.swipe
    swipe.switch(not swipe.on)


def _discard(studio: PixCellStudio) -> None:
    gallery = studio.session.gallery
    if gallery.looked is not None:
        gallery.discard(gallery.looked)


# By id: the title in the palette, and the path of a button in the studio or a function.
COMMANDS: dict[str, tuple[str, str | Callable[[PixCellStudio], Any]]] = {
    "open_slide": ("Open slide", lambda studio: studio.actions.choose()),
    "open_zarr": ("Open OME-Zarr folder", lambda studio: studio.actions.choose_zarr()),
    "open_address": ("Open slide at an address", lambda studio: studio.actions.ask_address()),
    "open_session": ("Open session", lambda studio: studio.actions.open_session()),
    "save_session_as": ("Save session as", _save_session_as),
    "keys": ("Show keys", lambda studio: show_words(studio.window(), KEYS, key_list())),
    "new_region": ("Add region at the centre of the view", "region.add_button"),
    "draw_region": ("Draw region of any size", "region.draw_button"),
    "find_similar": ("Find tissue similar to the active region", "region.similar.find_button"),
    "blend_styles": ("Blend the style with another, or stop blending", "style_.blend_button"),
    "series_of_styles": ("Generate series between two styles", "style_.blending.series_button"),
    "save_style": ("Save style", "style_.save_button"),
    "style_from_picture": ("Use style of an image", _style_from_image),
    "segment": ("Segment nuclei in the active region", "layout_.segmentation.segment_button"),
    "mark_part": ("Mark area of the region", "layout_.area.mark_button"),
    "change_part": ("Mark area to regenerate", _unfold("generate", "start.mark_button")),
    **{name: (tool_title(name), _tool(name)) for name in TOOLS},
    "import_cells": ("Import layout from a file", "layout_.import_button"),
    "save_cells": ("Save layout for other tools", "layout_.export_button"),
    "invent_cells": ("Invent cells in the active region", "layout_.inventing.invent_button"),
    "vary_cells": ("Vary cells of the active region", "layout_.inventing.vary_button"),
    "next_class": ("Pick the next class of cells", lambda studio: studio.link.tools.pick_next()),
    "train_control": ("Train a control", lambda studio: studio.layout_.open_training()),
    "show_condition": ("Show or hide model input", "layout_.condition"),
    "generate": ("Generate variants of the active region", "footer.generate_button"),
    "generate_grid": ("Generate grid of settings", "generate.grid.generate_button"),
    "live": ("Switch live preview on or off", "generate.live"),
    "new_seed": ("Change seed", "generate.new_seed"),
    "cancel": ("Cancel current job", lambda studio: studio.session.cancel()),
    "cancel_all": ("Cancel all jobs", lambda studio: studio.session.queue.cancel_all()),
    "keep": ("Star or unstar variant", lambda studio: studio.session.gallery.star_looked()),
    "hide_variants": ("Hide variants of the active region", _hide_variants),
    "swipe": ("Switch swipe between tissue and variant on or off", _swipe),
    "discard": ("Discard variant", _discard),
    "undo_discard": ("Undo discard", lambda studio: studio.session.gallery.undo_discard()),
    "measure_tissue": ("Measure IHC in tissue", _unfold("measure", "tissue_button")),
    "measure_variant": ("Measure IHC in variant", _unfold("measure", "variant_button")),
    "export": ("Export image–mask pairs", "export.export_button"),
    "review": ("Open dataset for review", lambda studio: open_review(studio.viewer).choose()),
    "models": ("Manage models", lambda studio: studio.actions.manage()),
    "free_memory": ("Free memory of models", lambda studio: studio.session.free_memory()),
}


def _command(title: str, act: str | Callable[[PixCellStudio], Any]) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        studio = studio_of(viewer)
        if isinstance(act, str):
            _press(viewer, attrgetter(act)(studio))
        else:
            act(studio)

    run.__doc__ = f"{title}."
    return run


def __getattr__(name: str) -> Callable[[Viewer], None]:
    """Return the function of a command, which ``napari.yaml`` names by its id."""
    if name not in COMMANDS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _command(*COMMANDS[name])

"""What napari's command palette offers: every action of the studio by its name.

Each command opens the studio where it is not open yet. One that cannot be done now says why, in
napari's status bar, in the words of the disabled button.
"""

from __future__ import annotations

from napari.viewer import Viewer
from qtpy.QtWidgets import QAbstractButton

from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.help_menu import KEYS, show_words
from napari_pixcell.ui.keys import key_list
from napari_pixcell.ui.review.dock import open_review

PLUGIN, TITLE = "napari-pixcell", "PixCell studio"


def studio_of(viewer: Viewer) -> PixCellStudio:
    """Give the studio of a viewer, opening it if it is not there."""
    docked = viewer.window.dock_widgets.values()
    found = next((widget for widget in docked if isinstance(widget, PixCellStudio)), None)
    if found is None:
        _, found = viewer.window.add_plugin_dock_widget(PLUGIN, TITLE)
    studio: PixCellStudio = found
    return studio


def press(viewer: Viewer, made: QAbstractButton) -> None:
    """Press a button of the dock; where it is off, say why."""
    if made.isEnabled():
        made.click()
    else:
        viewer.status = f"{made.text()}: {made.toolTip()}"


def open_session(viewer: Viewer) -> None:
    """Open a session that was saved."""
    studio_of(viewer).slide.session_menu.choose()


def save_session_as(viewer: Viewer) -> None:
    """Save the session somewhere else."""
    menu = studio_of(viewer).slide.session_menu
    menu.refresh()
    if menu.save_action.isEnabled():
        menu.save_as()
    else:
        viewer.status = "Save as: open a slide first"


def keys(viewer: Viewer) -> None:
    """Show the keys of the studio."""
    studio = studio_of(viewer)
    show_words(studio.window(), KEYS, key_list())


def new_region(viewer: Viewer) -> None:
    """Add a region at the centre of the view."""
    press(viewer, studio_of(viewer).region.add_button)


def draw_region(viewer: Viewer) -> None:
    """Draw a region of any size."""
    press(viewer, studio_of(viewer).region.draw_button)


def find_similar(viewer: Viewer) -> None:
    """Find tissue like the active region's."""
    press(viewer, studio_of(viewer).region.similar.find_button)


def blend_styles(viewer: Viewer) -> None:
    """Blend the style with another, or stop blending."""
    press(viewer, studio_of(viewer).style_.blend_button)


def series_of_styles(viewer: Viewer) -> None:
    """Generate a series from one style to another."""
    press(viewer, studio_of(viewer).style_.blending.series_button)


def save_style(viewer: Viewer) -> None:
    """Save the style by name."""
    press(viewer, studio_of(viewer).style_.save_button)


def style_from_picture(viewer: Viewer) -> None:
    """Take the style of a picture."""
    studio = studio_of(viewer)
    if studio.session.active is None:
        viewer.status = "Style from a picture: Add a region first"
    else:
        studio.style_.open_picture()


def segment(viewer: Viewer) -> None:
    """Find the nuclei of the active region."""
    press(viewer, studio_of(viewer).layout_.finding.segment_button)


def mark_part(viewer: Viewer) -> None:
    """Mark a part of the region."""
    press(viewer, studio_of(viewer).layout_.area.mark_button)


def change_part(viewer: Viewer) -> None:
    """Change only a marked part of the region."""
    section = studio_of(viewer).generate
    section.header.setChecked(True)
    press(viewer, section.starting.mark_button)


def paint(viewer: Viewer) -> None:
    """Paint cells."""
    press(viewer, studio_of(viewer).layout_.tools.buttons["paint"])


def outline(viewer: Viewer) -> None:
    """Outline cells."""
    press(viewer, studio_of(viewer).layout_.tools.buttons["outline"])


def stamp(viewer: Viewer) -> None:
    """Stamp nuclei."""
    press(viewer, studio_of(viewer).layout_.tools.buttons["stamp"])


def split(viewer: Viewer) -> None:
    """Split cells by a line."""
    press(viewer, studio_of(viewer).layout_.tools.buttons["split"])


def import_cells(viewer: Viewer) -> None:
    """Import cells from a file."""
    press(viewer, studio_of(viewer).layout_.import_button)


def save_cells(viewer: Viewer) -> None:
    """Save the layout for other tools."""
    press(viewer, studio_of(viewer).layout_.export_button)


def invent_cells(viewer: Viewer) -> None:
    """Invent cells in the active region."""
    press(viewer, studio_of(viewer).layout_.inventing.invent_button)


def vary_cells(viewer: Viewer) -> None:
    """Vary the cells of the active region."""
    press(viewer, studio_of(viewer).layout_.inventing.vary_button)


def show_condition(viewer: Viewer) -> None:
    """Show what the model sees of the layout."""
    press(viewer, studio_of(viewer).layout_.condition)


def generate(viewer: Viewer) -> None:
    """Generate variants of the active region."""
    press(viewer, studio_of(viewer).generate.generate_button)


def generate_grid(viewer: Viewer) -> None:
    """Generate a grid of settings."""
    press(viewer, studio_of(viewer).generate.grid.go)


def live(viewer: Viewer) -> None:
    """Switch the live picture on or off."""
    press(viewer, studio_of(viewer).generate.live)


def new_seed(viewer: Viewer) -> None:
    """Take another seed."""
    press(viewer, studio_of(viewer).generate.new_seed)


def cancel(viewer: Viewer) -> None:
    """Cancel what runs."""
    studio_of(viewer).session.cancel()


def cancel_all(viewer: Viewer) -> None:
    """Cancel what runs and what waits."""
    studio_of(viewer).session.generation.cancel_all()


def keep(viewer: Viewer) -> None:
    """Keep the variant that is seen, or no longer."""
    studio_of(viewer).session.gallery.star_looked()


def hide_variants(viewer: Viewer) -> None:
    """Show none of the variants of the active region."""
    session = studio_of(viewer).session
    if session.active is not None:
        session.gallery.show_none(session.active.number)


def swipe(viewer: Viewer) -> None:
    """Swipe between tissue and variant, or no longer."""
    swipe = studio_of(viewer).session.gallery.swipe
    swipe.switch(not swipe.on)


def discard(viewer: Viewer) -> None:
    """Discard the variant that is seen."""
    gallery = studio_of(viewer).session.gallery
    if gallery.looked is not None:
        gallery.discard(gallery.looked)


def undo_discard(viewer: Viewer) -> None:
    """Bring back the variants that were discarded last."""
    studio_of(viewer).session.gallery.undo_discard()


def measure_tissue(viewer: Viewer) -> None:
    """Measure IHC in the tissue of the active region."""
    section = studio_of(viewer).measure
    section.header.setChecked(True)
    press(viewer, section.tissue_button)


def measure_variant(viewer: Viewer) -> None:
    """Measure IHC in the variant that is seen."""
    section = studio_of(viewer).measure
    section.header.setChecked(True)
    press(viewer, section.variant_button)


def export(viewer: Viewer) -> None:
    """Export image–mask pairs."""
    press(viewer, studio_of(viewer).export.export_button)


def review(viewer: Viewer) -> None:
    """Open a dataset and review its pairs."""
    open_review(viewer).choose()


def models(viewer: Viewer) -> None:
    """Get, check and remove models."""
    press(viewer, studio_of(viewer).slide.more)


def free_memory(viewer: Viewer) -> None:
    """Give the memory of the models back."""
    press(viewer, studio_of(viewer).slide.free)

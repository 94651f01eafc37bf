"""Take the pictures of this folder from the real window: ``xvfb-run -a python make.py [NAME …]``.

With names, only these pictures are taken. The bundled networks generate everything, in the
product's worker process. The slide is CMU-1-Small-Region if ``../shared`` (or the folder in
``PIXCELL_SHARED``) contains it, and otherwise the bundled sample.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from skimage.measure import regionprops
from window import HOME, Window, click, settle

from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.ui.key_table import KEYS, key_list, show_words
from napari_pixcell.ui.results.sheet_window import SheetWindow
from napari_pixcell.ui.review.dock import ReviewPairs

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("PIXCELL_SHARED") or HERE.parents[2] / "shared")
REAL = SHARED / "data" / "wsi_cmu1_small_region" / "CMU-1-Small-Region.svs"
# As fractions of the slide (down, across): epithelium with many nuclei, and stroma next to it.
FIRST, SECOND = ((0.27, 0.555), (0.385, 0.455)) if REAL.exists() else ((0.45, 0.25), (0.45, 0.68))


def slide() -> Path:
    """Return a copy of the slide, next to which a session can be saved."""
    path = HOME / "slides" / (REAL.name if REAL.exists() else SAMPLE_SLIDE.name)
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        shutil.copy(REAL if REAL.exists() else SAMPLE_SLIDE, path)
    return path


def opened(theme: str = "dark", regions: int = 2) -> Window:
    """Open the window with the slide and regions on it, without an earlier session."""
    shutil.rmtree(slide().with_suffix(".pixcell"), ignore_errors=True)
    window = Window(HERE, theme)
    window.studio.actions.open(slide())
    window.wait(lambda: window.session.slides.ready)
    settle(0.5)
    for place in (FIRST, SECOND)[:regions]:
        window.region(*place)
    if regions:
        window.session.regions.activate(1)
        window.look_at(window.session.regions.active)
    return window


def variants(window: Window, count: int, seed: int = 1234, steps: int = 20) -> None:
    """Generate variants of the active region, and wait for them."""
    ask(window, count, seed, steps)
    window.rest()


def ask(window: Window, count: int, seed: int, steps: int) -> None:
    """Press Generate."""
    settings = window.session.settings
    settings.count, settings.seed, settings.steps = count, seed, steps
    settle(0.1)
    click(window.studio.footer.generate_button)


# -- the pictures ------------------------------------------------------------------------------


def queue_and_live(window: Window) -> None:
    """Show the queue with one row of each kind, and a preview that sharpens."""
    session, queue = window.session, window.session.queue
    # as the system does when memory is short
    ask(window, 4, 100, 40)
    window.wait(lambda: queue.current is not None and queue.current.done > 1)
    os.kill(session.client.process_id, signal.SIGKILL)
    window.wait(lambda: queue.ended)
    ask(window, 4, 1234, 100)
    session.regions.activate(2)
    ask(window, 2, 77, 20)
    session.regions.activate(1)
    window.look_at(session.regions.active)
    window.wait(lambda: queue.current.made == 1 and queue.current.done > 30)
    window.photograph("queue", 0.1)
    click(window.studio.results.queue.cancel_all)
    window.rest()
    click(window.studio.results.queue.clear)
    ask(window, 4, 1234, 100)
    window.wait(lambda: queue.current.done > 35)
    window.scroll_to(window.studio.layout_)
    window.photograph("sharpening", 0.1)
    queue.cancel_all()
    window.rest()
    click(window.studio.results.queue.clear)
    session.gallery.discard(*session.gallery.results)


def results(window: Window) -> None:
    """Show the strip, a kept variant, the divider and the keyboard shortcuts."""
    session, studio = window.session, window.studio
    variants(window, 4, 1234)
    session.regions.activate(2)
    variants(window, 2, 77)
    session.regions.activate(1)
    strip = studio.results.strip
    first = session.gallery.results[0]
    click(strip.viewport(), strip.centre_of(first.number))
    session.gallery.star_looked()
    second = session.gallery.results[1]
    click(strip.viewport(), strip.centre_of(second.number))
    click(studio.results.swipe)
    window.look_at(session.regions.active)
    studio.results.divider.setValue(450)
    window.photograph("results")
    studio.results.swipe.setChecked(False)
    keys = show_words(studio.window(), KEYS, key_list())
    window.photograph_widget(keys, "keys")
    keys.close()
    session.gallery.show_none(1)


def styles(window: Window) -> None:
    """Show a blend of two regions, and the contact sheet of a series."""
    studio = window.studio
    click(studio.style_.blend_button)
    window.rest()
    studio.style_.balance.setValue(40)
    window.unfold(studio.style_.blending)
    variants(window, 1)
    window.look(*((a + b) / 2 for a, b in zip(FIRST, SECOND, strict=True)), 2.9)
    window.scroll_to(studio.style_)
    window.photograph("styles")
    click(studio.style_.blending.series_button)
    window.rest()
    window.unfold(studio.generate.grid)
    sheet(window, "series")
    studio.generate.grid.button.setChecked(False)
    studio.style_.blending.button.setChecked(False)
    click(studio.style_.blend_button)
    window.rest()


def grid(window: Window) -> None:
    """Show the fields and contact sheet of a grid."""
    panel, session = window.studio.generate.grid, window.session
    window.unfold(panel)
    session.settings.steps, session.settings.seed = 20, 1234
    panel.form["grid_seeds"].setValue(3)
    panel.form["grid_guidance"].setText("1, 2, 4")
    settle(0.2)
    click(panel.generate_button)
    window.rest()
    window.scroll_to(window.studio.generate)
    sheet(window, "grid")
    window.photograph("grid-fields")
    panel.form["grid_guidance"].setText("")
    panel.button.setChecked(False)


def sheet(window: Window, name: str) -> None:
    """Show the newest contact sheet."""
    click(window.studio.generate.grid.show_sheet)
    top = window.studio.window()
    window.wait(lambda: top.findChildren(SheetWindow))
    (made,) = top.findChildren(SheetWindow)
    window.photograph_widget(made, name)
    made.close()
    settle(0.3)


def similar(window: Window) -> None:
    """Show the map of tissue similar to the region's."""
    studio, session = window.studio, window.session
    session.regions.activate(1)
    session.gallery.show_none(1)
    click(studio.region.similar.find_button)
    window.wait(lambda: session.similar.found is not None)
    window.rest()
    height, _ = session.slides.current.shape
    model = session.settings.model
    tall = height * session.slides.current.mpp / (model.tile * model.mpp)
    window.look(0.5, 0.5, tall * 1.04)
    window.scroll_to(studio.region)
    window.photograph("similar")
    click(studio.region.similar.close_button)
    window.rest()


def starting(window: Window) -> None:
    """Start from the tissue, and regenerate an area only."""
    studio, session = window.studio, window.session
    panel, item = studio.generate.start, session.regions.active
    window.look_at(item)
    window.unfold(panel)
    window.choose(panel.start_from, panel.start_from.findData("tissue"))
    panel.strength.setValue(0.35)
    settle(0.2)
    variants(window, 2, 1234, 20)
    window.scroll_to(studio.generate)
    window.photograph("strength")
    session.gallery.show_none(item.number)
    click(panel.mark_button)
    settle(0.2)
    centre, radius = middle(window, item), 24.0
    window.stroke(
        [
            (centre[0] + y * radius, centre[1] + x * radius)
            for y, x in (
                (-1, -1),
                (-1, 1),
                (-0.5, 1),
                (-0.5, -1),
                (0, -1),
                (0, 1),
                (0.5, 1),
                (0.5, -1),
            )
        ]
    )
    panel.strength.setValue(1.0)
    settle(0.2)
    variants(window, 2, 1234, 20)
    window.look_at(item)
    window.scroll_to(studio.generate)
    window.photograph("part")
    panel.only_part.setChecked(False)
    window.choose(panel.start_from, panel.start_from.findData("nothing"))
    panel.button.setChecked(False)
    studio.link.area.clear()
    settle(0.2)


def middle(window: Window, item: object) -> tuple[float, float]:
    """Return the centre of a region in world coordinates."""
    region = item.region  # type: ignore[attr-defined]
    place = region.y + region.height / 2, region.x + region.width / 2
    y, x = window.studio.link.slide_layer.data_to_world(place)
    return float(y), float(x)


def live(window: Window) -> None:
    """Paint, with a live preview after each stroke."""
    studio, session = window.studio, window.session
    item = session.regions.active
    session.settings.preset = "exact"
    window.look_at(item)
    click(studio.layout_.none_button)
    studio.generate.live.setChecked(True)
    window.rest()
    click(studio.layout_.tools.buttons["paint"])
    y, x = middle(window, item)
    for dy, dx in ((-34, -30), (-20, 4), (-38, 36), (0, -40), (8, 20), (30, -14), (34, 34)):
        window.stroke([(y + dy + step, x + dx + 2 * step) for step in (0, 1, 2, 3)])
        settle(0.2)
    window.wait(lambda: session.queue.live is not None)
    window.rest()
    settle(0.5)
    window.rest()
    window.scroll_to(studio.layout_)
    window.photograph("live")
    studio.generate.live.setChecked(False)
    session.queue.cancel_all()
    window.rest()


def with_layout(window: Window) -> None:
    """Play the scenes of one region and its cells."""
    window.segment()
    if wanted("queue", "sharpening"):
        queue_and_live(window)
    if wanted("results", "keys"):
        results(window)
    if wanted("grid", "grid-fields"):
        grid(window)
    if wanted("live"):
        live(window)


def without_layout(window: Window) -> None:
    """Play the scenes of styles and starting images."""
    if wanted("styles", "series"):
        styles(window)
    if wanted("similar"):
        similar(window)
    if wanted("strength", "part"):
        starting(window)


def sessions(theme: str = "dark") -> None:
    """Close the window and open the slide again."""
    window = opened(theme)
    window.segment()
    variants(window, 4)
    settle(2.5)  # saved a second after the last change
    window.close()
    window = Window(HERE, theme)
    window.studio.actions.open(slide())
    window.wait(lambda: not window.studio.footer.action.isHidden(), 30)
    window.photograph("session")
    click(window.studio.footer.action)
    window.rest()
    window.session.regions.activate(1)
    window.look_at(window.session.regions.active)
    window.scroll_to(window.studio.region)
    window.photograph("session-open")
    window.close()


def classes(window: Window) -> None:
    """Give the cells classes, left ones and right ones, and show what the model makes of them."""
    studio, session = window.studio, window.session
    session.settings.use_family("demo-classes")
    window.segment()
    click(studio.layout_.tools.classes.buttons["medium"])
    click(studio.layout_.tools.classes.fill_button)
    item = session.regions.active
    for cell in regionprops(item.layout):
        name = "dark" if cell.centroid[1] < item.layout.shape[1] / 2 else "pale"
        session.classes.set(item.number, [cell.label], name)
    variants(window, 2)
    window.scroll_to(studio.layout_)
    window.photograph("classes")


def stains(window: Window) -> None:
    """Generate a virtual stain of the region, and measure it."""
    studio, session = window.studio, window.session
    window.scroll_to(studio.stain)
    studio.stain.boxes["demo-ki67"].setChecked(True)
    settle(0.3)
    click(studio.stain.stain_button)
    window.rest()
    click(studio.results.swipe)
    click(studio.measure.variant_button)
    window.wait(lambda: session.measures.rows, 60)
    window.rest()
    window.scroll_to(studio.stain)
    window.photograph("stain")


def dataset(window: Window) -> None:
    """Generate a small dataset of two regions, and show its first pairs meanwhile."""
    studio, session = window.studio, window.session
    folder = two_regions(window, "epithelium-and-stroma", 10)
    session.datasets.make(folder, first=True)
    window.rest()
    session.datasets.resume(folder)
    window.wait(lambda: session.datasets.jobs)
    job = session.datasets.jobs[0]
    window.wait(lambda: job.done >= 18)
    window.scroll_to(studio.dataset)
    studio.dataset.show_sheet()
    window.wait(lambda: studio.window().findChildren(SheetWindow))
    (sheet,) = studio.window().findChildren(SheetWindow)
    window.photograph_widget(sheet, "dataset-sheet")
    sheet.close()
    window.photograph("dataset")
    session.queue.cancel_all()
    window.rest()


def two_regions(window: Window, name: str, steps: int) -> Path:
    """Choose a dataset of two regions' styles and layouts, and return a folder for it."""
    studio, session = window.studio, window.session
    for item in session.regions.current:
        session.regions.activate(item.number)
        window.segment()
    window.scroll_to(studio.dataset)
    session.settings.steps = steps
    choice = session.datasets.choice
    choice.name, choice.variations, choice.seeds = "Epithelium and stroma", 2, 2
    return HOME / name


def review(window: Window) -> None:
    """Review such a dataset."""
    studio, session = window.studio, window.session
    session.datasets.make(two_regions(window, "to-review", 10))
    window.rest()
    click(studio.dataset.review_button)
    docked = window.viewer.window.dock_widgets.values()
    gallery = next(widget for widget in docked if isinstance(widget, ReviewPairs))
    window.wait(lambda: gallery.review.columns is not None)
    main, dock = gallery.window(), gallery.parent()
    main.resizeDocks([dock], [820], Qt.Orientation.Horizontal)
    settle(0.3)
    window.choose(gallery.filters.sort, gallery.filters.sort.findText("Overlap with its mask"))
    click(gallery.filters.direction)
    for key in (Qt.Key.Key_A, Qt.Key.Key_A, Qt.Key.Key_D, Qt.Key.Key_A, Qt.Key.Key_Right):
        QTest.keyClick(gallery.grid, key)
        settle(0.1)
    gallery.show_pair()
    window.wait(lambda: not gallery.review.busy)
    settle(0.5)
    window.photograph("review")
    gallery.close_review()


def light() -> None:
    """Show the dock in napari's light theme."""
    window = opened("light")
    studio = window.studio
    window.segment()
    variants(window, 4)
    window.scroll_to(studio.region)
    window.photograph("light")
    window.unfold(studio.layout_.inventing, studio.generate.more)
    window.scroll_to(studio.layout_.inventing)
    window.photograph("light-unfolded")
    window.close()


def narrow() -> None:
    """Show the dock alone, at its minimum width."""
    window = opened()
    studio = window.studio
    window.segment()
    variants(window, 4)
    window.widen(320)
    window.scroll_to(studio.region)
    window.photograph_widget(studio, "narrow")
    window.scroll_to(studio.generate)
    window.photograph_widget(studio, "narrow-below")
    window.close()


def first_steps() -> None:
    """Show the window as a newcomer sees it: without a slide, and on the way to variants."""
    shutil.rmtree(slide().with_suffix(".pixcell"), ignore_errors=True)
    window = Window(HERE)
    window.photograph("start")
    studio = window.studio
    studio.actions.open(slide())
    window.wait(lambda: window.session.slides.ready)
    window.look(*FIRST)
    for name in ("region", "cells"):
        click(studio.footer.guide_button)
        window.rest()
        window.photograph(name)
    click(studio.footer.generate_button)
    window.rest()
    window.photograph("variants")
    window.close()


def wanted(*names: str) -> bool:
    """Return whether one of these pictures was requested."""
    return len(sys.argv) < 2 or bool(set(names) & set(sys.argv[1:]))


def run(scene: Callable[[Window], None], *names: str) -> None:
    """Play a scene in a new window."""
    if wanted(*names):
        window = opened()
        try:
            scene(window)
        finally:
            window.close()


if __name__ == "__main__":
    if wanted("start", "region", "cells", "variants"):
        first_steps()
    run(with_layout, "queue", "sharpening", "results", "keys", "grid", "grid-fields", "live")
    run(without_layout, "styles", "series", "similar", "strength", "part")
    run(classes, "classes")
    run(stains, "stain")
    run(dataset, "dataset", "dataset-sheet")
    run(review, "review")
    if wanted("session", "session-open"):
        sessions()
    if wanted("light", "light-unfolded"):
        light()
    if wanted("narrow", "narrow-below"):
        narrow()
    shutil.rmtree(HOME, ignore_errors=True)

"""Take the moving picture of the README from the real window.

``xvfb-run -a -s "-screen 0 1600x1000x24" python moving.py`` writes ``moving.gif``: a box is drawn,
its style and cells are found, four variants sharpen, a divider compares one with the tissue, and a
dataset of pairs follows. Waiting is cut out. Everything else is the real window.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from make import FIRST, HERE, slide
from PIL import Image
from qtpy.QtWidgets import QDockWidget
from window import HOME, Window, click, picture_of, settle

from napari_pixcell.studio.generation.job import GenerationJob
from napari_pixcell.ui.results.sheet_window import SheetWindow

FILE = HERE / "moving.gif"
SIZE = 1000, 640  # px of the window
SHOWN = 760, 486  # px of the picture
COLOURS = 128
LEFT = "layer controls", "layer list"
LARGEST = 1_500_000  # bytes
STEPS = 20


class Film:
    """Frames of a window, with the milliseconds for which each is shown."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.frames: list[Image.Image] = []
        self.times: list[int] = []

    def shoot(self, milliseconds: int, over: Image.Image | None = None) -> None:
        """Add a frame, with a dialog over its middle."""
        settle(0.1)
        pixels = self.window.viewer.window.screenshot(flash=False, canvas_only=False)
        frame = Image.fromarray(np.asarray(pixels)[..., :3])
        if over is not None:
            over.thumbnail((frame.width * 9 // 10, frame.height * 9 // 10))
            corner = (frame.width - over.width) // 2, (frame.height - over.height) // 2
            frame.paste(over, corner)
        self.frames.append(frame.resize(SHOWN, Image.Resampling.LANCZOS))
        self.times.append(milliseconds)

    def write(self, path: Path) -> None:
        """Write all frames as a GIF that repeats, with one palette."""
        palette = self._palette()
        flat = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self.frames]
        flat[0].save(
            path,
            save_all=True,
            append_images=flat[1:],
            duration=self.times,
            loop=0,
            disposal=1,
            optimize=True,  # writes only pixels that change
        )
        if path.stat().st_size > LARGEST:
            raise SystemExit(f"{path.name} has {path.stat().st_size:,} bytes, over {LARGEST:,}")

    def _palette(self) -> Image.Image:
        some = self.frames[:: max(1, len(self.frames) // 12)]
        width, height = some[0].size
        strip = Image.new("RGB", (width, height * len(some)))
        for index, frame in enumerate(some):
            strip.paste(frame, (0, index * height))
        return strip.quantize(COLOURS, Image.Quantize.MEDIANCUT)


def draw_box(window: Window, film: Film) -> None:
    """Draw a region of one tile with the mouse."""
    session, studio = window.session, window.studio
    window.look(*FIRST, 2.1)  # so that no scene has to move the slide, which takes many bytes
    film.shoot(900)
    click(studio.region.draw_button)
    height, width = session.slides.current.shape
    middle = np.array([FIRST[0] * height, FIRST[1] * width])
    model = session.settings.model
    side = model.tile * model.mpp / session.slides.current.mpp
    to_world = studio.link.slide_layer.data_to_world
    corners = [to_world(middle + (part - 0.5) * side) for part in np.linspace(0, 1, 7)]
    window.stroke(corners, each=lambda: film.shoot(110))
    window.rest()
    film.shoot(900)


def variants(window: Window, film: Film) -> None:
    """Find the cells, and generate variants that sharpen."""
    session, studio = window.session, window.studio
    click(studio.footer.guide_button)
    window.rest()
    film.shoot(1200)
    session.settings.count, session.settings.seed, session.settings.steps = 4, 1234, STEPS
    settle(0.1)
    click(studio.footer.generate_button)
    window.wait(lambda: session.queue.current is not None)
    job = session.queue.current
    assert isinstance(job, GenerationJob)
    shown, every = 0, 2
    while session.queue.current is job:
        window.wait(lambda at=shown + every: job.done >= at or session.queue.current is not job)
        if session.queue.current is job:
            shown, every = job.done, 3 if job.made == 0 else 10
            film.shoot(180)
    window.rest()
    film.shoot(1200)


def compare(window: Window, film: Film) -> None:
    """Drag the divider between tissue and variant."""
    studio = window.studio
    click(studio.results.swipe)
    for position in (0, 250, 500, 750, 1000, 500):
        studio.results.divider.setValue(position)
        film.shoot(250)
    film.shoot(600)
    studio.results.swipe.setChecked(False)


def pairs(window: Window, film: Film) -> None:
    """Generate a few pairs of a dataset, and show them with the outlines of their masks."""
    session, studio = window.session, window.studio
    window.scroll_to(studio.dataset)
    session.settings.steps = 10
    choice = session.datasets.choice
    choice.name, choice.variations, choice.seeds = "Epithelium", 3, 4
    settle(0.2)
    film.shoot(900)
    session.datasets.make(HOME / "pairs", first=True)
    window.rest()
    film.shoot(500)
    studio.dataset.show_sheet()
    window.wait(lambda: studio.window().findChildren(SheetWindow))
    (sheet,) = studio.window().findChildren(SheetWindow)
    settle(0.3)
    film.shoot(2500, picture_of(sheet.grab()))
    sheet.close()


def main() -> None:
    """Play all scenes and write the file."""
    shutil.rmtree(slide().with_suffix(".pixcell"), ignore_errors=True)
    window = Window(HERE)
    for panel in window.dock.window().findChildren(QDockWidget):
        if panel.objectName() in LEFT:
            panel.hide()  # napari's own, so that the slide has room
    window.viewer.window.resize(*SIZE)
    settle(0.3)
    window.widen(340)
    window.studio.actions.open(slide())
    window.wait(lambda: window.session.slides.ready)
    settle(0.5)
    film = Film(window)
    for scene in (draw_box, variants, compare, pairs):
        scene(window, film)
    window.close()
    film.write(FILE)
    shutil.rmtree(HOME, ignore_errors=True)


if __name__ == "__main__":
    main()

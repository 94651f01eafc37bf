"""The dialog in which a control of the user's own is trained: a ControlNet that places cells."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QShowEvent
from qtpy.QtWidgets import QColorDialog, QDialog, QToolButton, QWidget

from napari_pixcell.cells.class_map import Palette
from napari_pixcell.cells.methods import METHODS
from napari_pixcell.engine.training.request import MOST_STEPS
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.controls.training import SECTION
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import More, clear, column, tight_grid
from napari_pixcell.ui.bind import set_quietly
from napari_pixcell.ui.dialogs import ask_folder
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.messages import Messages
from napari_pixcell.ui.sections.classes import NO_CLASS, swatch
from napari_pixcell.ui.sections.form import Form, choice, flag, integer, text
from napari_pixcell.ui.sections.training import WIDTH, TrainingRow, short
from napari_pixcell.ui.widgets import Text, allow, button, offer, tool_button
from napari_pixcell.words import counted

ABOUT = (
    "Train the model that places cells on your own images and masks. A small model takes minutes "
    "to hours, a large one needs a GPU. Training can be stopped and resumed, and goes on while "
    "this window is closed."
)
NAMES = {METHODS[0]: "built-in method", METHODS[1]: "Cellpose"}
FIELDS = {
    "name": text("Name", "Name of your model: letters, digits, “-” and “_”", "my-cells"),
    "base": choice("Base model", "The model that it extends; its licence applies", {"": ""}),
    "method": choice("Without masks", "How nuclei are segmented if images have no masks", NAMES),
    "steps": integer(
        "Training steps", "More steps take longer and follow the cells better", 1, MOST_STEPS
    ),
    "classes": flag(
        "Learn classes of cells",
        "The masks name a class for each cell, such as tumour or lymphocyte, and the model learns "
        "what each looks like",
    ),
}
FOLDER = (
    "Choose a folder of images and masks: a.png with a_masks.tif or a.geojson, or the folders "
    "“images” and “masks”. An exported dataset works too."
)
COLOUR = "Change the colour that stands for “{name}”"
RECOLOUR = "Click a class to change its colour. The numbers are those of its cells."
SWATCHES = 3  # in a row
TRAINED = "“{}” was trained on {} of {}."
DOUBTED = (
    "It follows the cells not clearly better than shuffled ones. Do not trust it. More steps or "
    "more pairs may help."
)
ERROR = "Held-out error: {:.3f} with the own cells, {:.3f} with those of another tile."


class ControlTrainingDialog(QDialog):
    """Chooses pairs and classes, and shows the progress and the outcome of a training."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Train a control"))
        self.setMinimumWidth(WIDTH)
        self.session, training = session, session.control_training
        self.form = Form(training, FIELDS, training.set)
        self.folder = button("", FOLDER, self.choose, "folder of pairs")
        self.words = Text(small=True)
        self.swatches: dict[str, QToolButton] = {}
        self._palette: Palette = ()
        self._grid = tight_grid(None)
        self._grid.setColumnStretch(SWATCHES, 1)
        self.about_classes = Text(small=True)
        self.plan = Text(small=True)
        self.plans = More("GPU memory", "What GPUs of the usual sizes can train")
        self.plans.stack(self.plan)
        tip = "Train on these pairs and add the model to yours"
        self.train_button = button("Train model", tip, training.train)
        self.progress = TrainingRow(training.cancel)
        self.messages = Messages(session, SECTION, lines=0)
        self.figures = Text(small=True)
        classes = self._grid, self.about_classes
        said = self.plans, self.train_button, self.progress, self.messages, self.figures
        top = Text(ABOUT), self.folder, self.words, self.form
        stack = column(self, *top, *classes, *said, spacing=8)
        stack.addStretch(1)
        stack.setContentsMargins(14, 14, 14, 14)
        self.finished.connect(lambda _result: self._closed())

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self.refresh()

    def _closed(self) -> None:
        """What the window has said of a finished training need not be said again."""
        if self.session.control_training.job is None:
            self.session.notices.say(SECTION, "")

    def refresh(self) -> None:
        if not self.isVisible():
            return
        training = self.session.control_training
        job, folder = training.job, training.folder
        offer(self.form["base"], [(family.title, family.name) for family in training.bases])
        self.form.refresh()
        set_quietly(self.form["base"], training.family.name)
        busy = training.why_not() if job is not None else ""
        for field in (*(self.form[name] for name in FIELDS), self.folder):
            allow(field, busy)
        if training.masks:
            allow(self.form["method"], busy or "The images have masks")
        if not training.classes and folder is not None:
            allow(self.form["classes"], busy or training.why_no_classes())
        self.folder.setText(tr(f"Images and masks: {short(folder.name)}" if folder else "Folder…"))
        self.words.say(training.words())
        self._show_classes(busy)
        plan = training.plan()
        self.plans.setVisible(bool(plan))
        self.plan.say("\n".join(plan))
        self.train_button.setText(tr(f"Train {short(training.name) or 'model'}"))
        allow(self.train_button, training.why_not())
        self.progress.show_task(job)
        self._report()

    def _show_classes(self, busy: str) -> None:
        """Show the classes in the masks, each as a button that changes its colour."""
        training = self.session.control_training
        found, problem = training.found, ""
        palette: Palette = ()
        try:
            palette = training.palette
        except PixCellError as error:
            problem = str(error)
        if palette != self._palette:
            clear(self._grid)
            self._palette, self.swatches = palette, {}
            for place, (name, colour) in enumerate(palette):
                shown, act = name or NO_CLASS, partial(self.choose_colour, name, colour)
                made = tool_button("", COLOUR.format(name=shown), act, f"{shown}: {colour}")
                made.setIcon(swatch(colour))
                made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
                self.swatches[name] = made
                self._grid.addWidget(made, place // SWATCHES, place % SWATCHES)
        for name, made in self.swatches.items():
            made.setText(self._label(name))
            allow(made, busy)
        told = found.why_none() or (RECOLOUR if palette else "")
        self.about_classes.say(problem or (told if training.classes else ""))

    def _report(self) -> None:
        """Show how the last training ended, and its figures on held-out tiles."""
        session, outcome = self.session, self.session.control_training.outcome
        if outcome is None:
            self.messages.show_message()
            self.figures.say("")
            return
        told = session.notices.notes.get(SECTION, "").removeprefix(outcome.sentence())
        tiles, images = counted(outcome.tiles, "tile"), counted(outcome.pairs, "image")
        done = " ".join(filter(None, [TRAINED.format(outcome.name, tiles, images), told.strip()]))
        use = partial(session.settings.use_family, outcome.name)
        selected = session.settings.family == outcome.name
        doubt = "" if outcome.follows else DOUBTED
        self.messages.show_message(doubt, done, "" if selected else "Select model", use)
        error = ERROR.format(outcome.held_out, outcome.other)
        self.figures.say("\n".join([error, *(f"• {row}" for row in outcome.agreement)]))

    def _label(self, name: str) -> str:
        cells = self.session.control_training.found.counts[name]
        return f"{short(name or NO_CLASS)} · {cells:,}".replace("&", "&&")

    def choose(self) -> None:
        choose = self.session.control_training.choose_folder
        ask_folder(self, "Folder of images and masks", choose)

    def choose_colour(self, name: str, colour: str) -> None:
        chosen = QColorDialog.getColor(QColor(colour), self, f"Colour of “{name or NO_CLASS}”")
        if chosen.isValid():
            self.session.control_training.found.colour(name, chosen.name())

"""The dialogs in which a stain or a control of the user's own is trained."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDialog, QPushButton, QWidget

from napari_pixcell.studio.long_work import LongTask
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.stains.training import SIDES
from napari_pixcell.ui.arrange import column, row
from napari_pixcell.ui.bind import set_quietly
from napari_pixcell.ui.dialogs import ask_folder
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.sections.form import Form, choice, flag, text
from napari_pixcell.ui.widgets import Bar, Text, allow, button, offer

ABOUT = (
    "Train on pairs of H&E and IHC images of the same fields of view. It takes minutes on a GPU "
    "and can be stopped and resumed."
)
FIELDS = {
    "name": text("Name", "Name of your stain: letters, digits, “-” and “_”", "my-her2"),
    "base": choice("Base model", "The model that the stain extends; its licence applies", {"": ""}),
    "lora": flag(
        "Train the generator too (LoRA)",
        "Train a LoRA adapter as well: better images, but far slower. "
        "Without it, only the style embeddings are mapped.",
    ),
    "aligned": flag(
        "Pairs are registered",
        "The images of a pair match to the pixel, so the stain learns to keep the cells",
    ),
}
WIDTH = 420  # px
SHORT = 20  # characters that fit a button


def short(name: str) -> str:
    """Return a name with its middle cut out if it is long."""
    return name if len(name) <= SHORT else f"{name[: SHORT // 2]}…{name[1 - SHORT // 2 :]}"


class TrainingRow(QWidget):
    """What a training is doing, its bar, and the button that stops it; hidden without one."""

    def __init__(self, cancel: Callable[[], Any]) -> None:
        super().__init__()
        self.state = Text(small=True)
        self.bar = Bar()
        tip = "Stop the training and keep its state (Esc)"
        self.cancel_button = button("Cancel", tip, cancel, "cancel training")
        column(self, self.state, row(self.bar, self.cancel_button, stretch=0), spacing=4)
        self.hide()

    def show_task(self, task: LongTask | None) -> None:
        self.setVisible(task is not None)
        if task is not None:
            self.state.say(task.sentence())
            self.bar.advance(task.done, task.total)
            allow(self.cancel_button, "Already cancelling" if task.cancelled else "")


class TrainingDialog(QDialog):
    """Chooses the pairs and shows the progress of a training, which goes on when it is closed."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Train a virtual stain"))
        self.setMinimumWidth(WIDTH)
        self.session, training = session, session.training
        self.form = Form(training, FIELDS, training.set)
        self.folders: dict[str, QPushButton] = {}
        self.regions: dict[str, QPushButton] = {}
        for side, words in SIDES.items():
            shown = words.replace("&", "&&")
            tip = f"Choose a folder of {words} images. The two images of a pair share their name."
            self.folders[side] = button("", tip, partial(self.choose, side), f"folder {side}")
            title, use = f"Use region as {shown}", partial(training.choose_region, side)
            tip = f"Use the active region as {words}. With one of each, the pair is added."
            self.regions[side] = button(title, tip, use, f"region {side}")
        self.words = Text(small=True)
        tip = "Train on these pairs and add the stain to yours"
        self.train_button = button("Train stain", tip, training.train)
        self.progress = TrainingRow(training.cancel)
        sides = [row(self.folders[side], self.regions[side], stretch=0) for side in SIDES]
        said = self.words, self.train_button, self.progress
        stack = column(self, Text(ABOUT), self.form, *sides, *said, spacing=8)
        stack.setContentsMargins(14, 14, 14, 14)

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self.refresh()

    def refresh(self) -> None:
        if not self.isVisible():
            return
        training = self.session.training
        job = training.job
        offer(self.form["base"], [(family.title, family.name) for family in training.bases])
        self.form.refresh()
        set_quietly(self.form["base"], training.family.name)
        busy = training.why_not() if job is not None else ""
        for field in (*(self.form[name] for name in FIELDS), *self.folders.values()):
            allow(field, busy)
        if not training.lora:
            allow(self.form["aligned"], busy or "Only the training of the generator uses this")
        for side, words in SIDES.items():
            folder = training.folders.get(side)
            text = f"{words}: {short(folder.name)}" if folder else f"{words} folder…"
            self.folders[side].setText(text.replace("&", "&&"))
            allow(self.regions[side], training.why_no_region())
        self.words.say(training.words())
        self.train_button.setText(tr(f"Train {short(training.name) or 'stain'}"))
        allow(self.train_button, training.why_not())
        self.progress.show_task(job)

    def choose(self, side: str) -> None:
        choose = partial(self.session.training.choose_folder, side)
        ask_folder(self, f"Folder of {SIDES[side]} images", choose)

"""Teaching a stain of one's own, folded away in the Virtual stain section."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_pixcell.studio.session import Session
from napari_pixcell.studio.stains.training import SIDES
from napari_pixcell.ui.widgets import BLUE, More, Text, allow, button, row

WHAT = (
    "By pairs of pictures of the same places, H&E and IHC. On a graphics card it takes minutes; "
    "stopped, it goes on later."
)
LORA = (
    "Teach the generator too, by an adapter (LoRA): better pictures, and far longer; without it "
    "only their looks are moved"
)
ALIGNED = "Cells lie in the same places in both pictures: so the stain learns to keep them"


SHORT = 20  # letters that a button has room for


def short(name: str) -> str:
    """Cut a long name in its middle."""
    return name if len(name) <= SHORT else f"{name[: SHORT // 2]}…{name[1 - SHORT // 2 :]}"


class TeachPanel(QWidget):
    """Chooses pairs, and shows how the teaching goes.

    Parameters
    ----------
    session : Session
        Its state.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session, teaching = session, session.teaching
        self.more = More("Teach a stain…")
        content = self.more.content
        content.addWidget(Text(WHAT, small=True))
        self.name = QLineEdit()
        self.name.setPlaceholderText("my-her2")
        self.name.setToolTip("Name of your stain: letters, digits, “-” and “_”")
        self.name.textEdited.connect(lambda text: teaching.set(name=text.strip()))
        self.base = QComboBox()
        self.base.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.base.setToolTip("What the stain builds on, and whose licence holds for it")
        self.base.activated.connect(lambda _: teaching.set(base=self.base.currentData()))
        for words, field in (("Name", self.name), ("Builds on", self.base)):
            line = row(QLabel(words), field)
            line.setStretch(1, 1)
            content.addLayout(line)
        self.folders: dict[str, QPushButton] = {}
        self.regions: dict[str, QPushButton] = {}
        for side, words in SIDES.items():
            shown = words.replace("&", "&&")
            self.folders[side] = button(
                f"{shown}: folder…",
                f"Pictures of {words}; the two of a place have the same name",
                partial(self.choose, side),
                f"folder {side}",
            )
            self.regions[side] = button(
                f"Region is {shown}",
                f"Take the active region as {words}; with one of each a pair is added",
                partial(teaching.choose_region, side),
                f"region {side}",
            )
            line = row(self.folders[side], self.regions[side])
            line.setStretch(0, 1)
            content.addLayout(line)
        self.lora = QCheckBox("Generator too")
        self.lora.setToolTip(LORA)
        self.lora.toggled.connect(lambda on: teaching.set(lora=bool(on)))
        self.aligned = QCheckBox("Pairs fit to the pixel")
        self.aligned.setToolTip(ALIGNED)
        self.aligned.toggled.connect(lambda on: teaching.set(aligned=bool(on)))
        content.addLayout(row(self.lora, self.aligned))
        self.words = Text(small=True)
        content.addWidget(self.words)
        self.teach_button = button(
            "Teach", "Teach the stain by these pairs; it is then one of yours", teaching.teach
        )
        content.addWidget(self.teach_button)
        self.state = Text(small=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setStyleSheet(f"QProgressBar::chunk {{ background: {BLUE}; }}")
        self.cancel_button = button(
            "Cancel", "Stop; what was done is kept (Esc)", teaching.cancel, "cancel teaching"
        )
        self.progress = QWidget()
        line = row(self.bar, self.cancel_button)
        line.setStretch(0, 1)
        self.progress.setLayout(line)
        content.addWidget(self.state)
        content.addWidget(self.progress)
        outer = row(self.more)
        self.setLayout(outer)
        self.more.button.toggled.connect(self.refresh)

    def refresh(self, *_: object) -> None:
        """Show the session's state; folded away it costs nothing."""
        if not self.more.button.isChecked():
            return
        teaching = self.session.teaching
        job = teaching.job
        bases = teaching.bases
        if [self.base.itemData(n) for n in range(self.base.count())] != [f.name for f in bases]:
            with QSignalBlocker(self.base):
                self.base.clear()
                for family in bases:
                    self.base.addItem(family.title, family.name)
        with QSignalBlocker(self.base):
            self.base.setCurrentIndex(self.base.findData(teaching.family.name))
        busy = "It is being taught" if job is not None else ""
        for field in (self.name, self.base, self.lora, *self.folders.values()):
            allow(field, busy)
        allow(self.aligned, busy or ("" if teaching.lora else "Only the generator makes use of it"))
        for side, words in SIDES.items():
            folder = teaching.folders.get(side)
            text = f"{words}: {short(folder.name) if folder else 'folder…'}"
            self.folders[side].setText(text.replace("&", "&&"))
            allow(self.regions[side], teaching.why_no_region())
        self.words.say(teaching.words())
        why = teaching.why_not()
        self.teach_button.setText(f"Teach {short(teaching.name)}" if teaching.name else "Teach")
        allow(self.teach_button, why)
        self.progress.setVisible(job is not None)
        self.state.say(job.sentence() if job is not None else "")
        if job is not None:
            self.bar.setRange(0, job.total)
            self.bar.setValue(job.done)
            allow(self.cancel_button, "It is being cancelled" if job.cancelled else "")

    def choose(self, side: str) -> None:
        """Ask for a folder of pictures."""
        folder = QFileDialog.getExistingDirectory(self, f"Pictures of {SIDES[side]}")
        if folder:
            self.session.teaching.choose_folder(side, Path(folder))

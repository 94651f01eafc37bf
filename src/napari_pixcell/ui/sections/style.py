"""What the tissue should look like."""

from __future__ import annotations

import math

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox, QLabel, QProgressBar

from napari_pixcell.studio.regions import NO_STYLE, tiles_text
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.parts import BLUE, Section, Text, button

MANY = 32  # tiles whose embedding is worth a bar and a button to stop it
FORGET = "Forget stored styles"
LINK = (
    "QPushButton { background: transparent; border: none; padding: 1px 4px; font-size: 10px;"
    " text-align: left; text-decoration: underline; }"
)


class StyleSection(Section):
    """Chooses whose embedding is the style."""

    def __init__(self, session: Session) -> None:
        super().__init__("style", "2  Style")
        self.session = session
        self.choice = QComboBox()
        self.choice.setToolTip("The region whose tissue the variants should look like")
        self.choice.activated.connect(lambda _: session.set_style(self.choice.currentData()))
        line = self.add(QLabel("Look like"), self.choice)
        line.setStretch(1, 1)
        self.state = Text()
        self.state.setToolTip("The style is the region's embedding, one vector for each tile")
        self.embed_button = button("Embed", "Compute the embedding of the region", self._embed)
        self.cancel_button = button(
            "Cancel", "Stop before the next tiles (Esc)", session.cancel_embedding, "cancel embed"
        )
        line = self.add(self.state, self.embed_button, self.cancel_button)
        line.setStretch(0, 1)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setStyleSheet(f"QProgressBar::chunk {{ background: {BLUE}; }}")
        self.content.addWidget(self.bar)
        self.forget_button = button(FORGET, "", session.forget_styles, FORGET)
        self.forget_button.setStyleSheet(LINK)
        self.content.addWidget(self.forget_button)
        self.finish()

    def refresh(self) -> None:
        """Show the session's state."""
        session, active = self.session, self.session.active
        names = [(item.name, item.number) for item in session.regions]
        names.append(("no region: any tissue", NO_STYLE))
        with QSignalBlocker(self.choice):
            if [self.choice.itemText(i) for i in range(self.choice.count())] != [
                n for n, _ in names
            ]:
                self.choice.clear()
                for name, number in names:
                    self.choice.addItem(name, number)
            self.choice.setCurrentIndex(self.choice.findData(active.style_of if active else 0))
        self.choice.setEnabled(active is not None)
        style = session.style_item()
        job = style.embedding_job if style is not None else None
        missing = False
        if active is None:
            self.state.say("Add a region first")
        elif style is None:
            self.state.say("No style: the model chooses the tissue")
        elif style.embedding_busy:
            self.state.say(job.sentence() if job is not None else "Embedding…")
        elif style.embedding is not None:
            tiles = tiles_text(math.prod(style.embedding.shape[:-1]))
            family = session.settings.model
            if family.grid > 1:  # not what is a tile elsewhere
                tiles += f" of {family.tile // family.grid} px"
            stored = ", stored" if style.embedding_stored else ""
            self.state.say(f"✓ embedded ({tiles}{stored})")
        else:
            missing = True
            self.state.say("Not embedded")
        long = job is not None and job.total >= MANY
        self.bar.setVisible(long)
        self.cancel_button.setVisible(long)
        if job is not None:
            self.bar.setRange(0, job.total if job.done else 0)
            self.bar.setValue(job.done)
            self.cancel_button.setEnabled(not job.cancelled)
        self.embed_button.setVisible(missing and "style" not in session.problems)
        self._show_stored()
        problem = session.problems.get("style", "")
        note = session.notes.get("style", "")
        self.tell(problem, note, "Try again" if problem else "", self._embed)

    def _show_stored(self) -> None:
        cache = self.session.embedder.cache
        self.forget_button.setVisible(bool(cache.bytes))
        if cache.bytes:
            self.forget_button.setText(f"{FORGET} ({_megabytes(cache.bytes)})")
            self.forget_button.setToolTip(
                "Styles are stored on this computer, without any names, so that a slide opens "
                f"with them at once: {_megabytes(cache.bytes)} of at most "
                f"{_megabytes(cache.limit)}. Forgotten ones are computed again when needed."
            )

    def _embed(self) -> None:
        style = self.session.style_item()
        if style is not None:
            self.session.embed(style.number)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else "less than 1 MB"

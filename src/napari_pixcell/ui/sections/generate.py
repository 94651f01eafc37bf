"""The one primary button, its settings, and how far it got."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QLabel,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
)
from superqt import QLabeledDoubleSlider, QLargeIntSpinBox

from napari_pixcell.engine.presets import PRESETS, get_preset
from napari_pixcell.engine.request import MAX_SEED
from napari_pixcell.studio.generation.start import NOTHING
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.sections.grid import GridPanel
from napari_pixcell.ui.sections.queue import QueueList
from napari_pixcell.ui.sections.starting import Starting
from napari_pixcell.ui.widgets import (
    BLUE,
    PRIMARY,
    More,
    Section,
    Text,
    allow,
    button,
    put,
    row,
    slim,
)

LIVE = "A quick picture a moment after each stroke or change; it is not kept unless you say so"


class GenerateSection(Section):
    """Variants, seed, expert settings and the queue; Generate, progress and Cancel.

    Attributes
    ----------
    pinned : QFrame
        With the one primary button and what it has to say, for the dock's foot.
    """

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__("generate", "4  Generate")
        self.session = session
        settings = session.settings
        self.count = QSpinBox()
        self.count.setRange(1, 100)
        self.count.setToolTip("How many different pictures to make")
        self.count.valueChanged.connect(lambda value: setattr(settings, "count", value))
        slim(self.count, 68)
        self.seed = QLargeIntSpinBox()
        slim(self.seed, 118)
        self.seed.setRange(0, MAX_SEED)
        self.seed.setToolTip("The same seed and settings give the same picture again")
        self.seed.valueChanged.connect(lambda value: setattr(settings, "seed", int(value)))
        self.new_seed = button("⟳", "Another seed", settings.new_seed, "new seed")
        self.new_seed.setFixedWidth(24)
        self.speed = QComboBox()
        for index, preset in enumerate(PRESETS.values()):
            self.speed.addItem(preset.name.capitalize(), preset.name)
            self.speed.setItemData(index, preset.text, Qt.ItemDataRole.ToolTipRole)
        self.speed.activated.connect(lambda _: settings.use_preset(self.speed.currentData()))
        self.speed.setMinimumWidth(88)
        self.live = QCheckBox("Live")
        self.live.setToolTip(LIVE)
        self.live.toggled.connect(session.set_live)
        self.keep_live = button("Keep", "Keep the live picture as a variant", self._keep_live)
        line = self.add(QLabel("Variants"), self.count, QLabel("Speed"), self.speed)
        line.setStretch(3, 1)
        line = self.add(QLabel("Seed"), self.seed, self.new_seed, self.live, self.keep_live)
        line.setStretch(1, 1)
        self.more = More("Steps, guidance")
        self.steps = QSpinBox()
        self.steps.setRange(1, 200)
        self.steps.setToolTip("Denoising steps: more take longer and are a little finer")
        self.steps.valueChanged.connect(lambda value: setattr(settings, "steps", value))
        self.guidance = QDoubleSpinBox()
        self.guidance.setRange(0, 20)
        self.guidance.setSingleStep(0.25)
        self.guidance.setToolTip("Guidance scale: how closely the style is followed; 1 is off")
        self.guidance.valueChanged.connect(lambda value: setattr(settings, "guidance", value))
        self.until = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.until.setRange(0, 1)
        self.until.setDecimals(2)
        self.until.setToolTip("Part of the steps, from the first on, in which the layout acts")
        self.until.valueChanged.connect(
            lambda value: setattr(settings, "layout_until", round(float(value), 2))
        )
        lines = QGridLayout()
        lines.setSpacing(3)
        for place, (words, field) in enumerate(
            (
                ("Steps", self.steps),
                ("Guidance", self.guidance),
                ("Layout acts until", self.until),
            )
        ):
            lines.addWidget(QLabel(words), place, 0)
            lines.addWidget(field, place, 1)
        lines.setColumnStretch(1, 1)
        self.more.content.addLayout(lines)
        self.previews = QCheckBox("Show pictures while they are made")
        self.previews.setToolTip("A picture sharpens in place; costs next to nothing")
        self.previews.toggled.connect(lambda on: setattr(settings, "previews", on))
        self.more.content.addWidget(self.previews)
        self.content.addWidget(self.more)
        self.starting = Starting(session, link)
        self.content.addWidget(self.starting)
        self.grid = GridPanel(session)
        self.content.addWidget(self.grid)
        self.generate_button = button(
            "Generate", "Make variants over the region (G)", session.generate
        )
        self.generate_button.setStyleSheet(PRIMARY)
        self.outlook = Text(small=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setStyleSheet(f"QProgressBar::chunk {{ background: {BLUE}; }}")
        self.state = Text()
        self.cancel_button = button("Cancel", "Stop within one step (Esc)", session.cancel)
        self.queue = QueueList(session)
        self.content.addWidget(self.queue)
        self.honest = Text(small=True)
        # The dock keeps these in sight however small the screen is.
        self.pinned = QFrame()
        self.pinned.setFrameShape(QFrame.Shape.NoFrame)
        stack = QVBoxLayout(self.pinned)
        stack.setContentsMargins(8, 4, 8, 4)
        stack.setSpacing(3)
        for widget in (self.problem, self.note, self.action, self.generate_button):
            stack.addWidget(widget)
        for widget in (self.outlook, self.honest, self.bar):
            stack.addWidget(widget)
        line = row(self.state, self.cancel_button)
        line.setStretch(0, 1)
        stack.addLayout(line)

    def _keep_live(self) -> None:
        self.session.generation.keep_live()

    def refresh(self) -> None:
        """Show the session's state."""
        session, settings = self.session, self.session.settings
        put(self.count, settings.count)
        put(self.seed, settings.seed)
        put(self.steps, settings.steps)
        with QSignalBlocker(self.speed):
            self.speed.setCurrentIndex(self.speed.findData(settings.preset))
        self.speed.setToolTip(get_preset(settings.preset).text)
        put(self.guidance, settings.guidance_with(session.with_layout))
        put(self.until, settings.layout_until)
        with QSignalBlocker(self.previews):
            self.previews.setChecked(settings.previews)
        with QSignalBlocker(self.live):
            self.live.setChecked(session.live.on)
        refused = session.why_no_live()
        allow(self.live, "" if session.live.on else refused)
        self.keep_live.setVisible(session.generation.live is not None)
        self.grid.refresh()
        reason, job = session.why_not(), session.generation.current
        what = "1 variant" if settings.count == 1 else f"{settings.count} variants"
        verb = "Generate" if job is None else "Queue"
        self.starting.refresh()
        self.generate_button.setText(reason or f"{verb} {what}{session.where_words()}")
        allow(self.generate_button, reason)
        self.outlook.say(session.outlook())
        for widget in (self.bar, self.state, self.cancel_button):
            widget.setVisible(job is not None)
        if job is not None:
            # A bar paints at once, and with it the whole window; this lets it wait for its turn.
            self.bar.setUpdatesEnabled(False)
            self.bar.setRange(0, 1000 if job.part else 0)
            self.bar.setValue(round(1000 * job.part))
            self.bar.setUpdatesEnabled(True)
            self.bar.setToolTip(f"{job.target.name}: {job.summary()}")
            self.state.say(f"{job.target.name}: {' · '.join([job.sentence(), *job.remarks])}")
            allow(self.cancel_button, "It is stopping" if job.cancelled else "")
        self.queue.refresh()
        item = session.active
        placed = item is not None and item.layout is not None and session.takes_layout
        begun = settings.start_from != NOTHING  # whose sentence says it
        free = item is not None and not (placed or begun or reason)
        self.honest.say("Without a layout the cells do not keep their places." if free else "")
        problem, note = session.problems.get("generate", ""), session.notes.get("generate", "")
        stopped = session.generation.stopped
        if stopped is not None:
            self.tell(problem, stopped.sentence(), "Go on", session.go_on)
        else:
            failed = next((j for j in session.generation.ended if j.problem == problem), None)
            again = session.generate if failed is None else lambda: session.generation.retry(failed)
            self.tell(problem, note, "Try again" if problem else "", again)

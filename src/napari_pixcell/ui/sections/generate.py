"""The Generate section: the primary button, its settings, the queue and the progress."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFrame, QLabel
from superqt import QLargeIntSpinBox

from napari_pixcell.engine.presets import PRESETS, get_preset
from napari_pixcell.engine.repair import MOST_ROUNDS
from napari_pixcell.engine.request_values import MAX_SEED
from napari_pixcell.models.catalogue import COLOUR_MATCHES
from napari_pixcell.models.families import is_stain
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.settings import NOTHING
from napari_pixcell.ui.arrange import More, column, field_grid, row, show_all, slim
from napari_pixcell.ui.bind import bind, on_edit, set_quietly
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.sections.grid import GridPanel
from napari_pixcell.ui.sections.queue import QueueList
from napari_pixcell.ui.sections.start import StartPanel
from napari_pixcell.ui.widgets import PRIMARY, Bar, Text, allow, button, check_box, number, slider
from napari_pixcell.words import counted

COLOURS = {
    "off": "Colours stay as generated",
    "gentle": "Move the mean colour of the tissue to that of the style's tissue",
    "full": (
        "Move the mean colours of nuclei and of the rest to those of the style's tissue. Without a "
        "layout: move the mean colour of all tissue, and adapt its contrast"
    ),
}
REPAIR = (
    "Find nuclei that the variants do not show, or that were not asked for, and generate these "
    "spots again"
)
LIVE = "Update a quick preview after each stroke or change. It is discarded unless you keep it."


class GenerateSection(Section):
    """Variants, seed, expert settings and the queue; ``pinned`` goes to the foot of the dock."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__(session, "generate", "4  Generate")
        settings = session.settings
        self.count = number(1, 100, "Number of variants, each with its own seed", width=68)
        self.speed = QComboBox()
        self.speed.setMinimumWidth(88)
        for index, preset in enumerate(PRESETS.values()):
            self.speed.addItem(preset.title, preset.name)
            self.speed.setItemData(index, preset.text, Qt.ItemDataRole.ToolTipRole)
        self.colours = QComboBox()
        for index, name in enumerate(COLOUR_MATCHES):
            self.colours.addItem(name.capitalize(), name)
            self.colours.setItemData(index, COLOURS[name], Qt.ItemDataRole.ToolTipRole)
        on_edit(self.colours, lambda name: setattr(settings, "colour_match", name))
        self.seed = QLargeIntSpinBox()
        slim(self.seed, 118)
        self.seed.setRange(0, MAX_SEED)
        self.seed.setToolTip("Seed of the first variant. It reproduces an image exactly.")
        self.new_seed = button("⟳", "Draw a random seed", settings.new_seed, "new seed")
        self.new_seed.setFixedWidth(24)
        self.live = check_box("Live", LIVE)
        on_edit(self.live, session.generator.set_live)
        tip = "Keep the live preview as a variant"
        self.keep_live = button("Keep", tip, session.queue.keep_live)
        self.add(QLabel("Variants"), self.count, self.live, self.keep_live, stretch=1)
        tip = "Generate with this seed again and again. Otherwise each generation draws a new one."
        self.keep_seed = check_box("Keep", tip)
        self.add(QLabel("Seed"), self.seed, self.new_seed, self.keep_seed, stretch=1)
        self.add(QLabel("Speed"), self.speed, stretch=1)
        self.colours_label = QLabel("Colours")
        self.add(self.colours_label, self.colours, stretch=1)
        self.colours_text = Text(small=True)
        self.stack(self.colours_text)
        self.repair = check_box("Repair nuclei", REPAIR)
        bind(self.repair, settings, "repair")
        self.stack(self.repair)

        self.steps = number(1, 200, "Denoising steps. More steps are slower and slightly sharper.")
        tip = "Guidance scale. Higher values follow the style more closely; 1 is off."
        self.guidance = number(0, 20, tip, decimals=2, step=0.25)
        on_edit(self.guidance, lambda value: setattr(settings, "guidance", value))
        self.until = slider(0, 1, "Fraction of the denoising steps in which the layout acts")
        tip = "Let the layout act on the unconditional half of the guidance as well"
        self.both = check_box("Layout acts on both halves", tip)
        self.previews = check_box("Show previews", "Show each image while it is denoised")
        bind(self.count, settings, "count")
        bind(self.speed, settings, "preset", store=settings.use_preset)
        bind(self.seed, settings, "seed")
        bind(self.keep_seed, settings, "keep_seed")
        bind(self.steps, settings, "steps")
        bind(self.until, settings, "layout_until")
        bind(self.both, settings, "control_both")
        bind(self.previews, settings, "previews")
        self.more = More("Steps, guidance")
        steps, guidance = ("Denoising steps", self.steps), ("Guidance scale", self.guidance)
        tip = "Most rounds in which the wrong nuclei of a variant are generated again"
        self.rounds = number(1, MOST_ROUNDS, tip)
        tip = "Time for the repair of a variant, in s, after which no round begins. 0 is no limit."
        self.seconds = number(0, 3600, tip)
        bind(self.rounds, settings, "repair_rounds")
        bind(self.seconds, settings, "repair_seconds")
        self.limits = QLabel("Repair rounds"), self.rounds, QLabel("Repair time in s"), self.seconds
        until = ("Layout acts until", self.until)
        fields = field_grid(steps, guidance, until, self.limits[:2], self.limits[2:])
        self.more.stack(fields, self.both, self.previews)
        self.start = StartPanel(session, link)
        self.grid = GridPanel(session)
        self.queue = QueueList(session)
        self.stack(self.more, self.start, self.grid, self.queue)

        generate = session.generator.generate
        self.generate_button = button("Generate", "Generate variants over the region (G)", generate)
        self.generate_button.setStyleSheet(PRIMARY)
        self.outlook = Text(small=True)
        self.honest = Text(small=True)
        self.bar = Bar()
        self.state = Text()
        tip = "Cancel the running job within one step (Esc)"
        self.cancel_button = button("Cancel", tip, session.cancel)
        # Outside the scrolled column, so that they are in view on a screen of any height.
        self.pinned = QFrame()
        self.pinned.setFrameShape(QFrame.Shape.NoFrame)
        messages = (self.problem, self.note, self.action)
        below = (self.outlook, self.honest, self.bar)
        progress = row(self.state, self.cancel_button, stretch=0)
        stack = column(self.pinned, *messages, self.generate_button, *below, progress, spacing=3)
        stack.setContentsMargins(8, 4, 8, 4)

    def refresh(self) -> None:
        session, settings = self.session, self.session.settings
        generator = session.generator
        self.speed.setToolTip(get_preset(settings.preset).text)
        set_quietly(self.guidance, settings.guidance_with(generator.with_layout))
        set_quietly(self.live, generator.live.on)
        allow(self.live, "" if generator.live.on else generator.why_no_live())
        self.keep_live.setVisible(session.queue.live is not None)
        set_quietly(self.colours, settings.colour_setting)
        self.colours.setToolTip(COLOURS[settings.colour_setting])
        show_all(not is_stain(settings.model), self.colours_label, self.colours)
        self.colours_text.say(generator.colours_words())
        for part in (self.start, self.grid, self.queue):
            part.refresh()
        self.repair.setVisible(generator.with_layout)
        allow(self.repair, generator.why_no_repair())
        show_all(generator.with_layout and settings.repair, *self.limits)
        reason, job = generator.why_not(), session.queue.current
        verb = "Generate" if job is None else "Queue"
        variants = counted(settings.count, "variant")
        self.generate_button.setText(reason or f"{verb} {variants}{generator.where_words()}")
        allow(self.generate_button, reason)
        self.outlook.say(generator.outlook())
        show_all(job is not None, self.bar, self.state, self.cancel_button)
        if job is not None:
            self.bar.advance(round(1000 * job.part), 1000)
            self.bar.setToolTip(f"{job.name}: {job.summary()}")
            self.state.say(f"{job.name}: {' · '.join([job.sentence(), *job.remarks])}")
            allow(self.cancel_button, "Already cancelling" if job.cancelled else "")
        item = session.regions.active
        placed = item is not None and item.layout is not None and session.settings.takes_layout
        started = settings.start_from != NOTHING
        free = item is not None and not (placed or started or reason)
        self.honest.say("Without a layout, cell positions are not preserved." if free else "")
        self._report()

    def _report(self) -> None:
        session, problem = self.session, self.problem_now()
        stopped = session.queue.stopped
        if stopped is not None:
            self.report(note=stopped.sentence(), action="Resume", act=session.queue.resume)
            return
        failed = next((j for j in session.queue.ended if j.problem == problem), None)
        generate, retry = session.generator.generate, session.queue.retry
        act = generate if failed is None else partial(retry, failed)
        self.report(action="Retry" if problem else "", act=act)

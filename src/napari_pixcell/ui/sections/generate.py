"""The Settings section: how variants are generated."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLabel
from superqt import QLargeIntSpinBox

from napari_pixcell.engine.presets import PRESETS, get_preset
from napari_pixcell.engine.repair import MOST_ROUNDS
from napari_pixcell.engine.request_values import MAX_SEED
from napari_pixcell.models.catalogue import COLOUR_MATCHES
from napari_pixcell.models.families import is_stain
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import Folds, More, field_grid, keep_room, show_all, slim
from napari_pixcell.ui.bind import bind, on_edit, set_quietly
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.sections.grid import GridPanel
from napari_pixcell.ui.sections.start import StartPanel
from napari_pixcell.ui.tool_icons import icon_button
from napari_pixcell.ui.widgets import allow, button, check_box, number, slider
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
KEEP = "Generate with this seed again and again. Otherwise each generation draws a new one."
LIVE = "Update a quick preview after each stroke or change. It is discarded unless you keep it."


class GenerateSection(Section):
    """Number of variants, seed, speed, colours and what experts change."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__(session, "settings", "4  Settings", lines=1)
        settings = session.settings
        self.count = number(1, 100, "Number of variants, each with its own seed", width=68)
        self.speed = QComboBox()
        self.speed.setMinimumWidth(88)
        for index, preset in enumerate(PRESETS.values()):
            self.speed.addItem(tr(preset.title), preset.name)
            self.speed.setItemData(index, preset.text, Qt.ItemDataRole.ToolTipRole)
        self.colours = QComboBox()
        for index, name in enumerate(COLOUR_MATCHES):
            self.colours.addItem(tr(name.capitalize()), name)
            self.colours.setItemData(index, COLOURS[name], Qt.ItemDataRole.ToolTipRole)
        on_edit(self.colours, lambda name: setattr(settings, "colour_match", name))
        self.seed = QLargeIntSpinBox()
        slim(self.seed, 118)
        self.seed.setRange(0, MAX_SEED)
        self.seed.setToolTip(tr("Seed of the first variant. It reproduces an image exactly."))
        tip = "Draw a random seed now"
        self.new_seed = icon_button("die", "Draw a random seed", tip, settings.new_seed)
        self.keep_seed = icon_button("lock", "Keep the seed", KEEP, checkable=True)
        self.live = check_box("Live", LIVE)
        on_edit(self.live, session.generator.set_live)
        tip = "Keep the live preview as a variant"
        self.keep_live = button("Keep preview", tip, session.queue.keep_live)
        keep_room(self.keep_live)
        self.repair = check_box("Repair nuclei", REPAIR)
        self.colours_label = QLabel(tr("Colours"))
        self.add(QLabel(tr("Variants")), self.count, QLabel(tr("Speed")), self.speed, stretch=3)
        self.add(QLabel(tr("Seed")), self.seed, self.new_seed, self.keep_seed, stretch=1)
        self.add(self.colours_label, self.colours, self.repair, stretch=1)
        self.add(self.live, self.keep_live).addStretch(1)

        self.steps = number(1, 200, "Denoising steps. More steps are slower and slightly sharper.")
        tip = "Guidance scale. Higher values follow the style more closely; 1 is off."
        self.guidance = number(0, 20, tip, decimals=2, step=0.25)
        on_edit(self.guidance, lambda value: setattr(settings, "guidance", value))
        self.until = slider(0, 1, "Fraction of the denoising steps in which the layout acts")
        tip = "Let the layout act on the unconditional half of the guidance as well"
        self.both = check_box("Layout acts on both halves", tip)
        self.previews = check_box("Show previews", "Show each image while it is denoised")
        tip = "Most rounds in which the wrong nuclei of a variant are generated again"
        self.rounds = number(1, MOST_ROUNDS, tip)
        tip = "Time for the repair of a variant, in s, after which no round begins. 0 is no limit."
        self.seconds = number(0, 3600, tip)
        self._bind()
        self.more = More("Steps", "Denoising steps, guidance and previews")
        self.limits = (
            QLabel(tr("Repair rounds")),
            self.rounds,
            QLabel(tr("Repair time in s")),
            self.seconds,
        )
        steps, guidance = ("Denoising steps", self.steps), ("Guidance scale", self.guidance)
        until = ("Layout acts until", self.until)
        fields = field_grid(steps, guidance, until, self.limits[:2], self.limits[2:])
        self.more.stack(fields, self.both, self.previews)
        self.start = StartPanel(session, link)
        self.grid = GridPanel(session)
        self.stack(Folds(self.more, self.start, self.grid))

    def _bind(self) -> None:
        settings = self.session.settings
        bind(self.speed, settings, "preset", store=settings.use_preset)
        for widget, field in (
            (self.count, "count"),
            (self.seed, "seed"),
            (self.keep_seed, "keep_seed"),
            (self.repair, "repair"),
            (self.steps, "steps"),
            (self.until, "layout_until"),
            (self.both, "control_both"),
            (self.previews, "previews"),
            (self.rounds, "repair_rounds"),
            (self.seconds, "repair_seconds"),
        ):
            bind(widget, settings, field)

    def refresh(self) -> None:
        session, settings = self.session, self.session.settings
        generator = session.generator
        self.speed.setToolTip(tr(get_preset(settings.preset).text))
        set_quietly(self.guidance, settings.guidance_with(generator.with_layout))
        set_quietly(self.live, generator.live.on)
        allow(self.live, "" if generator.live.on else generator.why_no_live())
        self.keep_live.setVisible(session.queue.live is not None)
        set_quietly(self.colours, settings.colour_setting)
        self.colours.setToolTip(tr(COLOURS[settings.colour_setting]))
        stained = is_stain(settings.model)
        allow(self.colours, "A virtual stain has colours of its own" if stained else "")
        for part in (self.start, self.grid):
            part.refresh()
        no_layout = "" if generator.with_layout else "Repair needs a layout"
        allow(self.repair, generator.why_no_repair() or no_layout)
        show_all(generator.with_layout and settings.repair, *self.limits)
        self.report(state=generator.colours_words())
        kept = f"seed {settings.seed}" if settings.keep_seed else "new seeds"
        parts = counted(settings.count, "variant"), get_preset(settings.preset).title, kept
        self.summarise(", ".join(parts))

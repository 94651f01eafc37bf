"""How variants are generated: the fields of the Generate and Layout sections."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

from psygnal import SignalGroupDescriptor

from napari_pixcell.cells.methods import CELLPOSE_MODEL, SegmentMethod
from napari_pixcell.engine.colour_match import OFF, colour_setting
from napari_pixcell.engine.presets import EXACT, get_preset
from napari_pixcell.engine.repair import ROUNDS, Repair
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.requests import STAIN_STRENGTH, GenerationSettings
from napari_pixcell.models.catalogue import DEMO, Family
from napari_pixcell.models.families import get_family, is_stain

NEW_SEEDS = 100_000  # drawn ones are below: short enough for a caption
NOTHING, TISSUE, SHOWN = "nothing", "tissue", "shown"
STARTS = {NOTHING: "nothing", TISSUE: "the tissue", SHOWN: "the variant shown"}
INVERSION, NOISE = "inversion", "noise"
STAIN_FROM = {
    INVERSION: "tissue, inverted to noise",
    TISSUE: "tissue with added noise",
    NOISE: "noise, as published",
}


@dataclass
class Settings:
    """Settings of the next generation; ``settings.events`` signals changes."""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    family: str = DEMO.name
    count: int = 4
    seed: int = 1234
    keep_seed: bool = False  # every generation has this seed, instead of a new one each time
    steps: int = DEMO.steps
    preset: str = EXACT.name
    # Guidance scale; by default the family's, which may differ with a layout
    guidance: float | None = None
    layout_strength: float = 1.0  # 0 to 2
    layout_until: float = 1.0  # fraction of the steps in which the layout acts, 0 to 1
    control_both: bool = False  # the layout acts on both halves of the guidance
    colour_match: str = ""  # one of COLOUR_MATCHES; empty for the default of family and preset
    segment_method: str = "builtin"
    segment_model: str = CELLPOSE_MODEL
    cell_diameter: float = 0.0  # of a typical cell, in µm, for Cellpose; 0 for any size
    # These decide how many cells are segmented, see SegmentMethod.
    flow_threshold: float = SegmentMethod.flow_threshold
    cellprob_threshold: float = SegmentMethod.cellprob_threshold
    sensitivity: float = SegmentMethod.sensitivity
    smallest_um2: float = SegmentMethod.smallest_um2
    largest_um2: float = 0.0  # 0 for no limit
    keep_cells: bool = False  # segmentation and invention keep the cells of the layout
    start_from: str = NOTHING  # what a generation starts from, one of STARTS
    strength: float = 0.6  # how much of the start changes, 0 to 1
    only_part: bool = False  # only the marked area changes
    feather_um: float = 8.0  # width of the transition around the marked area
    previews: bool = True  # pictures are shown while they are generated
    repair: bool = False  # nuclei that do not follow the layout are generated again
    repair_rounds: int = ROUNDS
    repair_seconds: int = 60  # time for the repair of a variant; 0 for no limit
    # A grid sweeps this number of seeds, and values as the user wrote them, such as “1, 2”.
    grid_seeds: int = 3
    grid_guidance: str = ""
    grid_layout: str = ""
    grid_steps: str = ""
    grid_strength: str = ""
    grid_styles: int = 1  # steps through a blend of styles
    stains: str = ""  # names of the selected stains, separated by commas
    stain_from: str = INVERSION  # what stains start from, one of STAIN_FROM
    stain_strength: float = STAIN_STRENGTH  # how much of that changes, 0 to 1

    @property
    def model(self) -> Family:
        return get_family(self.family)

    @property
    def takes_layout(self) -> bool:
        return self.model.takes_layout

    @property
    def colour_setting(self) -> str:
        """The colour match of the next variants. A stain never has one."""
        family = self.model
        return OFF if is_stain(family) else colour_setting(self.colour_match, family, self.preset)

    @property
    def segmenting(self) -> SegmentMethod:
        return SegmentMethod(
            self.segment_method,
            self.segment_model,
            self.cell_diameter or None,
            self.flow_threshold,
            self.cellprob_threshold,
            self.sensitivity,
            self.smallest_um2,
            self.largest_um2 or None,
        )

    @property
    def repairing(self) -> Repair:
        """How variants are repaired, whether or not that is switched on."""
        seconds = float(self.repair_seconds) or None
        return Repair(self.repair_rounds, seconds, self.segmenting)

    def new_seed(self) -> None:
        self.seed = random.randrange(NEW_SEEDS)

    def repeat_seed(self, seed: int) -> None:
        """Use a seed for all generations from now on."""
        self.seed, self.keep_seed = seed, True

    def use_family(self, name: str) -> None:
        family = get_family(name)
        self.family = name
        self.steps = get_preset(self.preset).steps_of(family.steps)
        self.guidance = None

    def use_preset(self, name: str) -> None:
        """Select a preset, and its number of steps."""
        self.preset = name
        self.steps = get_preset(name).steps_of(self.model.steps)

    def guidance_with(self, layout: bool) -> float:
        """Return the guidance scale with or without a layout: the user's, else the family's."""
        if self.guidance is not None:
            return self.guidance
        return self.model.layout_guidance if layout else self.model.guidance

    def generation(self, layout: bool, count: int | None = None) -> GenerationSettings:
        """Return the settings of the next requests, with or without a layout."""
        return GenerationSettings(
            seed=self.seed,
            count=self.count if count is None else count,
            steps=self.steps,
            guidance=self.guidance_with(layout),
            layout_strength=self.layout_strength,
            layout_until=self.layout_until,
            control_both=self.control_both,
            preset=self.preset,
        )

    def use(self, request: GenerateRequest, seed: bool = False) -> None:
        """Use the settings of a request, with its seed if ``seed``."""
        self.family = request.family
        self.preset, self.steps, self.guidance = request.preset, request.steps, request.guidance
        self.layout_strength = request.layout_strength
        self.layout_until = request.layout_until
        self.control_both = request.control_both
        self.colour_match = request.colour_match.how if request.colour_match is not None else OFF
        self.repair = request.repair is not None
        self._use_start(request)
        if seed:
            self.seed = request.seed

    def _use_start(self, request: GenerateRequest) -> None:
        """Use strength and area of a request; its record does not name the kind of start."""
        if request.start is None:
            self.start_from, self.only_part = NOTHING, False
            return
        if self.start_from == NOTHING:
            self.start_from = TISSUE
        self.strength, self.only_part = request.strength, request.part is not None
        if request.part is not None:
            self.feather_um = request.feather * self.model.mpp

"""How variants are made: the fields of the Generate and Layout sections."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

from psygnal import SignalGroupDescriptor

from napari_pixcell.cells.methods import CELLPOSE_MODEL, SegmentMethod
from napari_pixcell.engine.presets import EXACT, get_preset
from napari_pixcell.engine.request_values import MAX_SEED, GenerateRequest
from napari_pixcell.engine.requests import GenerationSettings
from napari_pixcell.models.catalogue import DEMO, Family
from napari_pixcell.models.families import get_family
from napari_pixcell.studio.stains.sources import INVERSION, STRENGTH

NOTHING, TISSUE, SHOWN = "nothing", "tissue", "shown"
STARTS = {NOTHING: "nothing", TISSUE: "the tissue", SHOWN: "the variant shown"}


@dataclass
class Settings:
    """Settings of the next generation; ``settings.events`` tells of changes.

    Parameters
    ----------
    family : str
        Name of the family.
    count, seed : int
        Number of variants; seed of the first.
    steps : int
        Denoising steps.
    preset : str
        What is left out to be faster, see :mod:`napari_pixcell.engine.presets`.
    guidance : float, optional
        How closely the style is followed; by default as the family wants it, which may be
        otherwise with a layout: see :meth:`guidance_with`.
    layout_strength, layout_until : float
        How strongly the layout acts (0 to 2), and in which part of the steps (0 to 1).
    segment_method, segment_model : str
        By which method nuclei are found, and by which model of Cellpose.
    cell_diameter : float
        Of a typical cell in µm, for Cellpose; 0 for cells of any size.
    flow_threshold, cellprob_threshold, sensitivity, smallest_um2 : float
        How many cells are found, see :class:`napari_pixcell.cells.methods.SegmentMethod`.
    keep_cells : bool
        Whether cells that are there stay when others are found.
    start_from : str
        What a generation starts from, one of :data:`STARTS`.
    strength : float
        How much of that changes, 0 to 1.
    only_part : bool
        Whether only the marked part of it changes.
    feather_um : float
        How far around that part the new picture fades into the old one, in µm.
    previews : bool
        Whether pictures are shown while they are made.
    grid_seeds, grid_guidance, grid_layout, grid_steps, grid_strength : int, str
        What a grid sweeps: so many seeds, and values as they were written, such as “1, 2”.
    grid_styles : int
        Steps through the blend of styles, where there is one.
    stains : str
        Names of the chosen families that stain, with commas between.
    stain_from, stain_strength : str, float
        What stains are made from, one of :data:`napari_pixcell.studio.stains.sources.STAIN_FROM`,
        and how much of that changes.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    family: str = DEMO.name
    count: int = 4
    seed: int = 1234
    steps: int = DEMO.steps
    preset: str = EXACT.name
    guidance: float | None = None
    layout_strength: float = 1.0
    layout_until: float = 1.0
    segment_method: str = "builtin"
    segment_model: str = CELLPOSE_MODEL
    cell_diameter: float = 0.0
    flow_threshold: float = SegmentMethod.flow_threshold
    cellprob_threshold: float = SegmentMethod.cellprob_threshold
    sensitivity: float = SegmentMethod.sensitivity
    smallest_um2: float = SegmentMethod.smallest_um2
    keep_cells: bool = False
    start_from: str = NOTHING
    strength: float = 0.6
    only_part: bool = False
    feather_um: float = 8.0
    previews: bool = True
    grid_seeds: int = 3
    grid_guidance: str = ""
    grid_layout: str = ""
    grid_steps: str = ""
    grid_strength: str = ""
    grid_styles: int = 1
    stains: str = ""
    stain_from: str = INVERSION
    stain_strength: float = STRENGTH

    @property
    def model(self) -> Family:
        """The chosen family."""
        return get_family(self.family)

    @property
    def takes_layout(self) -> bool:
        """True if the selected family supports layouts."""
        return self.model.takes_layout

    @property
    def segmenting(self) -> SegmentMethod:
        """How nuclei are found."""
        return SegmentMethod(
            self.segment_method,
            self.segment_model,
            self.cell_diameter or None,
            self.flow_threshold,
            self.cellprob_threshold,
            self.sensitivity,
            self.smallest_um2,
        )

    def new_seed(self) -> None:
        """Draw a seed."""
        self.seed = random.randrange(MAX_SEED + 1)

    def use_family(self, name: str) -> None:
        """Choose a family and its defaults."""
        family = get_family(name)
        self.family = name
        self.steps = get_preset(self.preset).steps_of(family.steps)
        self.guidance = None

    def use_preset(self, name: str) -> None:
        """Choose how much is left out to be faster, and so many steps as that wants."""
        self.preset = name
        self.steps = get_preset(name).steps_of(self.model.steps)

    def guidance_with(self, layout: bool) -> float:
        """Give the guidance with or without a layout: the user's, else the family's."""
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
            preset=self.preset,
        )

    def use(self, request: GenerateRequest, seed: bool = False) -> None:
        """Take the settings of a request over, its seed only if asked to."""
        self.family = request.family
        self.preset, self.steps, self.guidance = request.preset, request.steps, request.guidance
        self.layout_strength = request.layout_strength
        self.layout_until = request.layout_until
        self._use_start(request)
        if seed:
            self.seed = request.seed

    def _use_start(self, request: GenerateRequest) -> None:
        """Take over how much changes and where; a record does not say what it started from."""
        if request.start is None:
            self.start_from, self.only_part = NOTHING, False
            return
        if self.start_from == NOTHING:
            self.start_from = TISSUE
        self.strength, self.only_part = request.strength, request.part is not None
        if request.part is not None:
            self.feather_um = request.feather * self.model.mpp

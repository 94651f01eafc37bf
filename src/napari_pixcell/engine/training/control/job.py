"""Training of a ControlNet: pairs are read and encoded, it is trained, tried and registered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_pixcell.cells.class_map import Palette
from napari_pixcell.engine.events import TrainedControl
from napari_pixcell.engine.loaded_models import free_bytes
from napari_pixcell.engine.training.context import TrainingContext
from napari_pixcell.engine.training.control.controlnet_stage import FOLDER, ControlNetStage
from napari_pixcell.engine.training.control.encoding import FORMAT, encode_pairs
from napari_pixcell.engine.training.control.gate import ClassAgreement
from napari_pixcell.engine.training.control.reading import PairReader
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.control.tiles import ControlTiles
from napari_pixcell.engine.training.control.trial import ControlTrial
from napari_pixcell.engine.training.folder import TrainingFolder
from napari_pixcell.engine.training.identity import signature_of
from napari_pixcell.engine.training.registering import base_family, register
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import BUILT_IN, Family
from napari_pixcell.models.families import is_stain
from napari_pixcell.models.loading import trains_in
from napari_pixcell.models.own_families import check_not_taken, check_own_name
from napari_pixcell.models.training_memory import ControlPlan, plan_control


class ControlTrainingRun:
    """Runs one request to train a ControlNet, or resumes it."""

    def __init__(self, request: TrainControlRequest, context: TrainingContext) -> None:
        self.request, self.context = request, context
        self.files = TrainingFolder(Path(request.out).expanduser().resolve(), "ControlNet")

    def run(self) -> None:
        """Train, write and register the ControlNet, or resume its training.

        Raises
        ------
        PixCellError
            If the pairs do not fit, the base is missing, memory is too small, or nothing can be
            written.
        """
        request, context = self.request, self.context
        check_own_name(request.name, BUILT_IN, "ControlNet")
        check_not_taken(request.name, self.files.path / FOLDER)
        base = control_base(request.family)
        # First of all, because reading pairs takes long.
        plan = self._plan(base)
        pairs = PairReader(request, base, self.files, context)
        if pairs.segmented:
            context.notice(f"There are no masks, so {request.segment.words} segments the images.")
        with self.files.locked():
            survey = pairs.survey()
            palette = survey.palette
            tiles = encode_pairs(pairs, survey, self.files, context)
            signature = self._signature(base, tiles, palette)
            stage = ControlNetStage(request, base, self.files, signature, context)
            controlnet, figures = stage.run(tiles, palette, plan)
            rows = ControlTrial(pairs, tiles, palette, self.files, context).run(controlnet)
            register(
                self.files,
                request,
                base,
                {"controlnet": stage.weights},
                {"title": request.name, "notice": base.notice, "cell_gap": base.cell_gap},
                self._figures(signature, palette, figures, rows),
                terms=pairs.terms,
                palette=palette,
            )
        context.emit(
            TrainedControl(
                request.name,
                str(self.files.path),
                figures["held-out error"],
                figures["with another mask"],
                len(pairs.files),
                len(tiles.training),
                len(tiles.held_out),
                tuple(row.sentence() for row in rows),
                all(row.follows for row in rows),
            )
        )

    def _plan(self, base: Family) -> ControlPlan:
        """Return how the training fits into memory, and tell the user."""
        device = self.context.loaded.device
        self.context.loaded.unload()
        half = trains_in(device) is not None
        plan = plan_control(base, free_bytes(device), self.request.batch, half)
        if plan.needed:
            self.context.notice(plan.words(self.request.batch))
        return plan

    def _signature(self, base: Family, tiles: ControlTiles, palette: Palette) -> str:
        """Return a hash of pairs and settings, which a checkpoint must match."""
        request = self.request
        how = request.steps, request.batch, request.seed, request.start
        return signature_of(FORMAT, base.name, tiles.keys, palette, *how)

    def _figures(
        self, signature: str, palette: Palette, figures: dict[str, Any], rows: list[ClassAgreement]
    ) -> dict[str, Any]:
        return {
            "signature": signature,
            "classes": dict(palette),
            "figures": figures,
            "agreement": [row.to_dict() for row in rows],
            "batch": self.request.batch,
        }


def control_base(name: str) -> Family:
    """Return the family that a ControlNet can be trained on. Raises PixCellError."""
    if name in BUILT_IN and is_stain(BUILT_IN[name]):
        allowed = ", ".join(one.name for one in BUILT_IN.values() if not is_stain(one))
        raise PixCellError(f"“{name}” is a virtual stain. Train a ControlNet on one of: {allowed}.")
    return base_family(name, "ControlNet")

"""The ControlNet of a training: where it starts from, its steps, and the files that it becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_pixcell.cells.class_map import Palette
from napari_pixcell.engine.events import Progress
from napari_pixcell.engine.training.context import TrainingContext
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.control.steps import ControlExamples, train_controlnet
from napari_pixcell.engine.training.control.tiles import ControlTiles
from napari_pixcell.engine.training.folder import CARD, TrainingFolder
from napari_pixcell.engine.training.optimisation import recompute_blocks
from napari_pixcell.engine.training.registering import withdraw
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.loading import load_part, pick_dtype, trains_in
from napari_pixcell.models.own_families import WEIGHTS
from napari_pixcell.models.store import require
from napari_pixcell.models.training_memory import ControlPlan
from napari_pixcell.models.weights import load_file
from napari_pixcell.networks.compiling import compile_blocks
from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.preferences import compile_wanted

FOLDER = "controlnet"  # in the folder of the training: config.json and weights, as published
SMALL_WIDTH, SMALL_RATE, RATE = 512, 4e-4, 5e-5
TRIED = 16  # held-out tiles on which it is evaluated, and for which images are generated
EVALUATE_EVERY = 100  # steps
CHECKPOINT_SECONDS = 60.0
STAGE = "controlnet"  # name of its checkpoint


class ControlNetStage:
    """Trains the ControlNet of one request, or resumes it.

    Parameters
    ----------
    signature : str
        Hash of pairs and settings, which a checkpoint must match.
    """

    def __init__(
        self,
        request: TrainControlRequest,
        base: Family,
        folder: TrainingFolder,
        signature: str,
        context: TrainingContext,
    ) -> None:
        self.request, self.base, self.folder = request, base, folder
        self.signature, self.context = signature, context

    @property
    def weights(self) -> Path:
        """The weight file."""
        return self.folder.path / FOLDER / WEIGHTS

    def run(
        self, tiles: ControlTiles, palette: Palette, plan: ControlPlan
    ) -> tuple[PixCellControlNet, dict[str, Any]]:
        """Return the trained ControlNet and its figures; a finished one is read."""
        loaded = self.context.loaded
        loaded.unload()
        self.context.emit(Progress(0, 0, "Loading the model"))
        transformer = self._load("transformer", pick_dtype(self.base, loaded.device))
        controlnet = self._begin(transformer)
        card = self.folder.card()
        if card.get("signature") == self.signature and self.weights.is_file():
            controlnet.load_state_dict(load_file(self.weights))
            nn.Module.to(controlnet, loaded.device)
            return controlnet.eval().requires_grad_(False), card["figures"]
        for network in (transformer, controlnet):
            if compile_wanted():
                compile_blocks(network)
            if plan.recompute:
                recompute_blocks(network)
        figures = self._train(transformer, controlnet, tiles, plan.at_once)
        about = {"trained on": self.base.name, "classes": json.dumps(palette)}
        card = {"signature": self.signature, "figures": figures}
        write_controlnet(self.folder, self.request.name, controlnet, about, card)
        self.folder.remove_checkpoint(STAGE)
        return controlnet, figures

    def _load(self, kind: Any, dtype: torch.dtype) -> Any:
        part = require(self.base, self.base.part(kind))  # type: ignore[arg-type]
        return load_part(self.base, part, self.context.loaded.device, dtype, self.context.check)

    def _begin(self, transformer: Any) -> PixCellControlNet:
        """Return the ControlNet that training starts from, in float32."""
        if self.base.part("controlnet") is not None:
            controlnet: PixCellControlNet = self._load("controlnet", torch.float32)
            if self.request.start == "auto":
                return controlnet
            blocks = controlnet.config.n_controlnet_blocks
        else:
            # As published: all blocks but the last.
            blocks = len(transformer.transformer_blocks) - 1
        made: PixCellControlNet = PixCellControlNet.from_transformer(transformer, blocks)
        nn.Module.to(made, self.context.loaded.device, torch.float32)  # in place
        return made

    def _train(
        self, transformer: Any, controlnet: PixCellControlNet, tiles: ControlTiles, at_once: int
    ) -> dict[str, Any]:
        request, device = self.request, self.context.loaded.device
        scheduler = require(self.base, self.base.part("scheduler"))  # type: ignore[arg-type]
        figures: dict[str, Any] = {}
        evaluated = ""

        def on_evaluation(step: int, own: float, other: float) -> None:
            nonlocal evaluated
            figures.update({"held-out error": round(own, 5), "with another mask": round(other, 5)})
            evaluated = f" · held-out error {own:.4f}, {other:.4f} with another tile's cells"

        def on_step(step: int, loss: float) -> None:
            words = f"Step {step:,} of {request.steps:,} · loss {loss:.4f}{evaluated}"
            self.context.emit(Progress(step, request.steps, words))
            self.context.check()

        def draw(generator: torch.Generator) -> ControlExamples:
            return tiles.draw(request.batch, device, generator)

        resume = self.folder.checkpoint(STAGE, self.signature)
        with self.folder.checkpoints(STAGE, self.signature, CHECKPOINT_SECONDS) as keep:
            train_controlnet(
                transformer,
                controlnet,
                json.loads(scheduler.weights.read_text("utf-8")),
                draw,
                tiles.held(TRIED, device),
                steps=request.steps,
                rate=SMALL_RATE if transformer.inner_dim < SMALL_WIDTH else RATE,
                at_once=at_once,
                precision=trains_in(device),
                every=EVALUATE_EVERY,
                seed=request.seed,
                on_step=on_step,
                on_evaluation=on_evaluation,
                on_checkpoint=keep,
                resume=resume,
            )
        return figures


def write_controlnet(
    folder: TrainingFolder,
    name: str,
    controlnet: PixCellControlNet,
    about: dict[str, str],
    card: dict[str, Any],
) -> None:
    """Write weights and configuration in the published layout, in half precision, and a card.

    An earlier family of this ``name`` is withdrawn first, until it is registered with the new
    files.
    """
    withdraw(folder, name)
    tensors = {name: value.half() for name, value in controlnet.state_dict().items()}
    config = {
        "_class_name": "PixCellControlNet",
        **{k: v for k, v in controlnet.config.items() if not k.startswith("_")},
    }
    folder.write_json(f"{FOLDER}/config.json", config)
    folder.write_tensors(f"{FOLDER}/{WEIGHTS}", tensors, about)
    folder.write_json(CARD, card)

"""Trainings of ControlNets: run one, cut it short, and read what it wrote."""

from __future__ import annotations

from pathlib import Path

import torch

from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Event, Progress
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.models.weights import load_file


def train(engine: Engine, request: TrainControlRequest, stop: str = "") -> list[Event]:
    """Run it; with ``stop``, cancel once progress has these words in it."""
    events: list[Event] = []

    def cancelled() -> bool:
        return bool(stop) and any(stop in message for message in words(events))

    engine.run(request, events.append, cancelled)
    return events


def words(events: list[Event], kind: type = Progress) -> list[str]:
    return [event.message for event in events if isinstance(event, kind)]


def weights(out: Path | str) -> dict[str, torch.Tensor]:
    return load_file(Path(out) / "controlnet" / "diffusion_pytorch_model.safetensors")

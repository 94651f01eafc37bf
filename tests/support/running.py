"""Engines for tests: run a request, and take what it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, Request


def shallow_engine(blocks: int = 1) -> Engine:
    """Hold the demo family with one of its eight blocks, for tests that judge no picture."""
    engine = Engine(torch.device("cpu"))
    models = engine.load("demo")
    del models.transformer.transformer_blocks[blocks:]
    # Its residuals for the other blocks would be computed, and not used.
    assert models.controlnet is not None
    del models.controlnet.transformer_blocks[blocks:]
    del models.controlnet.controlnet_blocks[blocks:]
    return engine


def run(
    engine: Engine, request: Request, cancelled: Callable[[], bool] = lambda: False
) -> list[Any]:
    """Give all events."""
    events: list[Any] = []
    engine.run(request, events.append, cancelled)
    return events


def pictures(events: list[Any]) -> list[Any]:
    return [event.image for event in events if isinstance(event, Variant)]


def embedded(engine: Engine, pixels: np.ndarray) -> PackedArray:
    """Give the demo family's embedding of some tissue."""
    events = run(engine, EmbedRequest("demo", PackedArray.pack(pixels)))
    return PackedArray.pack(next(e.values for e in events if isinstance(e, Embedding)))

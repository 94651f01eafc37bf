"""A family without its encoder: what is known is generated, and the encoder may come later."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Event, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest, Request
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import PIXCELL_256
from napari_pixcell.models.store import find


def run(engine: Engine, request: Request) -> list[Event]:
    events: list[Event] = []
    engine.run(request, events.append)
    return events


def record_of(engine: Engine, request: GenerateRequest) -> Record:
    return next(e.record for e in run(engine, request) if isinstance(e, Variant))


def test_the_encoder_may_be_missing_and_come_later(
    pixcell_256: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pixcell_256, tmp_path / "weights")
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
    part = PIXCELL_256.part("encoder")
    assert part is not None
    installed = find(part)
    assert installed is not None
    encoder, aside = installed.weights, tmp_path / "aside"
    encoder.rename(aside)

    engine = Engine(torch.device("cpu"))
    style = PackedArray.pack(np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32))
    request = GenerateRequest("pixcell-256", style, count=1, steps=1)
    before = record_of(engine, request)
    assert "encoder" not in before.weights and "vae" in before.weights
    embed = EmbedRequest("pixcell-256", PackedArray.pack(np.zeros((256, 256, 3), np.uint8)))
    with pytest.raises(PixCellError, match="the encoder from MahmoodLab/UNI2-h is missing"):
        run(engine, embed)

    aside.rename(encoder)
    (embedding,) = (event for event in run(engine, embed) if isinstance(event, Embedding))
    assert embedding.values.shape == (1, 64) and embedding.encoder
    after = record_of(engine, request)
    assert "encoder" in after.weights and after.sha256 == before.sha256
    before.check_weights(after.weights)  # the encoder changes no pixel
    after.check_weights(before.weights)
    with pytest.raises(PixCellError, match=r"made with other weights \(transformer\)"):
        before.check_weights(after.weights | {"transformer": "0" * 64})
    with pytest.raises(PixCellError, match=r"made with other weights \(encoder\)"):
        after.check_weights(after.weights | {"encoder": "0" * 64})

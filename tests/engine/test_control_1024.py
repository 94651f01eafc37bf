"""A ControlNet for tiles of 1024 px, with a grid of 4 × 4 embeddings, trained like one for 256 px.

Networks have the published structure and names, in two narrow layers of random weights.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from control_runs import train, weights, words
from marked_cells import field
from PIL import Image
from random_checkpoints import SIZES, Widths, write_family
from running import run

from napari_pixcell.cells.writing import write_labels
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Finished, Notice, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.requests import GenerationSettings, generate_request
from napari_pixcell.engine.training import pairs as shared_pairs
from napari_pixcell.engine.training.control import encoding, job, steps
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.models.catalogue import BUILT_IN
from napari_pixcell.models.families import get_family
from napari_pixcell.models.weights import cached_sha256

BASE, SIDE, STEPS = "pixcell-1024", 1024, 2
DIMENSION = SIZES["embed_dim"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("weights")
    sizes = SIZES | {"vae": (4, 4, 4, 4), "vae_layers": 1, "vae_attention": False}
    write_family(get_family(BASE), folder, Widths(**sizes, layers=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_pairs, "LEAST_TILES", 2)
        patch.setattr(encoding, "WANTED_TILES", 1)
        patch.setattr(job, "free_bytes", lambda device: 80_000_000_000)
        patch.setattr(steps, "TIMES", 1)
        patch.setitem(BUILT_IN, BASE, replace(BUILT_IN[BASE], steps=1))
        yield folder


@pytest.fixture
def engine(base: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(base))
    return Engine(torch.device("cpu"))


def test_it_resumes_to_the_same_weights_is_registered_and_draws(
    engine: Engine, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    # A tile to train on, and a held-out one, of many equal fields.
    image, cells, _ = field(0)
    rows, columns = SIDE // 256, 2 * SIDE // 256
    number = np.arange(rows * columns).reshape(rows, columns).repeat(256, 0).repeat(256, 1)
    cells = np.tile(cells.astype(np.int32), (rows, columns))
    Image.fromarray(np.tile(image, (rows, columns, 1))).save(pairs / "a.png")
    write_labels(pairs / "a_masks.tif", np.where(cells > 0, cells + 64 * number, 0))
    request = TrainControlRequest(
        "large", BASE, str(pairs), str(tmp_path / "out"), steps=STEPS, batch=1
    )
    first = train(engine, request, stop=f"Step 1 of {STEPS}")
    assert first[-1] == Finished(cancelled=True)
    assert any(text.startswith("Trains 1 tile at once") for text in words(first, Notice))
    assert train(engine, request)[-1] == Finished()

    shutil.copytree(tmp_path / "out" / "work", tmp_path / "whole" / "work")
    whole = replace(request, name="whole", out=str(tmp_path / "whole"))
    assert train(engine, whole, stop="Generating held-out tile")[-1] == Finished(cancelled=True)
    mine, other = weights(request.out), weights(whole.out)
    assert mine.keys() == other.keys()
    assert all(torch.equal(mine[name], other[name]) for name in mine)

    config = json.loads((tmp_path / "out/controlnet/config.json").read_text("utf-8"))
    assert config["caption_num_tokens"] == 16 and config["sample_size"] == SIDE // 8
    assert config["n_controlnet_blocks"] == 1 and config["num_layers"] == 2
    assert mine["y_pos_embed.y_pos_embed"].shape == (1, 16, DIMENSION)

    family = get_family("large")
    assert (family.tile, family.grid, family.takes_layout) == (SIDE, 4, True)
    style = np.random.default_rng(0).normal(size=(16, DIMENSION)).astype(np.float32)
    labels = np.zeros((SIDE, SIDE), np.uint16)
    labels[:50, :50] = 1
    settings = GenerationSettings.for_family(family, layout=True, count=1, seed=3)

    asked = generate_request(
        family, settings, size=(SIDE, SIDE), embedding=PackedArray.pack(style), layout=labels
    )
    (made,) = (event for event in run(engine, asked) if isinstance(event, Variant))
    assert made.image.shape == (SIDE, SIDE, 3)
    assert made.record.weights["controlnet"] == cached_sha256(
        tmp_path / "out/controlnet/diffusion_pytorch_model.safetensors"
    )

"""A stain reproduces the published numbers however the product loads it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_pixcell.engine import loaded_models as residence
from napari_pixcell.engine.loaded_models import LoadedModels
from napari_pixcell.models.catalogue import DEMO, Family, Part
from napari_pixcell.models.store import kept_adapter
from napari_pixcell.models.weights import load_file
from napari_pixcell.networks.autoencoder import DemoAutoencoder

CPU = torch.device("cpu")
ONE_PASS = 2e-5


@pytest.fixture
def families(golden: Path, tmp_path: Path, monkeypatch) -> dict[str, Family]:
    """A stain with golden weights, and its base; their encoder is the demo's."""
    config = json.loads((golden / "stain-lora.config.json").read_text())["transformer"]
    weights, settings = "model.safetensors", "config.json"
    for source, target in (("stain-lora.pth", "lora.pth"), ("stain-flow.pth", "flow.pth")):
        shutil.copy(golden / source, tmp_path / target)
    whole = load_file(tmp_path / "lora.pth")
    base = {
        name.replace(".base_layer", ""): value
        for name, value in whole.items()
        if ".lora_" not in name
    }
    save_file({name: value.contiguous() for name, value in base.items()}, tmp_path / weights)
    (tmp_path / settings).write_text(json.dumps(config))
    parts = (
        Part("transformer", "pixcell-transformer", "", (weights, settings), 1, "", folder=tmp_path),
        autoencoder(tmp_path / "vae", config["in_channels"]),
        *(part for part in DEMO.parts if part.kind in ("encoder", "scheduler")),
    )
    adapter = Part("lora", "pixcell-transformer", "", ("lora.pth",), 1, "", folder=tmp_path)
    flow = Part("flow", "stain-flow", "", ("flow.pth",), 1, "", folder=tmp_path)
    plain = replace(DEMO, name="plain", parts=parts, grid=4, tile=256)
    stain = replace(plain, name="stain", parts=(*parts, adapter, flow))
    found = {family.name: family for family in (plain, stain)}
    monkeypatch.setattr(residence, "get_family", found.__getitem__)
    return found


def autoencoder(folder: Path, channels: int) -> Part:
    """Write a small autoencoder for the latents of the golden transformer."""
    small = DemoAutoencoder(latent_channels=channels, block_out_channels=(8, 8), layers_per_block=1)
    small.save_pretrained(folder)
    files = "diffusion_pytorch_model.safetensors", "config.json"
    return Part("vae", "demo-autoencoder", "", files, 1, "", folder=folder)


def test_a_stain_loaded_switched_to_or_read_from_its_small_copy_is_the_same(
    golden: Path, families: dict[str, Family], tmp_path: Path, relative_error
) -> None:
    lora = load_file(golden / "stain-lora.io.safetensors")
    flow = load_file(golden / "stain-flow.io.safetensors")
    inputs = lora["hidden_states"], lora["encoder_hidden_states"], lora["timestep"]
    settings = json.loads((golden / "stain-flow.config.json").read_text())

    def check(loaded) -> None:
        with torch.no_grad():
            output = loaded.transformer(*inputs).sample
            assert relative_error(output, lora["output"]) < ONE_PASS
            steps = settings["euler_steps"]
            moved = loaded.flow.translate(
                flow["embedding"], steps, settings["t_first"], settings["t_last"]
            )
            assert relative_error(moved, flow[f"translated_{steps}_euler_steps"]) < ONE_PASS

    kept = LoadedModels(CPU)
    assert not kept_adapter(tmp_path / "lora.pth").exists()
    check(kept.load("stain", torch.float32))
    assert kept_adapter(tmp_path / "lora.pth").exists()
    network = kept.load("plain", torch.float32).transformer
    with torch.no_grad():
        without = network(*inputs).sample
    assert relative_error(without, lora["output"]) > ONE_PASS
    switched = kept.load("stain", torch.float32)
    assert switched.transformer is network
    check(switched)
    check(LoadedModels(CPU).load("stain", torch.float32))

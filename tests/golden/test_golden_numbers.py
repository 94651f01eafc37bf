"""Networks and sampler reproduce the numbers of the published implementation."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from peft import LoraConfig

from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.engine.sampler import denoise
from napari_pixcell.models.weights import load_file, load_weights
from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.networks.stain_flow import StainFlowMLP
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

ONE_PASS, SAMPLING = 2e-5, 1e-4  # measured on a CPU: 3e-6 and 2e-6
PREFIXES = ("transformer-", "stain-lora", "stain-flow")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Find the sets by their configurations, so that new ones are tested."""
    for prefix in PREFIXES:
        fixture = prefix.strip("-").replace("-", "_")
        if fixture in metafunc.fixturenames:
            names = [name for name in sets() if name.startswith(prefix)]
            metafunc.parametrize(fixture, names)


def sets() -> list[str]:
    root = Path(os.environ.get("PIXCELL_GOLDEN", Path(__file__).parents[3] / "shared" / "golden"))
    return sorted(path.name.removesuffix(".config.json") for path in root.glob("*.config.json"))


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def test_every_published_set_is_tested(golden: Path) -> None:
    assert len(sets()) >= 5 and all(name.startswith(PREFIXES) for name in sets())


def load(golden: Path, name: str):
    config = json.loads((golden / f"{name}.config.json").read_text())
    transformer = PixCellTransformer2DModel(**config["transformer"]).eval()
    load_weights(transformer, load_file(golden / f"{name}.weights.safetensors"), name)
    controlnet = PixCellControlNet(**config["controlnet"]).eval()
    load_weights(controlnet, load_file(golden / f"{name}.controlnet.safetensors"), name)
    return transformer, controlnet, config["conditioning_scale"]


def test_a_pass_reproduces_the_published_output(
    golden: Path, relative_error, transformer: str
) -> None:
    network, controlnet, scale = load(golden, transformer)
    io = load_file(golden / f"{transformer}.io.safetensors")
    inputs = io["hidden_states"], io["encoder_hidden_states"], io["timestep"]
    assert relative_error(network(*inputs).sample, io["output"]) < ONE_PASS
    latents, embeddings, times = inputs
    residuals = controlnet(latents, io["conditioning"], embeddings, times, scale)
    assert len(residuals) == 2
    for i, residual in enumerate(residuals):
        assert relative_error(residual, io[f"controlnet_residual_{i}"]) < ONE_PASS
    steered = network(*inputs, residuals).sample
    assert relative_error(steered, io[f"output_with_controlnet_scale_{scale}"]) < ONE_PASS


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("plain_10steps_g1", {"guidance": 1.0}),
        ("plain_10steps_g2.5", {"guidance": 2.5}),
        ("control_conditional_only_10steps_g2.5_scale1", {"guidance": 2.5}),
        ("control_both_10steps_g2.5_scale1", {"guidance": 2.5, "control_both": True}),
    ],
)
def test_ten_steps_reproduce_the_published_latents(
    golden: Path, relative_error, transformer: str, name: str, settings: dict
) -> None:
    network, controlnet, _ = load(golden, transformer)
    io = load_file(golden / f"{transformer}.sampling.safetensors")
    condition = None
    if name.startswith("control"):
        settings, condition = settings | {"controlnet": controlnet}, io["conditioning"]
    scheduler = json.loads((golden / "scheduler.json").read_text())
    latents = denoise(
        Denoiser(network, scheduler, steps=10, **settings),
        io["initial_latents"],
        io["encoder_hidden_states"],
        condition,
    )
    assert relative_error(latents, io[name]) < SAMPLING


def test_a_stain_lora_reproduces_the_published_output(
    golden: Path, relative_error, stain_lora: str
) -> None:
    config = json.loads((golden / f"{stain_lora}.config.json").read_text())
    transformer = PixCellTransformer2DModel(**config["transformer"]).eval()
    transformer.add_adapter(LoraConfig(**config["lora"]))
    load_weights(transformer, load_file(golden / f"{stain_lora}.pth"), stain_lora)
    io = load_file(golden / f"{stain_lora}.io.safetensors")
    output = transformer(io["hidden_states"], io["encoder_hidden_states"], io["timestep"]).sample
    assert relative_error(output, io["output"]) < ONE_PASS


def test_a_stain_flow_reproduces_the_published_embeddings(
    golden: Path, relative_error, stain_flow: str
) -> None:
    config = json.loads((golden / f"{stain_flow}.config.json").read_text())
    steps, first, last = (config.pop(k) for k in ("euler_steps", "t_first", "t_last"))
    flow = StainFlowMLP(**config).eval()
    load_weights(flow, load_file(golden / f"{stain_flow}.pth"), stain_flow)
    io = load_file(golden / f"{stain_flow}.io.safetensors")
    embedding = io["embedding"]
    velocity = flow(embedding, torch.full((len(embedding),), 0.3))
    assert relative_error(velocity, io["velocity_at_t0.3"]) < ONE_PASS
    moved = flow.translate(embedding, steps, first, last)
    assert relative_error(moved, io[f"translated_{steps}_euler_steps"]) < ONE_PASS

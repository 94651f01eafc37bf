"""The sampler beyond its golden samples: steps, cancelling, layout, precision."""

from __future__ import annotations

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler

from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.engine.sampler import denoise
from napari_pixcell.engine.solver import Solver
from napari_pixcell.errors import PixCellError
from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

SCHEDULER = {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}
STEPS = 4
SCHEDULES = [{"beta_schedule": "scaled_linear"}, {"beta_schedule": "squaredcos_cap_v2"}]


class Cancelled(Exception):
    pass


@pytest.fixture
def networks():
    torch.manual_seed(0)
    sizes = {"num_attention_heads": 2, "attention_head_dim": 12, "cross_attention_dim": 24}
    channels = {"in_channels": 4, "out_channels": 8, "caption_channels": 20}
    transformer = PixCellTransformer2DModel(**sizes, **channels, num_layers=2, sample_size=8)
    controlnet = PixCellControlNet.from_transformer(transformer, 1)
    torch.nn.init.normal_(controlnet.controlnet_blocks[0].weight)
    return transformer.eval(), controlnet.eval()


@pytest.fixture
def sample(networks):
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(2, 4, 8, 8, generator=generator)
    embeddings = torch.randn(2, 1, 20, generator=generator)
    condition = torch.randn(2, 4, 8, 8, generator=generator)

    @torch.no_grad()
    def sample(layout: bool = False, scheduler=SCHEDULER, on_step=None, **settings):
        settings = {"guidance": 2.0, "steps": STEPS} | settings
        if layout:
            settings["controlnet"] = networks[1]
        denoiser = Denoiser(networks[0], scheduler, **settings)
        cells = condition if layout else None
        return denoise(denoiser, latents, embeddings, cells, on_step)

    return sample


def test_every_step_is_reported_and_the_last_is_the_result(sample) -> None:
    seen = []
    result = sample(on_step=lambda *step: seen.append(step))
    assert [(step, total) for step, total, _ in seen] == [(i + 1, STEPS) for i in range(STEPS)]
    torch.testing.assert_close(seen[-1][2], result)


def test_raising_in_a_step_ends_the_denoising(sample) -> None:
    seen = []

    def on_step(step: int, total: int, clean: torch.Tensor) -> None:
        seen.append(step)
        if step == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        sample(on_step=on_step)
    assert seen == [1, 2]


def test_guidance_of_one_or_less_is_the_conditional_prediction(sample) -> None:
    assert torch.equal(sample(guidance=1.0), sample(guidance=0.0))
    assert not torch.allclose(sample(guidance=1.0), sample(guidance=2.0))


def test_a_layout_without_strength_or_duration_has_no_effect(sample) -> None:
    plain = sample()
    assert not torch.allclose(sample(layout=True), plain)
    assert not torch.allclose(sample(layout=True, layout_until=0.5), sample(layout=True))
    torch.testing.assert_close(sample(layout=True, layout_strength=0.0), plain)
    torch.testing.assert_close(sample(layout=True, layout_until=0.0), plain)


def test_the_configuration_sets_the_prediction_type(sample) -> None:
    velocity = SCHEDULER | {"prediction_type": "v_prediction"}
    assert not torch.allclose(sample(scheduler=velocity), sample())


def test_half_precision_networks_return_float32_close_to_full_precision(networks, sample) -> None:
    full = sample(layout=True)
    for network in networks:
        network.bfloat16()
    half = sample(layout=True)
    assert half.dtype == torch.float32
    assert (half - full).abs().mean() < 0.1 * full.abs().mean()


def test_guidance_in_two_passes_equals_one_pass(sample) -> None:
    apart, together = sample(layout=True, two_passes=True), sample(layout=True)
    # The batch size changes the order of summation.
    assert (apart - together).abs().max() < 1e-4 * together.abs().max()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"algorithm_type": "sde-dpmsolver++"}, r"asks for algorithm_type = sde-dpmsolver\+\+"),
        ({"solver_type": "heun"}, "solver_type = heun"),
        ({"prediction_type": "flow_prediction"}, "prediction_type = flow_prediction"),
        ({"solver_order": 3}, "solver_order = 3"),
        ({"solver_order": "2"}, "solver_order = 2"),
        ({"beta_schedule": "cosine"}, "beta_schedule = cosine"),
        ({"thresholding": True}, "thresholding = True"),
        ({"use_flow_sigmas": True}, "use_flow_sigmas = True"),
        ({"timestep_spacing": "karras"}, "timestep_spacing = karras"),
        ({"final_sigmas_type": "one"}, "final_sigmas_type = one"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, "asks for FlowMatchEuler"),
        ({"solver_order": [2]}, r"solver_order = \[2\]"),
        ({"num_train_timesteps": "many"}, "is damaged, as its settings give no noise levels"),
        ({"num_train_timesteps": 0}, "is damaged"),
        ({"beta_end": None}, "is damaged"),
        ({"beta_end": 5.0}, "is damaged"),
        ({"trained_betas": [0.1, "x"]}, "is damaged"),
    ],
)
def test_a_scheduler_for_another_solver_is_refused(change: dict, words: str) -> None:
    with pytest.raises(PixCellError, match=f"{words}.*Use the published scheduler_config"):
        Solver(SCHEDULER | change, STEPS)


@pytest.mark.parametrize("steps", [1, 4, 20])
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize(
    "spacing", [{}, {"use_karras_sigmas": True}, {"solver_order": 1}, *SCHEDULES]
)
def test_the_solver_equals_that_of_diffusers(steps: int, kind: str, spacing: dict) -> None:
    config = SCHEDULER | {"prediction_type": kind} | spacing
    theirs = DPMSolverMultistepScheduler.from_config(config)
    theirs.set_timesteps(steps)
    ours = Solver(config, steps)
    assert torch.equal(ours.times, theirs.timesteps)
    generator = torch.Generator().manual_seed(0)
    expected = latents = torch.randn(1, 4, 8, 8, generator=generator)
    before = None
    for index, time in enumerate(theirs.timesteps):
        predicted = torch.randn(1, 4, 8, 8, generator=generator)
        expected = theirs.step(predicted, time, expected).prev_sample
        clean = ours.clean(index, predicted, latents)
        latents, before = ours.advance(index, latents, clean, before), clean
        assert (latents - expected).abs().max() < 1e-4 * expected.abs().max()

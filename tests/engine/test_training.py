"""Training of a flow and an adapter, on tiny networks."""

from __future__ import annotations

import pytest
import torch

from napari_pixcell.engine.training.denoising import Examples, Noising
from napari_pixcell.engine.training.flow import TrainingProgress, flow_error, train_flow
from napari_pixcell.engine.training.lora import adapter_tensors, add_adapter, train_lora
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.lora import attach_lora
from napari_pixcell.networks.stain_flow import StainFlowMLP
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

SCHEDULER = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02}
SCHEDULER |= {"beta_schedule": "linear", "prediction_type": "v_prediction"}


@pytest.fixture(autouse=True)
def one_seed() -> None:
    torch.manual_seed(0)


def make_flow() -> StainFlowMLP:
    return StainFlowMLP(8, 16, 32, 32, 8, num_res_blocks=1)


def make_pairs(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))
    return source, source.flip(1) * 0.5 + 2


def make_transformer() -> PixCellTransformer2DModel:
    torch.manual_seed(1)
    return PixCellTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=2,
        cross_attention_dim=16,
        sample_size=8,
        caption_channels=8,
        caption_num_tokens=4,
    ).eval()


def draw(generator: torch.Generator) -> Examples:
    """Bright latents where the H&E is dark."""
    clean = 1 + 0.1 * torch.randn(4, 4, 8, 8, generator=generator)
    return Examples(clean, torch.ones(4, 4, 8), -clean)


def test_a_flow_keeps_the_weights_with_the_least_held_out_error() -> None:
    told: list[TrainingProgress] = []
    pairs, held = make_pairs(64, 1), make_pairs(16, 2)
    trained = train_flow(
        make_flow(), *pairs, *held, steps=1000, every=25, patience=2, on_progress=told.append
    )
    assert trained.held_out < 0.4 < told[0].held_out
    assert trained.held_out == min(progress.held_out for progress in told)
    assert flow_error(trained.flow, *held) == pytest.approx(trained.held_out)
    assert trained.stopped == (told[-1].step < 1000)
    assert told[-1].loss < told[0].loss


def test_a_flow_stops_early_if_it_does_not_generalise() -> None:
    source = torch.randn(16, 8)
    noise = source, source + torch.randn(16, 8)
    held = torch.randn(16, 8), torch.randn(16, 8)
    trained = train_flow(make_flow(), *noise, *held, steps=2000, every=10, patience=2, rate=3e-3)
    assert trained.stopped and trained.step < 500


@pytest.mark.parametrize("shapes", [((3, 8), (2, 8)), ((0, 8), (0, 8)), ((8,), (8,))])
def test_embeddings_that_do_not_pair_up_are_refused(shapes) -> None:
    wrong = [torch.zeros(shape) for shape in shapes]
    with pytest.raises(PixCellError, match=r"do not pair up: .* Pass one of each"):
        train_flow(make_flow(), *wrong, *make_pairs(4, 0))


def test_a_resumed_flow_equals_an_uninterrupted_one() -> None:
    kept: list[dict] = []
    known = {"steps": 30, "every": 10, "batch": 8}
    pairs, held = make_pairs(16, 1), make_pairs(8, 2)
    flow = make_flow()
    start = {name: value.clone() for name, value in flow.state_dict().items()}
    whole = train_flow(flow, *pairs, *held, **known, on_checkpoint=kept.append)

    def cancel(progress: TrainingProgress) -> None:
        if progress.step == 20:
            raise InterruptedError

    flow = make_flow()
    flow.load_state_dict(start)
    some: list[dict] = []
    with pytest.raises(InterruptedError):
        train_flow(flow, *pairs, *held, **known, on_checkpoint=some.append, on_progress=cancel)
    again = train_flow(make_flow(), *pairs, *held, **known, resume=some[-1])
    assert again.step == whole.step and again.held_out == whole.held_out
    for name, value in whole.flow.state_dict().items():
        torch.testing.assert_close(again.flow.state_dict()[name], value, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["v_prediction", "epsilon"])
def test_prediction_targets_lead_to_the_stain_from_any_start(kind: str) -> None:
    noising = Noising(SCHEDULER | {"prediction_type": kind})
    generator = torch.Generator().manual_seed(0)
    examples = draw(generator)
    plain = noising(examples, 0.0, torch.Generator().manual_seed(3))[0]
    noisy, wanted, weight, times = noising(examples, 1.0, torch.Generator().manual_seed(3))
    assert (noisy.mean((1, 2, 3)) < plain.mean((1, 2, 3))).all()  # some of the dark H&E is left
    kept = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), 0)[times].view(-1, 1, 1, 1)
    alpha, sigma = kept.sqrt(), (1 - kept).sqrt()
    clean = alpha * noisy - sigma * wanted
    if kind == "epsilon":
        clean = (noisy - sigma * wanted) / alpha
    torch.testing.assert_close(clean, examples.latents, rtol=1e-3, atol=1e-3)
    assert (weight > 0).all() and weight.shape == (4, 1, 1, 1)


@torch.no_grad()
def loss_of(transformer: PixCellTransformer2DModel) -> float:
    """Return the loss on many noisy latents, always the same."""
    generator = torch.Generator().manual_seed(9)
    parts = [draw(generator) for _ in range(16)]
    examples = Examples(*(torch.cat(part) for part in zip(*parts, strict=True)))
    noisy, wanted, weight, times = Noising(SCHEDULER)(examples, 0.5, generator)
    made = transformer(noisy, examples.embeddings, times).sample[:, :4]
    return float((weight * (made - wanted).square()).mean())


def test_an_adapter_learns_with_a_frozen_transformer_and_is_read_as_published() -> None:
    told: list[TrainingProgress] = []
    transformer = make_transformer()
    before = {name: value.clone() for name, value in transformer.state_dict().items()}
    known = {"steps": 80, "every": 40, "rate": 1e-2, "from_start": 0.5}
    adapter = train_lora(transformer, SCHEDULER, draw, **known, on_progress=told.append)
    assert [progress.step for progress in told] == [40, 80]
    after = transformer.state_dict()
    for name, value in before.items():
        name = name if name in after else ".base_layer.".join(name.rsplit(".", 1))
        torch.testing.assert_close(after[name], value, rtol=0, atol=0)
    assert "transformer_blocks.1.attn2.to_out.0.lora_B.default.weight" in adapter
    assert adapter["transformer_blocks.0.attn2.to_q.lora_A.default.weight"].shape == (4, 16)
    fresh = make_transformer()
    attach_lora(fresh, adapter, "trained")
    assert loss_of(fresh) == pytest.approx(loss_of(transformer))
    assert loss_of(fresh) < 0.9 * loss_of(make_transformer())


def test_a_resumed_adapter_equals_an_uninterrupted_one() -> None:
    kept: list[dict] = []
    known = {"steps": 4, "every": 2, "targets": ("attn1.to_v", "ff.net.2"), "rank": 2}
    torch.manual_seed(5)
    whole = train_lora(make_transformer(), SCHEDULER, draw, **known, on_checkpoint=kept.append)
    assert [checkpoint["step"] for checkpoint in kept] == [2, 4]
    again = train_lora(make_transformer(), SCHEDULER, draw, **known, resume=kept[0])
    assert set(again) == set(whole) and len(whole) == 8
    for name, value in whole.items():
        torch.testing.assert_close(again[name], value, rtol=0, atol=0)


def test_missing_layers_are_refused() -> None:
    transformer = make_transformer()
    with pytest.raises(PixCellError, match="no layer named attn9, so there is nothing to adapt"):
        add_adapter(transformer, 4, ("attn9",))
    assert adapter_tensors(transformer) == {}

"""Faster passes with the same numbers: prepared values, batches, compilation, presets."""

from __future__ import annotations

import pytest
import torch
from torch._inductor import config as inductor

from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.engine.presets import EXACT, PRESETS, Preset, get_preset
from napari_pixcell.engine.sampler import denoise
from napari_pixcell.errors import PixCellError
from napari_pixcell.networks.compiling import compile_blocks
from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.networks.prepared import DeltaCache, PreparedStyle
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

SIZES = {
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "cross_attention_dim": 24,
    "in_channels": 4,
    "out_channels": 8,
    "caption_channels": 20,
    "sample_size": 16,
}
SCHEDULER = {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}


@pytest.fixture(autouse=True)
def no_gradients():
    """Compute as the engine does: with gradients merely off, all would be compiled twice."""
    with torch.inference_mode():
        yield


def network(tokens: int, layers: int = 8) -> PixCellTransformer2DModel:
    """A transformer whose layers all have weights of realistic size."""
    torch.manual_seed(0)
    transformer = PixCellTransformer2DModel(
        **SIZES, caption_num_tokens=tokens, num_layers=layers
    ).eval()
    for parameter in transformer.parameters():
        fan = parameter[0].numel() if parameter.ndim > 1 else 0
        parameter.normal_(0, fan**-0.5 if fan else 0.1)
    return transformer


def steered(transformer: PixCellTransformer2DModel) -> PixCellControlNet:
    controlnet = PixCellControlNet.from_transformer(transformer, 6).eval()
    for linear in controlnet.controlnet_blocks:
        linear.weight.normal_(0, 0.1)
    return controlnet


def sample(transformer, batch: slice = slice(None), on_step=None, **settings) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    latents, condition = torch.randn(2, 3, 4, 16, 16, generator=generator)
    tokens = transformer.config.caption_num_tokens
    styles = torch.randn(3, tokens, 20, generator=generator)
    denoiser = Denoiser(transformer, SCHEDULER, **{"steps": 6, "guidance": 2.0} | settings)
    cells = condition[batch] if "controlnet" in settings else None
    return denoise(denoiser, latents[batch], styles[batch], cells, on_step)


def plain(block, hidden, tokens, modulation):
    return block(hidden, encoder_hidden_states=tokens, timestep=modulation)


@pytest.mark.parametrize("tokens", [1, 4, 16])
def test_a_block_equals_that_of_diffusers(tokens: int) -> None:
    transformer = network(tokens)
    hidden, styles = torch.randn(2, 64, 24), torch.randn(2, tokens, 20)
    for times in (torch.tensor([500]), torch.tensor([20, 900])):
        time = transformer.prepare_times(times, torch.float32)
        ours = transformer.run_block(0, hidden, transformer.prepare_style(styles), time)
        modulation = time.modulation.flatten(1).expand(2, -1)
        block, read = transformer.transformer_blocks[0], transformer.embed_style(styles)
        theirs = plain(block, hidden, read, modulation)
        assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()


def test_one_token_needs_no_attention_at_any_step() -> None:
    transformer = network(1)
    calls = []
    for block in transformer.transformer_blocks:
        for name in ("to_q", "to_k", "to_v"):
            layer = getattr(block.attn2, name)
            layer.register_forward_hook(lambda *_, name=name: calls.append(name))
    transformer.caption_projection.register_forward_hook(lambda *_: calls.append("caption"))
    sample(transformer)
    # Once for the style of the batch, and once for the unconditional one.
    assert {name: calls.count(name) for name in set(calls)} == {"to_v": 16, "caption": 2}


def test_keys_and_values_are_computed_once_for_all_steps() -> None:
    transformer = network(4)
    calls = []
    attention = transformer.transformer_blocks[3].attn2
    for name in ("to_q", "to_k", "to_v"):
        layer = getattr(attention, name)
        layer.register_forward_hook(lambda *_, name=name: calls.append(name))
    sample(transformer)
    assert {name: calls.count(name) for name in set(calls)} == {"to_q": 6, "to_k": 2, "to_v": 2}


@pytest.mark.parametrize("tokens", [1, 4])
@pytest.mark.parametrize("preset", PRESETS.values())
def test_a_batch_equals_its_single_images_with_every_preset(tokens: int, preset: Preset) -> None:
    transformer = network(tokens)
    settings = {"controlnet": steered(transformer), "preset": preset}
    together = sample(transformer, **settings)
    for i in range(3):
        alone = sample(transformer, slice(i, i + 1), **settings)
        assert (together[i : i + 1] - alone).abs().max() < 1e-4 * alone.abs().max()


@pytest.mark.parametrize("both", [False, True])
def test_two_passes_equal_one_with_every_preset(both: bool) -> None:
    transformer = network(1)
    for preset in PRESETS.values():
        settings = {"controlnet": steered(transformer), "preset": preset, "control_both": both}
        one, two = (sample(transformer, two_passes=apart, **settings) for apart in (False, True))
        assert (one - two).abs().max() < 1e-4 * one.abs().max()


def test_prepared_styles_can_be_sliced_expanded_and_concatenated() -> None:
    transformer = network(4)
    styles = transformer.prepare_style(torch.randn(3, 4, 20))
    assert len(styles) == 3 and len(styles[1:2]) == 1 and len(styles[:1].expand(5)) == 5
    joined = PreparedStyle.cat([styles[:1], styles[1:]])
    for ours, theirs in zip(joined.blocks, styles.blocks, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


# -- presets --------------------------------------------------------------------


def test_a_cached_span_of_the_same_step_changes_nothing() -> None:
    transformer = network(1)
    residuals = [torch.randn(2, 64, 24) for _ in range(6)]
    latents, styles, times = torch.randn(2, 4, 16, 16), torch.randn(2, 1, 20), torch.tensor([500])
    cache, runs = DeltaCache(range(2, 6)), []
    for block in transformer.transformer_blocks:
        block.ff.register_forward_hook(lambda *_: runs.append(1))
    whole = transformer(latents, styles, times, residuals, cache=cache).sample
    assert len(runs) == 8
    again = transformer(latents, styles, times, residuals, cache=cache).sample
    assert len(runs) == 8 + 4
    assert (whole - again).abs().max() < 1e-5 * whole.abs().max()


def test_a_schedule_follows_its_preset() -> None:
    quick = Preset("x", "", guided=(0.25, 0.75), layout_every=2, layout_until=0.5, whole_every=2)
    plan = quick.schedule(8)
    assert [step.guided for step in plan] == [False] * 2 + [True] * 4 + [False] * 2
    assert [step.layout for step in plan] == ["run", "keep"] * 2 + ["off"] * 4
    assert [step.whole for step in plan] == [True, False] * 3 + [True, True]
    assert [step.layout for step in quick.schedule(8, layout_until=0.25)][2:] == ["off"] * 6
    assert all(step == plan[0].__class__() for step in EXACT.schedule(5))


@pytest.mark.parametrize("name", ["balanced", "quick"])
def test_a_faster_preset_computes_less_and_stays_close(name: str) -> None:
    transformer = network(1)
    controlnet = steered(transformer)
    runs = []
    for network_ in (transformer, controlnet):
        for block in network_.transformer_blocks:
            block.ff.register_forward_hook(lambda _m, x, _y: runs.append(len(x[0])))
    exact = sample(transformer, controlnet=controlnet, steps=20)
    full_cost = sum(runs)
    runs.clear()
    preset = get_preset(name)
    steps = preset.steps_of(20)
    less = sample(transformer, controlnet=controlnet, steps=steps, preset=preset)
    assert sum(runs) < full_cost / {"balanced": 1.8, "quick": 3}[name]
    assert torch.isfinite(less).all()
    assert torch.nn.functional.cosine_similarity(less.flatten(), exact.flatten(), dim=0) > 0.7


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(PixCellError, match="no preset “magic”; choose one of: exact, balanced"):
        get_preset("magic")


# -- compilation ---------------------------------------------------------------------------


# The compiler as it is, without what takes most of its time: trials of vector instructions, a
# header that is compiled for later ones, and processes that compile side by side.
ONCE = {"cpp.vec_isa_ok": False, "cpp_cache_precompile_headers": False, "compile_threads": 1}


def test_compiled_blocks_give_the_same_numbers_or_are_left_out() -> None:
    transformer = network(1, layers=2)
    one = slice(1)  # other batch sizes would be compiled again
    before = sample(transformer, one)
    known = inductor.get_config_copy()  # not every version has each of them
    with inductor.patch({name: value for name, value in ONCE.items() if name in known}):
        reason = compile_blocks(transformer)
        after = sample(transformer, one)
    assert (before - after).abs().max() < 1e-4 * before.abs().max()
    if reason:  # no compiler on this machine
        assert torch.equal(before, after)


def test_a_compiler_that_changes_the_numbers_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torch, "compile", lambda function, **_: lambda *inputs: function(*inputs) * torch.nan
    )
    transformer = network(1, layers=2)
    before = sample(transformer)
    assert "different numbers" in compile_blocks(transformer)
    assert torch.equal(before, sample(transformer))


def test_without_a_compiler_the_network_stays_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(*_args, **_settings):
        def fail(*_: object) -> None:
            raise RuntimeError("no C++ compiler\nand more")

        return fail

    monkeypatch.setattr(torch, "compile", no_compiler)
    transformer = network(4, layers=2)
    before = sample(transformer)
    assert compile_blocks(transformer) == "RuntimeError: no C++ compiler"
    assert torch.equal(before, sample(transformer))

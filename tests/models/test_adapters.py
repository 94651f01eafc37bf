"""A LoRA acts exactly as PEFT would apply it, or is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.lora import attach_lora, open_adapter
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

TARGETS = ["attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0"]
SIZES: dict[str, Any] = {
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "cross_attention_dim": 24,
    "in_channels": 4,
    "out_channels": 8,
    "caption_channels": 20,
    "caption_num_tokens": 4,
    "num_layers": 3,
    "sample_size": 8,
}
FIRST = "transformer_blocks.0.attn2.to_q"
Tensors = dict[str, Tensor]


def transformer(**changes: int) -> PixCellTransformer2DModel:
    torch.manual_seed(0)
    return PixCellTransformer2DModel(**SIZES | changes).eval()


def output(network: Any) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(2, 4, 8, 8, generator=generator)
    style = torch.randn(2, 4, 20, generator=generator)
    with torch.no_grad():
        found: Tensor = network(latents, style, torch.tensor([500, 20])).sample
    return found


def trained(**settings: Any) -> tuple[Tensor, Tensors, LoraConfig]:
    """Return PEFT's own output with a random adapter, its tensors, and its settings."""
    made, tensors, config = trained_once(json.dumps(settings))
    return made, {key: value.clone() for key, value in tensors.items()}, config


@cache
def trained_once(settings: str) -> tuple[Tensor, Tensors, LoraConfig]:
    usual = {"r": 4, "lora_alpha": 16, "target_modules": TARGETS}
    config = LoraConfig(**usual | json.loads(settings))
    model = get_peft_model(transformer(), config).eval()
    generator = torch.Generator().manual_seed(2)
    for name, value in model.named_parameters():
        if ".lora_" in name:
            value.data = torch.randn(value.shape, generator=generator) * 0.3
    tensors = {k: v.contiguous() for k, v in get_peft_model_state_dict(model).items()}
    return output(model), tensors, config


def written(folder: Path, tensors: Tensors, about: dict[str, str] | None = None) -> Path:
    path = folder / "adapter_model.safetensors"
    save_file(tensors, path, {"format": "pt", **(about or {})})
    return path


def attached(path: Path, network: Any = None) -> Tensor:
    network = network or transformer()
    attach_lora(network, open_adapter(path)[0], path.name)
    return output(network)


def values(config: LoraConfig) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, set) else v for k, v in config.to_dict().items()}


def kohya(tensors: Tensors, alpha: float | None) -> Tensors:
    """Return tensors under the names of kohya's scripts, with an alpha for each layer."""
    found: Tensors = {}
    for key, value in tensors.items():
        layer, side = key.removeprefix("base_model.model.").removesuffix(".weight").split(".lora_")
        stem = f"lora_unet_{layer.replace('.', '_')}"
        found[f"{stem}.lora_{'down' if side == 'A' else 'up'}.weight"] = value
        if alpha is not None:
            found[f"{stem}.alpha"] = torch.tensor(alpha)
    return found


OF_BLOCKS = {"layers_pattern": "transformer_blocks"}
PATTERNS = {"rank_pattern": {"attn2.to_k": 2}, "alpha_pattern": {FIRST: 3, "attn2.to_v": 8}}


@pytest.mark.parametrize("form", ["peft", "diffusers", "kohya"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lora_alpha": 4},
        {"lora_alpha": 1},
        {"use_rslora": True},
        PATTERNS,
        {"target_modules": ["attn2.to_q"], "layers_to_transform": [0, 2], **OF_BLOCKS},
        {"target_modules": r".*attn2\.to_[qv]"},
    ],
    ids=str,
)
def test_an_adapter_acts_as_in_peft(tmp_path: Path, form: str, settings: dict) -> None:
    if form == "kohya" and settings not in ({}, {"lora_alpha": 4}, {"lora_alpha": 1}):
        pytest.skip("kohya's files hold an alpha for each layer, and nothing else")
    theirs, tensors, config = trained(**settings)
    about = {}
    if form == "kohya":
        tensors = kohya(tensors, float(config.lora_alpha))
    elif form == "peft":
        (tmp_path / "adapter_config.json").write_text(json.dumps(values(config)))
    else:
        packed = {f"transformer.{key}": value for key, value in values(config).items()}
        about = {"lora_adapter_metadata": json.dumps(packed)}
        tensors = {k.replace("base_model.model", "transformer"): v for k, v in tensors.items()}
    ours = attached(written(tmp_path, tensors, about))
    assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()
    assert (ours - output(transformer())).abs().max() > 1e-2 * theirs.abs().max()


def test_without_a_stated_alpha_it_is_the_rank_as_published(tmp_path: Path) -> None:
    theirs, tensors, _ = trained(lora_alpha=4)
    assert (attached(written(tmp_path, tensors)) - theirs).abs().max() < 1e-5


def test_an_adapter_of_another_strength_replaces_one_on_the_same_layers(tmp_path: Path) -> None:
    theirs, tensors, _ = trained(lora_alpha=4)
    network, strong = transformer(), tmp_path / "strong"
    strong.mkdir()
    attached(written(strong, kohya(tensors, 16.0)), network)
    ours = attached(written(tmp_path, tensors), network)
    assert (ours - theirs).abs().max() < 1e-5


def test_a_whole_state_dict_keeps_alphas_and_the_shapes_of_its_base(tmp_path: Path) -> None:
    theirs, tensors, _ = trained()
    whole = {**transformer().state_dict(), **kohya(tensors, 16.0)}
    path = written(tmp_path, whole)
    for _ in range(2):  # from the file, then from its small copy
        assert (attached(path) - theirs).abs().max() < 1e-5 * theirs.abs().max()
        with pytest.raises(PixCellError, match=r"made for another base: its .* has the shape"):
            attached(path, transformer(caption_channels=24))


def renamed(tensors: Tensors, name: str) -> Tensors:
    return {k.replace(".weight", f".{name}.weight"): v.clone() for k, v in tensors.items()}


A = f"base_model.model.{FIRST}.lora_A.weight"
B = f"base_model.model.{FIRST}.lora_B.weight"
DAMAGE: list[tuple[Callable[[Tensors], Any], str]] = [
    (lambda t: t.clear(), "it holds no adapter"),
    (lambda t: t.pop(B), rf"is incomplete \({FIRST}\.lora_B is missing\)"),
    (lambda t: (t.pop(A), t.pop(B)), rf"the layer {FIRST} is missing"),
    (lambda t: t.update({A: torch.ones(4, 20)}), r"made for another base: its .* is 24 × 20"),
    (lambda t: t.update({A: torch.ones(2, 24)}), "two matrices of .* do not fit"),
    (lambda t: t.update({A: torch.ones(24)}), "two matrices of .* do not fit"),
    (lambda t: t.update({"encoder.lora_A.weight": torch.ones(2, 2)}), "it adapts encoder"),
    (lambda t: t.update({A.replace("base_model.model.", ""): t[A].clone()}), "holds .* twice"),
    (lambda t: t.update(renamed(dict(t), "other")), r"several adapters \(other, unnamed\)"),
    (
        lambda t: t.update({f"{FIRST}.lora_magnitude_vector.weight": torch.ones(24)}),
        "uses DoRA, which is not supported",
    ),
    (lambda t: t.update({f"{FIRST}.dora_scale": torch.ones(24)}), "uses DoRA"),
    (lambda t: t.update({B.replace("weight", "bias"): torch.ones(24)}), "uses biases"),
    (lambda t: t.update({f"{FIRST}.hada_w1_a": torch.ones(24)}), "uses LoHa"),
    (lambda t: t.update({f"{FIRST}.lora_mid.weight": torch.ones(2)}), "uses .*lora_mid"),
    (lambda t: t.update({f"{FIRST}.bias": torch.ones(24)}), "it holds the bias"),
    (lambda t: t.update({"proj_out.weight": torch.ones(32, 24)}), "it holds proj_out.weight"),
    (lambda t: t.update({"classifier.weight": torch.ones(2)}), "it holds classifier.weight"),
    (lambda t: t.update({f"{FIRST}.alpha": torch.tensor(float("nan"))}), "alpha of .* is nan"),
    (lambda t: t.update({f"{FIRST}.alpha": torch.ones(3)}), "alpha of .* is nan"),
    (lambda t: t.update({f"{FIRST}.alpha": torch.tensor(-1.0)}), r"alpha of .* is -1\.0"),
    (lambda t: t.update({"proj_out.alpha": torch.tensor(1.0)}), "an alpha for proj_out"),
]


@pytest.mark.parametrize(("change", "words"), DAMAGE, ids=[words for _, words in DAMAGE])
def test_an_unfit_adapter_is_refused_by_name(
    tmp_path: Path, change: Callable[[Tensors], Any], words: str
) -> None:
    _, tensors, _ = trained()
    change(tensors)
    tensors = tensors or {"weight": torch.ones(1)}
    network = transformer()
    with pytest.raises(PixCellError, match=rf"The LoRA adapter_model\.safetensors .*{words}"):
        attached(written(tmp_path, tensors), network)
    assert not any(".lora_" in key for key in network.state_dict())


def test_a_whole_state_dict_without_a_tensor_is_incomplete(tmp_path: Path) -> None:
    _, tensors, _ = trained()
    whole = {**transformer().state_dict(), **tensors}
    del whole["proj_out.weight"]
    with pytest.raises(PixCellError, match=r"is incomplete \(proj_out\.weight is missing\)"):
        attached(written(tmp_path, whole))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"use_dora": True}, "use_dora = True"),
        ({"bias": "lora_only"}, "bias = lora_only"),
        ({"lora_bias": True}, "lora_bias = True"),
        ({"modules_to_save": ["proj_out"]}, "modules_to_save = "),
        ({"init_lora_weights": "pissa"}, "init_lora_weights = pissa"),
        ({"init_lora_weights": ["x"]}, "init_lora_weights = "),
        ({"peft_type": "LOHA"}, "peft_type = LOHA"),
        ({"r": 8}, "says rank 8 for .* but it is 4"),
        ({"rank_pattern": {"to_q": 2}}, "says rank 2 for .* but it is 4"),
        ({"r": "4"}, "says r = 4"),
        ({"lora_alpha": float("inf")}, "valid JSON"),
        ({"lora_alpha": 0}, "lora_alpha = 0"),
        ({"lora_alpha": 10**400}, "lora_alpha = 1000"),
        ({"alpha_pattern": {r"(\w+)+x": 8}}, "in alpha_pattern"),
        ({"alpha_pattern": {"to_q": None}}, "to_q = None in alpha_pattern"),
        ({"alpha_pattern": [1]}, "alpha_pattern = "),
        ({"layers_to_transform": "all"}, "layers_to_transform = all"),
        ({"target_modules": ["attn2.to_q"]}, "does not list transformer_blocks.0.attn2.to_k"),
        ({"target_modules": [*TARGETS, "attn1.to_q"]}, "attn1.to_q is missing"),
    ],
    ids=str,
)
def test_unfit_settings_are_refused_by_name(tmp_path: Path, change: dict, words: str) -> None:
    _, tensors, config = trained()
    path = written(tmp_path, tensors)
    (tmp_path / "adapter_config.json").write_text(json.dumps(values(config) | change))
    with pytest.raises(PixCellError, match=words):
        attached(path)


@pytest.mark.parametrize("text", ["[]", "{", '{"r": ' + "[" * 100_000])
def test_damaged_settings_are_refused(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, trained()[1])
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(PixCellError):
        attached(path)
    (tmp_path / "adapter_config.json").unlink()
    with pytest.raises(PixCellError):
        attached(written(tmp_path, trained()[1], {"lora_adapter_metadata": text}))

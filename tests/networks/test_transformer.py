"""The transformer beyond its golden numbers: sizes, gradients, ControlNets, lazy import."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

CONFIG = {
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "in_channels": 4,
    "out_channels": 8,
    "num_layers": 3,
    "cross_attention_dim": 24,
    "caption_channels": 20,
    "caption_num_tokens": 4,
    "sample_size": 16,
}
TIMES = torch.tensor([5, 900])


@pytest.fixture
def transformer() -> PixCellTransformer2DModel:
    torch.manual_seed(0)
    return PixCellTransformer2DModel(**CONFIG)


def inputs(height: int = 16, width: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(2, 4, height, width), torch.randn(2, 4, 20)


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (24, 16), (32, 40)])
def test_latents_of_other_sizes_are_handled(transformer, size) -> None:
    latents, embeddings = inputs(*size)
    assert transformer(latents, embeddings, TIMES).sample.shape == (2, 8, *size)


def test_every_parameter_gets_a_gradient(transformer) -> None:
    latents, embeddings = inputs()
    transformer(latents, embeddings, TIMES).sample.square().sum().backward()
    assert [name for name, p in transformer.named_parameters() if p.grad is None] == []


def test_a_batch_equals_its_single_images(transformer) -> None:
    latents, embeddings = inputs()
    together = transformer(latents, embeddings, TIMES).sample
    for i in range(2):
        alone = transformer(latents[i : i + 1], embeddings[i : i + 1], TIMES[i : i + 1]).sample
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-5)


def test_the_unconditional_embedding_is_the_stored_one(transformer) -> None:
    stored = transformer.state_dict()["caption_projection.uncond_embedding"]
    assert torch.equal(transformer.unconditional(3), stored.expand(3, 4, 20))


def test_legacy_keys_of_a_published_config_are_ignored() -> None:
    legacy = {"double_self_attention": False, "num_vector_embeds": None}
    legacy |= {"only_cross_attention": False, "use_linear_projection": False}
    assert len(PixCellTransformer2DModel.from_config(CONFIG | legacy).transformer_blocks) == 3


def test_a_new_controlnet_copies_the_transformer_and_has_no_effect(transformer) -> None:
    controlnet = PixCellControlNet.from_transformer(transformer, 2)
    assert controlnet.config.n_controlnet_blocks == len(controlnet.transformer_blocks) == 2
    base = transformer.state_dict()
    for name, tensor in controlnet.state_dict().items():
        assert name not in base or torch.equal(tensor, base[name]), name
    latents, embeddings = inputs()
    residuals = controlnet(latents, torch.randn_like(latents), embeddings, TIMES)
    assert [residual.count_nonzero().item() for residual in residuals] == [0, 0]
    plain = transformer(latents, embeddings, TIMES).sample
    assert torch.equal(transformer(latents, embeddings, TIMES, residuals).sample, plain)


def test_a_saved_controlnet_is_loaded_unchanged(transformer, tmp_path) -> None:
    controlnet = PixCellControlNet.from_transformer(transformer, 2)
    controlnet.save_pretrained(tmp_path)
    _, unused = PixCellControlNet.from_config(
        PixCellControlNet.load_config(tmp_path), return_unused_kwargs=True
    )
    again = PixCellControlNet.from_pretrained(tmp_path)
    assert [name for name in unused if not name.startswith("_")] == []
    assert (again.config.num_layers, again.config.n_controlnet_blocks) == (3, 2)
    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, controlnet.state_dict()[name]), name


def test_a_loss_on_the_transformer_trains_the_controlnet(transformer) -> None:
    controlnet = PixCellControlNet.from_transformer(transformer, 2)
    latents, embeddings = inputs()
    residuals = controlnet(latents, torch.randn_like(latents), embeddings, TIMES)
    transformer(latents, embeddings, TIMES, residuals).sample.square().sum().backward()
    assert all(linear.weight.grad.abs().max() > 0 for linear in controlnet.controlnet_blocks)


def test_importing_the_networks_package_does_not_import_diffusers() -> None:
    code = "import sys, napari_pixcell.networks; sys.exit('diffusers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Full-size networks have exactly the published tensors, by name and shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from peft import LoraConfig
from torch import nn

from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.networks.stain_flow import StainFlowMLP
from napari_pixcell.networks.transformer import PixCellTransformer2DModel
from napari_pixcell.networks.uni import build_uni2_h

LARGE = {"sample_size": 128, "caption_num_tokens": 16, "interpolation_scale": 2}


def staining_lora() -> nn.Module:
    transformer = PixCellTransformer2DModel(**LARGE)
    targets = [f"attn2.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")]
    transformer.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=targets))
    return transformer


def sd3_vae() -> nn.Module:
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=[128, 256, 512, 512],
        layers_per_block=2,
        latent_channels=16,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "pixcell_256_transformer": PixCellTransformer2DModel,
    "pixcell_1024_transformer": lambda: PixCellTransformer2DModel(**LARGE),
    "pixcell_256_cell_controlnet": PixCellControlNet,
    "staining_lora_transformer": staining_lora,
    "staining_flow_mlp": StainFlowMLP,
    "sd3_vae": sd3_vae,
    "uni2_h": build_uni2_h,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_exactly_the_published_tensors(layouts: Path, name: str) -> None:
    with torch.device("meta"):
        network = NETWORKS[name]()
    ours = {key: list(value.shape) for key, value in network.state_dict().items()}
    theirs = json.loads((layouts / f"{name}.json").read_text())
    assert ours == theirs


def test_every_published_network_is_tested(layouts: Path) -> None:
    assert {path.stem for path in layouts.glob("*.json")} == set(NETWORKS)

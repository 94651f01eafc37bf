"""Write checkpoints with random weights in the exact published structure, of any width.

    python benchmarks/random_checkpoints.py FOLDER FAMILY ...    # tiny widths

The real weights are not available where this is built. These have the same folders, files, tensor
names and, at full width, shapes, so that they are located, loaded and run in the same way.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from napari_pixcell.models.catalogue import Family, Part
from napari_pixcell.models.families import get_family
from napari_pixcell.models.weights import without_initial_values

# Keys of older classes in the published config.json files.
LEGACY = {
    "double_self_attention": False,
    "num_vector_embeds": None,
    "only_cross_attention": False,
    "use_linear_projection": False,
    "use_additional_conditions": False,
}
SCHEDULER = {
    "_class_name": "DPMSolverMultistepScheduler",
    "num_train_timesteps": 1000,
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "algorithm_type": "dpmsolver++",
    "solver_order": 2,
    "prediction_type": "epsilon",
}
LORA_TARGETS = [f"attn2.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")]


class Widths:
    """Widths of the networks. Names are always the published ones, and so is the depth by default.

    Parameters
    ----------
    heads, head_dim : int
        Heads of the transformer and the ControlNet, and their dimension.
    embed_dim : int
        Embedding dimension of the tile encoder, a multiple of 64.
    vae : tuple of int
        Channels of the autoencoder's four levels.
    flow : int
        Width of the stain's flow.
    layers : int, optional
        Depth of transformer, ControlNet and tile encoder.
    vae_layers : int
        Residual blocks of each level of the autoencoder.
    vae_attention : bool
        Whether the autoencoder attends between all places, whose time grows with their square.
    """

    def __init__(
        self,
        heads: int = 16,
        head_dim: int = 72,
        embed_dim: int = 1536,
        vae: tuple[int, ...] = (128, 256, 512, 512),
        flow: int = 1024,
        layers: int | None = None,
        vae_layers: int = 2,
        vae_attention: bool = True,
    ) -> None:
        self.heads, self.head_dim, self.embed_dim = heads, head_dim, embed_dim
        self.vae, self.flow, self.layers = vae, flow, layers
        self.vae_layers, self.vae_attention = vae_layers, vae_attention


FULL = Widths()
SIZES: dict[str, Any] = {"heads": 1, "head_dim": 12, "embed_dim": 64, "vae": (8, 16, 32, 32)}
TINY = Widths(**SIZES, flow=16)
SHALLOW = Widths(**SIZES, flow=16, layers=1, vae_layers=1, vae_attention=False)


def write_family(
    family: Family, folder: Path, widths: Widths = TINY, dtype: torch.dtype = torch.float32
) -> None:
    """Write every part of a family to ``folder/owner/name/…``, as on the hub."""
    for part in family.parts:
        write_part(family, part, folder / part.hub_id, widths, dtype)


def write_part(
    family: Family, part: Part, folder: Path, widths: Widths, dtype: torch.dtype = torch.float32
) -> None:
    """Write the files of one part, unless they exist."""
    path = folder / part.weights
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if part.kind == "scheduler":
        path.write_text(json.dumps(SCHEDULER))
        return
    network, config = _network(family, part, widths)
    tensors = dict(_random(network, dtype))
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    if part.config:
        (folder / part.config).write_text(json.dumps(config))


def _network(family: Family, part: Part, widths: Widths) -> tuple[nn.Module, dict[str, Any]]:
    from diffusers import AutoencoderKL
    from peft import LoraConfig

    from napari_pixcell.networks.controlnet import PixCellControlNet
    from napari_pixcell.networks.stain_flow import StainFlowMLP
    from napari_pixcell.networks.transformer import PixCellTransformer2DModel
    from napari_pixcell.networks.uni import build_uni2_h

    width, tokens = widths.heads * widths.head_dim, family.grid**2
    config = {
        "num_attention_heads": widths.heads,
        "attention_head_dim": widths.head_dim,
        "cross_attention_dim": width,
        "caption_channels": widths.embed_dim,
        "caption_num_tokens": tokens,
        "sample_size": family.tile // 8,
        "interpolation_scale": 1 if tokens == 1 else 2,
    }
    if widths.layers:
        config["num_layers"] = widths.layers
    with without_initial_values():
        if part.kind in ("transformer", "lora"):
            network: Any = PixCellTransformer2DModel(**config)
            if part.kind == "lora":
                network.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=LORA_TARGETS))
        elif part.kind == "controlnet":
            blocks = {"n_controlnet_blocks": widths.layers} if widths.layers else {}
            network = PixCellControlNet(**config, **blocks)
        elif part.kind == "vae":
            network = AutoencoderKL(
                down_block_types=["DownEncoderBlock2D"] * 4,
                up_block_types=["UpDecoderBlock2D"] * 4,
                block_out_channels=list(widths.vae),
                norm_num_groups=min(32, widths.vae[0]),
                layers_per_block=widths.vae_layers,
                mid_block_add_attention=widths.vae_attention,
                latent_channels=16,
                scaling_factor=1.5305,
                shift_factor=0.0609,
                use_quant_conv=False,
                use_post_quant_conv=False,
            )
        elif part.kind == "encoder":
            # The published ratio is an even width only at 1536.
            full = widths.embed_dim == FULL.embed_dim
            sizes: dict[str, Any] = {} if full else {"mlp_ratio": 4.0}
            if widths.layers:
                sizes["depth"] = widths.layers
            return build_uni2_h(embed_dim=widths.embed_dim, **sizes), {}
        else:
            names = ("model_channels", "time_embed_dim", "bottleneck_channels")
            channels = {"in_channels": widths.embed_dim, "out_channels": widths.embed_dim}
            return StainFlowMLP(**channels, **dict.fromkeys(names, widths.flow)), {}
    classes = {"transformer": "PixCellTransformer2DModel", "controlnet": "PixCellControlNet"}
    saved = {k: v for k, v in dict(network.config).items() if not k.startswith("_")}
    class_name = {"_class_name": classes.get(part.kind, type(network).__name__)}
    return network, class_name | saved | (LEGACY if part.kind in classes else {})


def _random(network: nn.Module, dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
    """Return small seeded values for every name. No layer is zero, and norms are near one."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if name.startswith("y_pos_embed"):
            yield name, tensor.to(dtype).contiguous()
            continue
        fan = tensor[0].numel() if tensor.ndim > 1 else 0
        scale = fan**-0.5 if fan else 0.02
        values = torch.empty(tensor.shape).normal_(generator=generator).mul_(scale)
        if "norm" in name and name.endswith("weight"):
            values += 1
        yield name, values.to(dtype)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        write_family(get_family(name), Path(sys.argv[1]))

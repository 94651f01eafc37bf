"""A stain of the user's own on the demo family: an adapter and a flow with random weights."""

from __future__ import annotations

import json
from pathlib import Path

TOML = """base = "demo"
title = "Virtual {title}"
[lora]
file = "{folder}/{name}_lora.safetensors"
[flow]
file = "{folder}/{name}_flow.safetensors"
"""


def write_own_stain(folder: Path, name: str, title: str, seed: int = 0) -> str:
    """Write the weights to a folder and the family to the configuration; give its name."""
    import torch
    from safetensors.torch import save_file

    from napari_pixcell.models.catalogue import DEMO_FOLDER
    from napari_pixcell.models.own_families import families_folder
    from napari_pixcell.networks.stain_flow import StainFlowMLP

    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * 0.2

    config = json.loads((DEMO_FOLDER / "transformer" / "config.json").read_text("utf-8"))
    width, features = config["cross_attention_dim"], config["caption_channels"]
    lora = {
        f"transformer_blocks.{i}.attn2.{layer}.lora_{side}.default.weight": random(*shape)
        for i in range(config["num_layers"])
        for layer in ("to_v", "to_out.0")
        for side, shape in (("A", (4, width)), ("B", (width, 4)))
    }
    save_file(lora, folder / f"{name}_lora.safetensors")
    torch.manual_seed(seed)
    flow = StainFlowMLP(features, 16, 16, 16, features, 1).state_dict()
    save_file(flow, folder / f"{name}_flow.safetensors")
    families_folder().mkdir(parents=True, exist_ok=True)
    text = TOML.format(title=title, folder=folder.as_posix(), name=name)
    (families_folder() / f"{name}.toml").write_text(text)
    return name

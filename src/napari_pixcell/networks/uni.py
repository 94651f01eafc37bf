"""UNI2-h, the published tile encoder, as timm builds it."""

from __future__ import annotations

from typing import Any

import timm
import torch
from timm.layers import SwiGLUPacked
from torch import nn


def build_uni2_h() -> nn.Module:
    """Build UNI2-h without weights: (batch, 3, 224, 224) to (batch, 1536).

    The arguments are those of the model card of ``MahmoodLab/UNI2-h``.
    """
    arguments: dict[str, Any] = {
        "img_size": 224,
        "patch_size": 14,
        "depth": 24,
        "num_heads": 24,
        "init_values": 1e-5,
        "embed_dim": 1536,
        "mlp_ratio": 2.66667 * 2,
        "num_classes": 0,
        "no_embed_class": True,
        "mlp_layer": SwiGLUPacked,
        "act_layer": torch.nn.SiLU,
        "reg_tokens": 8,
        "dynamic_img_size": True,
    }
    network: nn.Module = timm.create_model("vit_giant_patch14_224", pretrained=False, **arguments)
    return network

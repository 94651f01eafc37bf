"""UNI2-h, the published tile encoder, built by timm."""

from __future__ import annotations

from typing import Any

import timm
import torch
from timm.layers import SwiGLUPacked
from torch import Tensor, nn

# Of ImageNet, as the model card specifies.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
HEAD_WIDTH = 64


def build_uni2_h(
    embed_dim: int = 1536,
    depth: int = 24,
    patch_size: int = 14,
    img_size: int = 224,
    mlp_ratio: float = 2.66667 * 2,
    reg_tokens: int = 8,
) -> nn.Module:
    """Build UNI2-h without weights: (batch, 3, 224, 224) to (batch, 1536).

    The arguments are those of the model card of ``MahmoodLab/UNI2-h``.
    """
    return timm.create_model(
        "vit_giant_patch14_224",
        pretrained=False,
        img_size=img_size,
        patch_size=patch_size,
        depth=depth,
        num_heads=max(1, embed_dim // HEAD_WIDTH),
        init_values=1e-5,
        embed_dim=embed_dim,
        mlp_ratio=mlp_ratio,
        num_classes=0,
        no_embed_class=True,
        mlp_layer=SwiGLUPacked,
        act_layer=nn.SiLU,
        reg_tokens=reg_tokens,
        dynamic_img_size=True,
        weight_init="skip",
    )


def uni_sizes(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Read the arguments of :func:`build_uni2_h` from the shapes of a published file.

    Raises
    ------
    KeyError, IndexError
        If a tensor that determines a size is missing.
    """
    embed_dim, _, patch_size, _ = shapes["patch_embed.proj.weight"]
    patches = shapes["pos_embed"][1]
    return {
        "embed_dim": embed_dim,
        "depth": 1 + max(int(name.split(".")[1]) for name in shapes if name.startswith("blocks.")),
        "patch_size": patch_size,
        "img_size": patch_size * round(patches**0.5),
        "mlp_ratio": (shapes["blocks.0.mlp.fc1.weight"][0] + 0.5) / embed_dim,
        "reg_tokens": shapes["reg_token"][1],
    }


class UniEncoder(nn.Module):
    """UNI2-h, from :func:`build_uni2_h`, with its preprocessing."""

    def __init__(self, vit: nn.Module) -> None:
        super().__init__()
        self.vit = vit
        self.side: int = vit.patch_embed.img_size[0]  # type: ignore[union-attr, index, assignment]

    def forward(self, images: Tensor) -> Tensor:
        """Embed tiles of 128 µm, (batch, 3, height, width): float32, (batch, 1536).

        They are RGB in [0, 1], 256 px at 0.5 µm/px, and resized to 224 px (bilinear, no crop).
        """
        # Float32 until the network: resizing in half precision would lose shades.
        images = nn.functional.interpolate(
            images.float(),
            size=(self.side, self.side),
            mode="bilinear",
            antialias=True,
            align_corners=False,
        )
        mean = torch.tensor(_MEAN, device=images.device).view(1, 3, 1, 1)
        std = torch.tensor(_STD, device=images.device).view(1, 3, 1, 1)
        dtype = next(self.vit.parameters()).dtype
        embedded: Tensor = self.vit(((images - mean) / std).to(dtype))
        return embedded.float()

"""Cellpose's network in the size of a checkpoint.

Cellpose builds one size only, with the encoder that segment-anything calls ``vit_l``. The rest of
its network follows from the encoder, so another size only needs another encoder of that name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

from torch import nn

PIXELS, PATCH = 1024, 16  # as segment-anything builds it; Cellpose reduces it itself
GLOBAL = 2 * (PIXELS // PATCH) - 1
MAX_WIDTH, MAX_DEPTH = 4096, 64


def encoder_sizes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Read the arguments of segment-anything's encoder from the shapes of a checkpoint's tensors.

    Raises
    ------
    KeyError, ValueError
        If a tensor is missing, or the sizes are impossible.
    """
    width = shapes["encoder.patch_embed.proj.weight"][0]
    depth = len({name.split(".")[2] for name in shapes if name.startswith("encoder.blocks.")})
    reach = [shapes[f"encoder.blocks.{i}.attn.rel_pos_h"][0] for i in range(depth)]
    if not (0 < width <= MAX_WIDTH and 0 < depth <= MAX_DEPTH):
        raise ValueError(f"{depth} blocks of width {width}")
    return {
        "embed_dim": width,
        "depth": depth,
        "num_heads": width // max(1, shapes["encoder.blocks.0.attn.rel_pos_h"][1]),
        "mlp_ratio": shapes["encoder.blocks.0.mlp.lin1.weight"][0] / width,
        "out_chans": shapes["encoder.neck.0.weight"][0],
        # Blocks with a position for each pair of patches attend to the whole image.
        "window_size": (min(reach) + 1) // 2 if min(reach) < GLOBAL else 0,
        "global_attn_indexes": tuple(i for i, count in enumerate(reach) if count == GLOBAL),
    }


@contextmanager
def encoder_of(sizes: Mapping[str, Any]) -> Iterator[None]:
    """Let Cellpose build its network with an encoder of these sizes within a block."""
    from segment_anything import sam_model_registry
    from segment_anything.modeling import ImageEncoderViT

    def build(_checkpoint: Any = None) -> SimpleNamespace:
        encoder = ImageEncoderViT(
            img_size=PIXELS,
            patch_size=PATCH,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            **sizes,
        )
        return SimpleNamespace(image_encoder=encoder)

    kept = sam_model_registry["vit_l"]
    sam_model_registry["vit_l"] = build
    try:
        yield
    finally:
        sam_model_registry["vit_l"] = kept

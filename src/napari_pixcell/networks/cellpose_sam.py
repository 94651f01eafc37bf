"""Cellpose's network in the width of a checkpoint.

Cellpose builds one size only, with the encoder that segment-anything calls ``vit_l``. Everything
else of its network follows from the encoder, so that a smaller one needs another encoder under
that name and nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

from torch import nn

PIXELS, PATCH = 1024, 16  # what segment-anything builds; Cellpose cuts it down itself
GLOBAL = 2 * (PIXELS // PATCH) - 1
MOST_WIDTH, MOST_DEPTH = 4096, 64


@dataclass(frozen=True)
class EncoderSizes:
    """Sizes of an image encoder.

    Parameters
    ----------
    width, depth, heads : int
        Embedding dimension, blocks, and attention heads of each.
    mlp_ratio : float
        Hidden width of a block's MLP as a multiple of ``width``.
    window : int
        Side of the attention windows its positions were learnt in, in patches.
    everywhere : tuple of int
        Blocks whose attention was learnt over the whole picture.
    channels : int
        Of the features that it gives.
    """

    width: int
    depth: int
    heads: int
    mlp_ratio: float
    window: int
    everywhere: tuple[int, ...]
    channels: int


def encoder_sizes(shapes: Mapping[str, tuple[int, ...]]) -> EncoderSizes:
    """Read the sizes of the encoder from the shapes of a checkpoint's tensors.

    Raises
    ------
    KeyError, ValueError
        If a tensor is missing, or the sizes are none that a network could have.
    """
    width = shapes["encoder.patch_embed.proj.weight"][0]
    depth = len({name.split(".")[2] for name in shapes if name.startswith("encoder.blocks.")})
    reach = [shapes[f"encoder.blocks.{i}.attn.rel_pos_h"][0] for i in range(depth)]
    if not (0 < width <= MOST_WIDTH and 0 < depth <= MOST_DEPTH):
        raise ValueError(f"{depth} blocks of width {width}")
    return EncoderSizes(
        width,
        depth,
        heads=width // max(1, shapes["encoder.blocks.0.attn.rel_pos_h"][1]),
        mlp_ratio=shapes["encoder.blocks.0.mlp.lin1.weight"][0] / width,
        window=(min(reach) + 1) // 2 if min(reach) < GLOBAL else 0,
        everywhere=tuple(i for i, positions in enumerate(reach) if positions == GLOBAL),
        channels=shapes["encoder.neck.0.weight"][0],
    )


@contextmanager
def encoder_of(sizes: EncoderSizes) -> Iterator[None]:
    """Have Cellpose build its network on an encoder of these sizes for as long as this lasts."""
    from segment_anything import sam_model_registry
    from segment_anything.modeling import ImageEncoderViT

    def build(_checkpoint: Any = None) -> SimpleNamespace:
        encoder = ImageEncoderViT(
            img_size=PIXELS,
            patch_size=PATCH,
            embed_dim=sizes.width,
            depth=sizes.depth,
            num_heads=sizes.heads,
            mlp_ratio=sizes.mlp_ratio,
            out_chans=sizes.channels,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=sizes.window,
            global_attn_indexes=sizes.everywhere,
        )
        return SimpleNamespace(image_encoder=encoder)

    kept = sam_model_registry["vit_l"]
    sam_model_registry["vit_l"] = build
    try:
        yield
    finally:
        sam_model_registry["vit_l"] = kept

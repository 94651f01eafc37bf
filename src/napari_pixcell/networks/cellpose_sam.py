"""Cellpose's network in the size of a checkpoint.

Cellpose builds one size only, with the encoder that segment-anything calls ``vit_l``. The rest of
its network follows from the encoder, so another size only needs another encoder of that name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

from torch import nn

PIXELS, PATCH = 1024, 16  # as segment-anything builds it; Cellpose reduces it itself
GLOBAL = 2 * (PIXELS // PATCH) - 1
MAX_WIDTH, MAX_DEPTH = 4096, 64


@dataclass(frozen=True)
class EncoderSizes:
    """Sizes of an image encoder.

    Parameters
    ----------
    width, depth, heads : int
        Embedding dimension, number of blocks, and attention heads of each.
    mlp_ratio : float
        Hidden width of a block's MLP as a multiple of ``width``.
    window : int
        Side of the attention windows in patches.
    global_blocks : tuple of int
        Blocks with attention over the whole image.
    channels : int
        Channels of the returned features.
    """

    width: int
    depth: int
    heads: int
    mlp_ratio: float
    window: int
    global_blocks: tuple[int, ...]
    channels: int


def encoder_sizes(shapes: Mapping[str, tuple[int, ...]]) -> EncoderSizes:
    """Read the sizes of the encoder from the shapes of a checkpoint's tensors.

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
    return EncoderSizes(
        width,
        depth,
        heads=width // max(1, shapes["encoder.blocks.0.attn.rel_pos_h"][1]),
        mlp_ratio=shapes["encoder.blocks.0.mlp.lin1.weight"][0] / width,
        window=(min(reach) + 1) // 2 if min(reach) < GLOBAL else 0,
        global_blocks=tuple(i for i, positions in enumerate(reach) if positions == GLOBAL),
        channels=shapes["encoder.neck.0.weight"][0],
    )


@contextmanager
def encoder_of(sizes: EncoderSizes) -> Iterator[None]:
    """Let Cellpose build its network with an encoder of these sizes within a block."""
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
            global_attn_indexes=sizes.global_blocks,
        )
        return SimpleNamespace(image_encoder=encoder)

    kept = sam_model_registry["vit_l"]
    sam_model_registry["vit_l"] = build
    try:
        yield
    finally:
        sam_model_registry["vit_l"] = kept

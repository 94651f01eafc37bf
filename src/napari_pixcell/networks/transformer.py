"""The PixCell transformer: the PixArt-Sigma transformer of diffusers over UNI embeddings."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import register_to_config
from diffusers.loaders import PeftAdapterMixin
from diffusers.models.embeddings import get_2d_sincos_pos_embed_from_grid
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from diffusers.models.transformers.pixart_transformer_2d import PixArtTransformer2DModel
from torch import Tensor, nn

from napari_pixcell.networks.prepared import DeltaCache, PreparedStyle, PreparedTime

INTERPOLATION = 2  # of embedding positions in the published checkpoints


class EmbeddingProjection(nn.Module):
    """MLP over embeddings that also holds the unconditional embedding.

    Parameters
    ----------
    in_features, hidden_size : int
        Width of an embedding and of the transformer.
    num_tokens : int
        Embeddings for each image.
    """

    uncond_embedding: Tensor

    def __init__(self, in_features: int, hidden_size: int, num_tokens: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(in_features, hidden_size)
        self.act_1 = nn.GELU(approximate="tanh")
        self.linear_2 = nn.Linear(hidden_size, hidden_size)
        start = torch.randn(num_tokens, in_features) / in_features**0.5
        self.register_buffer("uncond_embedding", start)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Map (batch, tokens, in_features) to (batch, tokens, hidden_size)."""
        projected: Tensor = self.linear_2(self.act_1(self.linear_1(embeddings)))
        return projected


class TokenPositions(nn.Module):
    """Addition of sine-cosine positions to a square grid of embeddings.

    Parameters
    ----------
    num_tokens, width : int
        Tokens of the grid, row by row, and their width.
    base_size : int
        Side of the transformer's own grid of patches.
    """

    y_pos_embed: Tensor

    def __init__(self, num_tokens: int, width: int, base_size: int) -> None:
        super().__init__()
        side = int(num_tokens**0.5)
        steps = torch.arange(side, dtype=torch.float32) * (base_size / side) / INTERPOLATION
        steps = steps + base_size // num_tokens
        grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"))[:, None]
        positions = get_2d_sincos_pos_embed_from_grid(width, grid, output_type="pt")
        self.register_buffer("y_pos_embed", positions.float()[None])

    def forward(self, embeddings: Tensor) -> Tensor:
        """Add the positions to (batch, tokens, width)."""
        return embeddings + self.y_pos_embed.to(embeddings.dtype)


class PixCellTransformer2DModel(PixArtTransformer2DModel, PeftAdapterMixin):
    """PixArt-Sigma's transformer, conditioned on UNI embeddings instead of text.

    Tensor names and shapes are those of the published PixCell checkpoints. Differences from
    :class:`diffusers.PixArtTransformer2DModel`: the caption projection is an MLP that holds the
    unconditional embedding, a grid of embeddings carries positions, and a ControlNet can add a
    residual after each block.

    Parameters
    ----------
    caption_num_tokens : int
        Embeddings for each image: 1 for 256 px, 16 (4 × 4, row by row) for 1024 px.
    **others
        As in PixArtTransformer2DModel. The defaults are those of PixCell-256. Where
        ``interpolation_scale`` is not stated it is ``sample_size / 64``, as published for both
        sizes.
    """

    @register_to_config
    def __init__(
        self,
        num_attention_heads: int = 16,
        attention_head_dim: int = 72,
        in_channels: int = 16,
        out_channels: int | None = 32,
        num_layers: int = 28,
        dropout: float = 0.0,
        norm_num_groups: int = 32,
        cross_attention_dim: int | None = 1152,
        attention_bias: bool = True,
        sample_size: int = 32,
        patch_size: int = 2,
        activation_fn: str = "gelu-approximate",
        num_embeds_ada_norm: int | None = 1000,
        upcast_attention: bool = False,
        norm_type: str = "ada_norm_single",
        norm_elementwise_affine: bool = False,
        norm_eps: float = 1e-6,
        interpolation_scale: float | None = None,
        use_additional_conditions: bool = False,
        caption_channels: int = 1536,
        caption_num_tokens: int = 1,
        attention_type: str | None = "default",
    ) -> None:
        # The decorator has registered these arguments already.
        names = inspect.signature(PixArtTransformer2DModel).parameters
        settings = {name: self.config[name] for name in names}
        scale = interpolation_scale or sample_size / 64
        # None would become true at a sample_size of 128, with other tensors.
        own = {"use_additional_conditions": False, "interpolation_scale": scale}
        super().__init__(**settings | own)
        self.register_to_config(interpolation_scale=scale)
        self.pass_block = pass_block
        self.caption_projection = EmbeddingProjection(
            caption_channels, self.inner_dim, caption_num_tokens
        )
        self.y_pos_embed = (
            TokenPositions(caption_num_tokens, caption_channels, sample_size // patch_size)
            if caption_num_tokens > 1
            else None
        )

    def unconditional(self, batch: int) -> Tensor:
        """Return the unconditional embedding, (batch, tokens, caption_channels)."""
        return self.caption_projection.uncond_embedding[None].expand(batch, -1, -1)

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | PreparedStyle,
        timestep: Tensor | PreparedTime,
        controlnet_residuals: Sequence[Tensor] | None = None,
        return_dict: bool = True,
        cache: DeltaCache | None = None,
        **_: Any,
    ) -> Transformer2DModelOutput | tuple[Tensor]:
        """Predict noise (or velocity) and, in the second half of the channels, variance.

        Parameters
        ----------
        hidden_states : Tensor, (batch, in_channels, height, width)
            Noisy latents.
        encoder_hidden_states : Tensor, (batch, tokens, caption_channels), or PreparedStyle
            Embeddings, or the result of :meth:`prepare_style`.
        timestep : Tensor, (batch,), or PreparedTime
            Time of each image, 0 to 999, or the result of :meth:`prepare_times`.
        controlnet_residuals : sequence of Tensor, (batch, patches, width), optional
            The i-th is added after block i; blocks past the last get none.
        cache : DeltaCache, optional
            Blocks whose change is stored, or reused instead of computed.
        """
        patch = self.config.patch_size
        rows, columns = hidden_states.shape[-2] // patch, hidden_states.shape[-1] // patch
        hidden = self.pos_embed(hidden_states)
        style, time = self.prepared(encoder_hidden_states, timestep)
        residuals = list(controlnet_residuals or [])
        for index in range(len(self.transformer_blocks)):
            if cache is not None:
                hidden = cache.enter(index, hidden)
                if cache.skips(index):
                    continue
            hidden = self.run_block(index, hidden, style, time)
            if index < len(residuals):
                hidden = hidden + residuals[index]
            if cache is not None:
                cache.leave(index, hidden)
        shift, scale = (self.scale_shift_table + time.embedded[:, None]).unbind(1)
        hidden = self.proj_out(modulated(self.norm_out, hidden, shift, scale))
        output = (
            hidden.reshape(-1, rows, columns, patch, patch, self.out_channels)
            .permute(0, 5, 1, 3, 2, 4)
            .reshape(-1, self.out_channels, rows * patch, columns * patch)
        )
        return Transformer2DModelOutput(sample=output) if return_dict else (output,)

    def embed_style(self, embeddings: Tensor) -> Tensor:
        """Project embeddings to the tokens of the cross-attention, (batch, tokens, width)."""
        if self.y_pos_embed is not None:
            embeddings = self.y_pos_embed(embeddings)
        projected: Tensor = self.caption_projection(embeddings)
        return projected

    def prepare_style(self, embeddings: Tensor) -> PreparedStyle:
        """Compute the keys and values of all blocks, which are the same at every step.

        ``embeddings``, (batch, tokens, caption_channels), are one style for each image.
        """
        tokens = self.embed_style(embeddings)
        return PreparedStyle([_read(block.attn2, tokens) for block in self.transformer_blocks])

    def prepare_times(self, times: Tensor, dtype: torch.dtype) -> PreparedTime:
        """Compute the modulation of the blocks at each time, (batch,)."""
        modulation, embedded = self.adaln_single(
            times, None, batch_size=len(times), hidden_dtype=dtype
        )
        return PreparedTime(modulation.reshape(len(times), 6, -1), embedded)

    def prepared(
        self, style: Tensor | PreparedStyle, time: Tensor | PreparedTime
    ) -> tuple[PreparedStyle, PreparedTime]:
        """Return style and time prepared, computing what is not."""
        if isinstance(time, Tensor):
            time = self.prepare_times(time, self.dtype)
        return self.prepare_style(style) if isinstance(style, Tensor) else style, time

    def run_block(
        self, index: int, hidden: Tensor, style: PreparedStyle, time: PreparedTime
    ) -> Tensor:
        """Run one block over (batch, patches, width).

        Equal to ``BasicTransformerBlock`` of diffusers with ``ada_norm_single``, but with a
        prepared cross-attention.
        """
        # The patches of the first block are transposed; a compiler would compile that apart.
        hidden = hidden.contiguous()
        return self.pass_block(
            self.transformer_blocks[index], hidden, style.blocks[index], time.modulation
        )


def pass_block(block: Any, hidden: Tensor, read: tuple[Tensor, ...], modulation: Tensor) -> Tensor:
    """Run a block over (batch, patches, width). All blocks share it, so it is compiled once."""
    shift, scale, gate, shift_2, scale_2, gate_2 = (block.scale_shift_table + modulation).unbind(1)
    attended = block.attn1(modulated(block.norm1, hidden, shift, scale))
    hidden = torch.addcmul(hidden, gate[:, None], attended)
    hidden = hidden + _cross(block.attn2, hidden, read)
    fed = block.ff(modulated(block.norm2, hidden, shift_2, scale_2))
    return torch.addcmul(hidden, gate_2[:, None], fed)


def modulated(norm: nn.LayerNorm, hidden: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Normalise (batch, patches, width), then scale and shift it by (batch or 1, width) values."""
    if len(scale) == 1 and norm.weight is None:  # one time for all: a single pass over memory
        return F.layer_norm(hidden, norm.normalized_shape, 1 + scale[0], shift[0], norm.eps)
    normal: Tensor = norm(hidden)
    return torch.addcmul(shift[:, None], normal, 1 + scale[:, None])


def _read(attention: Any, tokens: Tensor) -> tuple[Tensor, ...]:
    """Return keys and values of a cross-attention, or its output if there is one token.

    The softmax over one token is 1, so the output is the same for every query.
    """
    values = attention.to_v(tokens)
    if tokens.shape[1] == 1:
        return (attention.to_out[0](values),)
    keys = attention.to_k(tokens)
    return _heads(attention, keys), _heads(attention, values)


def _cross(attention: Any, hidden: Tensor, read: tuple[Tensor, ...]) -> Tensor:
    """Attend from (batch, patches, width) to the result of :func:`_read`."""
    if len(read) == 1:
        return read[0]
    keys, values = read
    queries = _heads(attention, attention.to_q(hidden))
    attended = F.scaled_dot_product_attention(queries, keys, values)
    out: Tensor = attention.to_out[0](attended.transpose(1, 2).flatten(2))
    return out


def _heads(attention: Any, values: Tensor) -> Tensor:
    """Split (batch, tokens, width) into (batch, heads, tokens, head width)."""
    split: Tensor = values.unflatten(-1, (attention.heads, -1))
    return split.transpose(1, 2)

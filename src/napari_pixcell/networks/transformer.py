"""The PixCell transformer: diffusers' PixArt-Sigma transformer over UNI embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import PixArtTransformer2DModel
from diffusers.configuration_utils import register_to_config
from diffusers.loaders import PeftAdapterMixin
from diffusers.models.embeddings import get_2d_sincos_pos_embed_from_grid
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from torch import Tensor, nn

from napari_pixcell.networks.prepared import Middle, PreparedStyle, PreparedTime

INTERPOLATION = 2  # of the positions of embeddings, in the published checkpoints


class EmbeddingProjection(nn.Module):
    """An MLP over embeddings that also owns the unconditional one.

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
    """Sine-cosine positions of a square grid of embeddings, added to them.

    Parameters
    ----------
    num_tokens, width : int
        Tokens of the grid, row by row, and width of each.
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

    Tensor names and shapes are those of the published PixCell checkpoints. Differences to
    :class:`diffusers.PixArtTransformer2DModel`: the caption projection is an MLP that owns the
    unconditional embedding, several embeddings carry their position in the grid, and residuals
    of a ControlNet can be added after each block.

    Parameters
    ----------
    caption_num_tokens : int
        Embeddings for each image: 1 for 256 px, 16 (4 × 4, row by row) for 1024 px.
    **others
        As in PixArtTransformer2DModel.
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
        interpolation_scale: float | None = 1,
        use_additional_conditions: bool = False,
        caption_channels: int = 1536,
        caption_num_tokens: int = 1,
        attention_type: str | None = "default",
    ) -> None:
        super().__init__(
            num_attention_heads=num_attention_heads,
            attention_head_dim=attention_head_dim,
            in_channels=in_channels,
            out_channels=out_channels,
            num_layers=num_layers,
            dropout=dropout,
            norm_num_groups=norm_num_groups,
            cross_attention_dim=cross_attention_dim,
            attention_bias=attention_bias,
            sample_size=sample_size,
            patch_size=patch_size,
            activation_fn=activation_fn,
            num_embeds_ada_norm=num_embeds_ada_norm,
            upcast_attention=upcast_attention,
            norm_type=norm_type,
            norm_elementwise_affine=norm_elementwise_affine,
            norm_eps=norm_eps,
            interpolation_scale=interpolation_scale,
            # None would become true at a sample_size of 128, with other tensors.
            use_additional_conditions=False,
            caption_channels=caption_channels,
            attention_type=attention_type,
        )
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
        """Give the unconditional embedding, (batch, tokens, caption_channels)."""
        return self.caption_projection.uncond_embedding[None].expand(batch, -1, -1)

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | PreparedStyle,
        timestep: Tensor | PreparedTime,
        controlnet_residuals: Sequence[Tensor] | None = None,
        return_dict: bool = True,
        middle: Middle | None = None,
        **_: Any,
    ) -> Transformer2DModelOutput | tuple[Tensor]:
        """Predict noise (or velocity) and, in the second half of the channels, variance.

        Parameters
        ----------
        hidden_states : Tensor, (batch, in_channels, height, width)
            Noisy latents.
        encoder_hidden_states : Tensor, (batch, tokens, caption_channels), or PreparedStyle
            Embeddings, or what :meth:`prepare_style` made of them.
        timestep : Tensor, (batch,), or PreparedTime
            Time of each image, 0 to 999, or what :meth:`prepare_times` made of it.
        controlnet_residuals : sequence of Tensor, (batch, patches, width), optional
            The i-th is added after block i; blocks past the last get none.
        middle : Middle, optional
            Blocks whose change is remembered, or taken from the memory instead of computed.
        """
        patch = self.config.patch_size
        rows, columns = hidden_states.shape[-2] // patch, hidden_states.shape[-1] // patch
        hidden = self.pos_embed(hidden_states)
        style, time = self.prepared(encoder_hidden_states, timestep)
        residuals = list(controlnet_residuals or [])
        for index in range(len(self.transformer_blocks)):
            if middle is not None:
                hidden = middle.enter(index, hidden)
                if middle.skips(index):
                    continue
            hidden = self.run_block(index, hidden, style, time)
            if index < len(residuals):
                hidden = hidden + residuals[index]
            if middle is not None:
                middle.leave(index, hidden)
        shift, scale = (self.scale_shift_table + time.embedded[:, None]).unbind(1)
        hidden = self.proj_out(modulated(self.norm_out, hidden, shift, scale))
        output = (
            hidden.reshape(-1, rows, columns, patch, patch, self.out_channels)
            .permute(0, 5, 1, 3, 2, 4)
            .reshape(-1, self.out_channels, rows * patch, columns * patch)
        )
        return Transformer2DModelOutput(sample=output) if return_dict else (output,)

    def embed_style(self, embeddings: Tensor) -> Tensor:
        """Map embeddings to what the cross-attention reads, (batch, tokens, width)."""
        if self.y_pos_embed is not None:
            embeddings = self.y_pos_embed(embeddings)
        projected: Tensor = self.caption_projection(embeddings)
        return projected

    def prepare_style(self, embeddings: Tensor) -> PreparedStyle:
        """Compute what every block makes of the embeddings: the same at every step.

        Parameters
        ----------
        embeddings : Tensor, (batch, tokens, caption_channels)
            One style for each image.
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
        """Give both prepared, whatever they came as."""
        if isinstance(time, Tensor):
            time = self.prepare_times(time, self.dtype)
        return self.prepare_style(style) if isinstance(style, Tensor) else style, time

    def run_block(
        self, index: int, hidden: Tensor, style: PreparedStyle, time: PreparedTime
    ) -> Tensor:
        """Run one block over (batch, patches, width).

        The numbers of diffusers' ``BasicTransformerBlock`` with ``ada_norm_single``; its
        cross-attention reads what was prepared.
        """
        return self.pass_block(
            self.transformer_blocks[index], hidden, style.blocks[index], time.modulation
        )


def pass_block(block: Any, hidden: Tensor, read: tuple[Tensor, ...], modulation: Tensor) -> Tensor:
    """Run a block over (batch, patches, width); the same function for all, so compiled once."""
    moves = (block.scale_shift_table + modulation).unbind(1)
    shift, scale, gate, shift_2, scale_2, gate_2 = moves
    attended = block.attn1(modulated(block.norm1, hidden, shift, scale))
    hidden = torch.addcmul(hidden, gate[:, None], attended)
    hidden = hidden + _cross(block.attn2, hidden, read)
    fed = block.ff(modulated(block.norm2, hidden, shift_2, scale_2))
    return torch.addcmul(hidden, gate_2[:, None], fed)


def modulated(norm: nn.LayerNorm, hidden: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Normalise (batch, patches, width), then scale and shift it by (batch or 1, width)."""
    if len(scale) == 1 and norm.weight is None:  # one time for all: a single pass over memory
        return F.layer_norm(hidden, norm.normalized_shape, 1 + scale[0], shift[0], norm.eps)
    normal: Tensor = norm(hidden)
    return torch.addcmul(shift[:, None], normal, 1 + scale[:, None])


def _read(attention: Any, tokens: Tensor) -> tuple[Tensor, ...]:
    """Compute what a cross-attention needs of its tokens: keys and values, or its outcome.

    The softmax over one token is 1, so the outcome is the same for every patch and every query.
    """
    values = attention.to_v(tokens)
    if tokens.shape[1] == 1:
        return (attention.to_out[0](values),)
    keys = attention.to_k(tokens)
    return _heads(attention, keys), _heads(attention, values)


def _cross(attention: Any, hidden: Tensor, read: tuple[Tensor, ...]) -> Tensor:
    """Attend from (batch, patches, width) to what :func:`_read` gave."""
    if len(read) == 1:
        return read[0]
    queries = _heads(attention, attention.to_q(hidden))
    found = F.scaled_dot_product_attention(queries, *read)
    out: Tensor = attention.to_out[0](found.transpose(1, 2).flatten(2))
    return out


def _heads(attention: Any, values: Tensor) -> Tensor:
    """Split (batch, tokens, width) into (batch, heads, tokens, head width)."""
    return values.unflatten(-1, (attention.heads, -1)).transpose(1, 2)

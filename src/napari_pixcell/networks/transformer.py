"""The PixCell transformer: diffusers' PixArt-Sigma transformer over UNI embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import PixArtTransformer2DModel
from diffusers.configuration_utils import register_to_config
from diffusers.loaders import PeftAdapterMixin
from diffusers.models.embeddings import get_2d_sincos_pos_embed_from_grid
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from torch import Tensor, nn

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
        encoder_hidden_states: Tensor,
        timestep: Tensor,
        controlnet_residuals: Sequence[Tensor] | None = None,
        return_dict: bool = True,
        **_: Any,
    ) -> Transformer2DModelOutput | tuple[Tensor]:
        """Predict noise (or velocity) and, in the second half of the channels, variance.

        Parameters
        ----------
        hidden_states : Tensor, (batch, in_channels, height, width)
            Noisy latents.
        encoder_hidden_states : Tensor, (batch, tokens, caption_channels)
            Embeddings.
        timestep : Tensor, (batch,)
            Time of each image, 0 to 999.
        controlnet_residuals : sequence of Tensor, (batch, patches, width), optional
            The i-th is added after block i; blocks past the last get none.
        """
        patch = self.config.patch_size
        rows, columns = hidden_states.shape[-2] // patch, hidden_states.shape[-1] // patch
        hidden = self.pos_embed(hidden_states)
        modulation, embedded_time = self._embed_time(timestep, hidden)
        tokens = self.embed_style(encoder_hidden_states)
        residuals = list(controlnet_residuals or [])
        for index, block in enumerate(self.transformer_blocks):
            hidden = block(hidden, encoder_hidden_states=tokens, timestep=modulation)
            if index < len(residuals):
                hidden = hidden + residuals[index]
        shift, scale = (self.scale_shift_table[None] + embedded_time[:, None]).chunk(2, dim=1)
        hidden = self.proj_out(self.norm_out(hidden) * (1 + scale) + shift)
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

    def _embed_time(self, timestep: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        batch = hidden.shape[0]
        modulation, embedded = self.adaln_single(
            timestep.expand(batch), None, batch_size=batch, hidden_dtype=hidden.dtype
        )
        return modulation, embedded

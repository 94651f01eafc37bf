"""The Cell ControlNet: the transformer's first blocks, steered by a picture of the cells."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import PatchEmbed
from torch import Tensor, nn

from napari_pixcell.networks.prepared import PreparedStyle, PreparedTime
from napari_pixcell.networks.transformer import PixCellTransformer2DModel


class PixCellControlNet(PixCellTransformer2DModel):
    """Residuals for the blocks of a :class:`PixCellTransformer2DModel`.

    Its tensors carry the published names, the unused output head (``proj_out``,
    ``scale_shift_table``) included.

    Parameters
    ----------
    n_controlnet_blocks : int
        Blocks that it has, and residuals that it gives.
    **others
        As in PixCellTransformer2DModel; ``num_layers`` is that of the transformer it steers.
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
        n_controlnet_blocks: int = 27,
    ) -> None:
        super().__init__(
            num_attention_heads=num_attention_heads,
            attention_head_dim=attention_head_dim,
            in_channels=in_channels,
            out_channels=out_channels,
            num_layers=n_controlnet_blocks,
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
            caption_channels=caption_channels,
            caption_num_tokens=caption_num_tokens,
            attention_type=attention_type,
        )
        # super() registered its own arguments; the published config names the base's layers
        self.register_to_config(num_layers=num_layers, n_controlnet_blocks=n_controlnet_blocks)
        self.cond_pos_embed = PatchEmbed(
            height=sample_size,
            width=sample_size,
            patch_size=patch_size,
            in_channels=in_channels,
            embed_dim=self.inner_dim,
            interpolation_scale=interpolation_scale,
        )
        self.controlnet_blocks = nn.ModuleList(
            nn.Linear(self.inner_dim, self.inner_dim) for _ in range(n_controlnet_blocks)
        )

    @classmethod
    def from_transformer(
        cls, transformer: PixCellTransformer2DModel, n_controlnet_blocks: int
    ) -> PixCellControlNet:
        """Start from a transformer's first blocks; its residuals are zero until it is trained."""
        names = set(cls._get_init_keys(cls)) & set(transformer.config)
        config = {name: transformer.config[name] for name in names}
        controlnet = cls(**config | {"n_controlnet_blocks": n_controlnet_blocks})
        controlnet.load_state_dict(transformer.state_dict(), strict=False)
        controlnet.cond_pos_embed.load_state_dict(transformer.pos_embed.state_dict())
        for linear in controlnet.controlnet_blocks:
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)
        return controlnet

    def forward(  # type: ignore[override]
        self,
        hidden_states: Tensor,
        conditioning: Tensor,
        encoder_hidden_states: Tensor | PreparedStyle,
        timestep: Tensor | PreparedTime,
        conditioning_scale: float = 1.0,
        **_: Any,
    ) -> list[Tensor]:
        """Give one residual for each block, (batch, patches, width).

        Parameters
        ----------
        hidden_states, conditioning : Tensor, (batch, in_channels, height, width)
            Noisy latents, and the latents of the picture of the cells.
        encoder_hidden_states : Tensor, (batch, tokens, caption_channels), or PreparedStyle
            Embeddings, or what its own :meth:`prepare_style` made of them.
        timestep : Tensor, (batch,), or PreparedTime
            Time of each image, 0 to 999, or what its own :meth:`prepare_times` made of it.
        conditioning_scale : float
            Factor of all residuals.
        """
        hidden = self.pos_embed(hidden_states) + self.cond_pos_embed(conditioning)
        style, time = self.prepared(encoder_hidden_states, timestep)
        residuals: list[torch.Tensor] = []
        for index, linear in enumerate(self.controlnet_blocks):
            hidden = self.run_block(index, hidden, style, time)
            residuals.append(linear(hidden) * conditioning_scale)
        return residuals

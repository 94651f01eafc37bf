"""The Cell ControlNet: the transformer's first blocks, steered by an image of the layout."""

from __future__ import annotations

import inspect
from typing import Any

from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import PatchEmbed
from torch import Tensor, nn

from napari_pixcell.networks.prepared import PreparedStyle, PreparedTime
from napari_pixcell.networks.transformer import PixCellTransformer2DModel


class PixCellControlNet(PixCellTransformer2DModel):
    """Residuals for the blocks of a :class:`PixCellTransformer2DModel`.

    Its tensors have the published names, including the unused output head (``proj_out``,
    ``scale_shift_table``).

    Parameters
    ----------
    n_controlnet_blocks : int
        Number of blocks, each of which returns a residual.
    **others
        As in PixCellTransformer2DModel. ``num_layers`` is that of the transformer it steers.
        ``interpolation_scale`` is ``max(sample_size // 64, 1)`` where it is not stated.
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
        n_controlnet_blocks: int = 27,
    ) -> None:
        # The decorator has registered these arguments already.
        names = inspect.signature(PixCellTransformer2DModel).parameters
        settings = {name: self.config[name] for name in names}
        scale = interpolation_scale or max(sample_size // 64, 1)
        own = {"num_layers": n_controlnet_blocks, "interpolation_scale": scale}
        super().__init__(**settings | own)
        # The published config states the number of layers of the transformer.
        self.register_to_config(num_layers=num_layers, n_controlnet_blocks=n_controlnet_blocks)
        self.cond_pos_embed = PatchEmbed(
            height=sample_size,
            width=sample_size,
            patch_size=patch_size,
            in_channels=in_channels,
            embed_dim=self.inner_dim,
            interpolation_scale=scale,
        )
        self.controlnet_blocks = nn.ModuleList(
            nn.Linear(self.inner_dim, self.inner_dim) for _ in range(n_controlnet_blocks)
        )

    @classmethod
    def from_transformer(
        cls, transformer: PixCellTransformer2DModel, n_controlnet_blocks: int
    ) -> PixCellControlNet:
        """Build it from a transformer's first blocks, with residuals of zero until training."""
        names = set(cls._get_init_keys(cls)) & set(transformer.config)
        config = {name: transformer.config[name] for name in names}
        controlnet: PixCellControlNet = cls(**config | {"n_controlnet_blocks": n_controlnet_blocks})
        controlnet.load_state_dict(transformer.state_dict(), strict=False)
        controlnet.cond_pos_embed.load_state_dict(transformer.pos_embed.state_dict())
        for parameter in controlnet.controlnet_blocks.parameters():
            nn.init.zeros_(parameter)
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
        """Return one residual for each block, (batch, patches, width).

        Parameters
        ----------
        hidden_states, conditioning : Tensor, (batch, in_channels, height, width)
            Noisy latents, and the latents of the layout's image.
        encoder_hidden_states : Tensor, (batch, tokens, caption_channels), or PreparedStyle
            Embeddings, or the result of its own :meth:`prepare_style`.
        timestep : Tensor, (batch,), or PreparedTime
            Time of each image, 0 to 999, or the result of its own :meth:`prepare_times`.
        conditioning_scale : float
            Factor of all residuals.
        """
        hidden = self.pos_embed(hidden_states) + self.cond_pos_embed(conditioning)
        style, time = self.prepared(encoder_hidden_states, timestep)
        residuals: list[Tensor] = []
        for index, linear in enumerate(self.controlnet_blocks):
            hidden = self.run_block(index, hidden, style, time)
            residuals.append(linear(hidden) * conditioning_scale)
        return residuals

"""The rectified flow that moves embeddings from H&E to a stain."""

from __future__ import annotations

import torch
from diffusers.models.embeddings import get_timestep_embedding
from torch import Tensor, nn

EULER_STEPS = 100
# Epsilon of all norms in the demo's flow, and in those that version 0.1.0 trained.
EARLIER_EPS = 1e-6


class FlowBlock(nn.Module):
    """Residual block, ``x + out(in(x) + emb(time))``."""

    def __init__(self, width: int, bottleneck: int, time_dim: int, norm_eps: float) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.LayerNorm(width, eps=norm_eps), nn.SiLU(), nn.Linear(width, bottleneck)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, bottleneck))
        self.out_layers = nn.Sequential(
            nn.LayerNorm(bottleneck, eps=norm_eps),
            nn.SiLU(),
            nn.Dropout(0.0),
            nn.Linear(bottleneck, width),
        )

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map (batch, width) and (batch, time_dim) to (batch, width)."""
        change: Tensor = self.out_layers(self.in_layers(x) + self.emb_layers(time))
        return x + change


def flow_sizes(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
    """Read the arguments of :class:`StainFlowMLP` from the shapes of a published file.

    Raises
    ------
    KeyError
        If a tensor that determines a size is missing.
    """
    model_channels, in_channels = shapes["input_proj.weight"]
    blocks = [int(name.split(".")[1]) for name in shapes if name.startswith("res_blocks.")]
    return {
        "in_channels": in_channels,
        "out_channels": shapes["out.2.weight"][0],
        "model_channels": model_channels,
        "time_embed_dim": shapes["time_embed.2.weight"][0],
        "bottleneck_channels": shapes["res_blocks.0.in_layers.2.weight"][0],
        "num_res_blocks": 1 + max(blocks, default=-1),
    }


class StainFlowMLP(nn.Module):
    """Velocity of a rectified flow over embeddings, with the published tensor names.

    Parameters
    ----------
    in_channels, out_channels : int
        Width of an embedding.
    time_embed_dim, model_channels, bottleneck_channels : int
        Widths of the time embedding, of the residual path and inside the blocks.
    num_res_blocks : int
        Number of residual blocks.
    time_scale : float
        Factor of times in 0..1.
    norm_eps : float
        Epsilon of the norms inside the residual blocks. That of the last norm is 1e-6.
    """

    def __init__(
        self,
        in_channels: int = 1536,
        time_embed_dim: int = 1024,
        model_channels: int = 1024,
        bottleneck_channels: int = 1024,
        out_channels: int = 1536,
        num_res_blocks: int = 6,
        time_scale: float = 999,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.time_scale = time_scale
        self._time_width = model_channels
        self.time_embed = nn.Sequential(
            nn.Linear(model_channels, time_embed_dim),
            nn.SiLU(),
            nn.Linear(time_embed_dim, time_embed_dim),
        )
        self.input_proj = nn.Linear(in_channels, model_channels)
        self.res_blocks = nn.ModuleList(
            FlowBlock(model_channels, bottleneck_channels, time_embed_dim, norm_eps)
            for _ in range(num_res_blocks)
        )
        self.out = nn.Sequential(
            nn.LayerNorm(model_channels, eps=1e-6),
            nn.SiLU(),
            nn.Linear(model_channels, out_channels),
        )

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Return the velocity, (batch, out_channels), of embeddings, (batch, in_channels).

        ``time``, (batch,), is 0 (H&E) to 1 (stain).
        """
        waves = get_timestep_embedding(
            time * self.time_scale,
            self._time_width,
            flip_sin_to_cos=True,
            downscale_freq_shift=0,
            max_period=10_000,
        )
        hidden = self.input_proj(x)
        embedded = self.time_embed(waves)
        for block in self.res_blocks:
            hidden = block(hidden, embedded)
        velocity: Tensor = self.out(hidden)
        return velocity

    def translate(
        self,
        embeddings: Tensor,
        steps: int = EULER_STEPS,
        first: float = 0.001,
        last: float = 0.999,
    ) -> Tensor:
        """Move embeddings, (batch, in_channels), from H&E to the stain by Euler steps.

        The steps are at times evenly from ``first`` to ``last``.
        """
        x = embeddings
        for time in torch.linspace(first, last, steps, device=x.device):
            x = x + self(x, time.expand(len(x))) / steps
        return x

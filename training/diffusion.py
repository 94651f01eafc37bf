"""Noise schedule, latents and sampling for the stages of transformer and ControlNet."""

from __future__ import annotations

import numpy as np
import torch
from common import Crops, Place, load_run, to_images, to_tensor
from diffusers import DPMSolverMultistepScheduler
from torch import nn

from napari_pixcell.networks.autoencoder import DemoAutoencoder
from napari_pixcell.networks.tile_encoder import TileEncoder

CHANNELS = 16  # of the latent, as in PixCell
# Share of the sharpened weights in the decoder. Fully sharpened, it leaves a grid in flat tissue.
SHARPNESS = 0.5
TRANSFORMER = {
    "num_attention_heads": 4,
    "attention_head_dim": 64,
    "num_layers": 8,
    "in_channels": CHANNELS,
    "out_channels": 2 * CHANNELS,
    "sample_size": 32,
    "patch_size": 2,
    "caption_channels": 128,
    "cross_attention_dim": 256,
    "caption_num_tokens": 1,
    "interpolation_scale": 1,
    "use_additional_conditions": False,
}
SCHEDULER = {
    "num_train_timesteps": 1000,
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "algorithm_type": "dpmsolver++",
    "solver_order": 2,
    "prediction_type": "v_prediction",
}
STEPS = SCHEDULER["num_train_timesteps"]
_BETAS = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
ALPHA_BAR = torch.cumprod(1 - _BETAS, 0).float()


def make_scheduler() -> DPMSolverMultistepScheduler:
    """Return the scheduler whose config is shipped."""
    return DPMSolverMultistepScheduler(**SCHEDULER)


def antithetic_steps(count: int, generator: torch.Generator) -> torch.Tensor:
    """Return time steps spread evenly and mirrored, so that batches differ little."""
    half = (count + 1) // 2
    spread = (torch.arange(half) + torch.rand(half, generator=generator)) / half
    steps = (spread * STEPS).long().clamp(0, STEPS - 1)
    return torch.cat([steps, STEPS - 1 - steps])[:count]


def noised(z: torch.Tensor, steps: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return noisy latents, v targets and the loss weights min(SNR, 5) / (SNR + 1)."""
    bar = ALPHA_BAR[steps].view(-1, 1, 1, 1)
    signal, spread = bar.sqrt(), (1 - bar).sqrt()
    snr = bar / (1 - bar)
    weight = snr.clamp(max=5) / (snr + 1)
    return signal * z + spread * noise, signal * noise - spread * z, weight


def crop_position(model: nn.Module, side: int, generator: torch.Generator) -> None:
    """Set a random window of the full tile's positional embedding for a smaller image.

    diffusers would stretch the full range over the smaller grid, so that neighbours would be
    twice as far apart as at 256 px. A window preserves all distances.
    """
    full = model.config.sample_size // model.config.patch_size
    top, left = (int(torch.randint(full - side + 1, (1,), generator=generator)) for _ in "yx")
    for name in ("pos_embed", "cond_pos_embed"):
        embed = getattr(model, name, None)
        if embed is None:
            continue
        if not hasattr(embed, "full_table"):
            embed.full_table = embed.pos_embed
        table = embed.full_table.view(1, full, full, -1)[:, top : top + side, left : left + side]
        embed.pos_embed = table.reshape(1, side * side, -1)
        embed.height = embed.width = side


@torch.no_grad()
def encode_all(vae: DemoAutoencoder, images: list[np.ndarray], batch: int = 64) -> torch.Tensor:
    """Return the latents of many images, fp16, (N, channels, h, w)."""
    parts = []
    for start in range(0, len(images), batch):
        x = to_tensor(np.stack(images[start : start + batch]))
        with torch.autocast("cpu", torch.bfloat16):
            parts.append(vae.encode(x.to(memory_format=torch.channels_last)).latent_dist.mode())
    return torch.cat(parts).half().contiguous()


def load_vae() -> DemoAutoencoder:
    """Load the autoencoder of the last run; its decoder is half sharpened if that stage has run."""
    state, sharpened = load_run("latents"), load_run("sharpened")
    if state is None:
        raise SystemExit("There is no autoencoder. Run train_autoencoder.py first.")
    vae = DemoAutoencoder(latent_channels=CHANNELS)
    vae.load_state_dict(state["model"])
    if sharpened is not None:
        with torch.no_grad():
            for name, weight in vae.named_parameters():
                weight.lerp_(sharpened["model"][name], SHARPNESS)
    return vae.eval().requires_grad_(False).to(memory_format=torch.channels_last)


class Embedder:
    """The tile encoder of the last run."""

    def __init__(self, encoder: TileEncoder) -> None:
        self.encoder = encoder.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def embed(self, images: np.ndarray | torch.Tensor, batch: int = 64) -> torch.Tensor:
        """Embed images, uint8 (N, h, w, 3) or in [-1, 1] (N, 3, h, w): fp16, (N, 128)."""
        x = to_tensor(images) if isinstance(images, np.ndarray) else images
        x = (x / 2 + 0.5).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            return torch.cat([self.encoder(part) for part in x.split(batch)]).half()


def load_encoder() -> Embedder:
    """Load the tile encoder of the last run."""
    state = load_run("embedding")
    if state is None:
        raise SystemExit("There is no tile encoder. Run train_encoder.py first.")
    encoder = TileEncoder()
    encoder.load_state_dict(state["model"])
    return Embedder(encoder)


@torch.no_grad()
def decoded(vae: DemoAutoencoder, fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Pass whole fields through the autoencoder, cropped to multiples of its stride."""
    out = {}
    for name, field in fields.items():
        height, width = (side - side % 8 for side in field.shape[:2])
        x = to_tensor(field[None, :height, :width]).to(memory_format=torch.channels_last)
        out[name] = field.copy()
        with torch.autocast("cpu", torch.bfloat16):
            out[name][:height, :width] = to_images(vae(x))[0]
    return out


def other_view(crops: Crops, place: Place, source: dict | None = None) -> np.ndarray:
    """Return a shifted and flipped view of a crop, from which the encoder cannot copy pixels."""
    h, w = crops.fields[place.name].shape[:2]
    reach = crops.size // 8
    y = int(np.clip(place.y + crops.rng.integers(-reach, reach + 1), 0, h - crops.size))
    x = int(np.clip(place.x + crops.rng.integers(-reach, reach + 1), 0, w - crops.size))
    turned = place._replace(y=y, x=x, symmetry=int(crops.rng.integers(8)))
    return crops.picture(turned, source)


def predict(
    transformer: nn.Module,
    x: torch.Tensor,
    steps: torch.Tensor,
    embeds: torch.Tensor,
    residuals: list[torch.Tensor] | None = None,
    cache: object = None,
) -> torch.Tensor:
    """Return the transformer's v, the first half of its output channels."""
    extra = {} if residuals is None else {"controlnet_residuals": residuals}
    out = transformer(
        x,
        encoder_hidden_states=embeds,
        timestep=steps,
        return_dict=False,
        cache=cache,
        added_cond_kwargs={"resolution": None, "aspect_ratio": None},
        **extra,
    )[0]
    return out.chunk(2, dim=1)[0]


@torch.no_grad()
def sample(
    transformer: nn.Module,
    embeds: torch.Tensor,
    side: int = 32,
    steps: int = 20,
    guidance: float = 1.5,
    seed: int = 0,
    controlnet: nn.Module | None = None,
    condition: torch.Tensor | None = None,
    strength: float = 1.0,
) -> torch.Tensor:
    """Sample latents for embeddings (N, 1, 128). The ControlNet runs on the conditional half."""
    scheduler = make_scheduler()
    scheduler.set_timesteps(steps)
    count = len(embeds)
    channels = transformer.config.in_channels
    z = torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(seed))
    uncond = transformer.caption_projection.uncond_embedding.expand(count, -1, -1)
    for t in scheduler.timesteps:
        time = t.expand(count)
        with torch.autocast("cpu", torch.bfloat16):
            residuals = None
            if controlnet is not None:
                residuals = control(controlnet, z, condition, time, embeds, strength)
            c = predict(transformer, z, time, embeds, residuals).float()
            u = predict(transformer, z, time, uncond).float()
        z = scheduler.step(u + guidance * (c - u), t, z).prev_sample
    return z


def control(
    controlnet: nn.Module,
    z: torch.Tensor,
    condition: torch.Tensor,
    steps: torch.Tensor,
    embeds: torch.Tensor,
    strength: float = 1.0,
) -> list[torch.Tensor]:
    """Return the residuals of the ControlNet, one per block."""
    return controlnet(z, condition, embeds, steps, conditioning_scale=strength)

"""Make the bundled sample slide: one canvas of latents, denoised in overlapping windows.

    python training/make_sample.py --data ../shared/data

Styles of a few real tiles are laid out as smooth patches; each window takes the blend at its
centre. Windows overlap by a quarter and their predicted clean images are averaged at every step, so
the slide has no seams. The mask is what the built-in segmentation finds in the finished slide.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from tifffile import imwrite

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.engine.sampler import make_scheduler
from napari_pixcell.models.catalogue import DEMO, DEMO_FOLDER
from napari_pixcell.models.loading import LoadedFamily, load_family, pick_device
from napari_pixcell.slides.write import write_pyramid

WINDOW, STRIDE, F = 32, 24, 8


def read_tiles(data: Path) -> list[NDArray[np.uint8]]:
    """Take the centre tile of a few fields, at 0.5 µm/px."""
    tiles = []
    for name in ("10012", "10021", "10027", "10033", "10040"):
        image = Image.open(data / "brecahad_30" / "images" / f"{name}.jpg").convert("RGB")
        half = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
        left, top = (half.width - 256) // 2, (half.height - 256) // 2
        tiles.append(np.asarray(half.crop((left, top, left + 256, top + 256))))
    return tiles


def style_map(models: LoadedFamily, data: Path, cells: int, seed: int) -> torch.Tensor:
    """Blend the tiles' embeddings smoothly over a grid of ``cells`` × ``cells`` windows."""
    images = np.stack(read_tiles(data)).astype(np.float32) / 255
    vectors = models.encoder(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous())
    generator = np.random.default_rng(seed)
    fields = np.stack(
        [gaussian_filter(generator.normal(size=(cells, cells)), cells / 6) for _ in images]
    )
    fields = fields / fields.std(axis=(1, 2), keepdims=True)
    weights = torch.softmax(torch.from_numpy(fields).float() * 4, dim=0)
    return torch.einsum("khw,kd->hwd", weights, vectors.float())


def denoise_canvas(models: LoadedFamily, styles: torch.Tensor, side: int, seed: int, steps: int):
    """Denoise a (1, C, side, side) canvas of latents."""
    scheduler = make_scheduler(models.scheduler)
    scheduler.set_timesteps(steps)
    channels = models.transformer.config.in_channels
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(1, channels, side, side, generator=generator)
    ramp = torch.hann_window(WINDOW + 2, periodic=False)[1:-1].clamp_min(1e-3)
    weight = ramp[:, None] * ramp[None]
    starts = list(range(0, side - WINDOW + 1, STRIDE))
    windows = [(y, x) for y in starts for x in starts]
    guidance = DEMO.guidance
    for index, t in enumerate(scheduler.timesteps):
        started = time.time()
        total = torch.zeros_like(latents)
        norm = torch.zeros(1, 1, side, side)
        for chunk in (windows[i : i + 8] for i in range(0, len(windows), 8)):
            noisy = torch.cat([latents[:, :, y : y + WINDOW, x : x + WINDOW] for y, x in chunk])
            style = torch.stack([styles[y // STRIDE, x // STRIDE] for y, x in chunk])[:, None]
            empty = models.transformer.unconditional(len(chunk))
            both = models.transformer(
                torch.cat([noisy, noisy]),
                encoder_hidden_states=torch.cat([empty, style]),
                timestep=t.expand(2 * len(chunk)),
            )
            sample = getattr(both, "sample", both)[:, :channels]
            uncond, cond = sample.chunk(2)
            out = uncond + guidance * (cond - uncond)
            for (y, x), one in zip(chunk, out, strict=True):
                total[:, :, y : y + WINDOW, x : x + WINDOW] += one * weight
                norm[:, :, y : y + WINDOW, x : x + WINDOW] += weight
        latents = scheduler.step(total / norm, t, latents).prev_sample
        print(f"step {index + 1}/{steps}: {time.time() - started:.1f} s", flush=True)
    return latents


def decode_canvas(models: LoadedFamily, latents: torch.Tensor) -> NDArray[np.uint8]:
    """Decode in windows with overlap and a linear ramp."""
    config = models.vae.config
    z = latents / config.scaling_factor + config.shift_factor
    side = z.shape[-1]
    total = torch.zeros(3, side * F, side * F)
    norm = torch.zeros(1, side * F, side * F)
    ramp = torch.ones(WINDOW * F)
    edge = (WINDOW - STRIDE) * F
    ramp[:edge] = torch.linspace(0.01, 1, edge)
    ramp[-edge:] = torch.linspace(1, 0.01, edge)
    weight = ramp[:, None] * ramp[None]
    for y in range(0, side - WINDOW + 1, STRIDE):
        for x in range(0, side - WINDOW + 1, STRIDE):
            image = models.vae.decode(z[:, :, y : y + WINDOW, x : x + WINDOW]).sample[0]
            rows, columns = slice(y * F, (y + WINDOW) * F), slice(x * F, (x + WINDOW) * F)
            total[:, rows, columns] += image * weight
            norm[:, rows, columns] += weight
    rgb = ((total / norm / 2 + 0.5).clamp(0, 1) * 255).round().byte()
    return rgb.permute(1, 2, 0).numpy()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=DEMO_FOLDER)
    parser.add_argument("--size", type=int, default=1984)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    models = load_family(DEMO, pick_device())
    side = options.size // F
    with torch.inference_mode():
        styles = style_map(models, options.data, (side - WINDOW) // STRIDE + 1, options.seed)
        latents = denoise_canvas(models, styles, side, options.seed, options.steps)
        slide = decode_canvas(models, latents)
    write_pyramid(options.out / "sample_slide.ome.tif", slide, DEMO.mpp)
    labels = segment_nuclei(slide, DEMO.mpp)
    imwrite(
        options.out / "sample_mask.tif",
        labels.astype(np.uint16),
        compression="zlib",
        predictor=True,
    )


if __name__ == "__main__":
    main()

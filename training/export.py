"""Write the demo family's files into the package: fp16 weights, schedule and preview map."""

from __future__ import annotations

import argparse
import inspect
import json

import numpy as np
import torch
from common import DEMO, Crops, load_tissue, setup
from diffusion import SCHEDULER, encode_all, load_encoder, load_vae, make_scheduler
from train_together import load_networks

from napari_pixcell.networks.autoencoder import DemoAutoencoder


def preview_map(vae: DemoAutoencoder) -> dict[str, list]:
    """Fit a linear map from latents to RGB in 0..1, by least squares on training crops."""
    crops = Crops(load_tissue(False), 128, seed=3)
    images = [crops.cut(crops.place()) for _ in range(256)]
    return fit_preview(encode_all(vae, images).float(), np.stack(images))


def fit_preview(latents: torch.Tensor, images: np.ndarray) -> dict[str, list]:
    """Fit the map to latents (N, channels, h, w) of images, uint8 (N, 8 h, 8 w, 3)."""
    count, channels, rows, columns = latents.shape
    z = latents.permute(0, 2, 3, 1).reshape(-1, channels).numpy()
    blocks = images.reshape(count, rows, 8, columns, 8, 3)
    small = blocks.mean((2, 4)).reshape(-1, 3) / 255
    design = np.concatenate([z, np.ones((len(z), 1))], axis=1)
    solution, *_ = np.linalg.lstsq(design, small, rcond=None)
    fit = 1 - ((design @ solution - small) ** 2).sum() / ((small - small.mean(0)) ** 2).sum()
    print(f"preview explains {fit:.3f} of the variance at an eighth of the size")
    return {
        "weight": np.round(solution[:channels].T, 5).tolist(),
        "bias": np.round(solution[channels], 5).tolist(),
    }


def main() -> None:
    """Export the last runs in training/runs/."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    setup()
    vae, networks = load_vae(), load_networks()
    (DEMO / "preview.json").write_text(json.dumps(preview_map(vae), indent=1) + "\n")
    parts = {
        "vae": vae,
        "transformer": networks["base"],
        "encoder": load_encoder().encoder,
        "controlnet": networks["controlnet"],
    }
    for name, part in parts.items():
        part.half().to(memory_format=torch.contiguous_format).save_pretrained(DEMO / name)
    for name, part in parts.items():
        # Only the arguments of the class: a part loaded from a folder or built from another class
        # would also keep that folder's name or the arguments of the other class.
        path = DEMO / name / "config.json"
        known = {"_class_name", "_diffusers_version", *inspect.signature(type(part)).parameters}
        config = {k: v for k, v in json.loads(path.read_text()).items() if k in known}
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    for path in DEMO.glob("*/*"):
        # The library writes private files, but everyone must be able to read a wheel.
        path.chmod(0o644)
    make_scheduler().save_pretrained(DEMO / "scheduler")
    total = sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file())
    print(f"{total / 1e6:.1f} MB in {DEMO.name}/, prediction {SCHEDULER['prediction_type']}")


if __name__ == "__main__":
    main()

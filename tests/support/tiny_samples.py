"""PixCell-sample-data in the published layout, written by tiny networks of the published kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from random_checkpoints import Widths, write_family
from torch.nn.functional import interpolate

from napari_pixcell.models.catalogue import BUILT_IN
from napari_pixcell.models.loading import load_family
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.verification.figures import Figures

CELLS, STAIN = "pixcell-256-cells", "stain-her2"
# Patches have 1024 px, so what the autoencoder computes for each of them is most of a check.
WIDTHS = Widths(1, 12, 64, (4, 4, 8, 8), 16, layers=1, vae_layers=1, vae_attention=False)
PLACES = {"BRCA/single_1024/slide_a/0_0": (0, 0), "LUAD/single_1024/slide_b/1_2": (900, 900)}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
# Random networks make no tissue, so what they make of it has no figure: everything is above these.
FIGURES = Figures(
    psnr=0.0, cosine=0.0, closer=-1.0, placed=0.0, follows=-4.0, positive=-1.0, kept=-4.0,
    looks=("IHC", "H&E", "unclear", "empty"), own=True,
)  # fmt: skip


def write_weights(folder: Path) -> None:
    for name in (CELLS, STAIN):
        write_family(BUILT_IN[name], folder, WIDTHS)


def write_samples(folder: Path) -> None:
    """Write the set by the networks alone, without the code that is checked with it."""
    models = load_family(BUILT_IN[CELLS], torch.device("cpu"), torch.float32)
    with open_slide(SAMPLE_SLIDE) as slide, torch.inference_mode():
        for name, (x, y) in PLACES.items():
            image = folder / "patches" / "tcga_diagnostic" / f"{name}.jpeg"
            features = folder / "features" / "tcga_diagnostic" / name
            for path in (image, features):
                path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(slide.read(Region(x, y, 1024, 1024), 0.5)).save(image, quality=95)
            pixels = torch.from_numpy(np.array(Image.open(image))).permute(2, 0, 1)[None] / 255
            moments = models.vae.encode(2 * pixels - 1).latent_dist
            latents = torch.cat([moments.mean, moments.std], dim=1)[0]
            tiles = pixels[0].unfold(1, 256, 256).unfold(2, 256, 256).permute(1, 2, 0, 3, 4)
            small = interpolate(tiles.flatten(0, 1), (224, 224), mode="bilinear", antialias=True)
            mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
            embedded = models.encoder.vit((small - mean) / std)
            for end, values in (("sd3_vae", latents), ("uni", embedded)):
                np.save(f"{features}_{end}.npy", values.numpy().astype(np.float16))

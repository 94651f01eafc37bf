"""Tiles of H&E and of their IHC look, with latents and embeddings by the demo family."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import torch
from common import Crops, load_run, load_tissue, save_run, to_tensor
from diffusion import encode_all, load_vae
from ihc_look import load_looks

from napari_pixcell.networks.tile_encoder import TileEncoder

SIZE = 256


class Pairs(TypedDict):
    """Pairs of tiles. Each list holds the H&E first and its look second.

    ``pixels``: uint8, (N, 256, 256, 3). ``latents``: float16, (N, channels, 32, 32).
    ``embeddings``: float32, (N, 128). ``fields``: name of each tile's field.
    """

    pixels: list[torch.Tensor]
    latents: list[torch.Tensor]
    embeddings: list[torch.Tensor]
    fields: list[str]


def load_pairs(held_out: bool, count: int, encoder: TileEncoder, seed: int = 0) -> Pairs:
    """Return matching tiles of all fields and their looks, computed once and cached."""
    stage = f"stain_pairs_{'held_out' if held_out else 'training'}"
    kept = load_run(stage)
    if kept is not None and len(kept["fields"]) == count:
        return kept  # type: ignore[return-value]
    fields = load_tissue(held_out)
    looks = {name: look.image for name, look in load_looks(fields).items()}
    crops = Crops(fields, SIZE, seed)
    places = [crops.place() for _ in range(count)]
    vae = load_vae()
    pairs: Pairs = {
        "pixels": [],
        "latents": [],
        "embeddings": [],
        "fields": [place.name for place in places],
    }
    for source in (fields, looks):
        images = [crops.cut(place, source) for place in places]
        pairs["pixels"].append(torch.from_numpy(np.stack(images)))
        pairs["latents"].append(encode_all(vae, images, batch=16))
        parts = [np.stack(images[i : i + 16]) for i in range(0, count, 16)]
        with torch.no_grad():
            pairs["embeddings"].append(torch.cat([encoder(to_tensor(p) / 2 + 0.5) for p in parts]))
    save_run(stage, **pairs)
    return pairs

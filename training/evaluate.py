"""Evaluate the demo family on held-out fields, and write the figures into the demo's README.

Reads the shipped files in ``src/napari_pixcell/demo``, not a run.
"""

from __future__ import annotations

import argparse
import json
import re
import time

import numpy as np
import torch
from common import DEMO, RUNS, Crops, load_tissue, save_sheet, setup, to_images, to_tensor
from diffusion import encode_all, sample
from train_controlnet import conditions

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.models.catalogue import DEMO as DEFAULTS
from napari_pixcell.networks.autoencoder import DemoAutoencoder
from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.networks.tile_encoder import TileEncoder
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

SIZE = 256


class Family:
    """The shipped family in float32."""

    def __init__(self) -> None:
        load = {"torch_dtype": torch.float32}
        self.vae = DemoAutoencoder.from_pretrained(DEMO / "vae", **load).eval()
        self.encoder = TileEncoder.from_pretrained(DEMO / "encoder", **load).eval()
        self.transformer = PixCellTransformer2DModel.from_pretrained(DEMO / "transformer", **load)
        self.controlnet = PixCellControlNet.from_pretrained(DEMO / "controlnet", **load)

    @torch.no_grad()
    def embed(self, images: np.ndarray) -> torch.Tensor:
        """Return the embeddings of uint8 images, (N, 128)."""
        parts = np.array_split(images, max(1, len(images) // 25))
        return torch.cat([self.encoder(to_tensor(p) / 2 + 0.5) for p in parts])

    @torch.no_grad()
    def generate(
        self,
        embeds: torch.Tensor,
        masks: np.ndarray | None = None,
        guidance: float = DEFAULTS.guidance,
        batch: int = 10,
        seed: int = 0,
    ) -> np.ndarray:
        """Generate images, uint8 (N, 256, 256, 3), in 20 steps."""
        out = []
        for start in range(0, len(embeds), batch):
            part = slice(start, start + batch)
            extra = {}
            if masks is not None:
                hint = encode_all(self.vae, list(masks[part])).float()
                extra = {"controlnet": self.controlnet, "condition": hint}
            z = sample(
                self.transformer,
                embeds[part].unsqueeze(1),
                guidance=guidance,
                seed=seed + start,
                **extra,
            )
            out.append(to_images(self.vae.decode(z).sample))
        return np.concatenate(out)


def tiles(fields: dict[str, np.ndarray], rows: int, columns: int) -> tuple[np.ndarray, list[str]]:
    """Return tiles on an even grid over every field, at least one per field, and their fields."""
    images, names = [], []
    for name, field in fields.items():
        h, w = field.shape[:2]
        places = {
            (round(y), round(x))
            for y in np.linspace(0, h - SIZE, rows)
            for x in np.linspace(0, w - SIZE, columns)
        }
        for y, x in sorted(places):
            images.append(field[y : y + SIZE, x : x + SIZE])
            names.append(name)
    return np.stack(images), names


def unit(x: torch.Tensor) -> torch.Tensor:
    """Return rows of unit length."""
    return torch.nn.functional.normalize(x, dim=1)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Dice overlap of two binary masks."""
    return float(2 * (a & b).sum() / max(1, a.sum() + b.sum()))


def gate_source(
    family: Family, real: np.ndarray, names: list[str], every: int
) -> tuple[dict, np.ndarray]:
    """Compute gate (a): whether the embedding of a generated image identifies source and field.

    Images are generated from every ``every``-th tile, and each is matched to all tiles.
    """
    embeds = family.embed(real)
    queries = list(range(0, len(real), every))
    start = time.time()
    made = family.generate(embeds[queries])
    seconds = (time.time() - start) / len(queries)
    nearest = (unit(family.embed(made)) @ unit(embeds).T).argmax(1).tolist()
    pairs = list(zip(queries, nearest, strict=True))
    own = float(np.mean([i == j for i, j in pairs]))
    figures = {
        "tiles": len(real),
        "generated": len(queries),
        "own_source": own,
        "times_chance": own * len(real),
        "right_field": float(np.mean([names[i] == names[j] for i, j in pairs])),
        "seconds_a_tile_in_batches_of_10": round(seconds, 2),
    }
    return figures, made


def gate_mask(family: Family, count: int) -> tuple[dict, list[np.ndarray]]:
    """Compute gate (b): whether nuclei follow the mask, compared with a shuffled mask."""
    fields = load_tissue(True)
    masks = conditions(fields)
    crops = Crops(fields, SIZE, seed=11)
    places = [crops.place() for _ in range(count)]
    real = np.stack([crops.cut(p) for p in places])
    hints = np.stack([crops.cut(p, masks) for p in places])
    made = family.generate(family.embed(real), hints, guidance=DEFAULTS.layout_guidance)
    found = [segment_nuclei(image) > 0 for image in made]
    wanted = [hint[..., 0] > 0 for hint in hints]
    true = [dice(f, w) for f, w in zip(found, wanted, strict=True)]
    shuffled = [dice(f, w) for f, w in zip(found, wanted[1:] + wanted[:1], strict=True)]
    on_real = [dice(segment_nuclei(r) > 0, w) for r, w in zip(real, wanted, strict=True)]
    figures = {
        "tiles": count,
        "dice": float(np.mean(true)),
        "shuffled": float(np.mean(shuffled)),
        "same_on_the_real_image": float(np.mean(on_real)),
    }
    return figures, [real, hints, made]


def gate_copies(family: Family, made: np.ndarray, held: np.ndarray) -> dict:
    """Compute gate (c): distance to the nearest training tile, for generated and held-out tiles.

    The six closest pairs of each are saved for inspection, with the training tiles below.
    """
    train, _ = tiles(load_tissue(False), 4, 5)

    def small(images: np.ndarray) -> torch.Tensor:
        blocks = images.reshape(len(images), 32, 8, 32, 8, 3).mean((2, 4)) / 255
        return torch.from_numpy(blocks.reshape(len(images), -1)).float()

    base, pixels = unit(family.embed(train)), small(train)
    out: dict = {"training_tiles": len(train), "generated": len(made), "held_out": len(held)}
    for name, images in (("generated", made), ("held_out", held)):
        far = 1 - (unit(family.embed(images)) @ base.T).max(1).values
        near, which = (torch.cdist(small(images), pixels) / pixels.shape[1] ** 0.5).min(1)
        worst = near.argsort()[:6]
        save_sheet(
            RUNS / f"nearest_{name}.png",
            to_tensor(images[worst.numpy()]),
            to_tensor(train[which[worst].numpy()]),
        )
        out[f"{name}_embedding_distance_median"] = float(far.median())
        out[f"{name}_rgb_rms_median"] = float(near.median())
        out[f"{name}_rgb_rms_smallest"] = float(near.min())
    return out


def write_readme(figures: dict) -> None:
    """Write the figures between the marks in the README."""
    a, b, c = figures["source"], figures["mask"], figures["copies"]

    def verdict(met: bool) -> str:
        return "met" if met else "**not met**"

    lines = [
        f"| (a) own source among {a['tiles']} held-out tiles, {a['generated']} generated | "
        f"{a['times_chance']:.0f} x chance | "
        f">= 20 x | {verdict(a['times_chance'] >= 20)} |",
        f"| (a) right field | {a['right_field']:.0%} | >= 80 % | "
        f"{verdict(a['right_field'] >= 0.8)} |",
        f"| (b) Dice of nuclei and mask, {b['tiles']} tiles | {b['dice']:.2f} | >= 0.55 | "
        f"{verdict(b['dice'] >= 0.55)} |",
        f"| (b) above the shuffled mask | {b['dice'] - b['shuffled']:+.2f} (shuffled "
        f"{b['shuffled']:.2f}; the real image itself {b['same_on_the_real_image']:.2f}) | "
        f">= +0.25 | {verdict(b['dice'] - b['shuffled'] >= 0.25)} |",
        f"| (c) nearest training tile, cosine distance, median | generated "
        f"{c['generated_embedding_distance_median']:.3f}, held-out real "
        f"{c['held_out_embedding_distance_median']:.3f} | reported | |",
        f"| (c) nearest training tile, RGB rms at 1/8 size, median (smallest) | generated "
        f"{c['generated_rgb_rms_median']:.3f} ({c['generated_rgb_rms_smallest']:.3f}), held-out "
        f"{c['held_out_rgb_rms_median']:.3f} ({c['held_out_rgb_rms_smallest']:.3f}) | reported | |",
        f"| seconds a tile, 20 steps, 2 cores shared | "
        f"{a['seconds_a_tile_in_batches_of_10']:.1f} | < 10 | "
        f"{verdict(a['seconds_a_tile_in_batches_of_10'] < 10)} |",
    ]
    table = "\n".join(["| gate | figure | goal | |", "| --- | --- | --- | --- |", *lines])
    path = DEMO / "README.md"
    text = path.read_text()
    block = f"<!-- figures -->\n{table}\n<!-- /figures -->"
    path.write_text(re.sub(r"<!-- figures -->.*<!-- /figures -->", block, text, flags=re.S))


def main() -> None:
    """Run the gates, and write figures, contact sheets and the table of the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="use a fifth of the tiles")
    args = parser.parse_args()
    every = 5 if args.quick else 1
    setup()
    family = Family()
    real, names = tiles(load_tissue(True), 4, 6)
    figures: dict = {}
    figures["source"], made = gate_source(family, real, names, every)
    print(json.dumps(figures["source"]), flush=True)
    figures["mask"], rows = gate_mask(family, 8 if args.quick else 40)
    print(json.dumps(figures["mask"]), flush=True)
    more = (
        made
        if args.quick
        else np.concatenate([made, family.generate(family.embed(real), seed=5000)])
    )
    figures["copies"] = gate_copies(family, more, real)
    print(json.dumps(figures["copies"]), flush=True)
    (RUNS / "figures.json").write_text(json.dumps(figures, indent=1))
    pick = np.linspace(0, len(made) - 1, 6).astype(int)
    save_sheet(RUNS / "sheet.png", to_tensor(real[::every][pick]), to_tensor(made[pick]))
    save_sheet(RUNS / "sheet_masks.png", *(to_tensor(r[:6]) for r in rows))
    write_readme(figures)


if __name__ == "__main__":
    main()

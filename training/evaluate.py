"""Evaluate a demo family on held-out fields, and write the figures into the demo's README.

Reads files as they are shipped, not a run. Where colours matter, images are judged as the networks
give them and, as the studio gives them by default, with the colours of their style's tissue.
``--family`` names the folder of another edition, whose figures are printed only: its Fréchet
distance is the one to beat.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import time
from pathlib import Path

import numpy as np
import torch
from common import (
    DEMO,
    RUNS,
    Crops,
    load_breast,
    load_labels,
    load_oral,
    load_other_organs,
    load_tissue,
    save_sheet,
    setup,
    to_images,
    to_tensor,
)
from diffusion import encode_all, sample
from measures import chromatin_contrast, drift, features, follows, spectrum
from vision import Vision

from napari_pixcell.cells import condition_image, segment_nuclei
from napari_pixcell.datasets.quality.distribution import frechet_distance
from napari_pixcell.engine.colour_match import colour_match, match
from napari_pixcell.engine.tissue_colours import tissue_colours
from napari_pixcell.models.catalogue import DEMO as DEFAULTS
from napari_pixcell.networks.autoencoder import DemoAutoencoder
from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.networks.tile_encoder import TileEncoder
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

SIZE = 256
FRECHET_TILES = 160  # of held-out tissue of each kind, in eight symmetries and with overlap


class Family:
    """A shipped family in float32."""

    def __init__(self, folder: Path) -> None:
        load = {"torch_dtype": torch.float32}
        self.vae = DemoAutoencoder.from_pretrained(folder / "vae", **load).eval()
        self.encoder = TileEncoder.from_pretrained(folder / "encoder", **load).eval()
        self.transformer = PixCellTransformer2DModel.from_pretrained(folder / "transformer", **load)
        self.controlnet = PixCellControlNet.from_pretrained(folder / "controlnet", **load)

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


def matched(made: np.ndarray, real: np.ndarray, hints: np.ndarray | None = None) -> np.ndarray:
    """Return images with the colours of the real tissue that their styles come from."""
    nuclei = [None] * len(made) if hints is None else [hint[..., 0] > 0 for hint in hints]
    images = []
    for image, tissue, inside in zip(made, real, nuclei, strict=True):
        colours = tissue_colours(tissue, DEFAULTS.mpp)
        images.append(match(image, colour_match(DEFAULTS.colour_match, colours), nuclei=inside))
    return np.stack(images)


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


def gate_autoencoder(family: Family) -> dict:
    """Compute PSNR and the share of the finest octave for encoder and decoder alone."""
    from train_autoencoder import psnr

    kinds = {
        "breast": load_breast(True),
        "oral": load_oral(True),
        "other_organs": load_other_organs(),
    }
    figures: dict = {}
    for name, fields in kinds.items():
        crops = Crops(fields, SIZE, seed=1)
        figures[f"{name}_psnr"], figures[f"{name}_finest"] = psnr(family.vae, crops, 48)
    return figures


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

    def found(images: np.ndarray) -> dict:
        nearest = (unit(family.embed(images)) @ unit(embeds).T).argmax(1).tolist()
        pairs = list(zip(queries, nearest, strict=True))
        own = float(np.mean([i == j for i, j in pairs]))
        right = float(np.mean([names[i] == names[j] for i, j in pairs]))
        return {"own_source": own, "times_chance": own * len(real), "right_field": right}

    figures = {
        "tiles": len(real),
        "generated": len(queries),
        **found(made),
        "matched": found(matched(made, real[queries])),
        "seconds_a_tile_in_batches_of_10": round(seconds, 2),
    }
    return figures, made


def gate_mask(family: Family, vision: Vision, count: int) -> tuple[dict, list[np.ndarray]]:
    """Compute gate (b): whether nuclei follow the mask, and whether tissue looks like real tissue.

    Half of the tiles are of fields with published masks, the rest have segmented ones.
    """
    fields = load_breast(True)
    labels = {n: load_labels(n) for n in fields}
    labels = {n: segment_nuclei(fields[n]) if m is None else m for n, m in labels.items()}
    crops = Crops(fields, SIZE, seed=11)
    places = [
        crops.place(name) for name in itertools.islice(itertools.cycle(sorted(fields)), count)
    ]
    real = np.stack([crops.cut(p) for p in places])
    masks = [np.ascontiguousarray(crops.cut(p, labels)) for p in places]
    hints = np.stack([condition_image(mask, gap=DEFAULTS.cell_gap) for mask in masks])
    made = family.generate(family.embed(real), hints, guidance=DEFAULTS.layout_guidance)
    other = np.stack([crops.cut(crops.place(place.name)) for place in places])
    target = features(vision, other)

    def judged(images: np.ndarray) -> dict:
        return {
            **follows(images, masks),
            "frechet": frechet_distance(features(vision, images), target),
            "spectrum": [round(float(p), 3) for p in spectrum(images) / spectrum(real)],
            "chromatin": chromatin_contrast(images, masks) / chromatin_contrast(real, masks),
        }

    figures = {
        "tiles": count,
        **judged(made),
        "matched": judged(matched(made, real, hints)),
        "shuffled_dice": follows(made, masks[1:] + masks[:1])["dice"],
        "real": follows(real, masks),
        "real_frechet": frechet_distance(features(vision, real), target),
    }
    return figures, [real, hints, made]


def gate_frechet(family: Family, vision: Vision, count: int) -> dict:
    """Compute gate (d): Fréchet distance to held-out tissue, and colours of styles never seen."""
    figures: dict = {}
    for name, fields in {"breast": load_breast(True), "oral": load_oral(True)}.items():
        crops = Crops(fields, SIZE, seed=31)
        real = np.stack([crops.cut(crops.place()) for _ in range(count)])
        other = np.stack([crops.cut(crops.place()) for _ in range(count)])
        made = family.generate(family.embed(real), seed=900)
        target, same = features(vision, other), matched(made, real)
        figures[name] = {
            "tiles": count,
            "frechet": frechet_distance(features(vision, made), target),
            "real_frechet": frechet_distance(features(vision, real), target),
            **drift(real, made),
            "matched": {
                "frechet": frechet_distance(features(vision, same), target),
                **drift(real, same),
            },
        }
        save_sheet(RUNS / f"sheet_{name}.png", to_tensor(real[:8]), to_tensor(made[:8]))
    crops = Crops(load_other_organs(), SIZE, seed=31)
    real = np.stack([crops.cut(crops.place()) for _ in range(max(8, count // 10))])
    made = family.generate(family.embed(real), seed=900)
    figures["other_organs"] = drift(real, made) | {"matched": drift(real, matched(made, real))}
    save_sheet(RUNS / "sheet_other.png", to_tensor(real[:8]), to_tensor(made[:8]))
    return figures


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


Row = tuple[str, str, str, str, bool | None]


def rows(figures: dict) -> list[Row]:
    """Return the table: gate, figure, figure with colours matched, goal, and whether it is met.

    The last is None for what is only reported. Where there is a figure with matched colours, it
    decides, as that is what users see.
    """
    auto, a, b, c, d = (figures[k] for k in ("autoencoder", "source", "mask", "copies", "frechet"))
    table: list[Row] = []

    def report(name: str, figure: str, matched: str = "") -> None:
        table.append((name, figure, matched, "reported", None))

    def gate(name: str, values: dict, key: str, goal: float, form: str, least: bool = True) -> None:
        best = values.get("matched", values)[key]
        met = best >= goal if least else best <= goal
        goal_words = f"{'≥' if least else '≤'} {format(goal, form)}"
        same = format(best, form) if "matched" in values else ""
        table.append((name, format(values[key], form), same, goal_words, met))

    def near(name: str, value: float, best: float) -> None:
        within = abs(best - 1) < 0.25
        table.append((name, f"{value:.2f}", f"{best:.2f}", "0.75–1.25", within))

    gate("autoencoder alone, breast, dB", auto, "breast_psnr", 30, ".1f")
    report("autoencoder alone, oral, dB", f"{auto['oral_psnr']:.1f}")
    gate("autoencoder alone, other organs, dB", auto, "other_organs_psnr", 28, ".1f")
    gate("energy left in its finest octave, breast", auto, "breast_finest", 0.6, ".2f")
    gate(f"own source among {a['tiles']} held-out tiles, × chance", a, "times_chance", 40, ".0f")
    gate("right field", a, "right_field", 0.9, ".0%")
    gate(f"Dice of nuclei and mask, {b['tiles']} tiles", b, "dice", 0.88, ".2f")
    others = f"{b['real']['dice']:.2f}, {b['shuffled_dice']:.2f}"
    report("the same on the real tiles, and with the mask of another tile", others)
    gate("AJI of nuclei and mask", b, "aji", 0.65, ".2f")
    report("AJI on the real tiles", f"{b['real']['aji']:.2f}")
    gate(f"nuclei placed, of {b['nuclei']}", b, "placed", 0.97, ".1%")
    report("nuclei placed on the real tiles", f"{b['real']['placed']:.1%}")
    gate("nuclei under-rendered", b, "under_rendered", 0.03, ".1%", least=False)
    gate("large nuclei placed", b, "large_placed", 0.97, ".1%")
    rings = zip(b["spectrum"], b["matched"]["spectrum"], strict=True)
    for ring, powers in zip(("coarse", "middle", "fine", "finest"), rings, strict=True):
        near(f"power of luminance, {ring}, of real", *powers)
    near("contrast inside nuclei, of real", b["chromatin"], b["matched"]["chromatin"])
    first = figures["first_edition"]
    name = f"Fréchet distance with masks, breast (real against real: {b['real_frechet']:.1f})"
    gate(name, b, "frechet", 0.7 * first["masks"], ".1f", least=False)
    for kind in ("breast", "oral"):
        name = f"Fréchet distance, {kind} (real against real: {d[kind]['real_frechet']:.1f})"
        gate(name, d[kind], "frechet", 0.7 * first[kind], ".1f", least=False)
        gate(
            f"hue of styles of {kind} fields never seen, ΔE", d[kind], "hue_drift", 6, ".1f", False
        )
    gate("hue of styles of other organs, ΔE", d["other_organs"], "hue_drift", 6, ".1f", False)
    near_made, near_held = (c[f"{k}_embedding_distance_median"] for k in ("generated", "held_out"))
    report(
        "nearest training tile, cosine distance, median: generated, held-out",
        f"{near_made:.3f}, {near_held:.3f}",
    )
    near_made, near_held = (c[f"{kind}_rgb_rms_smallest"] for kind in ("generated", "held_out"))
    report(
        "nearest training tile, RGB rms at 1/8 size, smallest: generated, held-out",
        f"{near_made:.3f}, {near_held:.3f}",
    )
    report("seconds a tile, 20 steps", f"{a['seconds_a_tile_in_batches_of_10']:.1f}")
    return table


def write_readme(table: list[Row]) -> None:
    """Write the table between the marks in the README."""
    words = {True: "met", False: "**not met**", None: ""}
    lines = [
        "| gate | as generated | colours matched | goal | |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {' | '.join(values)} | {words[met]} |" for *values, met in table]
    text = "\n".join(lines)
    path = DEMO / "README.md"
    block = f"<!-- figures -->\n{text}\n<!-- /figures -->"
    path.write_text(
        re.sub(r"<!-- figures -->.*<!-- /figures -->", block, path.read_text(), flags=re.S)
    )


def main() -> None:
    """Run the gates, and write figures, contact sheets and the table of the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="use a fifth of the tiles")
    parser.add_argument("--family", type=Path, default=DEMO, help="folder of another edition")
    parser.add_argument("--masks-only", action="store_true", help="of another edition")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    every = 5 if args.quick else 1
    setup(args.threads)
    family, vision = Family(args.family), Vision()
    real, names = tiles(load_breast(True), 4, 6)
    figures: dict = {}

    def add(name: str, found: dict) -> None:
        figures[name] = found
        print(name, json.dumps(found), flush=True)

    if args.family != DEMO:
        add("mask", gate_mask(family, vision, 8 if args.quick else 64)[0])
        if not args.masks_only:
            add("frechet", gate_frechet(family, vision, FRECHET_TILES // every))
        return
    add("autoencoder", gate_autoencoder(family))
    found, shown = gate_mask(family, vision, 8 if args.quick else 64)
    add("mask", found)
    add("frechet", gate_frechet(family, vision, FRECHET_TILES // every))
    found, made = gate_source(family, real, names, every)
    add("source", found)
    add("copies", gate_copies(family, made, real))
    first = RUNS.parent / "first_edition.json"
    if first.exists() and args.family == DEMO:
        figures["first_edition"] = json.loads(first.read_text())
    name = "figures" if args.family == DEMO else "figures_of_other"
    (RUNS / f"{name}.json").write_text(json.dumps(figures, indent=1))
    pick = np.linspace(0, len(made) - 1, 6).astype(int)
    save_sheet(RUNS / "sheet.png", to_tensor(real[::every][pick]), to_tensor(made[pick]))
    save_sheet(RUNS / "sheet_masks.png", *(to_tensor(r[:6]) for r in shown))
    table = rows(figures)
    for line in table:
        print(*line, sep=" | ")
    if args.family == DEMO and not args.quick:
        write_readme(table)


if __name__ == "__main__":
    main()

"""Evaluate the demo stain on held-out tiles with the product's engine; write a contact sheet.

Nuclei are segmented in the same way in all images: the built-in segmentation receives all stain as
haematoxylin. A nucleus is brown by its DAB, which is solved for together with the counterstain.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from dataclasses import replace

import numpy as np
from common import DEMO, ROOT, RUNS, load_run, setup
from ihc_look import BLUE, MPP
from ihc_look import DAB as DAB_OF_THE_LOOK
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from skimage.color import hed2rgb

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.models.catalogue import DEMO_STAIN

NEAR_UM = 4.0
BROWN = 0.25
BLUE_NUCLEUS = 0.25  # its mean optical density
STRENGTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
SHOWN = (0.2, 0.3, 0.5, 0.7)


def find_nuclei(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the centroids of nuclei in an IHC image, (n, 2) in px, and which are brown."""
    density = (-np.log10(np.maximum(rgb, 1) / 242.0)).clip(0)
    stained = np.zeros(rgb.shape)
    # Brown is twice as dark as blue, so a common threshold would miss the blue nuclei.
    stained[..., 0] = np.minimum(density.mean(-1), BLUE_NUCLEUS) / 3
    nuclei = segment_nuclei(np.rint(hed2rgb(stained) * 255).astype(np.uint8), MPP)
    names = np.arange(1, int(nuclei.max()) + 1)
    if not len(names):
        return np.zeros((0, 2)), np.zeros(0, bool)
    both = np.stack([BLUE, DAB_OF_THE_LOOK], axis=1)
    dab = (density @ np.linalg.pinv(both).T)[..., 1]
    centres = np.array(ndimage.center_of_mass(nuclei > 0, nuclei, names))
    return centres, ndimage.mean(dab, nuclei, names) > BROWN


def agreement(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the F1 of two sets of nuclei, matched one to one within 4 um."""
    if not len(one) or not len(other):
        return float(len(one) == len(other))
    far = np.linalg.norm(one[:, None] - other[None], axis=-1) * MPP
    pairs = linear_sum_assignment(np.minimum(far, 10 * NEAR_UM))
    return float(2 * (far[pairs] <= NEAR_UM).sum() / (len(one) + len(other)))


def mean_agreement(found: list, places: list[NDArray[np.float64]]) -> float:
    """Return the mean agreement of segmented and true nuclei over all images."""
    pairs = zip(found, places, strict=True)
    return float(np.mean([agreement(centres, place) for (centres, _), place in pairs]))


def stained(engine: Engine, request: GenerateRequest) -> NDArray[np.uint8]:
    """Generate one image."""
    events: list = []
    engine.run(request, events.append)
    return np.asarray(next(event.image for event in events if isinstance(event, Variant)))


def main() -> None:
    """Measure, and write the contact sheet and the figures in the demo's README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=24)
    parser.add_argument("--guidance", type=float, default=DEMO_STAIN.guidance)
    parser.add_argument("--quick", action="store_true", help="no README, fewer strengths")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    setup(args.threads)
    held = load_run("stain_pairs_held_out")
    if held is None:
        raise SystemExit("Make the pairs first with: python train_stain.py flow")
    every = len(held["fields"]) // args.tiles
    tissue, looks = (p.numpy()[::every][: args.tiles] for p in held["pixels"])
    styles = held["embeddings"][0].numpy()[::every][: args.tiles]
    engine = Engine()
    strengths = SHOWN if args.quick else STRENGTHS
    made: dict[str, list[NDArray[np.uint8]]] = {"look": list(looks)}
    seconds = 0.0
    for index, (pixels, style) in enumerate(zip(tissue, styles, strict=True)):
        noise = GenerateRequest(
            DEMO_STAIN.name,
            PackedArray.pack(style[None]),
            seed=index,
            count=1,
            guidance=args.guidance,
        )
        nuclei = PackedArray.pack(segment_nuclei(pixels).astype(np.uint16))
        start = PackedArray.pack(np.ascontiguousarray(pixels))
        began = time.time()
        made.setdefault("noise", []).append(stained(engine, noise))
        seconds += time.time() - began
        made.setdefault("layout", []).append(stained(engine, replace(noise, layout=nuclei)))
        for strength in strengths:
            request = replace(noise, start=start, strength=strength)
            made.setdefault(f"{strength}", []).append(stained(engine, request))
        print(index, flush=True)
    truth = [find_nuclei(image) for image in looks]
    # On the H&E itself, with the built-in segmentation of the dock.
    places = [
        np.array(ndimage.center_of_mass(n > 0, n, np.arange(1, n.max() + 1))).reshape(-1, 2)
        for n in map(segment_nuclei, tissue)
    ]
    figures = {}
    for name, images in made.items():
        found = [find_nuclei(image) for image in images]
        count, brown = sum(len(c) for c, _ in found), sum(int(b.sum()) for _, b in found)
        shares = [float(b.mean()) if len(b) else 0.0 for _, b in found]
        wanted = [float(b.mean()) if len(b) else 0.0 for _, b in truth]
        others = places[len(places) // 2 :] + places[: len(places) // 2]
        figures[name] = {
            "nuclei": count,
            "brown": brown / max(1, count),
            "share_off_by": float(np.mean(np.abs(np.subtract(shares, wanted)))),
            "f1": float(
                np.mean([agreement(c, p) for (c, _), p in zip(found, places, strict=True)])
            ),
            "f1_other_tile": float(
                np.mean([agreement(c, p) for (c, _), p in zip(found, others, strict=True)])
            ),
            "pale": float(np.mean([(image.min(-1) > 190).mean() for image in images])),
        }
        print(name, json.dumps({k: round(v, 3) for k, v in figures[name].items()}), flush=True)
    figures["seconds a tile"] = seconds / len(tissue)
    (RUNS / "stain_figures.json").write_text(json.dumps(figures, indent=1))
    columns = ["look", "noise", "layout", *map(str, SHOWN)]
    pick = np.linspace(0, len(tissue) - 1, 6).astype(int)
    rows = [np.concatenate([tissue[i], *(made[c][i] for c in columns)], axis=1) for i in pick]
    sheet = Image.fromarray(np.concatenate(rows))
    sheet.save(RUNS / "stain_sheet.png")
    if not args.quick:
        width, height = sheet.size
        small = sheet.crop((0, 0, width, 4 * height // 6)).resize((1536, 768))
        small.save(ROOT / "docs" / "demo_stain.jpg", quality=85)
        write_readme(figures)


def write_readme(figures: dict) -> None:
    """Write the figures between the marks in the README."""
    names = {"look": "the made look itself", "noise": "from noise (no start)"}
    names |= {"layout": "from noise, holding the nuclei as a layout"}
    names |= {f"{s}": f"from the H&E, strength {s}" for s in STRENGTHS}
    lines = [
        f"| {names[key]} | {v['f1']:.2f} | {v['f1_other_tile']:.2f} | {v['brown']:.0%} | "
        f"{v['share_off_by'] * 100:.0f} | {v['pale']:.0%} |"
        for key, v in figures.items()
        if key in names
    ]
    head = (
        "| picture | nuclei where the H&E has them (F1, 4 um) | where another tile has them | "
        "brown nuclei | share off by, points | pale pixels |"
    )
    table = "\n".join([head, "| --- | --- | --- | --- | --- | --- |", *lines])
    path = DEMO / "README.md"
    block = f"<!-- stain figures -->\n{table}\n<!-- /stain figures -->"
    marks = r"<!-- stain figures -->.*<!-- /stain figures -->"
    path.write_text(re.sub(marks, block, path.read_text(), flags=re.S))


if __name__ == "__main__":
    main()

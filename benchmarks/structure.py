"""Cells that a stain preserves, by how much of the tissue it changes.

    python benchmarks/structure.py [FAMILY] [TILES] [STEPS]

The built-in method segments the nuclei of the tissue and of the stained image. They are matched one
to one by their centres, within 4 µm. Chance is the same score with the tissue of another tile. The
ceiling is the score of the tissue after encoding and decoding.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import center_of_mass
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Event, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest, Request
from napari_pixcell.models.families import get_family
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE

NEAR_UM = 4.0
STRENGTHS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8)


def agreement(a: NDArray[np.uint8], b: NDArray[np.uint8], mpp: float) -> float:
    """Return the F1 score of the nuclei of two images."""
    places = []
    for picture in (a, b):
        labels = segment_nuclei(picture, mpp)
        numbers = np.unique(labels[labels > 0])
        places.append(np.array(center_of_mass(labels > 0, labels, numbers)).reshape(-1, 2))
    if not len(places[0]) or not len(places[1]):
        return 0.0
    away = cdist(*places) * mpp
    matched = away[linear_sum_assignment(away.clip(max=2 * NEAR_UM))] <= NEAR_UM
    return 2 * float(matched.sum()) / (len(places[0]) + len(places[1]))


def main(name: str = "demo", tiles: int = 3, steps: int = 20) -> None:
    torch.set_num_threads(1)
    family, engine, slide = get_family(name), Engine(), open_slide(SAMPLE_SLIDE)
    side = family.tile

    def run(request: Request) -> list[Event]:
        events: list[Event] = []
        engine.run(request, events.append, previews=False)
        return events

    tissue = [slide.read(Region(300 * i, 350 * i, side, side), 0.5) for i in range(tiles)]
    requests = []
    for pixels in tissue:
        packed = PackedArray.pack(pixels)
        (style,) = (e.values for e in run(EmbedRequest(name, packed)) if isinstance(e, Embedding))
        requests.append(
            GenerateRequest(
                name,
                PackedArray.pack(style),
                count=1,
                steps=steps,
                guidance=family.guidance,
                start=packed,
            )
        )

    def score(**changes: object) -> tuple[float, float]:
        found, began = [], time.perf_counter()
        for pixels, request in zip(tissue, requests, strict=True):
            (made,) = (e.image for e in run(replace(request, **changes)) if isinstance(e, Variant))
            found.append(agreement(pixels, made, family.mpp))
        return float(np.mean(found)), (time.perf_counter() - began) / tiles

    chance = np.mean([agreement(tissue[i - 1], tissue[i], family.mpp) for i in range(tiles)])
    print(f"{name}, {tiles} tiles, {steps} steps: agreement of nuclei (F1) with the tissue")
    print(f"chance {chance:.2f}, from noise {score(start=None)[0]:.2f}", flush=True)
    for strength in STRENGTHS:
        (mixed, a), (back, b) = (score(strength=strength, invert=on) for on in (False, True))
        print(
            f"strength {strength:.1f}: with added noise {mixed:.2f} ({a:.0f} s), "
            f"inverted {back:.2f} ({b:.0f} s)",
            flush=True,
        )


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*arguments[:1], *(int(value) for value in arguments[1:]))

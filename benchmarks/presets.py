"""Speed and quality of each preset on the demo family, compared with the exact one.

    python benchmarks/presets.py [--tiles 8]

Uses tiles of the sample slide, each with and without its own layout, and alternates the presets.
Compares images of one seed by the cosine of their embeddings, the signal-to-noise ratio, and the
agreement of their nuclei with the layout.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import PRESETS
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE


def run(engine: Engine, request: EmbedRequest | GenerateRequest) -> list:
    events: list = []
    engine.run(request, events.append)
    return events


def embedding(engine: Engine, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    events = run(engine, EmbedRequest("demo", PackedArray.pack(pixels)))
    return next(e.values for e in events if isinstance(e, Embedding))


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    a, b = a.ravel(), b.ravel()
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float(2 * (a & b).sum() / max(1, a.sum() + b.sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=8)
    options = parser.parse_args()
    engine, slide = Engine(), open_slide(SAMPLE_SLIDE)
    places = np.random.default_rng(0).integers(0, slide.shape[0] - 256, (options.tiles, 2))
    found: dict[tuple[str, bool], list[dict[str, float]]] = {}
    for number, (y, x) in enumerate(places):
        pixels = slide.read(Region(float(x), float(y), 256, 256), 0.5)
        labels = segment_nuclei(pixels, 0.5)
        style = PackedArray.pack(embedding(engine, pixels))
        for with_layout in (False, True):
            layout = PackedArray.pack(labels.astype(np.uint16)) if with_layout else None
            guidance = DEMO.layout_guidance if with_layout else DEMO.guidance
            base = GenerateRequest("demo", style, layout, seed=number, count=1, guidance=guidance)
            exact: NDArray[np.uint8] | None = None
            for preset in PRESETS.values():
                request = replace(base, preset=preset.name, steps=preset.steps_of(DEMO.steps))
                started = time.perf_counter()
                events = run(engine, request)
                seconds = time.perf_counter() - started
                image = next(e.image for e in events if isinstance(e, Variant))
                exact = image if exact is None else exact
                row = {
                    "s": seconds,
                    "cosine": cosine(embedding(engine, image), embedding(engine, exact)),
                    "PSNR, dB": psnr(image, exact),
                }
                if with_layout:
                    row["Dice with the layout"] = dice(segment_nuclei(image, 0.5) > 0, labels > 0)
                found.setdefault((preset.name, with_layout), []).append(row)
    figures: dict[str, object] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    }
    for (name, with_layout), rows in found.items():
        medians = {key: float(np.median([row[key] for row in rows])) for key in rows[0]}
        medians["speed-up"] = (
            float(np.median([row["s"] for row in found["exact", with_layout]])) / medians["s"]
        )
        key = f"{name}, {'with' if with_layout else 'without'} a layout"
        figures[key] = {k: round(v, 3) for k, v in medians.items()}
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

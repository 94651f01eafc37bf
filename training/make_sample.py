"""Generate the bundled sample slide: one image of the demo family with smoothly varying styles.

    python training/make_sample.py --data ../shared/data

The styles of a few real tiles form smooth patches over the image. The mask is the built-in
segmentation of the finished slide.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from tifffile import imwrite

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.engine.canvas.plan import cells_of
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Event, Progress, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.models.catalogue import DEMO, DEMO_FOLDER
from napari_pixcell.models.loading import LoadedFamily
from napari_pixcell.slides.write import write_pyramid


def read_tiles(data: Path) -> list[NDArray[np.uint8]]:
    """Return the centre tiles of a few fields, at 0.5 µm/px."""
    tiles = []
    for name in ("10012", "10021", "10027", "10033", "10040"):
        image = Image.open(data / "brecahad_30" / "images" / f"{name}.jpg").convert("RGB")
        half = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
        left, top = (half.width - 256) // 2, (half.height - 256) // 2
        tiles.append(np.asarray(half.crop((left, top, left + 256, top + 256))))
    return tiles


def style_map(
    models: LoadedFamily, data: Path, cells: tuple[int, int], seed: int
) -> NDArray[np.float32]:
    """Blend the tiles' embeddings smoothly over a grid, (rows, columns, dimension)."""
    images = np.stack(read_tiles(data)).astype(np.float32) / 255
    with torch.inference_mode():
        vectors = models.encoder(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous())
    generator = np.random.default_rng(seed)
    fields = np.stack([gaussian_filter(generator.normal(size=cells), cells[0] / 6) for _ in images])
    fields = 4 * fields / fields.std(axis=(1, 2), keepdims=True)
    weights = np.exp(fields) / np.exp(fields).sum(axis=0)
    styles = np.einsum("khw,kd->hwd", weights, vectors.float().numpy())
    return np.asarray(styles, np.float32)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=DEMO_FOLDER)
    parser.add_argument("--size", type=int, default=1984)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    engine, size = Engine(), (options.size, options.size)
    cells = cells_of(size, DEMO.tile, DEMO.grid)
    styles = style_map(engine.load("demo"), options.data, cells, options.seed)
    request = GenerateRequest(
        "demo",
        PackedArray.pack(styles),
        size=size,
        count=1,
        seed=options.seed,
        steps=options.steps,
        guidance=DEMO.guidance,
    )
    slides: list[NDArray[np.uint8]] = []

    def take(event: Event) -> None:
        if isinstance(event, Progress):
            print(event.message, end="\r", flush=True)
        if isinstance(event, Variant):
            slides.append(event.image)

    engine.run(request, take)
    write_pyramid(options.out / "sample_slide.ome.tif", slides[0], DEMO.mpp)
    labels = segment_nuclei(slides[0], DEMO.mpp)
    imwrite(
        options.out / "sample_mask.tif",
        labels.astype(np.uint16),
        compression="zlib",
        predictor=True,
    )


if __name__ == "__main__":
    main()

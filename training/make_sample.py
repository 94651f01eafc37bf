"""Generate the bundled sample slide: one image of the demo family with smoothly varying styles.

    python training/make_sample.py --data ../shared/data

The styles of a few real tiles form smooth patches over the image. Within the patch of a style,
nuclei lie as in its field, so that dense styles are dense. These nuclei are the mask.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.measure import label, regionprops
from skimage.segmentation import clear_border
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

FIELDS = ("10012", "10021", "10027", "10033", "10040")


def read_fields(data: Path) -> list[NDArray[np.uint8]]:
    """Return a few fields at 0.5 µm/px."""
    fields = []
    for name in FIELDS:
        image = Image.open(data / "brecahad_30" / "images" / f"{name}.jpg").convert("RGB")
        size = image.width // 2, image.height // 2
        fields.append(np.asarray(image.resize(size, Image.Resampling.BOX)))
    return fields


def centre(field: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the tile in the middle of a field."""
    top, left = ((side - DEMO.tile) // 2 for side in field.shape[:2])
    return field[top : top + DEMO.tile, left : left + DEMO.tile]


def patches(count: int, cells: tuple[int, int], seed: int) -> NDArray[np.float64]:
    """Return the share of each style in each cell of a grid, (count, rows, columns)."""
    generator = np.random.default_rng(seed)
    fields = np.stack(
        [gaussian_filter(generator.normal(size=cells), cells[0] / 6) for _ in range(count)]
    )
    fields = 4 * fields / fields.std(axis=(1, 2), keepdims=True)
    shares: NDArray[np.float64] = np.exp(fields) / np.exp(fields).sum(axis=0)
    return shares


def style_map(
    models: LoadedFamily, images: list[NDArray[np.uint8]], shares: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Blend the embeddings of tiles over the grid, (rows, columns, dimension)."""
    stack = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        vectors = models.encoder(stack.contiguous()).float().numpy()
    return np.asarray(np.einsum("khw,kd->hwd", shares, vectors), np.float32)


def layout_of(
    fields: list[NDArray[np.uint8]], shares: NDArray[np.float64], side: int
) -> NDArray[np.uint16]:
    """Return nuclei of the fields, which are repeated, each where its style prevails."""
    rows, columns = shares.shape[1:]
    at = np.arange(side)
    strongest = shares.argmax(0)[np.ix_(at * rows // side, at * columns // side)]
    layout, count = np.zeros((side, side), np.uint16), 0
    for index, field in enumerate(fields):
        labels = clear_border(segment_nuclei(field, DEMO.mpp))
        height, width = labels.shape
        # Mirrored fields would show faces.
        labels = np.pad(labels, ((0, side - height), (0, side - width)), mode="wrap")
        for nucleus in regionprops(label(labels, connectivity=1)):
            row, column = map(int, nucleus.centroid)
            pixels = tuple(nucleus.coords.T)
            if strongest[row, column] == index and not layout[pixels].any():
                count += 1
                layout[pixels] = count
    return layout


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
    fields = read_fields(options.data)
    shares = patches(len(fields), cells, options.seed)
    styles = style_map(engine.load("demo"), [centre(field) for field in fields], shares)
    layout = layout_of(fields, shares, options.size)
    request = GenerateRequest(
        "demo",
        PackedArray.pack(styles),
        size=size,
        count=1,
        seed=options.seed,
        steps=options.steps,
        guidance=DEMO.layout_guidance,
        layout=PackedArray.pack(layout),
    )
    slides: list[NDArray[np.uint8]] = []

    def take(event: Event) -> None:
        if isinstance(event, Progress):
            print(event.message, end="\r", flush=True)
        if isinstance(event, Variant):
            slides.append(event.image)

    engine.run(request, take)
    write_pyramid(options.out / "sample_slide.ome.tif", slides[0], DEMO.mpp)
    imwrite(options.out / "sample_mask.tif", layout, compression="zlib", predictor=True)


if __name__ == "__main__":
    main()

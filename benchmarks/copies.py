"""The search for copies of real tissue: CPU time of a pair, by real tiles and pairs at once.

    python benchmarks/copies.py [--tiles 20000] [--dimension 1536] [--mapped]

Tiles are drawn. With --mapped they lie in files that are mapped into memory, as those of more than
1,000 styles do. One core is used.
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_pixcell.datasets.quality.alignment import SIDE, coarse
from napari_pixcell.datasets.quality.copies import ComparedPicture, RealTiles

AT_ONCE = 1, 2, 8, 64  # a CPU makes blocks of 2 pairs, a GPU of 8
REPEATS = 5


def drawn(tiles: int, dimension: int, folder: Path | None) -> RealTiles:
    """Draw real tiles, in memory or in files."""
    rng, some = np.random.default_rng(0), 1000
    names = "embeddings", "pictures", "coarse"
    shapes = (tiles, dimension), (tiles, SIDE, SIDE), (tiles, SIDE**2 // 4)
    kinds = np.float32, np.uint8, np.float32
    arrays = [
        np.zeros(shape, kind)
        if folder is None
        else np.memmap(folder / name, kind, "w+", shape=shape)
        for name, shape, kind in zip(names, shapes, kinds, strict=True)
    ]
    fields = np.stack([gaussian_filter(rng.normal(size=(SIDE, SIDE)), 1.5) for _ in range(some)])
    fields *= 60 / fields.std()
    for start in range(0, tiles, some):
        part = slice(start, min(start + some, tiles))
        count = part.stop - start
        values = rng.normal(size=(count, dimension)).astype(np.float32)
        arrays[0][part] = values / np.linalg.norm(values, axis=1, keepdims=True)
        noisy = 128 + fields[:count] + rng.normal(0, 15, (count, SIDE, SIDE))
        arrays[1][part] = noisy.clip(0, 255)
        arrays[2][part] = coarse(arrays[1][part])
    return RealTiles.of(*map(np.asarray, arrays))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=1536)
    parser.add_argument("--mapped", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="copies-") as folder:
        where = Path(folder) if options.mapped else None
        real = drawn(options.tiles, options.dimension, where)
        rng = np.random.default_rng(1)
        pictures = [
            ComparedPicture(
                rng.integers(0, 255, (256, 256, 3)).astype(np.uint8),
                rng.normal(size=(1, options.dimension)).astype(np.float32),
                rng.random((256, 256)) < 0.6,
            )
            for _ in range(max(AT_ONCE))
        ]
        for count in AT_ONCE:
            real.nearest_each(pictures[:count])
            spent = []
            for _ in range(REPEATS):
                began = time.process_time()
                real.nearest_each(pictures[:count])
                spent.append(time.process_time() - began)
            figures = {"pairs at once": count, "CPU ms a pair": round(1e3 * min(spent) / count, 2)}
            print(json.dumps({"tiles": len(real)} | figures), flush=True)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"peak MB, with mapped files": round(peak)}))


if __name__ == "__main__":
    main()

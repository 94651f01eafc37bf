"""Time of switching stains, compared with loading a stain from its files.

    python benchmarks/stains.py [HEADS]

Uses random checkpoints in the published structure. HEADS is the number of heads of the transformer
(published: 16). The LoRA files are complete state dicts. When one is first read, its adapter is
cached next to it, which is timed too.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from random_checkpoints import Widths, write_family

from napari_pixcell.engine.loaded_models import LoadedModels
from napari_pixcell.files import _sha256
from napari_pixcell.models.families import get_family
from napari_pixcell.models.store import kept_adapter

STAINS = ("stain-her2", "stain-er")
ROUNDS = 5


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(heads: int = 4) -> None:
    widths = Widths(heads, 72, 64 * heads, (32, 64, 64, 64), 64 * heads)
    with tempfile.TemporaryDirectory() as folder:
        for name in STAINS:
            write_family(get_family(name), Path(folder), widths)
        os.environ["PIXCELL_WEIGHTS"] = folder
        device = torch.device("cpu")
        first = [timed(lambda name=name: LoadedModels(device).load(name)) for name in STAINS]
        _sha256.cache_clear()
        reload = [timed(lambda name=name: LoadedModels(device).load(name)) for name in STAINS * 2]
        kept = LoadedModels(device)
        kept.load(STAINS[0])
        switch = [timed(lambda i=i: kept.load(STAINS[(i + 1) % 2])) for i in range(2 * ROUNDS)]
        part = get_family(STAINS[0]).part("lora")
        path = Path(folder) / part.hub_id / part.weights
        whole, small = (file.stat().st_size / 1e6 for file in (path, kept_adapter(path)))
        print(f"LoRA file {whole:.1f} MB, cached adapter {small:.2f} MB")
    again, fast = min(reload), sorted(switch)[len(switch) // 2]
    print(f"first load, with extracting the adapter: {max(first):.2f} s")
    print(f"load again: {again:.2f} s; switch: {fast:.3f} s; ratio {again / fast:.0f}")


if __name__ == "__main__":
    main(*(int(value) for value in sys.argv[1:]))

"""Shared code of the GPU benchmarks: output lines, clocks, memory and requests."""

from __future__ import annotations

import gc
import json
import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from random_checkpoints import Widths, write_part

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Event, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest, Request
from napari_pixcell.models.families import get_family
from napari_pixcell.models.loading import describe_device, pick_device

GB = 1e9
FAMILIES = ("pixcell-256-cells", "pixcell-1024")
MPP = 0.5
T = TypeVar("T")
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Options:
    """Options of the measurements.

    Parameters
    ----------
    widths : Widths
        Widths of the random weights.
    folder : Path
        Folder of the weights, as in ``PIXCELL_WEIGHTS``.
    golden : Path
        Folder of the published golden numbers.
    tissue_file : Path, optional
        An image at 0.5 µm/px to use instead of the sample slide.
    """

    widths: Widths
    folder: Path
    golden: Path
    tissue_file: Path | None = None

    @cached_property
    def _picture(self) -> Pixels:
        if self.tissue_file is not None:
            from PIL import Image

            return np.asarray(Image.open(self.tissue_file).convert("RGB"))
        from napari_pixcell.slides import Region, open_slide
        from napari_pixcell.slides.samples import SAMPLE_SLIDE

        return open_slide(SAMPLE_SLIDE).read(Region(0, 0, 1024, 1024), MPP)

    def tissue(self, height: int, width: int) -> Pixels:
        """Return tissue of a size in px at 0.5 µm/px, mirrored beyond the image."""
        picture = self._picture
        more = ((0, max(0, height - len(picture))), (0, max(0, width - picture.shape[1])))
        return np.pad(picture, (*more, (0, 0)), "symmetric")[:height, :width]

    def cells(self, height: int, width: int) -> PackedArray:
        """Return the layout that the built-in method segments in such tissue."""
        return PackedArray.pack(segment_nuclei(self.tissue(height, width), MPP).astype(np.uint16))

    def write(self, *names: str) -> None:
        """Write the missing random weights of families, in several processes."""
        started, wanted = time.perf_counter(), {}
        for family in map(get_family, names):
            for part in family.parts:
                path = self.folder / part.hub_id / part.weights
                if part.folder is None and not path.exists():
                    wanted[path] = (family, part, self.folder / part.hub_id, self.widths)
        if not wanted:
            return
        many = max(1, min(8, (os.cpu_count() or 2) // 2))
        with ProcessPoolExecutor(many, get_context("spawn")) as pool:
            for job in [pool.submit(write_part, *what) for what in wanted.values()]:
                job.result()
        size = sum(path.stat().st_size for path in wanted) / GB
        say("write", families=names, gb=size, seconds=time.perf_counter() - started)


def say(part: str, **figures: Any) -> None:
    """Print one line."""
    rounded = {k: _short(v) for k, v in figures.items()}
    print(json.dumps({"part": part, **rounded}, default=str, ensure_ascii=False), flush=True)


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {k: _short(v) for k, v in value.items()}
    return value


def say_machine() -> None:
    """Print the machine and its versions."""
    say(
        "machine",
        device=describe_device(pick_device()),
        torch=torch.__version__,
        python=platform.python_version(),
        cores=os.cpu_count(),
    )


def settle() -> None:
    """Wait for the GPU, and release unused memory."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.empty_cache()


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds of one call, GPU work included, and its result."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    outcome = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started, outcome


def median(work: Callable[[], Any], repeats: int = 3) -> float:
    """Return the median seconds of several calls, after a warm-up call."""
    work()
    return sorted(timed(work)[0] for _ in range(repeats))[repeats // 2]


def peak(work: Callable[[], Any]) -> dict[str, float]:
    """Return the peak memory, in GB, of torch's tensors and of its pool during a call."""
    settle()
    if not torch.cuda.is_available():
        work()
        return {"allocated": 0.0, "reserved": 0.0}
    torch.cuda.reset_peak_memory_stats()
    work()
    torch.cuda.synchronize()
    return {
        "allocated": torch.cuda.max_memory_allocated() / GB,
        "reserved": torch.cuda.max_memory_reserved() / GB,
    }


def ask(engine: Engine, request: Request, previews: bool = False) -> list[Event]:
    """Run a request and return its events."""
    events: list[Event] = []
    engine.run(request, events.append, previews=previews)
    return events


def pictures(engine: Engine, request: GenerateRequest, previews: bool = False) -> list[Pixels]:
    """Run a request and return its images, as arrays."""
    events = ask(engine, request, previews)
    return [np.asarray(event.image) for event in events if isinstance(event, Variant)]


def difference(one: list[Pixels], other: list[Pixels]) -> dict[str, float]:
    """Return how far images differ, in 8-bit steps."""
    away = np.abs(np.stack(one).astype(int) - np.stack(other))
    return {"most": int(away.max()), "mean": float(away.mean()), "part": float((away > 0).mean())}


def style_of(engine: Engine, family: str, pixels: Pixels) -> PackedArray:
    """Embed tissue."""
    events = ask(engine, EmbedRequest(family, PackedArray.pack(pixels)))
    return PackedArray.pack(next(e.values for e in events if isinstance(e, Embedding)))

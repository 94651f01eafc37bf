"""PixCell-256 with cells and UNI2-h at full size, from disk to a variant, on this machine.

    make fullsize

Writes checkpoints with random weights in the published layout (8 GB of disk, kept in
``build/fullsize`` for the next run). Then runs embedding, mask and one variant through the command
line, each in its own process, and prints seconds and peak memory. The image is noise. This
verifies names, shapes, memory and time, not quality.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

from random_checkpoints import FULL, write_family

from napari_pixcell.models.families import get_family
from napari_pixcell.slides.samples import SAMPLE_SLIDE

REGION = ["--region", "800,800,256,256"]


def stage(name: str, arguments: list[str], weights: Path) -> None:
    """Run one command of the product, and print its time and memory."""
    command = [sys.executable, "-m", "napari_pixcell.cli.main", *arguments, "--json"]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, env=os.environ | {"PIXCELL_WEIGHTS": str(weights)}
    )
    assert process.stdout is not None
    answer = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"{name} failed: {answer.decode()}")
    figures = {"stage": name, "seconds": round(seconds, 1), "peak_GB": usage.ru_maxrss / 1e6}
    print(json.dumps(figures), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", default="pixcell-256-cells")
    parser.add_argument("--folder", type=Path, default=Path("build/fullsize"))
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    weights = options.folder.resolve() / "weights"
    family = get_family(options.family)
    started = time.perf_counter()
    # In its own process, because a child inherits the peak memory of its parent.
    writer = get_context("spawn").Process(target=write_family, args=(family, weights, FULL))
    writer.start()
    writer.join()
    if writer.exitcode:
        raise SystemExit("The checkpoints could not be written")
    size = sum(path.stat().st_size for path in weights.rglob("*") if path.is_file())
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(json.dumps({"machine": machine, "family": family.name, "on_disk_GB": size / 1e9}))
    print(json.dumps({"stage": "write", "seconds": round(time.perf_counter() - started, 1)}))
    out, slide = options.folder, [str(SAMPLE_SLIDE), *REGION, "--family", family.name]
    mask = ["segment", *slide, "--out", str(out / "mask.tif")]
    stage("segment", mask, weights)
    fresh = [*slide, "--no-cache"]  # or a second run would use the cached embedding
    stage("embed", ["embed", *fresh, "--out", str(out / "embedding.npy")], weights)
    generate = ["generate", *fresh, "--count", "1", "--steps", str(options.steps)]
    generate += ["--layout", str(out / "mask.tif")] if family.takes_layout else []
    stage("embed and generate", [*generate, "--out", str(out / "variants")], weights)


if __name__ == "__main__":
    main()

"""Memory and disk space of images of growing size.

    python benchmarks/large_canvas.py [--sides 2048 4096 8192] [--steps 1]

Generates each image with the demo family in a separate process. Prints its peak private memory
beyond that of the loaded networks (the system can drop memory-mapped files), its peak disk space,
and the seconds. ``PIXCELL_PICTURE_MB`` decides which images are stored on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

INTERVAL_S = 0.05


def held() -> int:
    """Return the private memory of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("This benchmark needs Linux.")


def measure(side: int, steps: int) -> dict[str, float]:
    """Generate one image with the style of one tile everywhere."""
    import numpy as np

    from napari_pixcell.engine.canvas.store import canvases_folder
    from napari_pixcell.engine.engine import Engine
    from napari_pixcell.engine.events import Variant
    from napari_pixcell.engine.packed import PackedArray
    from napari_pixcell.engine.request_values import GenerateRequest

    engine, style = Engine(), PackedArray.pack(np.zeros((1, 128), np.float32))
    usual = {"embedding": style, "count": 1, "steps": steps, "guidance": 1.0}
    engine.run(GenerateRequest("demo", **usual), lambda _: None)
    before, most, disk, done = held(), 0, 0, threading.Event()

    def watch() -> None:
        nonlocal most, disk
        while not done.wait(INTERVAL_S):
            most = max(most, held())
            files = canvases_folder().rglob("*")
            disk = max(disk, sum(f.stat().st_size for f in files if f.is_file()))

    watcher, start, images = threading.Thread(target=watch), time.perf_counter(), []
    watcher.start()
    request = GenerateRequest("demo", size=(side, side), **usual)
    engine.run(request, lambda e: images.append(e.image) if isinstance(e, Variant) else None)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    stored = hasattr(images[0], "folder")
    if stored:
        images[0].delete()
    return {
        "kept on": "disk" if stored else "memory",
        "seconds": round(seconds, 1),
        "MB of memory": round((most - before) / 1e6),
        "bytes per pixel": round((most - before) / side**2, 2),
        "MB on disk": round(disk / 1e6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="*", default=[2048, 4096, 8192])
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.steps)))
        return
    print(platform.machine(), os.cpu_count(), "cores, load", os.getloadavg())
    for side in options.sides:
        command = [sys.executable, __file__, "--one", str(side), "--steps", str(options.steps)]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(f"{side} × {side} px", found.splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()

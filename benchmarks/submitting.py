"""Time to hand a request to the worker: through shared memory, and as compressed text before.

    python benchmarks/submitting.py [SIDE]

Both ways begin with an array in this process and end with the request that the worker would run.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np

from napari_pixcell.engine.packed import ArraysApart, PackedArray, arrays_apart
from napari_pixcell.engine.request_values import Request, SegmentRequest, request_from_dict
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.worker.protocol import pack_request, read_arrays

REPEATS = 5


def shared(pixels: np.ndarray) -> Request:
    """Send the pixels through shared memory."""
    request = SegmentRequest(PackedArray.pack(pixels), 0.5)
    value, block, _ = pack_request(request)
    assert block is not None
    line = json.dumps(value | {"inputs": block.message})
    value = json.loads(line)
    arrays = read_arrays(value.pop("inputs"))
    block.close()
    with arrays_apart(ArraysApart(arrays)):
        return request_from_dict(value)


def as_text(pixels: np.ndarray) -> Request:
    """Send the pixels as compressed text."""
    request = SegmentRequest(PackedArray.pack(pixels), 0.5)
    request = request_from_dict(json.loads(json.dumps(request.to_dict())))
    assert isinstance(request, SegmentRequest)
    request.pixels.unpack()
    return request


def seconds(send: Callable[[np.ndarray], Request], pixels: np.ndarray) -> float:
    """Return the median time of sending pixels that no request has carried before."""
    times = []
    for _ in range(REPEATS):
        pixels = pixels ^ np.uint8(1)
        begin = time.perf_counter()
        send(pixels)
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def main() -> None:
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 2048
    with open_slide(SAMPLE_SLIDE) as slide:
        height, width = slide.shape
        tissue = slide.read(Region(0, 0, width, height), slide.require_mpp())
    repeats = (-(-side // tissue.shape[0]), -(-side // tissue.shape[1]), 1)
    pixels = np.ascontiguousarray(np.tile(tissue, repeats)[:side, :side])
    new, old = seconds(shared, pixels), seconds(as_text, pixels)
    print(f"{side} × {side} px RGB: shared memory {new * 1e3:.0f} ms, text {old * 1e3:.0f} ms")
    print(f"{old / new:.0f} times as fast")


if __name__ == "__main__":
    main()

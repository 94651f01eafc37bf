"""Pixels travel to the worker and back through shared memory, and nothing is left in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_pixcell.engine.events import Finished, Progress, Variant
from napari_pixcell.engine.packed import ArraysApart, PackedArray, arrays_apart
from napari_pixcell.engine.request_values import GenerateRequest, SegmentRequest, request_from_dict
from napari_pixcell.worker.client import SubmittedRequest, WorkerClient
from napari_pixcell.worker.protocol import INLINE, SharedBlock, pack_request, read_arrays

SIDE = 1024


def large_request(**changes: object) -> GenerateRequest:
    """Build a request with 3 MB of pixels, 4 MB of labels, and a small embedding."""
    rng = np.random.default_rng(0)
    start = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    labels = np.zeros((SIDE, SIDE), np.uint32)
    labels[100:130, 200:230] = 70_000
    given: dict[str, object] = {
        "embedding": PackedArray.pack(np.zeros((4, 4, 128), np.float32)),
        "layout": PackedArray.pack(labels),
        "size": (SIDE, SIDE),
        "start": PackedArray.pack(start),
        "strength": 0.0,  # keeps the pixels
        "count": 1,
        "steps": 2,
    }
    return GenerateRequest("demo", **(given | changes))  # type: ignore[arg-type]


def exists(name: str) -> bool:
    try:
        SharedBlock(1, name).close()
    except FileNotFoundError:
        return False
    return True


def names(job: SubmittedRequest) -> list[str]:
    assert job._inputs is not None
    return [job.block.name, job._inputs.name]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerClient]:
    client, folder = WorkerClient(), tmp_path_factory.mktemp("log")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_pixcell.worker.client.log_path", lambda: folder / "worker.log")
        yield client
    client.close()


def test_pixels_are_the_same_on_both_sides(client: WorkerClient) -> None:
    request = large_request()
    job = client.submit(request)
    segments = names(job)
    events = list(job.events())
    (variant,) = [event for event in events if isinstance(event, Variant)]
    assert events[-1] == Finished()
    assert request.start is not None
    assert np.array_equal(variant.image, request.start.unpack())
    assert variant.record.request == request
    assert variant.record.request.start is request.start  # the arrays did not travel back
    assert not any(map(exists, segments))


def test_a_request_of_several_megabytes_is_a_short_line() -> None:
    request = large_request()
    value, block, apart = pack_request(request)
    assert block is not None
    try:
        assert len(json.dumps(value)) < INLINE
        arrays = read_arrays(json.loads(json.dumps(block.message)))
    finally:
        block.close()
    assert apart.arrays == arrays == [request.layout, request.start]
    with arrays_apart(ArraysApart(arrays)):
        assert request_from_dict(json.loads(json.dumps(value))) == request


def test_small_arrays_need_no_shared_memory() -> None:
    request = SegmentRequest(PackedArray.pack(np.zeros((64, 64, 3), np.uint8)), 0.5)
    value, block, _ = pack_request(request)
    assert block is None and value == request.to_dict()


def test_without_shared_memory_a_request_travels_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(arrays: object) -> None:
        raise OSError("not enough shared memory")

    monkeypatch.setattr("napari_pixcell.worker.protocol.ArrayBlock", full)
    request = large_request()
    value, block, apart = pack_request(request)
    assert block is None and apart.arrays == []
    assert request_from_dict(value) == request


@pytest.mark.parametrize("end", ["kill", "restart", "close"])
def test_a_worker_that_ends_leaves_no_memory(client: WorkerClient, end: str) -> None:
    job = client.submit(large_request(strength=1.0, steps=500))
    waiting = client.submit(large_request())
    segments = names(job) + names(waiting)
    assert all(map(exists, segments[:1] + segments[2:]))
    if end == "kill":
        for event in job.events():
            if isinstance(event, Progress) and client.process_id is not None:
                os.kill(client.process_id, signal.SIGKILL)
        list(waiting.events())
    else:
        getattr(client, end)()
    assert not any(map(exists, segments))


CLIENT = """
import sys
from pathlib import Path
import napari_pixcell.worker.client as worker
from test_shared_memory import large_request, names
worker.log_path = lambda: Path(sys.argv[1])
job = worker.WorkerClient().submit(large_request(strength=1.0, steps=500))
print(*names(job), flush=True)
list(job.events())
"""


def test_a_killed_client_leaves_no_memory(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(tmp_path / "worker.log")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    segments = process.stdout.readline().split()
    assert len(segments) == 2
    process.kill()
    # The pipe closes when the resource tracker, which removes the memory, has ended.
    process.communicate()
    assert not any(map(exists, segments))

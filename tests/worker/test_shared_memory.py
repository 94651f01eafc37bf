"""Pixels travel to the worker and back through shared memory, and nothing is left in it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from worker_blocks import exists

from napari_pixcell.engine.events import Failure, Finished, Variant, VariantFailure
from napari_pixcell.engine.packed import ArraysApart, PackedArray, arrays_apart
from napari_pixcell.engine.request_values import (
    BatchRequest,
    GenerateRequest,
    SegmentRequest,
    request_from_dict,
)
from napari_pixcell.errors import PixCellError
from napari_pixcell.worker.blocks import PREFIX, SharedBlock, remove_leftovers
from napari_pixcell.worker.client import SubmittedRequest, WorkerClient
from napari_pixcell.worker.protocol import INLINE, pack_request, read_arrays

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


def names(job: SubmittedRequest) -> list[str]:
    assert job._inputs is not None
    return [job.block.name, job._inputs.name]


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


def test_a_batch_travels_with_its_failures(client: WorkerClient) -> None:
    layout = np.zeros((256, 256), np.uint32)
    layout[100:130, 100:130] = 7
    first = GenerateRequest("demo", layout=PackedArray.pack(layout), count=1, steps=1, seed=3)
    small = replace(first, layout=None, size=(64, 64))
    events = list(client.submit(BatchRequest((first, small, replace(first, seed=8)), 2)).events())
    found = [event for event in events if isinstance(event, Variant)]
    assert [(one.index, one.record.batch) for one in found] == [(0, (2, 0)), (2, (2, 1))]
    assert [one.record.request.seed for one in found] == [3, 8]
    assert found[0].image.shape == (256, 256, 3)
    (failed,) = [event for event in events if isinstance(event, VariantFailure)]
    assert failed.index == 1 and "smaller than one tile" in failed.message
    assert events[-1] == Finished()


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


@pytest.mark.parametrize(
    ("offset", "shape", "dtype"),
    [
        (0, (101,), "uint8"),
        (50, (60,), "uint8"),
        (-1, (1,), "uint8"),
        (0, (2**40, 2**40), "uint8"),
        (0, (-1,), "uint8"),
        (0, (1,), "O"),
        (0, (1,), "O,O"),
        (0, (1,), []),
        (0, (1,), "U5"),
    ],
)
def test_a_block_shows_only_numbers_that_lie_in_it(offset, shape, dtype) -> None:
    block = SharedBlock(100)
    with pytest.raises(ValueError, match=r"too large|no array of|not a list of whole numbers"):
        block.view(offset, shape, dtype)
    held = block.view(0, (100,), "uint8")
    block.close()  # also while an array is in use
    assert held.sum() == 0


def test_the_number_of_a_closed_block_shows_no_other() -> None:
    first = SharedBlock(100)
    name = first.name
    first.remove()
    second = SharedBlock(100)
    if "#" in name and name.partition("#")[0] == second.name.partition("#")[0]:
        with pytest.raises(FileNotFoundError):
            SharedBlock(1, name)
    SharedBlock(1, second.name).close()
    first.close()
    second.close()


def test_freeing_the_memory_ends_the_process_and_leaves_nothing() -> None:
    client = WorkerClient()
    jobs = [client.submit(large_request()) for _ in range(2)]
    segments, pid = names(jobs[0]) + names(jobs[1]), client.process_id
    assert all(map(exists, segments)) and pid is not None
    client.restart()
    assert client.process_id is None and not any(map(exists, segments))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    for job in jobs:
        *_, failure = job.events()
        assert isinstance(failure, Failure) and "The memory was freed" in failure.message


CLIENT = """
import sys, tempfile
from pathlib import Path
import napari_pixcell.worker.client as worker
from napari_pixcell.worker import blocks
from test_shared_memory import large_request, names
worker.log_path = lambda: Path(sys.argv[1]) / "worker.log"
if sys.argv[2] == "file":
    def forbidden(size, token):
        raise PermissionError
    blocks._in_memory = forbidden
    tempfile.tempdir = sys.argv[1]
job = worker.WorkerClient().submit(large_request(strength=1.0, steps=500))
print(*names(job), flush=True)
list(job.events())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="kills a group of processes")
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_killed_group_of_processes_leaves_no_memory(tmp_path: Path, kind: str) -> None:
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(tmp_path), kind],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    segments = process.stdout.readline().split()
    assert len(segments) == 2 and all(map(exists, segments))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    if kind == "file":  # the next worker or the doctor removes them
        assert [Path(name).parent for name in segments] == [tmp_path] * 2
        assert Path(segments[0]).stat().st_mode & 0o777 == 0o600
        assert remove_leftovers(tmp_path) == 2
    assert not any(map(exists, segments))


def test_blocks_of_running_processes_and_other_files_are_kept(tmp_path: Path) -> None:
    kept = [
        f"{PREFIX}{os.getpid()}-abc.block",
        f"{PREFIX}x-abc.block",
        f"{PREFIX}{'9' * 50}-abc.block",
        "mine.block",
    ]
    for name in kept:
        (tmp_path / name).touch()
    assert remove_leftovers(tmp_path) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which blocks must be files of the returned folder."""

    def forbidden(size: int, token: str) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("napari_pixcell.worker.blocks._in_memory", forbidden)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_without_memory_blocks_are_files(no_memory: Path) -> None:
    _, block, _ = pack_request(large_request())
    assert block is not None and Path(block.name).parent == no_memory
    arrays = read_arrays(json.loads(json.dumps(block.message)))
    block.close()
    assert arrays == [large_request().layout, large_request().start]
    assert not any(no_memory.iterdir())


def test_a_full_disk_is_explained_and_nothing_is_left(
    no_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    value, block, _ = pack_request(large_request())
    assert block is None and request_from_dict(value) == large_request()  # as text
    with pytest.raises(PixCellError, match=r"No space left on device\)\. Free some space in"):
        WorkerClient().submit(large_request())
    assert not any(no_memory.iterdir())

"""The real worker process with the demo family."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from tiny_cellpose import discs
from worker_blocks import exists

from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.engine.events import (
    Embedding,
    Failure,
    Finished,
    Progress,
    SegmentedLayout,
    Variant,
)
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import pixels_sha256
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest, SegmentRequest
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.models.store import encoder_identity
from napari_pixcell.preferences import set_idle_minutes
from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.worker.client import WorkerClient
from napari_pixcell.worker.priority import LOWEST, STEPS_BACK


def style() -> PackedArray:
    return PackedArray.pack(np.zeros((1, 128), np.float32))


def test_variants_arrive_complete(client: WorkerClient) -> None:
    events = list(client.submit(GenerateRequest("demo", style(), count=2, steps=2)).events())
    variants = [e for e in events if isinstance(e, Variant)]
    assert events[-1] == Finished()
    assert [v.index for v in variants] == [0, 1]
    for variant in variants:
        assert pixels_sha256(variant.image) == variant.record.sha256


def test_families_can_alternate(client: WorkerClient) -> None:
    notices = []
    for family in ("demo", "demo-ki67", "demo"):
        events = list(client.submit(GenerateRequest(family, style(), count=1, steps=2)).events())
        record = next(event.record for event in events if isinstance(event, Variant))
        assert ("lora" in record.weights) == ("flow" in record.weights) == (family != "demo")
        notices.append(record.notice)
    assert notices[0] == notices[2] != notices[1] and "not biology" in notices[1]


def test_a_long_log_is_rotated_when_a_worker_starts(client: WorkerClient, log: Path) -> None:
    assert list(client.submit(GenerateRequest("demo", count=1, steps=1)).events())
    assert log.stat().st_size < 1_000_000
    assert log.with_name("worker.old.log").stat().st_size == 2_000_000


def test_code_in_the_current_folder_is_not_run(client: WorkerClient, log: Path) -> None:
    assert client.process_id is not None  # its folder has a torch.py
    assert not (log.parent / "executed").exists()


def test_the_window_comes_before_its_worker(client: WorkerClient) -> None:
    list(client.submit(GenerateRequest("demo", style(), count=1, steps=1)).events())
    own, worker = psutil.Process(), psutil.Process(client.process_id)
    if sys.platform == "win32":
        assert worker.nice() == psutil.BELOW_NORMAL_PRIORITY_CLASS
    else:
        assert worker.nice() == min(own.nice() + STEPS_BACK, LOWEST)
        threads = (Path("/proc") / str(worker.pid) / "task").glob("*/stat")
        values = [int(one.read_text().rpartition(")")[2].split()[16]) for one in threads]
        assert set(values) <= {worker.nice()}


def test_unreadable_messages_do_not_stop_a_worker(client: WorkerClient) -> None:
    process, pid = client._process, client.process_id
    assert process is not None
    request = EmbedRequest("demo", PackedArray.pack(np.zeros((3, 3, 3), np.uint8)))
    job = client.submit(request)
    run = {"op": "run", "job": 10**6, "request": {}, "previews": True, "inputs": None}
    block = {"block": job.block.name, "slot_bytes": 1}
    for message in (
        {},
        {"op": "run"},
        {"op": "cancel", "job": "x"},
        {"op": "free", "job": 1, "slot": None},
        {"op": "free", "job": 1, "slot": 99},
        {"op": "?", "job": 1},
        run | {"block": "/none", "slot_bytes": 5},
        run | {"block": 5, "slot_bytes": "x"},
        run | block,
        run | block | {"inputs": {"block": job.block.name, "arrays": [["O", [10**9], 5]]}},
        [1],
        5,
    ):
        process.send(message)  # type: ignore[arg-type]
    list(job.events())
    (failure,) = client.submit(request).events()
    assert isinstance(failure, Failure) and "256 × 256" in failure.message
    assert client.process_id == pid


def test_an_embedding_arrives_with_the_identity_of_its_encoder(client: WorkerClient) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    event = next(client.submit(EmbedRequest("demo", PackedArray.pack(pixels))).events())
    assert isinstance(event, Embedding)
    assert event.values.shape == (1, 128) and event.values.dtype == np.float32
    assert event.encoder == encoder_identity(DEMO)


def test_more_variants_than_slots_of_shared_memory_arrive(client: WorkerClient) -> None:
    events = client.submit(GenerateRequest("demo", style(), count=9, steps=1)).events()
    assert sum(isinstance(e, Variant) for e in events) == 9


def cellpose(model: object, side: int) -> SegmentRequest:
    image = PackedArray.pack(discs(2, (side, side))[0])
    return SegmentRequest(image, 0.5, SegmentMethod("cellpose", str(model)))


def test_segmented_cells_arrive(client: WorkerClient, tiny_cellpose) -> None:
    *told, layout, last = client.submit(cellpose(tiny_cellpose, 300)).events()
    assert last == Finished() and isinstance(layout, SegmentedLayout)
    assert layout.labels.shape == (300, 300) and layout.labels.dtype == np.int32
    assert len(np.unique(layout.labels)) > 50
    assert [e.done for e in told if isinstance(e, Progress) and e.total] == [0, 1, 2, 3, 4]


def test_a_cancelled_segmentation_stops_between_tiles(client: WorkerClient, tiny_cellpose) -> None:
    job = client.submit(cellpose(tiny_cellpose, 1500))
    last = 0
    for event in job.events():
        assert not isinstance(event, SegmentedLayout)
        if isinstance(event, Progress):
            last = event.done
            if event.done == 1:
                job.cancel()
    assert event == Finished(cancelled=True)
    assert last < 64 // 2
    events = client.submit(cellpose(tiny_cellpose, 256)).events()
    assert any(isinstance(e, SegmentedLayout) for e in events)


def test_an_invalid_model_is_reported_and_the_worker_survives(
    client: WorkerClient, tmp_path
) -> None:
    (tmp_path / "mine").write_bytes(b"no model")
    pids = []
    for _ in range(2):
        *_, failure = client.submit(cellpose(tmp_path / "mine", 256)).events()
        assert (
            isinstance(failure, Failure)
            and "Choose a file trained with Cellpose 4" in failure.message
        )
        pids.append(client.process_id)
    assert pids[0] is not None and pids[0] == pids[1]


def test_a_cancelled_job_ends_and_the_next_one_runs(client: WorkerClient) -> None:
    job = client.submit(GenerateRequest("demo", style(), count=50, steps=1000))
    variants = 0
    last_step = 0
    for event in job.events():
        if isinstance(event, Progress):
            if event.done == 3:
                job.cancel()
            last_step = event.done
        variants += isinstance(event, Variant)
    assert event == Finished(cancelled=True)
    assert variants == 0
    assert last_step < 1000
    after = client.submit(GenerateRequest("demo", style(), count=1, steps=1)).events()
    assert any(isinstance(e, Variant) for e in after)


def test_a_queued_job_can_be_cancelled(client: WorkerClient) -> None:
    first = client.submit(GenerateRequest("demo", style(), count=2, steps=3))
    second = client.submit(GenerateRequest("demo", style(), count=50, steps=20))
    second.cancel()
    assert list(first.events())[-1] == Finished()
    assert list(second.events()) == [Finished(cancelled=True)]


def test_an_invalid_request_is_reported_and_the_worker_survives(client: WorkerClient) -> None:
    pid = client.process_id
    pixels = PackedArray.pack(np.zeros((3, 3, 3), np.uint8))
    (failure,) = client.submit(EmbedRequest("demo", pixels)).events()
    assert isinstance(failure, Failure)
    assert "an embedding needs 256 × 256 px" in failure.message
    assert client.process_id == pid


def test_a_killed_worker_is_reported_once_and_replaced(client: WorkerClient) -> None:
    job = client.submit(GenerateRequest("demo", style(), count=50, steps=20))
    queued = client.submit(GenerateRequest("demo", style(), count=1, steps=1))
    blocks, failures = [job.block.name, queued.block.name], []
    for event in job.events():
        if isinstance(event, Progress) and event.done == 2:
            assert client.process_id is not None
            os.kill(client.process_id, signal.SIGKILL)
        if isinstance(event, Failure):
            failures.append(event.message)
    assert len(failures) == 1
    assert failures[0].startswith(
        "The worker process ended unexpectedly (the system ended it, perhaps for lack of memory). "
        "Generate again"
    )
    assert isinstance(list(queued.events())[-1], Failure)
    assert not any(map(exists, blocks))
    after = client.submit(GenerateRequest("demo", style(), count=1, steps=1)).events()
    assert any(isinstance(e, Variant) for e in after)


def test_the_client_imports_no_torch() -> None:
    code = (
        "import sys, napari_pixcell.worker.client; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'diffusers', 'timm', 'qtpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- with settings that a worker reads when it starts -------------------------------------


@pytest.fixture(scope="module")
def frugal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WorkerClient, Path]]:
    """A worker that keeps pictures on disk and soon nothing in memory, and its log."""
    client, folder = WorkerClient(), tmp_path_factory.mktemp("frugal")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_pixcell.worker.client.log_path", lambda: folder / "worker.log")
        patch.setenv("PIXCELL_CONFIG_DIR", str(folder))
        patch.setenv("PIXCELL_CACHE_DIR", str(folder / "cache"))
        patch.setenv("PIXCELL_PICTURE_MB", "0.5")
        set_idle_minutes(0.02)
        request = SegmentRequest(PackedArray.pack(np.full((64, 64, 3), 255, np.uint8)), 0.5)
        list(client.submit(request).events())
    yield client, folder / "worker.log"
    client.close()


def test_only_the_folder_of_a_very_large_picture_is_sent(frugal, monkeypatch) -> None:
    monkeypatch.setenv("PIXCELL_PICTURE_MB", "0.5")
    request = GenerateRequest("demo", style(), size=(500, 600), count=1, steps=1, guidance=1.0)
    job = frugal[0].submit(request)
    assert job.block.slot_bytes < 3 * 600 * 600 * 2
    (variant,) = [e for e in job.events() if isinstance(e, Variant)]
    assert isinstance(variant.image, StoredPicture) and variant.image.shape == (500, 600, 3)
    assert pixels_sha256(variant.image) == variant.record.sha256


def test_an_idle_worker_frees_its_memory_and_works_again(frugal) -> None:
    client, log = frugal
    pid, unloaded = client.process_id, "Unloaded after 0.02 minutes"
    request = GenerateRequest("demo", style(), count=1, steps=1)
    before = log.read_text().count(unloaded)
    assert list(client.submit(request).events())[-1] == Finished()
    deadline = time.monotonic() + 300
    while log.read_text().count(unloaded) == before:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert list(client.submit(request).events())[-1] == Finished()
    assert client.process_id == pid

"""A worker that does not listen is ended within the patience, and nobody waits for it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_pixcell.engine.events import Event, Failure
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, SegmentRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.worker import running
from napari_pixcell.worker.client import WorkerClient

PATIENCE = 0.2
AT_ONCE = 5.0  # s; generous, for a busy machine
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")


def request(side: int = 140) -> SegmentRequest:
    """Build a request whose pixels, 59 kB, are part of its line."""
    return SegmentRequest(PackedArray.pack(np.zeros((side, side, 3), np.uint8)), 0.5)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerClient]:
    """A client whose worker is stopped as soon as it has started."""
    monkeypatch.setattr("napari_pixcell.worker.client.log_path", lambda: tmp_path / "worker.log")
    start = running._start

    def stopped(log_file: Path) -> tuple[subprocess.Popen[bytes], bool]:
        process, has_log = start(log_file)
        process.send_signal(signal.SIGSTOP)
        return process, has_log

    monkeypatch.setattr(running, "_start", stopped)
    client = WorkerClient(PATIENCE)
    yield client
    client.close()


def last(events: queue.SimpleQueue[Event]) -> Event:
    return events.get(timeout=60)


def test_a_stopped_worker_is_ended_and_its_requests_fail(client: WorkerClient) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    begun = time.monotonic()
    for _ in range(5):  # far more than the pipe holds
        job = client.submit(request(), events.put)
    pid = client.process_id
    assert pid is not None
    job.cancel()
    assert time.monotonic() - begun < AT_ONCE
    for _ in range(5):
        event = last(events)
        assert isinstance(event, Failure)
        assert event.message == (
            "The worker process did not answer and was ended. Generate again to start a new one. "
            "Details are in worker.log."
        )
    assert not psutil.pid_exists(pid) and client.process_id is None
    job.cancel()  # of no use any more, and harmless


def test_quitting_does_not_wait_for_a_stopped_worker(client: WorkerClient) -> None:
    for _ in range(5):
        client.submit(request())
    pid = client.process_id
    assert pid is not None
    begun = time.monotonic()
    client.close()
    assert time.monotonic() - begun < AT_ONCE
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    "answer",
    [b"{torn\n", b"[]\n", b"{}\n", b'{"event": "variant", "job": 1}\n', b"[" * 99_999 + b"\n"],
)
def test_an_unreadable_answer_ends_the_worker(
    answer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "answer").write_bytes(answer)

    def other(log_file: Path) -> tuple[subprocess.Popen[bytes], bool]:
        command = ["sh", "-c", 'cat "$0"; sleep 60', str(tmp_path / "answer")]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE), False

    monkeypatch.setattr(running, "_start", other)
    client = WorkerClient(patience=60.0)
    (event,) = client.submit(request(64)).events()
    assert isinstance(event, Failure)
    assert event.message == (
        "The worker process sent an unreadable answer and was ended. Generate again to start a "
        "new one."
    )
    assert client.process_id is None


def test_a_worker_that_cannot_be_started_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/none")
    client = WorkerClient()
    with pytest.raises(PixCellError, match=r"cannot be started \(No such file or directory\)"):
        client.submit(EmbedRequest("demo", PackedArray.pack(np.zeros((3, 3, 3), np.uint8))))
    assert client.process_id is None and not client._jobs


@pytest.mark.parametrize("place", ["pipe", "file/worker.log", "folder"])
def test_a_worker_starts_without_a_log(place: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait forever
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    process, has_log = running._start(tmp_path / place)
    assert not has_log
    process.kill()
    process.communicate()

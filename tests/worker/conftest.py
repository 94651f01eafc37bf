"""One real worker process for all tests of the folder: each start costs seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import SegmentRequest
from napari_pixcell.worker.client import WorkerClient


@pytest.fixture(scope="package")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that has grown long."""
    log = tmp_path_factory.mktemp("log") / "worker.log"
    log.write_text("x" * 2_000_000)
    return log


@pytest.fixture(scope="package")
def client(log: Path, running_worker: WorkerClient) -> Iterator[WorkerClient]:
    """A client whose worker started in the folder of its log, beside a hostile ``torch.py``.

    It is the worker of all tests, unless others have started that before.
    """
    client = WorkerClient() if running_worker.process_id else running_worker
    (log.parent / "torch.py").write_text("open('executed', 'w'); raise SystemExit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_pixcell.worker.client.log_path", lambda: log)
        pixels = PackedArray.pack(np.full((64, 64, 3), 255, np.uint8))
        with pytest.MonkeyPatch.context() as moved:
            moved.chdir(log.parent)
            list(client.submit(SegmentRequest(pixels, 0.5)).events())
        assert client.process_id is not None
        yield client
    if client is not running_worker:
        client.close()

"""A session with a scripted worker, on a slide that each file chooses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scripted import ScriptedClient

from napari_pixcell.slides import ArraySlide
from napari_pixcell.studio.session import Session
from napari_pixcell.worker.client import WorkerClient


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


@pytest.fixture
def picture() -> np.ndarray:
    """Give the slide's pixels, at 0.5 µm/px."""
    return np.random.default_rng(0).integers(0, 255, (1500, 1500, 3), np.uint8)


@pytest.fixture
def session(client: ScriptedClient, picture: np.ndarray) -> Iterator[Session]:
    session = Session(client)
    session.slides.set(ArraySlide([picture], 0.5, "case 7"))
    yield session
    session.close()


@pytest.fixture
def one_worker(running_worker: WorkerClient, monkeypatch: pytest.MonkeyPatch) -> WorkerClient:
    """The worker that tests share; closing a session leaves it running."""
    monkeypatch.setattr(running_worker, "close", lambda: None)
    return running_worker

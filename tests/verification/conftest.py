"""Tiny networks of the published kind, and the sample data that they wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_hub import FakeHub
from steady_machine import steady_machine  # noqa: F401
from tiny_samples import FIGURES, write_samples, write_weights

from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Verified
from napari_pixcell.verification import figures
from napari_pixcell.verification.job import verify
from napari_pixcell.verification.report import VerificationReport
from napari_pixcell.verification.request import VerifyRequest
from napari_pixcell.verification.samples import HUB_ID

Verify = Callable[..., VerificationReport]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``weights`` and ``samples``; no test changes it."""
    folder = tmp_path_factory.mktemp("tiny")
    write_weights(folder / "weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXCELL_WEIGHTS", str(folder / "weights"))
        write_samples(folder / "samples")
    return folder


@pytest.fixture
def installed(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny weights as the user's folder, compared with figures of their own."""
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tiny / "weights"))
    monkeypatch.setattr(figures, "PUBLISHED", FIGURES)
    return tiny


@pytest.fixture
def check(installed: Path) -> Verify:
    """A function that verifies a family on one patch with one quick picture."""

    def run(family: str, **values: Any) -> VerificationReport:
        plain = VerifyRequest(family, str(installed / "samples"), patches=1, pictures=1, steps=2)
        found: list[VerificationReport] = []

        def receive(event: object) -> None:
            if isinstance(event, Verified):
                found.append(VerificationReport.from_dict(event.report))

        verify(replace(plain, **values), Engine(torch.device("cpu")), receive)
        return found[-1]

    return run


@pytest.fixture
def hub(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub with the data set."""
    top = tiny / "samples"
    files = {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file()
    }
    files["README.md"] = b"---\nlicense: cc-by-4.0\n---\n"
    hub = FakeHub({f"datasets/{HUB_ID}": files})
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setattr("napari_pixcell.models.hub_file.FIRST_WAIT", 0.01)
    yield hub
    hub.close()

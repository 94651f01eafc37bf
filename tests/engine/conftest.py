"""A published family with tiny widths, installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from random_checkpoints import write_family

from napari_pixcell.models.catalogue import get_family


@pytest.fixture(scope="session")
def pixcell_256(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    write_family(get_family("pixcell-256"), folder)
    return folder


@pytest.fixture
def installed(pixcell_256: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the name of a family that is there."""
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(pixcell_256))
    return "pixcell-256"

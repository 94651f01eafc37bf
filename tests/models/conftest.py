"""Every published family with tiny widths, in the published structure."""

from __future__ import annotations

from pathlib import Path

import pytest
from random_checkpoints import write_family

from napari_pixcell.models.catalogue import BUILT_IN


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that holds them, as ``owner/name/…``."""
    folder = tmp_path_factory.mktemp("weights")
    for name in ("pixcell-256", "pixcell-256-cells", "pixcell-1024", "stain-her2"):
        write_family(BUILT_IN[name], folder)
    return folder


@pytest.fixture
def installed(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make it the user's folder of weights."""
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(checkpoints))
    return checkpoints


@pytest.fixture(scope="session")
def layouts(shared: Path) -> Path:
    """Give the folder of the published names and shapes."""
    return shared / "layouts"

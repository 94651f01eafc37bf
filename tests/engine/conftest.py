"""The demo family, loaded once, and a published family with tiny widths."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from random_checkpoints import SHALLOW, write_family
from running import embedded, shallow_engine

from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.models.families import get_family
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE


@pytest.fixture(autouse=True)
def free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fix the free memory, so that no test depends on other programs."""
    memory = SimpleNamespace(available=2**36)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine(torch.device("cpu"))


@pytest.fixture(scope="session")
def shallow() -> Engine:
    return shallow_engine()


@pytest.fixture(scope="session")
def tissue() -> np.ndarray:
    """Tissue of the sample slide, 512 × 384 px."""
    return open_slide(SAMPLE_SLIDE).read(Region(400, 400, 512, 384), 0.5)


@pytest.fixture(scope="session")
def style(engine: Engine, tissue: np.ndarray) -> PackedArray:
    """The embedding of the first tile of the tissue."""
    return embedded(engine, tissue[:256, :256])


@pytest.fixture(scope="session")
def pixcell_256(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one layer each; all layers of the published families are tested in ``models``."""
    folder = tmp_path_factory.mktemp("weights")
    write_family(get_family("pixcell-256"), folder, SHALLOW)
    return folder


@pytest.fixture
def installed(pixcell_256: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of an installed family."""
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(pixcell_256))
    return "pixcell-256"

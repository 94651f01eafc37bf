"""The published repositories, on a local hub and on disk with tiny widths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_hub import FakeHub
from random_checkpoints import SHALLOW, write_family
from steady_machine import steady_machine  # noqa: F401

from napari_pixcell.models.catalogue import BUILT_IN


def safetensors(seed: int, size: int = 200_000) -> bytes:
    """Return the bytes of a safetensors file with one tensor."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}})
    noise = np.random.default_rng(seed).integers(0, 256, size, np.uint8).tobytes()
    return len(header).to_bytes(8, "little") + header.encode() + noise


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    repositories: dict[str, dict[str, bytes]] = {}
    for name in ("pixcell-256", "pixcell-256-cells"):
        for part in BUILT_IN[name].parts:
            files = repositories.setdefault(part.hub_id, {})
            for file in part.files:
                data = f'{{"of": "{part.kind}"}}'.encode()
                if not file.endswith(".json"):
                    data = safetensors(sum(map(ord, part.hub_id + file)))
                files[file] = data
            files["README.md"] = f"# {part.hub_id}\n\nlicence: cc-by-nc-nd-4.0\n".encode()
    repositories["MahmoodLab/UNI2-h"]["LICENSE"] = b"Only for research.\n"
    hub = FakeHub(repositories)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setattr("napari_pixcell.models.hub_file.FIRST_WAIT", 0.01)
    yield hub
    hub.close()


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The user's folder of weights."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(folder))
    return folder


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random checkpoints of all published families, as ``owner/name/…``."""
    folder = tmp_path_factory.mktemp("weights")
    for family in BUILT_IN.values():
        if not family.bundled:
            write_family(family, folder)
    return folder


@pytest.fixture
def shallow(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the same with one layer each, where the networks are run on whole tiles."""
    folder = tmp_path_factory.getbasetemp() / "shallow weights"
    for family in BUILT_IN.values():
        if not family.bundled:
            write_family(family, folder, SHALLOW)  # unless it is there
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(folder))


@pytest.fixture
def installed(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkpoints as the user's folder of weights."""
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(checkpoints))
    return checkpoints


@pytest.fixture(scope="session")
def layouts(shared: Path) -> Path:
    """The folder of the published tensor names and shapes."""
    return shared / "layouts"

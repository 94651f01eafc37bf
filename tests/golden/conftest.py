"""The golden numbers, and the distance of ours from them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from steady_machine import steady_machine  # noqa: F401
from torch import Tensor

ROOT = Path(__file__).parents[2]


def folder(variable: str, default: Path) -> Path:
    path = Path(os.environ.get(variable, default))
    if not path.is_dir():
        message = f"{path.name} is missing: set {variable} to its folder"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture(scope="session")
def golden() -> Path:
    return folder("PIXCELL_GOLDEN", ROOT.parent / "shared" / "golden")


@pytest.fixture(scope="session")
def layouts(golden: Path) -> Path:
    return folder("PIXCELL_LAYOUTS", golden.parent / "layouts")


@pytest.fixture(scope="session")
def relative_error():
    def relative_error(ours: Tensor, theirs: Tensor) -> float:
        assert ours.shape == theirs.shape
        return float((ours - theirs).abs().max() / theirs.abs().max())

    return relative_error

"""The wheel and the source distribution, built once for all test processes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Distributions:
    wheel: Path
    source: Path


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """What ``make release`` uploads; the wheel is built from the source distribution."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    dist = folder / "distributions"
    with FileLock(folder / "distributions.lock"):
        if not dist.exists():
            build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, ROOT]
            done = subprocess.run(build, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (source,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    return Distributions(wheel, source)

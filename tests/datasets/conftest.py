"""Fixtures for pairs on disk."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SMALL_KB = 128


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    if (
        not shutil.which("mount")
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SMALL_KB}k", "tmpfs", folder],
            capture_output=True,
        ).returncode
    ):
        pytest.skip("a small disk can only be mounted as root")
    yield folder
    subprocess.run(["umount", folder], check=True)

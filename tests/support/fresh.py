"""Fresh environments with the wheel of this checkout, as a user's machine has them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def build_wheel(folder: Path) -> Path:
    """Build the wheel from the source distribution, and return its path in a folder."""
    call([sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT])
    (wheel,) = folder.glob("*.whl")
    return wheel


def new_environment(folder: Path) -> Path:
    """Create a virtual environment in a folder, and return its Python."""
    call([sys.executable, "-m", "venv", folder])
    return folder / "bin" / "python"


def own_variables(home: Path) -> dict[str, str]:
    """Return environment variables of a user with an empty home, who has chosen no binding of Qt.

    Settings, caches and weights of this machine, and the checkout, are out of reach.
    """
    foreign = "QT_API", "PIXCELL_", "XDG_", "HF_", "NAPARI_", "CELLPOSE_", "PYTHONPATH"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    folders = {f"PIXCELL_{name}_DIR": str(home / name) for name in ("CONFIG", "CACHE", "DATA")}
    return kept | folders | {"HOME": str(home)}


def call(
    command: list[str | Path], folder: Path = ROOT, environment: dict[str, str] | None = None
) -> None:
    """Run a command, and end with its exit code if it fails."""
    sys.stdout.write(f"$ {' '.join(map(str, command))}\n")
    sys.stdout.flush()
    done = subprocess.run(command, cwd=folder, env=environment)
    if done.returncode:
        sys.exit(done.returncode)

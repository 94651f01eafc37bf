"""Every benchmark can be imported: names that it uses exist. Its figures are not tested."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
IMPORT_ALL = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
"""


def test_every_benchmark_can_be_imported() -> None:
    names = [path.stem for path in FOLDER.glob("*.py")]
    packages = [path.parent.name for path in FOLDER.glob("*/__init__.py")]
    names += [f"{one}.{path.stem}" for one in packages for path in FOLDER.glob(f"{one}/[a-z]*.py")]
    assert len(names) > 20 and "utility.ablation" in names
    command = [sys.executable, "-c", IMPORT_ALL, str(FOLDER), *sorted(names)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

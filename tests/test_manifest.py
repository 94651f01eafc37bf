"""The package as napari and its importers see it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import requires
from importlib.resources import files
from pathlib import Path

from npe2 import PluginManifest

import napari_pixcell

MANIFEST = Path(napari_pixcell.__file__).parent / "napari.yaml"


def test_the_manifest_is_valid_and_its_functions_exist() -> None:
    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()


def test_no_reader_claims_tiffs_and_the_icon_exists() -> None:
    manifest = PluginManifest.from_file(MANIFEST)
    patterns = [
        one for reader in manifest.contributions.readers for one in reader.filename_patterns
    ]
    assert "*.svs" in patterns and not [one for one in patterns if "tif" in one]
    package, name = manifest.icon.split(":")
    assert (files(package) / name).read_text().startswith("<svg")
    assert len(manifest.categories) >= 3


def test_importing_the_package_brings_nothing_heavy() -> None:
    code = (
        "import sys, napari_pixcell; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'napari', 'qtpy', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_qt_binding_is_required() -> None:
    plain = [r for r in requires("napari-pixcell") or [] if "extra ==" not in r]
    assert not any("pyqt" in r.lower() or "pyside" in r.lower() or "[all]" in r for r in plain)

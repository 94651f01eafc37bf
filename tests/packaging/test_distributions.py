"""What users download: the files of the wheel and the source distribution, and their metadata."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from napari_pixcell import __version__

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "napari_pixcell"
INFO = f"napari_pixcell-{__version__}.dist-info"
WEIGHTS = ".safetensors"
# The bundled weights take 47 MB. Registries accept 100 MB.
MOST_MB = 55
MOST_BESIDE_WEIGHTS_MB = 6


@pytest.fixture(scope="module")
def wheel(distributions) -> zipfile.ZipFile:
    with zipfile.ZipFile(distributions.wheel) as opened:
        yield opened


@pytest.fixture(scope="module")
def source(distributions) -> tarfile.TarFile:
    with tarfile.open(distributions.source) as opened:
        yield opened


@pytest.fixture(scope="module")
def metadata(wheel) -> Message:
    return Parser().parsestr(wheel.read(f"{INFO}/METADATA").decode())


def test_the_wheel_holds_the_package_and_nothing_else(wheel) -> None:
    files = (path for path in PACKAGE.rglob("*") if path.is_file())
    package = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in files
        if "__pycache__" not in path.parts
    }
    assert {"napari_pixcell/py.typed", "napari_pixcell/napari.yaml"} <= package
    assert any(name.endswith(WEIGHTS) for name in package)
    names = {name for name in wheel.namelist() if not name.startswith(INFO)}
    assert names == package


def test_both_are_small(distributions, wheel) -> None:
    assert distributions.wheel.stat().st_size < MOST_MB * 1e6
    assert distributions.source.stat().st_size < MOST_MB * 1e6
    rest = sum(one.compress_size for one in wheel.infolist() if WEIGHTS not in one.filename)
    assert rest < MOST_BESIDE_WEIGHTS_MB * 1e6


def test_the_source_distribution_holds_what_the_tests_need(source) -> None:
    names = {member.name.partition("/")[2] for member in source if not member.isdir()}
    needed = {
        *("Makefile", "LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "napari.yaml"),
        *("tests/conftest.py", "tests/support/scripted.py", "sample_data/cells/qupath.geojson"),
        *("training/common.py", "benchmarks/measure.py", ".ci/system-packages"),
        *("container/Dockerfile", "recipe/meta.yaml", "tools/release.py"),
        "src/napari_pixcell/demo/transformer/diffusion_pytorch_model.safetensors",
    }
    assert needed <= names
    left_out = (".venv/", ".git/", "training/runs/", "benchmarks/utility-runs/", "dist/")
    assert not [name for name in names if name.startswith(left_out) or "__pycache__" in name]
    # A file of another's machine would show here.
    assert not [member for member in source if member.islnk() or member.isdev()]
    links = [member for member in source if member.issym()]
    assert not [link for link in links if link.linkname.startswith("/")]


def test_the_metadata_pass_the_check_of_the_registry(distributions) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict"]
    done = subprocess.run(
        [*command, distributions.wheel, distributions.source], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_of_the_package_has_no_link_into_a_folder(metadata) -> None:
    page = metadata.get_payload()
    assert page.lstrip().startswith("# napari-pixcell")
    links = re.findall(r"\]\(([^)\s]+)", page)
    assert len(links) > 5
    assert not [link for link in links if not re.match(r"[a-z]+:|#", link)]
    pictures = re.findall(r"!\[[^\]]*\]\(([^)\s]+)", page)
    assert pictures and all("/raw/main/" in link for link in pictures)


def test_napari_and_the_shell_find_the_package(wheel, metadata) -> None:
    points = wheel.read(f"{INFO}/entry_points.txt").decode()
    assert "[napari.manifest]\nnapari-pixcell = napari_pixcell:napari.yaml" in points
    assert "[console_scripts]\nnapari-pixcell = napari_pixcell.cli.main:main" in points
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert f"{INFO}/licenses/LICENSE" in wheel.namelist()


def all_of(requirement: Requirement) -> set[str]:
    """Return the names that an extra of napari brings, through its other extras."""
    found = {requirement.name.lower()}
    if requirement.name == "napari":
        for line in requires("napari") or []:
            one = Requirement(line)
            wanted = [{"extra": extra} for extra in requirement.extras]
            if one.marker and any(one.marker.evaluate(extra) for extra in wanted):
                found |= all_of(one)
    return found


@pytest.mark.parametrize(
    ("extra", "binding"), [("all", "pyqt6"), ("pyqt6", "pyqt6"), ("pyside6", "pyside6")]
)
def test_each_extra_for_the_window_brings_one_binding_of_qt(extra, binding, metadata) -> None:
    lines = [Requirement(line) for line in metadata.get_all("Requires-Dist")]
    brought: set[str] = set()
    for one in lines:
        if one.marker and one.marker.evaluate({"extra": extra}):
            brought |= all_of(one)
    assert brought & {"pyqt5", "pyqt6", "pyside2", "pyside6"} == {binding}

"""The conda recipe agrees with ``pyproject.toml``, and with the rules of conda-forge's linter."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, StrictUndefined
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from napari_pixcell import __version__

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
# conda-forge's names, where they differ.
CONDA_NAMES = {
    "huggingface-hub": "huggingface_hub",
    "napari": "napari-base",  # without a binding of Qt
    "opencv-python-headless": "py-opencv",
    "openslide-bin": "openslide",
    "torch": "pytorch",
}
Recipe = dict[str, Any]


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    text = (ROOT / "recipe" / "meta.yaml").read_text("utf-8")
    rendered = Environment(undefined=StrictUndefined).from_string(text).render(PYTHON="python")
    return yaml.safe_load(rendered)


def by_name(lines: list[str], names: dict[str, str]) -> dict[str, SpecifierSet]:
    requirements = [Requirement(line) for line in lines]
    return {names.get(one.name, one.name): one.specifier for one in requirements}


def test_it_needs_what_the_package_needs(recipe) -> None:
    run = [line for line in recipe["requirements"]["run"] if not line.startswith("python ")]
    assert by_name(run, {}) == by_name(PROJECT["dependencies"], CONDA_NAMES)
    assert f"python {PROJECT['requires-python']}" in recipe["requirements"]["run"]


def test_it_is_built_with_what_the_package_is_built_with(recipe) -> None:
    host = [line for line in recipe["requirements"]["host"] if not line.startswith("python ")]
    built = by_name(PYPROJECT["build-system"]["requires"], {})
    assert by_name(host, {}) == built | {"pip": SpecifierSet()}


def test_version_licence_and_commands_are_those_of_the_package(recipe) -> None:
    assert recipe["package"] == {"name": PROJECT["name"], "version": __version__}
    about = recipe["about"]
    assert about["license"] == PROJECT["license"]
    assert (ROOT / about["license_file"]).is_file()
    assert about["home"] == PROJECT["urls"]["Homepage"]
    commands = [f"{name} = {where}" for name, where in PROJECT["scripts"].items()]
    assert recipe["build"]["entry_points"] == commands


def test_it_keeps_the_rules_of_the_linter_of_conda_forge(recipe) -> None:
    sections = ["package", "source", "build", "requirements", "test", "about", "extra"]
    assert list(recipe) == sections
    assert recipe["build"]["noarch"] == "python" and recipe["build"]["number"] == 0
    assert {"home", "license", "license_file", "summary"} <= set(recipe["about"])
    assert recipe["test"]["imports"] and recipe["extra"]["recipe-maintainers"]
    requirements = [line for part in recipe["requirements"].values() for line in part]
    for line in requirements:  # a name, a space and the versions, without spaces
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*( [<>=!.,\d]+)?", line), line
    run = recipe["requirements"]["run"]
    assert run[0].startswith("python ") and run[1:] == sorted(run[1:], key=str.split)

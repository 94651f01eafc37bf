"""The container files: linted, in agreement with each other, and each of their steps can be run.

``make test-containers`` builds the images.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "container" / "Dockerfile"
DEFINITION = ROOT / "container" / "napari-pixcell.def"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def steps() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, with what they say."""
    text = re.sub(r"(?m)^#.*\n", "", DOCKERFILE.read_text("utf-8")).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def section(name: str) -> str:
    """Return a section of the definition."""
    text = DEFINITION.read_text("utf-8")
    found = re.search(rf"(?ms)^%{name}\n(.*?)(?=^%|\Z)", text)
    assert found, name
    return found[1]


def scripts() -> dict[str, str]:
    runs = [re.sub(r"^(--\S+\s+)+", "", words) for kind, words in steps() if kind == "RUN"]
    found = {f"RUN {number}": script for number, script in enumerate(runs)}
    return found | {name: section(name) for name in ("post", "environment", "runscript", "test")}


def test_the_dockerfile_passes_its_linter() -> None:
    linter = shutil.which("hadolint", path=Path(sys.executable).parent) or shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed for this system")
    done = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", scripts())
def test_each_step_is_a_script(name: str) -> None:
    done = subprocess.run(["sh", "-n"], input=scripts()[name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_everything_that_is_copied_exists_and_is_enough_for_a_build(tmp_path: Path) -> None:
    copied = [words.split()[:-1] for kind, words in steps() if kind == "COPY"]
    docker = {name for names in copied for name in names}
    files = [line.split() for line in section("files").splitlines() if line.strip()]
    assert {source for source, _ in files} == docker
    for source, target in files:
        assert target == f"/source/{source}"
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, tmp_path / source)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", tmp_path]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.stat().st_size > 30e6


def test_both_install_the_same_from_the_same_base() -> None:
    base = re.search(r"(?m)^From: (\S+)$", DEFINITION.read_text("utf-8"))
    assert base and ("ARG", f"BASE={base[1]}") in steps()
    version = re.match(r"python:(3\.\d+)", base[1])
    classifiers = PROJECT["classifiers"]
    assert version and f"Programming Language :: Python :: {version[1]}" in classifiers
    extras = re.compile(r'pip install .*\[(\w+)\]"')
    found = {extras.search(text)[1] for text in scripts().values() if extras.search(text)}
    assert found == {"cluster"} <= set(PROJECT["optional-dependencies"])


def test_the_program_is_started_by_another_user_than_root() -> None:
    (command,) = (json.loads(words) for kind, words in steps() if kind == "ENTRYPOINT")
    assert command == ["napari-pixcell"] and "napari-pixcell" in PROJECT["scripts"]
    assert section("runscript").split() == ["exec", "napari-pixcell", '"$@"']
    (user,) = (int(words) for kind, words in steps() if kind == "USER")
    created = next(words for kind, words in steps() if kind == "RUN" and "useradd" in words)
    assert user > 0 and f"--uid {user} " in created


def test_all_that_is_kept_lies_in_the_volume() -> None:
    settings = shlex.split(" ".join(words for kind, words in steps() if kind == "ENV"))
    places = dict(one.split("=", 1) for one in settings)
    del places["PATH"]
    code = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    read = set(re.findall(r"PIXCELL_[A-Z]+_DIR", code))
    assert {name for name in places if name.startswith("PIXCELL_")} == read
    assert {"HF_HOME", "HOME", "CELLPOSE_LOCAL_MODELS_PATH"} <= set(places)
    (volume,) = (json.loads(words) for kind, words in steps() if kind == "VOLUME")
    assert all(f"{place}/".startswith(f"{volume[0]}/") for place in places.values())

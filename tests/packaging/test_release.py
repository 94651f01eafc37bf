"""``tools/release.py``, in a clone: what it writes, and each reason to refuse."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = "97.1.2"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / "tools" / "release.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    command = ["git", *identity, "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small repository whose package can be built, with the real files that state the version."""
    root = tmp_path_factory.mktemp("original")
    for name in ("LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    for name in ("src/napari_pixcell/__init__.py", "recipe/meta.yaml", ".gitignore"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    log = (root / "CHANGELOG.md").read_text("utf-8")
    if not re.search(r"\[Unreleased\]\n[^[]*^- ", log, re.MULTILINE):  # just released
        entry = "## [Unreleased]\n\n### Added\n\n- A wheel.\n"
        (root / "CHANGELOG.md").write_text(log.replace("## [Unreleased]\n", entry), "utf-8")
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "Begin")
    return root


@pytest.fixture
def clone(original: Path, tmp_path: Path) -> Path:
    root = tmp_path / "clone"
    git(original, "clone", "--quiet", str(original), str(root))
    git(root, "config", "user.name", "Tester")
    git(root, "config", "user.email", "tester@example.org")
    return root


def test_a_dry_run_builds_and_changes_nothing(tool, clone: Path, capsys) -> None:
    before = git(clone, "rev-parse", "HEAD")
    assert tool.main([VERSION, "--dry-run", "--root", str(clone)]) == 0
    shown = capsys.readouterr().out
    assert f"napari_pixcell-{VERSION}-py3-none-any.whl" in shown
    assert re.search(rf"(?m)^[0-9a-f]{{64}}  napari_pixcell-{VERSION}\.tar\.gz$", shown)
    assert shown.strip().endswith("Nothing was changed.")
    assert git(clone, "rev-parse", "HEAD") == before
    assert not git(clone, "tag") and not git(clone, "status", "--porcelain")
    assert not (clone / "dist").exists()


def test_a_release_is_dated_committed_and_tagged_but_not_pushed(
    tool, clone: Path, original: Path, capsys
) -> None:
    entries = (clone / "CHANGELOG.md").read_text("utf-8").partition("## [Unreleased]\n")[2]
    assert tool.main([VERSION, "--root", str(clone)]) == 0, capsys.readouterr().err
    assert git(clone, "log", "-1", "--format=%s") == f"Release {VERSION}"
    assert git(clone, "cat-file", "-t", f"v{VERSION}") == "tag"
    assert not git(clone, "status", "--porcelain")
    assert not git(original, "tag")

    log = (clone / "CHANGELOG.md").read_text("utf-8")
    heading = re.search(rf"## \[Unreleased\]\n\n## \[{VERSION}\] - (\d{{4}}-\d\d-\d\d)\n", log)
    assert heading
    assert log[heading.end() :].split("\n[Unreleased]: ")[0] == entries.split("\n[Unreleased]: ")[0]
    assert f"compare/v{VERSION}...HEAD\n[{VERSION}]: " in log
    assert f"\nversion: {VERSION}\ndate-released: {heading[1]}\n" in (
        (clone / "CITATION.cff").read_text("utf-8")
    )
    assert f'version = "{VERSION}" %}}' in (clone / "recipe" / "meta.yaml").read_text("utf-8")
    (source,) = (clone / "dist").glob("*.tar.gz")
    with tarfile.open(source) as opened:
        code = opened.extractfile(f"napari_pixcell-{VERSION}/src/napari_pixcell/__init__.py")
        assert f'__version__ = "{VERSION}"' in code.read().decode()


def unclean(root: Path) -> None:
    (root / "README.md").write_text("changed")


def another_branch(root: Path) -> None:
    git(root, "switch", "--quiet", "--create", "feature")


def tagged(root: Path) -> None:
    git(root, "tag", f"v{VERSION}")


def nothing_new(root: Path) -> None:
    rewrite(root, "CHANGELOG.md", r"(## \[Unreleased\]\n)[\s\S]*?(?=## \[)", r"\1\n")


def without_heading(root: Path) -> None:
    rewrite(root, "CHANGELOG.md", r"## \[Unreleased\]\n", "")


def heading_there(root: Path) -> None:
    rewrite(root, "CHANGELOG.md", r"(?m)^## \[0\.1\.0\]", f"## [{VERSION}]")


def two_versions(root: Path) -> None:
    rewrite(root, "CITATION.cff", r"(?m)^(version: .*)$", r"\1\n\1")


def no_version(root: Path) -> None:
    rewrite(root, "src/napari_pixcell/__init__.py", "__version__ = ", "version = ")


def newer(root: Path) -> None:
    rewrite(root, "src/napari_pixcell/__init__.py", '"[0-9.]+"', '"98.0.0"')


def not_buildable(root: Path) -> None:
    rewrite(root, "pyproject.toml", r'license = "BSD-3-Clause"', 'license = "None of them"')


def refusing_hook(root: Path) -> None:
    hook = root / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)


def rewrite(root: Path, name: str, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, (root / name).read_text("utf-8"))
    assert count
    (root / name).write_text(text, "utf-8")
    git(root, "commit", "--quiet", "--all", "--message", "Rewrite")


@pytest.mark.parametrize(
    ("spoil", "version", "words"),
    [
        (lambda _: None, "1.2", "“1.2” is not a version. Write it like 1.2.3 or 1.2.3rc1."),
        (unclean, VERSION, "There are changes that are not committed. Commit or discard them."),
        (another_branch, VERSION, "The branch is “feature”. Releases are made on main."),
        (tagged, VERSION, f"The tag v{VERSION} exists. Choose the next version."),
        (nothing_new, VERSION, "CHANGELOG.md has no entry under “Unreleased”."),
        (without_heading, VERSION, "CHANGELOG.md has no entry under “Unreleased”."),
        (heading_there, VERSION, f"CHANGELOG.md has a heading for {VERSION}."),
        (two_versions, VERSION, "CITATION.cff states the version 2 times instead of once."),
        (no_version, VERSION, "__init__.py states no version. Correct it."),
        (newer, VERSION, f"{VERSION} is older than the current version 98.0.0."),
        (not_buildable, VERSION, "build failed: "),
        (refusing_hook, VERSION, "git commit failed: not today"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_it_refuses_with_a_sentence_and_leaves_all_as_it_was(
    spoil: Callable[[Path], None], version: str, words: str, tool, clone: Path, capsys
) -> None:
    spoil(clone)
    before = git(clone, "rev-parse", "HEAD"), git(clone, "status", "--porcelain")
    assert tool.main([version, "--root", str(clone)]) == 1
    assert words in capsys.readouterr().err
    assert (git(clone, "rev-parse", "HEAD"), git(clone, "status", "--porcelain")) == before or (
        spoil is refusing_hook and not git(clone, "diff", "HEAD")
    )


def test_it_needs_a_repository(tool, tmp_path: Path, capsys) -> None:
    assert tool.main([VERSION, "--root", str(tmp_path)]) == 1
    assert "is not a git repository. Run it in a clone." in capsys.readouterr().err

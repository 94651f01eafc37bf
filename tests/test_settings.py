"""One table lists every environment variable and preference, with its default."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

import napari_pixcell
from napari_pixcell import preferences
from napari_pixcell.preferences import FOREIGN, IDLE, SETTINGS, WEIGHTS

PACKAGE = Path(napari_pixcell.__file__).parent
ROOT = PACKAGE.parents[1]
VARIABLE = re.compile(r"\b(?:NAPARI_)?PIXCELL_[A-Z0-9_]+\b")
CONSTANTS = {"PIXCELL_256", "PIXCELL_1024", "PIXCELL_256_CELLS"}  # families, not variables
READERS = {"preference", "set_preference"}
MANIFEST = yaml.safe_load((PACKAGE / "napari.yaml").read_text("utf-8"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
FOLDERS = ("benchmarks", "training", "docs", ".ci")


def test_no_name_is_listed_twice() -> None:
    for field in ("variable", "name", "page"):
        named = [value for one in SETTINGS + FOREIGN if (value := getattr(one, field))]
        assert len(named) == len(set(named)), field
    assert all(one.meaning.endswith(".") for one in SETTINGS + FOREIGN)


def test_every_variable_of_the_package_is_in_the_table() -> None:
    known = {one.variable for one in SETTINGS} | CONSTANTS
    paths = [*TREES, ROOT / "Makefile", ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for folder in FOLDERS:
        paths += [p for end in ("py", "md", "sh") for p in (ROOT / folder).rglob(f"*.{end}")]
    unknown = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in paths
        for name in VARIABLE.findall(path.read_text("utf-8"))
        if name not in known
        # a prefix that the code completes, such as PIXCELL_{name}_DIR
        and not name.endswith("_")
    }
    assert not unknown


def test_every_variable_that_is_read_is_in_the_table() -> None:
    known = {one.variable for one in SETTINGS + FOREIGN}
    read = set()
    for tree in TREES.values():
        for node in ast.walk(tree):
            text = ""
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                ("environ.get", "getenv", "environ.setdefault")
            ):
                text = ast.unparse(node.args[0])
            elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
                text = ast.unparse(node.slice)
            if text[:1] in "'\"" and text:
                read.add(ast.literal_eval(text))
    assert len(read) > 5
    assert read - known <= {"QT_QPA_PLATFORM", "PATH"}  # set for a process of its own, not read


def test_every_preference_that_is_read_or_kept_is_in_the_table() -> None:
    known = {one.name for one in SETTINGS}
    used = set()
    for tree in TREES.values():
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in READERS:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    used.add(first.value)
                elif isinstance(first, ast.Name) and first.id in constants:
                    used.add(constants[first.id])
    assert {"dataset place", "memory settings", "compile failed"} <= used
    assert used <= known


def test_the_page_in_napari_shows_the_settings_of_the_table_with_their_defaults() -> None:
    shown = {
        (group, key): value["default"]
        for group, part in MANIFEST["contributions"]["configurations"].items()
        for key, value in part["properties"].items()
    }
    assert shown == {one.page: one.default for one in SETTINGS if one.page}


def test_a_page_that_shows_another_default_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    # The defaults are those that the code uses, not only those that the table prints.
    from napari_pixcell.slides.levels import cache_bytes
    from napari_pixcell.studio.results.spill import disk_limit, memory_limit

    assert cache_bytes() == 256e6 and memory_limit() == 512e6 and disk_limit() == 2048e6
    assert preferences.idle_minutes() == IDLE.default == 20
    assert preferences.sessions_wanted() is False  # the tests switch it off
    monkeypatch.delenv("PIXCELL_SESSIONS")
    assert preferences.sessions_wanted() and not preferences.compile_wanted()


def test_the_folder_of_weights_is_named_by_the_variable_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from napari_pixcell.models.store import set_weights_folder, weights_folder

    assert weights_folder() is None
    set_weights_folder(tmp_path)
    assert weights_folder() == tmp_path
    monkeypatch.setenv(WEIGHTS.variable, str(tmp_path / "other"))
    assert weights_folder() == tmp_path / "other"

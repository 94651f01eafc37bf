"""Scripts beside the package import names that exist. They are too slow or large to be run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = "benchmarks", "training", "docs/pictures", "tests/kills"


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return what a module defines or imports at its top level; of a package, also its modules."""
    found = {other.stem for other in path.parent.iterdir()} if path.stem == "__init__" else set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found.update(one.asname or one.name.split(".")[0] for one in names)
    return frozenset(found)


def module_file(module: str, folder: Path) -> Path | None:
    """Return the file of a module of the package, or of a script's folder; None of any other."""
    for root in (folder, ROOT / "src"):
        place = root.joinpath(*module.split("."))
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.exists():
                return path
    assert not module.startswith("napari_pixcell"), f"there is no {module}"
    return None


def imports(script: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Iterate over the names that a script imports from its neighbours or the package."""
    for node in ast.walk(ast.parse(script.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            path = module_file(node.module, folder)
            for one in node.names if path is not None else ():
                assert path is not None
                if one.name not in names_in(path):
                    yield node.module, one.name


@pytest.mark.parametrize("name", FOLDERS)
def test_scripts_import_names_that_exist(name: str) -> None:
    folder = ROOT / name
    scripts = [path for path in folder.rglob("*.py") if "runs" not in path.parts]
    assert len(scripts) > 1
    missing = {str(path): list(imports(path, folder)) for path in scripts}
    assert not {path: names for path, names in missing.items() if names}


def test_a_name_that_does_not_exist_is_found(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from other import there, gone\nfrom napari_pixcell.errors import PixCellError, Nothing\n"
    )
    (tmp_path / "other.py").write_text("there = 1\n")
    expected = [("other", "gone"), ("napari_pixcell.errors", "Nothing")]
    assert list(imports(script, tmp_path)) == expected

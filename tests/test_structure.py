"""The structure of the package: no circles of imports, and one meaning for each class name."""

import ast
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import napari_pixcell

ROOT = Path(napari_pixcell.__file__).parent
TREES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): (
        ast.parse(path.read_text("utf-8"))
    )
    for path in ROOT.rglob("*.py")
}


def imported(module: str) -> set[str]:
    """Return the modules of the package that a module names, for types included."""
    names = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if inner in TREES else node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name in TREES and name != module}


def test_no_file_imports_itself_through_others_types_included() -> None:
    TopologicalSorter({module: imported(module) for module in TREES}).prepare()


def test_each_class_name_has_one_meaning() -> None:
    nodes = (node for tree in TREES.values() for node in ast.walk(tree))
    counts = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    assert [name for name, count in counts.items() if count > 1] == []


def test_no_function_takes_more_than_eight_positional_arguments() -> None:
    long = [
        f"{module}.{node.name}"
        for module, tree in TREES.items()
        if ".networks." not in module  # their arguments are the published configurations
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        if len(node.args.posonlyargs + node.args.args) - (node.args.args[:1] != []) > 8
    ]
    assert long == []

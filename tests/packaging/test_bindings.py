"""The window runs under PyQt6 and PySide6: nothing that only one of them knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from napari_pixcell.ui import display

ROOT = Path(__file__).resolve().parents[2] / "src" / "napari_pixcell"
BINDINGS = {"PyQt5", "PyQt6", "PySide2", "PySide6", "shiboken2", "shiboken6", "sip"}
NAMES = {
    *("pyqtSignal", "pyqtSlot", "pyqtProperty", "pyqtBoundSignal", "exec_", "print_"),
    "singleShot",  # PySide6 calls a method of a widget that Qt has deleted; see arrange.single_shot
}


def unshared(code: str) -> Iterator[str]:
    """Iterate over what the code uses of one binding alone."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Import(names=names):
                used = {one.name.split(".")[0] for one in names} & BINDINGS
            case ast.ImportFrom(module=module, names=names) if module:
                used = {module.split(".")[0]} & BINDINGS | {one.name for one in names} & NAMES
            case ast.Attribute(attr=name) | ast.Name(id=name):
                used = {name} & NAMES
            case _:
                used = set()
        yield from used


def test_no_code_needs_a_certain_binding() -> None:
    found = {str(path): [*unshared(path.read_text("utf-8"))] for path in ROOT.rglob("*.py")}
    assert len(found) > 100
    assert not {path: names for path, names in found.items() if names}


def test_what_one_binding_alone_knows_is_found() -> None:
    code = "import PyQt6.sip\nfrom PySide6.QtCore import Qt\nQTimer.singleShot(0, f)\nmenu.exec_()"
    assert sorted(unshared(code)) == ["PyQt6", "PySide6", "exec_", "singleShot"]


def test_without_a_binding_the_demo_opens_no_window(monkeypatch) -> None:
    monkeypatch.setattr(display, "BINDINGS", ("a binding that is not there",))
    monkeypatch.setenv("DISPLAY", ":0")
    with display.any_display() as found:
        assert found == "none"

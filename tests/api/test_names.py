"""What is public is listed, documented, typed, and imported when it is used."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import napari_pixcell as pixcell
from napari_pixcell.stability import deprecated

HEAVY = ("torch", "qtpy", "PyQt6", "PySide6", "napari", "numpy", "scipy", "skimage", "pydantic")


def test_the_import_brings_nothing_heavy_and_few_modules() -> None:
    code = """
import sys
before = set(sys.modules)
import napari_pixcell
print(*sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert not {name.split(".")[0] for name in loaded} & {*HEAVY}
    assert len(loaded) < 40
    assert len([name for name in loaded if name.startswith("napari_pixcell")]) <= 4


def test_the_command_line_and_the_worker_mode_import_no_torch() -> None:
    code = """
import sys
import napari_pixcell
for name in napari_pixcell.__all__:
    getattr(napari_pixcell, name)
napari_pixcell.Engine("demo", where="worker").close()
assert not {"torch", "qtpy", "napari"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", pixcell.__all__)
def test_every_public_name_is_documented_with_its_methods(name: str) -> None:
    thing = getattr(pixcell, name)
    assert inspect.getdoc(thing)
    assert thing.__name__ == name
    members = vars(thing).items() if inspect.isclass(thing) else ()
    for member, value in members:
        described = isinstance(value, property | classmethod | staticmethod)
        if not member.startswith("_") and (described or inspect.isfunction(value)):
            assert inspect.getdoc(value), member


def test_no_public_name_is_hidden_by_a_module_of_the_package() -> None:
    for name in pixcell.__all__:
        assert importlib.util.find_spec(f"napari_pixcell.{name}") is None


def test_public_names_are_listed_and_others_are_refused() -> None:
    assert {*pixcell.__all__} <= {*dir(pixcell)}
    with pytest.raises(AttributeError, match="no attribute 'unknown'"):
        _ = pixcell.unknown  # type: ignore[attr-defined]


def test_the_types_for_editors_name_the_same_objects() -> None:
    assert pixcell.__file__ is not None
    stub = ast.parse(Path(pixcell.__file__).with_suffix(".pyi").read_text("utf-8"))
    typed = {
        alias.asname: (node.module, alias.name)
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == {
        name.split(" as ")[-1]: (f"napari_pixcell.{module}", name.split(" as ")[0])
        for module, names in pixcell._NAMES.items()  # type: ignore[attr-defined]
        for name in names
    }


def test_a_deprecated_function_works_and_warns_where_it_is_called() -> None:
    @deprecated(since="0.2", use="embed()")
    def old(number: int) -> int:
        """Return the next number."""
        return number + 1

    with pytest.warns(DeprecationWarning, match=r"old\(\) is deprecated since .* 0\.2") as caught:
        assert old(1) == 2
    assert caught[0].filename == __file__
    assert old.__doc__ == "Return the next number."


def test_a_renamed_name_works_and_warns_of_its_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pixcell._MOVED, "mix", ("blend", "0.2"))  # type: ignore[attr-defined]
    with pytest.warns(DeprecationWarning, match="mix is deprecated .* Use blend instead") as caught:
        found = pixcell.mix  # type: ignore[attr-defined]
    assert found is pixcell.blend
    assert caught[0].filename == __file__


def test_present_names_warn_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in pixcell.__all__:
            getattr(pixcell, name)

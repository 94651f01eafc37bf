"""The tutorial, the notebook and the scripts in ``examples`` run as they are."""

from __future__ import annotations

import os
import runpy
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from blocks import run_page
from first_variant import LINE
from nbclient import NotebookClient

import napari_pixcell as pixcell
from napari_pixcell.models.catalogue import BUILT_IN, DEMO
from napari_pixcell.slides.samples import SAMPLE_SLIDE

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the demo family take four steps where an example names no number."""
    monkeypatch.setitem(BUILT_IN, DEMO.name, replace(DEMO, steps=4))


def test_the_tutorial_of_scripting(tmp_path: Path) -> None:
    run_page(ROOT / "docs" / "tutorials" / "scripting.md", tmp_path)


def test_the_lines_of_the_readme(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    start = text.index("```python")
    page = tmp_path / "page.md"  # its other blocks install the program, or name a slide of yours
    page.write_text(text[start : text.index("```", start + 3) + 4], encoding="utf-8")
    run_page(page, tmp_path)
    assert len(list((tmp_path / "pairs" / "images").iterdir())) == 4


def test_the_line_that_installs_it_names_an_extra_with_a_window() -> None:
    (extra,) = LINE.findall((ROOT / "README.md").read_text("utf-8"))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert extras["optional-dependencies"][extra.strip("[]")] == ["napari[all]"]


def test_the_notebook(tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "examples" / "first_variants.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in code)  # none are committed
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        os.environ.setdefault(name, str(tmp_path / name.lower()))
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    pictures = [
        output for cell in code for output in cell.outputs if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 3
    assert len(list((tmp_path / "pairs" / "images").iterdir())) == 3


def test_the_script_for_a_folder_of_slides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slides = tmp_path / "slides"
    slides.mkdir()
    (slides / "a.ome.tif").symlink_to(SAMPLE_SLIDE)
    (slides / "notes.txt").write_text("no slide")
    script = ROOT / "examples" / "cohort.py"
    monkeypatch.setattr(sys, "argv", [str(script), str(slides), str(tmp_path / "out")])
    runpy.run_path(str(script), run_name="__main__")
    out, err = capsys.readouterr()
    assert "notes.txt is left out." in err
    written = [Path(line) for line in out.splitlines()]
    assert [pixcell.read_record(path).request.seed for path in written] == [1, 2]

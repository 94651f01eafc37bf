"""Collect the texts of the window for Qt Linguist, and compile the translations.

    python tools/translations.py            # after texts have changed: updates the .ts files
    python tools/translations.py --compile  # after translating: writes the .qm files

Compiling needs ``lrelease``, which comes with PySide6 and with Qt's own tools.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

SOURCE = Path(__file__).parents[1] / "src" / "napari_pixcell"
FOLDER = SOURCE / "ui" / "languages"
CONTEXT = "napari-pixcell"
# Parts whose texts reach the window.
PARTS = (
    *("ui", "studio", "words.py", "engine/presets.py", "cells/methods.py", "cells/layout.py"),
    *("datasets/formats/__init__.py", "datasets/store/plan.py", "models/catalogue.py"),
)


def texts(path: Path) -> Iterator[tuple[str, int]]:
    """Iterate over the texts of a module, and their lines; f-strings become templates."""
    tree = ast.parse(path.read_text("utf-8"))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
              for part in node.values}  # fmt: skip
    about = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "counted":
            nouns = [one.value for one in node.args[1:] if isinstance(one, ast.Constant)]
            if nouns:
                plural = nouns[1] if len(nouns) > 1 else f"{nouns[0]}s"
                yield f"{{0}} {nouns[0]}", node.lineno
                yield f"{{0}} {plural}", node.lineno
        elif isinstance(node, ast.JoinedStr):
            yield template(node), node.lineno
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in inside | about
        ):
            yield numbered(node.value), node.lineno


def template(node: ast.JoinedStr) -> str:
    """Return an f-string with its values replaced by {0}, {1} and so on.

    Values side by side become one, since nobody can tell where the first ends.
    """
    made, count = "", 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            made += str(part.value)
        elif not made.endswith("}"):
            made += f"{{{count}}}"
            count += 1
    return made


def numbered(text: str) -> str:
    """Return a text for ``str.format`` with its places numbered."""
    count = itertools.count()
    return re.sub(r"\{[a-z_]*\}", lambda _: f"{{{next(count)}}}", text)


def collect() -> dict[str, str]:
    """Return all texts, and where each is."""
    found: dict[str, str] = {}
    for part in PARTS:
        path = SOURCE / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            for text, line in texts(file):
                found.setdefault(text, f"{file.relative_to(SOURCE).as_posix()}:{line}")
    return found


def read(path: Path) -> dict[str, str]:
    """Return the translations of a .ts file."""
    if not path.is_file():
        return {}
    messages = ElementTree.parse(path).iter("message")
    return {one.findtext("source", ""): one.findtext("translation", "") for one in messages}


def write(path: Path, translations: dict[str, str]) -> None:
    """Write a .ts file, sorted by source."""
    root = ElementTree.Element("TS", version="2.1", language=path.stem, sourcelanguage="en")
    context = ElementTree.SubElement(root, "context")
    ElementTree.SubElement(context, "name").text = CONTEXT
    for source, translated in sorted(translations.items()):
        message = ElementTree.SubElement(context, "message")
        ElementTree.SubElement(message, "source").text = source
        target = ElementTree.SubElement(message, "translation")
        target.text = translated
        if not translated:
            target.set("type", "unfinished")
    ElementTree.indent(root, " ")
    text = ElementTree.tostring(root, "unicode")
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n{text}\n', "utf-8")


def is_text(text: str) -> bool:
    """Return True for what users may read: no style sheets, names of keys and the like."""
    words = re.sub(r"\{\d?\}", "", text)
    code = re.search(r"[{}<>]|[a-z-]+: [^;]*;|^[#.*/]|::|</|\w_\w|\w\.\w+\.\w", words)
    spoken = "{" in text or " " in words.strip() or words[:1].isupper()
    return not code and spoken and re.search(r"[A-Za-z]{2}", words) is not None


def update(path: Path) -> tuple[int, int]:
    """Add new texts to a .ts file and remove old ones; return how many of how many are done."""
    known = read(path)
    # A single word in lower case is rarely a text: such are added by hand.
    found = [text for text in collect() if is_text(text) or known.get(text)]
    wanted = {text: known.get(text, "") for text in found}
    write(path, wanted)
    return sum(map(bool, wanted.values())), len(wanted)


def compile_all() -> None:
    """Write the .qm files."""
    here = Path(sys.executable).parent / "lrelease", shutil.which("lrelease")
    beside = importlib.util.find_spec("PySide6")
    paths = [*here, *(Path(place) / "lrelease" for place in _folders(beside))]
    tool = next((path for path in paths if path and Path(path).is_file()), None)
    if tool is None:
        sys.exit("lrelease is missing. Install PySide6, or Qt's tools.")
    for path in sorted(FOLDER.glob("*.ts")):
        subprocess.run([tool, "-silent", path, "-qm", path.with_suffix(".qm")], check=True)


def _folders(spec: object) -> list[str]:
    return list(getattr(spec, "submodule_search_locations", None) or [])


def main() -> None:
    """Update or compile all languages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true", help="write the .qm files")
    if parser.parse_args().compile:
        compile_all()
        return
    for path in sorted(FOLDER.glob("*.ts")):
        done, total = update(path)
        print(f"{path.name}: {done} of {total} texts are translated")


if __name__ == "__main__":
    main()

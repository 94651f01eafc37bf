"""The messages of the program, read from its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "napari_pixcell"
HOLE = "□"  # for whatever a message names
SHORTEST = 30  # characters of a message; shorter ones are parts of others
SENTENCES = re.compile(r"[.”] [A-Z“].*\.$")  # two or more
RAISED = ("PixCellError", "say")  # calls that show their first text to the user
# The first folder or file that fits names the subject of a message.
SUBJECTS = {
    "Slides": ("slides/",),
    "Cells from other tools": ("cells/reading/", "cells/slide_cells.py", "cells/labelled_files.py"),
    "Measuring IHC": ("cells/ihc/", "studio/measures.py", "cli/measure.py"),
    "Layouts": ("cells/", "studio/cells/", "cli/layout.py", "cli/segment.py"),
    "Styles and similar tissue": ("engine/styles/", "studio/styles/", "studio/similar.py"),
    "Training": ("engine/training/", "studio/controls/", "studio/stains/training.py"),
    "Generating": ("engine/", "worker/", "studio/generation/", "studio/regions/"),
    "Results and sessions": ("studio/results/", "studio/saving/"),
    "Models": ("models/", "networks/", "verification/"),
    "Clusters": ("cluster/",),
    "Do the pairs help?": ("evaluation/",),
    "Datasets": ("datasets/", "studio/datasets/", "studio/review/"),
    "Command line": ("cli/",),
    "Files and settings": ("",),
}


def markdown() -> str:
    """Return all messages as lists, one a subject."""
    found: dict[str, set[str]] = {subject: set() for subject in SUBJECTS}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        subject = next(one for one, starts in SUBJECTS.items() if name.startswith(starts))
        tree = ast.parse(path.read_text("utf-8"))
        # Texts that the window returns or names are help and tooltips.
        found[subject].update(messages(tree, named=not name.startswith("ui/")))
    parts = []
    for subject, texts in found.items():
        lines = [f"- {escaped(text)}" for text in sorted(texts, key=sorting)]
        parts.append("\n".join((f"## {subject}\n", *lines)))
    return "\n\n".join(parts)


def messages(tree: ast.AST, named: bool = True) -> Iterator[str]:
    """Iterate over the messages that a module shows, with holes where they are filled in.

    They are what it raises and says and, if ``named``, the texts of several sentences that it
    returns or gives to a constant.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node.func) in RAISED:
            texts = [text_of(argument) for argument in node.args]
            yield from (text for text in texts if text and len(text) > SHORTEST and text[-1] == ".")
        elif named and (isinstance(node, ast.Return) or is_constant(node)):
            text = text_of(node.value)  # type: ignore[attr-defined]
            if text and SENTENCES.search(text):
                yield text


def is_constant(node: ast.AST) -> bool:
    """Whether a value is given to a constant."""
    names = node.targets if isinstance(node, ast.Assign) else ()
    return bool(names) and all(isinstance(one, ast.Name) and one.id.isupper() for one in names)


def called(function: ast.expr) -> str:
    """Return the name of what is called."""
    return str(getattr(function, "id", getattr(function, "attr", "")))


def text_of(node: ast.AST | None) -> str | None:
    """Return the text of a string or f-string, with holes; None if it is neither."""
    if isinstance(node, ast.JoinedStr):
        parts = (one.value if isinstance(one, ast.Constant) else HOLE for one in node.values)
        text = "".join(map(str, parts))
    elif isinstance(node, ast.Call) and called(node.func) == "format":
        return text_of(getattr(node.func, "value", node.func))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = re.sub(r"\{\w*\}", HOLE, node.value)
    else:
        return None
    return re.sub(r"\s+", " ", text).strip()


def sorting(text: str) -> str:
    """Return a key that ignores signs, so that messages stand by their first word."""
    return re.sub(r"[^\w ]", "", text).strip().lower()


def escaped(text: str) -> str:
    """Return a message as Markdown, with “…” for its holes."""
    safe = re.sub(r"([\\`*_\[\]#])", r"\\\1", text).replace("<", "&lt;")
    return re.sub(rf"{HOLE}+", "…", safe)

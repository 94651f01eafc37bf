"""Each message that the troubleshooting page quotes exists in the program."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
HOLE = "□"  # for whatever a message names
LEAST = 60  # messages


def strings(tree: ast.AST) -> set[str]:
    """Return the texts of a module, with holes where they are filled in."""
    texts = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
            texts.add("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(re.sub(r"\{\w*\}", HOLE, node.value))
    return {re.sub(r"\s+", " ", text) for text in texts}


@cache
def in_program() -> str:
    """Return all texts of the program, one a line."""
    files = sorted((ROOT / "src" / "napari_pixcell").rglob("*.py"))
    return "\n".join(text for file in files for text in strings(ast.parse(file.read_text("utf-8"))))


def quoted() -> list[str]:
    """Return the messages in the first columns of the page's tables."""
    rows = re.findall(r"^\| (.+?) \| .+ \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return [row for row in rows if row not in ("message", "---")]


def with_holes(message: str) -> str:
    return re.sub(r"\*[A-Z]+\*", HOLE, message)


def test_the_page_explains_the_messages_that_users_meet() -> None:
    assert len(quoted()) >= LEAST
    assert len(set(quoted())) == len(quoted())


def test_quoted_messages_exist() -> None:
    assert not [message for message in quoted() if with_holes(message) not in in_program()]


def test_a_message_that_does_not_exist_is_noticed() -> None:
    assert with_holes("The *THING* cannot be foreseen.") not in in_program()

"""Each message that the troubleshooting page quotes exists in the program."""

from __future__ import annotations

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
LEAST = 60  # messages


@cache
def tool() -> ModuleType:
    """Return the generator that reads messages from the source."""
    path = ROOT / "docs" / "tools" / "messages.py"
    spec = importlib.util.spec_from_file_location("docs_tools_messages", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def in_program() -> str:
    """Return all texts of the program, one a line."""
    files = sorted((ROOT / "src" / "napari_pixcell").rglob("*.py"))
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8"))))
    return "\n".join({text for node in nodes if (text := tool().text_of(node))})


def quoted() -> list[str]:
    """Return the messages in the first columns of the page's tables."""
    rows = re.findall(r"^\| (.+?) \| .+ \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return [row for row in rows if row not in ("message", "---")]


def with_holes(message: str) -> str:
    return re.sub(r"\*[A-Z]+\*", tool().HOLE, message)


def test_the_page_explains_the_messages_that_users_meet() -> None:
    assert len(quoted()) >= LEAST
    assert len(set(quoted())) == len(quoted())


def test_quoted_messages_exist() -> None:
    assert not [message for message in quoted() if with_holes(message) not in in_program()]


def test_a_message_that_does_not_exist_is_noticed() -> None:
    assert with_holes("The *THING* cannot be foreseen.") not in in_program()


def test_the_list_of_messages_is_read_from_the_source() -> None:
    source = """
raise PixCellError(f"“{name}” has no pixels of *tissue* at all. Move it.")
notices.say(SECTION, "The disk of {folder} is full. Free some space on it.".format(folder=1))
return "Ask for access. Then retry."
raise ValueError("This is a fault of the program and is not shown.")
"""
    found = sorted(tool().messages(ast.parse(source)), key=tool().sorting)
    assert found == [
        "Ask for access. Then retry.",
        "“□” has no pixels of *tissue* at all. Move it.",
        "The disk of □ is full. Free some space on it.",
    ]
    assert len(list(tool().messages(ast.parse(source), named=False))) == 2
    assert tool().escaped(found[1]) == r"“…” has no pixels of \*tissue\* at all. Move it."

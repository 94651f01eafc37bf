"""Commands in the documents have the options that they are typed with, by their present names."""

from __future__ import annotations

import argparse
import re
from functools import cache

from doc_tools import DOCS

from napari_pixcell.cli.program import parser

ROOT = DOCS.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
TYPED = re.compile(r"(?<![\w/-])napari-pixcell ([a-z][^`#\n|;&)]*)")
NAMED = re.compile(r"`([a-z]+(?:-[a-z]+)?(?: [^`\n]*)? --[^`\n]*)`")  # `generate --repair`
OPTION = re.compile(r"(?<!\S)--[a-z][\w-]*")


@cache
def known() -> dict[str, frozenset[str]]:
    """Return the options of each command, without those that are hidden, as former names are."""
    found: dict[str, frozenset[str]] = {}

    def add(one: argparse.ArgumentParser, name: str) -> None:
        shown = (action for action in one._actions if action.help != argparse.SUPPRESS)
        found[name] = frozenset(text for action in shown for text in action.option_strings)
        for action in one._actions:
            if isinstance(action, argparse._SubParsersAction):
                for word, child in action.choices.items():
                    add(child, f"{name} {word}".strip())

    add(parser(), "")
    return found


def wrong(text: str) -> list[str]:
    """Return the options in a text that its command does not have."""
    found = []
    text = text.replace("\\\n", " ")
    for typed in TYPED.findall(text) + NAMED.findall(text):
        words = typed.split()
        name = " ".join(words[:2]) if " ".join(words[:2]) in known() else words[0]
        options = known().get(name, frozenset(OPTION.findall(typed)))  # none of another program
        found += [f"{name} {option}" for option in OPTION.findall(typed) if option not in options]
    return found


def test_options_of_commands_exist() -> None:
    found = {page.name: wrong(page.read_text("utf-8")) for page in PAGES}
    assert not {name: options for name, options in found.items() if options}


def test_options_that_do_not_exist_and_former_names_are_found() -> None:
    text = "`generate --redo 3`\n```sh\nnapari-pixcell dataset make R \\\n --out A --count\n```\n"
    assert wrong(text) == ["dataset make --count", "generate --redo"]

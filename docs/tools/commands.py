"""Reference of all commands, out of the parsers themselves: ``python docs/tools/commands.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from napari_pixcell.cli.program import parser

HEAD = """# Commands

Type `napari-pixcell COMMAND` or `python -m napari_pixcell COMMAND`.
Each command shows its options with `--help`. [Exit codes](exit-codes.md) say how a command ended.
"""
EVERYWHERE = "output"  # title of the options that all commands have
UNTITLED = "positional arguments", "options"
WIDTH = 100  # characters of a line


def markdown() -> str:
    """Return the reference as Markdown."""
    commands = list(_commands(parser()))
    parts = [HEAD, "\n".join(_summary(command) for command in commands)]
    parts += ["## Options of every command", _table(_group(commands[0], EVERYWHERE))]
    for command in commands:
        parts += _section(command)
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _commands(program: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Iterate over the commands, those of groups included."""
    for action in program._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _commands(inner)
            return
    yield program


def _name(command: argparse.ArgumentParser) -> str:
    return command.prog.split(" ", 1)[1]


def _summary(command: argparse.ArgumentParser) -> str:
    name = _name(command)
    return f"- [`{name}`](#{name.replace(' ', '-')}) – {command.description}"


def _section(command: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## {_name(command)}"
    yield command.description or ""
    usage = argparse.HelpFormatter(command.prog, width=WIDTH)
    usage.add_usage(None, command._actions, command._mutually_exclusive_groups, "")
    yield f"```text\n{usage.format_help().strip()}\n```"
    own = [group for group in command._action_groups if group.title != EVERYWHERE]
    yield _table(*(group for group in own if group.title in UNTITLED))
    for group in own:
        if group.title not in UNTITLED:
            yield f"**{str(group.title).capitalize()}**"
            yield _table(group)
    if command.epilog:
        lines = [line.strip() for line in command.epilog.splitlines()[1:]]
        yield "```sh\n" + "\n".join(lines) + "\n```"


def _group(command: argparse.ArgumentParser, title: str) -> argparse._ArgumentGroup:
    return next(group for group in command._action_groups if group.title == title)


def _shown(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [
        action
        for action in group._group_actions
        if action.help != argparse.SUPPRESS and not isinstance(action, argparse._HelpAction)
    ]


def _table(*groups: argparse._ArgumentGroup) -> str:
    """Return a table of arguments; empty if there are none."""
    rows = ["| argument | meaning |", "| --- | --- |"]
    actions = [action for group in groups for action in _shown(group)]
    for action in actions:
        words = " ".join(str(action.help or "").split())
        words = words % {**vars(action), "prog": "napari-pixcell"}
        needed = " **Required.**" if action.required and action.option_strings else ""
        rows.append(f"| `{_escaped(_typed(action))}` | {_escaped(words)}{needed} |")
    return "\n".join(rows) if actions else ""


def _typed(action: argparse.Action) -> str:
    """Return an argument as it is typed."""
    value = action.metavar or action.dest.upper()
    if action.choices is not None:
        value = "{" + ",".join(map(str, action.choices)) + "}"
    if not action.option_strings:
        return f"{value}…" if action.nargs in ("+", "*") else str(value)
    names = ", ".join(action.option_strings)
    if action.nargs == 0:
        return names
    repeated = {"?": f"[{value}]", "+": f"{value}…"}.get(str(action.nargs), value)
    return f"{names} {repeated}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.stdout.write(markdown())

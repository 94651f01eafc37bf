"""Tables and results for people."""

from __future__ import annotations

import io
import json
import sys

import pytest

from napari_pixcell.cli.main import main
from napari_pixcell.cli.tables import print_facts, print_table, words_of

COLUMNS = ("name", "tiles", "size", "title")
ROWS = [
    ("demo", 4, "35 MB", "Demo"),
    ("pixcell-1024", 12_000, "5.5 GB", "A title that is longer than narrow terminals are wide"),
    ("other", 7, "–", "[bold]brackets[/bold]"),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_numbers_stand_to_the_right_and_nothing_is_cut_in_a_pipe(capsys) -> None:
    print_table(COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "name          tiles    size  title",
        "demo              4   35 MB  Demo",
        "pixcell-1024  12000  5.5 GB  A title that is longer than narrow terminals are wide",
        "other             7       –  [bold]brackets[/bold]",
    ]


@pytest.mark.parametrize("width", [30, 50, 90])
def test_a_table_fits_a_terminal_and_loses_no_text(width, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    print_table(COLUMNS, ROWS)
    lines = [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in
             shown.getvalue().splitlines()]  # fmt: skip
    assert max(map(len, lines)) <= width
    letters = "".join(sorted("".join(lines).replace(" ", "")))
    expected = "".join(str(cell) for row in [COLUMNS, *ROWS] for cell in row)
    assert letters == "".join(sorted(expected.replace(" ", "")))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "unknown"),
        (True, "yes"),
        (0.5, "0.5"),
        ([1, 2], "1, 2"),
        ([], "none"),
        ([None], "none"),
        ({"tumour": 3, "stroma": 1}, "tumour 3, stroma 1"),
        ({}, "none"),
    ],
)
def test_values_are_put_into_words(value, words) -> None:
    assert words_of(value) == words


def test_a_long_list_has_a_line_for_each_item(capsys) -> None:
    print_facts({"short": ["a", "b"], "long": ["x" * 60, "y" * 60]})
    assert capsys.readouterr().out == f"short: a, b\nlong:\n  {'x' * 60}\n  {'y' * 60}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["info", "sample"],
        ["models", "list"],
        ["models", "check", "demo"],
        ["styles", "list"],
        ["dataset", "status"],
        ["dataset", "schema"],
        ["layout", "invent", "--size", "64x64", "--out", "m.tif", "--force"],
        ["measure", "sample", "--region", "400,400,256,256"],
    ],
)
def test_commands_report_to_people_and_to_programs(words, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 0
    for_people = capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert for_people.strip() and isinstance(document, dict) and document
    if words != ["dataset", "schema"]:
        assert "{" not in for_people and "None" not in for_people

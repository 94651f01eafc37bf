"""Exit codes, and errors for people and for programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from napari_pixcell.cli import info
from napari_pixcell.cli.exit_codes import ExitCode, FindingsError
from napari_pixcell.cli.main import main
from napari_pixcell.cli.options import Command, cancelled, checked
from napari_pixcell.errors import PixCellError

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "exit-codes.md"


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch):
    """A function that runs ``info`` with another ending, and returns its exit code."""

    def ends(ending: object, *options: str) -> int:
        def work(_: object) -> dict[str, object]:
            if isinstance(ending, BaseException):
                raise ending
            return dict(ending)  # type: ignore[call-overload]

        monkeypatch.setattr(info, "info", Command("info", work, ()))
        return main(["info", *options])

    return ends


@pytest.mark.parametrize(
    ("ending", "code", "printed"),
    [
        ({"a": 1}, 0, {"a": 1}),
        (PixCellError("It failed."), 1, {"error": "It failed."}),
        (FindingsError("It is damaged."), 3, {"error": "It is damaged."}),
        (checked(False, {"whole": False}), 3, {"whole": False}),
        (checked(True, {"whole": True}), 0, {"whole": True}),
        (KeyboardInterrupt(), 130, {"cancelled": True}),
        (cancelled(folder="x"), 130, {"cancelled": True, "folder": "x"}),
        (FileNotFoundError(2, "No such file", "/a/b.svs"), 1, None),
    ],
)
def test_each_ending_has_its_exit_code_and_one_json_document(ends, capsys, ending, code, printed):
    assert ends(ending, "--json") == code
    document = json.loads(capsys.readouterr().out)
    if printed is None:
        assert "“b.svs” cannot be read or written" in document["error"]
    else:
        assert document == printed
    assert ends(ending) == code
    said = capsys.readouterr()
    if isinstance(ending, PixCellError):
        assert said.out == "" and said.err == f"{ending}\n"
    assert ends(ending, "--quiet") == code
    assert (capsys.readouterr().err != "") == isinstance(ending, BaseException)


def test_a_wrong_option_ends_with_usage(capsys) -> None:
    assert main(["info", "a.svs", "--jsn"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("Usage: napari-pixcell info ")
    assert said.err.endswith("error: unrecognized arguments: --jsn; did you mean --json?\n")
    assert main(["info", "a.svs", "b.svs"]) == 2
    assert capsys.readouterr().err.endswith("error: unrecognized arguments: b.svs\n")
    assert main(["info", "--json"]) == 2
    said = capsys.readouterr()
    assert "SLIDE" in json.loads(said.out)["error"] and "Usage:" in said.err
    assert main(["unknown"]) == 2
    assert "invalid choice: 'unknown'" in capsys.readouterr().err
    assert main([]) == 2


def test_a_mistake_of_ours_is_not_hidden_and_is_json_too(ends, capsys) -> None:
    with pytest.raises(ZeroDivisionError):
        ends(ZeroDivisionError("x"), "--json")
    error = json.loads(capsys.readouterr().out)["error"]
    assert error.startswith("An unexpected error occurred (ZeroDivisionError).")


def test_every_exit_code_is_documented() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE.read_text("utf-8"), re.M)
    assert [(int(number), name) for number, name in rows] == [
        (code.value, code.name) for code in ExitCode
    ]


def test_the_module_is_the_program(tmp_path: Path) -> None:
    def ran(*command: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, *command, "info", str(tmp_path / "none.svs")],
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    module, inner = ran("-m", "napari_pixcell"), ran("-m", "napari_pixcell.cli")
    assert module == inner and module[0] == 1 and "none.svs" in module[2]

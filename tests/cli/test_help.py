"""``--help``: defaults, examples, names of options, narrow terminals and colours."""

from __future__ import annotations

import argparse
import importlib.util
import pkgutil
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import napari_pixcell.cli
from napari_pixcell.cli import program
from napari_pixcell.cli.main import main
from napari_pixcell.cli.options import Command

REFERENCE = Path(__file__).parents[2] / "docs" / "tools" / "commands.py"
CODES = re.compile(r"\x1b\[[\d;]*m")
COLOURS = re.compile(r"\x1b\[(\d+;)*[34]\d")


def commands(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return [one for inner in action.choices.values() for one in commands(inner)]
    return [parser]


ALL = commands(program.parser())
NAMES = [command.prog.removeprefix("napari-pixcell ") for command in ALL]


def shown(command: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in command._actions if action.help != argparse.SUPPRESS]


def test_all_commands_of_all_modules_are_listed() -> None:
    declared = set()
    for module in pkgutil.iter_modules(napari_pixcell.cli.__path__):
        if module.name != "__main__":
            found = importlib.import_module(f"napari_pixcell.cli.{module.name}")
            declared |= {one.name for one in vars(found).values() if isinstance(one, Command)}
    assert set(NAMES) == declared and len(NAMES) == len(declared)


@pytest.mark.parametrize("command", ALL, ids=NAMES)
def test_each_command_shows_defaults_and_examples_that_can_be_typed(command) -> None:
    text = " ".join(CODES.sub("", command.format_help()).split())
    assert text.startswith(f"Usage: {command.prog} ")
    for action in shown(command):
        plain = action.default in (None, False, argparse.SUPPRESS) or action.default in ([], "")
        assert plain or action.required or "default" in str(action.help), action.dest
        assert action.help, action.dest
    head, *examples = command.epilog.splitlines()
    assert head == "Examples:" and examples
    for line in examples:
        program_, *words = shlex.split(line.split(" > ")[0])
        assert program_ == "napari-pixcell" and " ".join(words).startswith(command.prog[15:])
        parsed = program.parser(words).parse_args(words)
        assert parsed.command is not None


def test_the_same_option_has_the_same_form_everywhere() -> None:
    forms: dict[str, set[object]] = defaultdict(set)
    for command in ALL:
        for action in shown(command):
            for name in action.option_strings:
                forms[name].add((action.dest, action.type, action.nargs))
    # What --plan and --count do differs, and so do methods; but not how they are typed.
    assert {name: form for name, form in forms.items() if len(form) > 1} == {}


def test_usual_things_have_usual_names() -> None:
    for command in ALL:
        names = {name for action in shown(command) for name in action.option_strings}
        assert not names & {"--output", "--folder-out", "--threads", "--jobs", "--gpu", "--verbose"}
        assert {"--json", "--quiet", "--log-file", "--debug"} <= names


def test_commands_that_run_networks_let_the_device_be_chosen() -> None:
    with_device = {
        name
        for name, command in zip(NAMES, ALL, strict=True)
        if any("--device" in action.option_strings for action in shown(command))
    }
    assert with_device == {
        *("embed", "segment", "generate", "rerun", "similar", "stain", "demo"),
        *("train-stain", "train-control", "models verify"),
        *(f"dataset {name}" for name in ("make", "twin", "resume", "prepare", "evaluate")),
    }


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 60, 200])
def test_help_fits_the_terminal(capsys, monkeypatch, width) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = help_of(capsys, "segment").split("Examples:")[0]
    longest = max(len(line) for line in text.splitlines())
    assert longest <= width
    assert longest > width - 30


def test_help_has_colours_on_terminals_unless_they_are_not_wanted(capsys, monkeypatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert not CODES.search(help_of(capsys, "info"))  # a pipe
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert COLOURS.search(help_of(capsys, "info"))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not COLOURS.search(help_of(capsys, "info"))


def test_brackets_in_help_are_shown_as_they_are(capsys) -> None:
    assert "--stain NAME[,NAME…]" in help_of(capsys, "stain")
    assert "--gpus all|0,1" in help_of(capsys, "dataset", "make")


def test_former_names_of_options_still_work_with_a_message(run, tmp_path) -> None:
    assert "--count" not in ALL[NAMES.index("dataset make")].format_help()
    assert "--output" not in ALL[NAMES.index("dataset evaluate")].format_help()
    (tmp_path / "r.json").write_text("{}")
    found = run("dataset", "make", tmp_path / "r.json", "--count")
    assert "--count is now --plan. The former name will be removed." in found["stderr"]
    out = tmp_path / "m.tif"
    run("layout", "invent", "--size", "256x256", "--out", out)
    moved = run("layout", "export", out, tmp_path / "n.tif")
    assert moved["code"] == 0 and "Name the output with --out." in moved["stderr"]
    named = run("layout", "export", out, "--out", tmp_path / "o.tif")
    assert named["code"] == 0 and named["stderr"] == ""
    assert named["written"] == [str(tmp_path / "o.tif")]
    missing = run("layout", "export", out)
    assert (missing["code"], missing["error"]) == (1, "No output is named. Add --out.")


def test_the_former_name_of_the_results_of_an_evaluation_works(run, tmp_path) -> None:
    words = ["dataset", "evaluate", str(tmp_path), "--real", str(tmp_path), "--output", "x"]
    assert program.parser(words).parse_args(words).out == Path("x")


def test_the_sample_slide_can_be_named_unless_a_file_is_called_so(
    run, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("info", "sample")["mpp"] == 0.5
    (tmp_path / "sample").write_text("mine")
    assert "sample" in run("info", "sample")["error"]


IMPORTED = "import sys; from napari_pixcell.cli.main import main\n" + (
    "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    "print(*(m for m in ('torch', 'napari', 'qtpy', 'diffusers', 'scipy', 'shtab', 'rich.progress')"
    " if m in sys.modules), file=sys.stderr)"
)


@pytest.mark.parametrize(
    ("words", "most"),
    [(["--help"], {"scipy"}), (["generate", "--help"], {"scipy"}), (["info", "sample"], set())],
)
def test_the_command_line_starts_without_networks_or_a_window(words, most) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *words], capture_output=True, text=True, check=True
    )
    assert set(done.stderr.split()) <= most


def test_the_reference_describes_every_command_and_option() -> None:
    spec = importlib.util.spec_from_file_location("commands_reference", REFERENCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.markdown()
    parts = dict(zip(NAMES, re.split(r"^## .*\n", text, flags=re.M)[2:], strict=True))
    for name, command in zip(NAMES, ALL, strict=True):
        assert f"[`{name}`](#{name.replace(' ', '-')})" in text and f"\n## {name}\n" in text
        for action in shown(command):
            for option in set(action.option_strings) - {"-h", "--help"}:
                assert option in parts[name], (name, option)
    assert "SUPPRESS" not in text and "--output" not in text and "%(" not in text

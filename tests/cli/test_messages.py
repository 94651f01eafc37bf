"""``--quiet``, ``--log-file`` and ``--debug``."""

from __future__ import annotations

import json
import logging
import os
import re
import warnings
from pathlib import Path

import parallel_engines
import pytest
from drawn_engine import drawn_recipe

from napari_pixcell.cli import dataset, dataset_processes, info
from napari_pixcell.cli.main import main
from napari_pixcell.cli.messages import LOG_FILE, QUIET, note, worker_messages
from napari_pixcell.cli.options import Command
from napari_pixcell.errors import PixCellError

STAMP = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "


@pytest.fixture
def talks(monkeypatch: pytest.MonkeyPatch) -> None:
    """``info`` tells of its work, and fails if it is asked about “bad”."""

    def work(options: object) -> dict[str, object]:
        note("A message.")
        logging.getLogger("napari_pixcell.somewhere").warning("A warning.")
        logging.getLogger("napari_pixcell.somewhere").info("A step.")
        logging.getLogger("napari_pixcell.somewhere").debug("A detail.")
        if "bad" in options.arguments:  # type: ignore[attr-defined]
            raise PixCellError("It failed.")
        return {"done": True}

    def slide(parser) -> None:
        parser.add_argument("slide", nargs="?")

    monkeypatch.setattr(info, "info", Command("info", work, (slide,)))


def test_messages_and_warnings_are_shown_and_steps_are_not(talks, capsys) -> None:
    assert main(["info"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("done: yes\n", "A message.\nA warning.\n")


def test_quiet_leaves_the_result_and_errors(talks, capsys) -> None:
    assert main(["info", "--quiet"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("done: yes\n", "")
    assert main(["info", "bad", "--quiet"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "It failed.\n")


def test_debug_shows_every_step(talks, capsys) -> None:
    assert main(["info", "bad", "--debug"]) == 1
    said = capsys.readouterr().err
    assert "DEBUG:napari_pixcell.somewhere:A detail." in said and "Traceback" in said


def test_the_log_file_holds_everything_with_time_stamps(talks, capsys, tmp_path: Path) -> None:
    file = tmp_path / "run.log"
    assert main(["info", "--quiet", "--log-file", str(file)]) == 0
    assert main(["info", "bad", "--json", "--log-file", str(file)]) == 1
    text = file.read_text("utf-8")
    for words in ("A message.", "A warning.", "A step.", "A detail."):
        assert len(re.findall(f"{STAMP}.*{re.escape(words)}$", text, re.M)) == 2
    assert f"info --quiet --log-file {file}" in text
    assert 'result: {"done": true}' in text and "PixCellError: It failed." in text
    assert re.findall(r"exit code (\d+)", text) == ["0", "1"]
    assert "A step." not in capsys.readouterr().err


def test_a_log_file_that_cannot_be_written_is_refused(talks, run, tmp_path: Path) -> None:
    refused = run("info", "--log-file", tmp_path / "no" / "run.log")
    assert refused["code"] == 1
    assert "“run.log” cannot be read or written: No such file" in refused["error"]


def test_nothing_is_left_behind(talks, tmp_path: Path, capsys) -> None:
    package = logging.getLogger("napari_pixcell")
    before = logging.getLogger().handlers[:], package.level, dict(os.environ)
    main(["info", "bad", "--quiet", "--log-file", str(tmp_path / "a"), "--device", "cpu"])
    main(["info", "bad", "--quiet", "--log-file", str(tmp_path / "a")])
    assert before == (logging.getLogger().handlers[:], package.level, dict(os.environ))


def test_worker_processes_write_to_the_same_file(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(parallel_engines.ACTED, str(tmp_path / "acted"))
    monkeypatch.setattr(dataset, "engine", parallel_engines.BlockEngine)
    monkeypatch.setattr(dataset_processes, "start_engine", logging_engine)
    recipe, file = tmp_path / "recipe.json", tmp_path / "run.log"
    recipe.write_text(json.dumps(drawn_recipe().to_dict()))
    options = ("--workers", 1, "--first", 2, "--quiet", "--log-file", file)
    made = run("dataset", "make", recipe, "--out", tmp_path / "data", *options)
    assert made["code"] == 0 and made["stderr"] == ""
    text = file.read_text("utf-8")
    assert "2 of 12 pairs" in text
    started = set(re.findall(r"\[(\d+)\] A worker has started", text))
    assert started and str(os.getpid()) not in started


def logging_engine():
    """Start an engine that draws, as :func:`dataset_processes.start_engine` starts a real one."""
    worker_messages()
    logging.getLogger("napari_pixcell.worker").debug("A worker has started")
    return parallel_engines.whole()


def test_a_worker_of_a_loud_command_shows_warnings(monkeypatch, capsys) -> None:
    monkeypatch.delenv(QUIET, raising=False)
    monkeypatch.delenv(LOG_FILE, raising=False)
    root, package = logging.getLogger(), logging.getLogger("napari_pixcell")
    before, level = root.handlers[:], package.level
    try:
        worker_messages()
        package.warning("Memory is short.")
    finally:
        for handler in set(root.handlers) - set(before):
            root.removeHandler(handler)
        package.setLevel(level)
    assert capsys.readouterr().err == "Memory is short.\n"


def test_warnings_of_python_are_no_part_of_the_result(talks, monkeypatch, capsys) -> None:
    def work(_: object) -> dict[str, object]:
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return {"done": True}

    monkeypatch.setattr(info, "info", Command("info", work, ()))
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"done": True}

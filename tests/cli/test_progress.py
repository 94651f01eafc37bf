"""Progress on a terminal, in a log of a batch system, and in the log file."""

from __future__ import annotations

import io
import itertools
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from pathlib import Path
from typing import Any

import pytest

from napari_pixcell.cli.messages import messages, note
from napari_pixcell.cli.progress import ProgressLine
from napari_pixcell.engine.events import Finished, Notice, Progress


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def line(clock: Clock, stderr: Any = None, **options: Any) -> Iterator[ProgressLine]:
    shown_on = redirect_stderr(stderr) if stderr is not None else nullcontext()
    with shown_on, messages(**options), ProgressLine(clock=clock) as shown:
        yield shown


def test_a_batch_system_gets_lines_at_the_start_every_half_minute_and_at_the_end(
    clock, capsys
) -> None:
    with line(clock) as shown:
        for done in range(101):
            shown.show("Making", done, 100)
            clock.now += 20
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["Making, 0 of 100", "Making, 2 of 100, 3/min, 33 min left"]
    assert lines[-1] == "Making, 100 of 100, 3/min"
    counts = [int(text.split()[1]) for text in lines]
    assert max(b - a for a, b in itertools.pairwise(counts)) == 2  # 40 s


def test_quick_work_gets_a_line_every_twentieth_but_no_flood(clock, capsys) -> None:
    with line(clock) as shown:
        for done in range(101):
            shown.show("Making", done, 100)
            clock.now += 1
    counts = [int(text.split()[1]) for text in capsys.readouterr().err.splitlines()]
    assert counts == list(range(0, 101, 5))
    with line(clock) as shown:
        for done in range(101):
            shown.show("Making", done, 100)
            clock.now += 0.01
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_the_rate_is_that_of_the_present_part_of_the_work(clock, capsys) -> None:
    with line(clock) as shown:
        shown.show("Reading", 0, 10)
        clock.now += 10
        shown.show("Reading", 10, 10)
        clock.now += 100  # a pause
        shown.show("Making", 40, 200)  # resumed at 40
        clock.now += 40
        shown.show("Making", 60, 200)
    assert capsys.readouterr().err.splitlines()[-1] == "Making, 60 of 200, 0.5/s, 5 min left"


@pytest.mark.parametrize(
    ("text", "numbers", "printed"),
    [
        ("Loading the model", (0, 0), "Loading the model"),
        ("Step 7 of 20 · error 0.1", (7, 20), "Step 7 of 20 · error 0.1"),
        ("7 of 20 pairs, 3 pairs/s, 4 s left", (7, 20), "7 of 20 pairs, 3 pairs/s, 4 s left"),
        ("Variant 1 of 4", (7, 80), "Variant 1 of 4, 8 %"),
        ("Decoding, 40 %", (7, 80), "Decoding, 40 %"),
    ],
)
def test_numbers_that_a_message_tells_are_not_repeated(
    clock, capsys, text, numbers, printed
) -> None:
    with line(clock) as shown:
        shown.show(text, *numbers)
    assert capsys.readouterr().err == f"{printed}\n"
    with line(clock) as shown:
        shown.show(text, numbers[0] - 1, numbers[1])
        clock.now += 1
        shown.show(text, *numbers)
    timed = numbers != (0, 0) and "%" not in text
    assert capsys.readouterr().err.splitlines()[-1].count("/s") == timed


def test_downloads_are_counted_in_bytes(clock, capsys) -> None:
    with line(clock) as shown:
        shown.show("Downloading", 0, 40_000_000, "bytes")
        clock.now += 31
        shown.show("Downloading", 20_000_000, 40_000_000, "bytes")
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "Downloading, 1 kB of 40 MB",
        "Downloading, 20 MB of 40 MB, 645 kB/s, 31 s left",
    ]


def test_events_of_an_engine_are_shown(clock, capsys) -> None:
    with line(clock) as shown:
        shown.emit(Progress(1, 4, "Variant 1 of 4"))
        shown.emit(Notice("Smaller batches are used."))
        shown.emit(Finished())
    assert capsys.readouterr().err == "Variant 1 of 4\nSmaller batches are used.\n"


def test_quiet_shows_nothing_and_the_log_file_holds_everything(clock, tmp_path, capsys) -> None:
    file = tmp_path / "a.log"
    with line(clock, quiet=True, log_file=file) as shown:
        shown.show("Making", 1, 4)
        note("A message.")
    assert capsys.readouterr().err == ""
    text = file.read_text("utf-8")
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ INFO .*Making, 1 of 4$", text, re.M)
    assert "A message." in text


# -- terminals -----------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    return Terminal()


def plain(text: str) -> list[str]:
    """Return what is written, line by line as it is overwritten, without escape sequences."""
    return [
        part for part in re.split(r"[\r\n]+", re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text)) if part
    ]


def test_a_terminal_shows_one_line_with_a_bar_that_is_rewritten(clock, terminal) -> None:
    with line(clock, terminal) as shown:
        for done in range(5):
            shown.show("Making", done, 4)
            clock.now += 2
    written = terminal.getvalue()
    assert written.count("\n") == 1 and written.endswith("\n\x1b[?25h")
    parts = plain(written)
    assert any("Making, 2 of 4, 0.5/s, 4 s left" in part and "━" in part for part in parts)
    assert "Making, 4 of 4, 0.5/s" in parts[-1]
    assert "\x1b[?25l" in written and written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_updates_of_a_terminal_are_limited(clock, terminal) -> None:
    with line(clock, terminal) as shown:
        for done in range(1000):
            shown.show("Making", done, 1000)
            clock.now += 0.001
    assert len(plain(terminal.getvalue())) < 30


def test_a_narrow_terminal_cuts_the_line(clock, terminal, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    with line(clock, terminal) as shown:
        shown.show("Making pairs of a dataset with a long name", 1, 4)
    (text,) = set(plain(terminal.getvalue()))
    assert text.startswith("Making pairs of a dataset") and text.endswith("…") and len(text) == 30


def test_messages_stay_above_the_line(clock, terminal) -> None:
    with line(clock, terminal) as shown:
        shown.show("Making", 1, 4)
        note("Pair 1 failed.")
        clock.now += 1
        shown.show("Making", 2, 4)
    written = terminal.getvalue()
    assert plain(written)[-1].startswith("━") and "Pair 1 failed.\n" in written
    assert written.index("Pair 1 failed.") < written.rindex("Making, 2 of 4")


def test_colours_can_be_turned_off(clock, terminal, monkeypatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with line(clock, terminal) as shown:
        shown.show("Making", 1, 4)
    assert not re.search(r"\x1b\[(\d+;)*[34]\d", terminal.getvalue())


def test_a_terminal_that_cannot_move_gets_lines(clock, terminal, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with line(clock, terminal) as shown:
        shown.show("Making", 1, 4)
    assert terminal.getvalue() == "Making, 1 of 4\n"


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_progress_that_nobody_reads_does_not_stop_the_work(kind, clock, monkeypatch) -> None:
    class Closed(kind):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with line(clock, Closed()) as shown:
        shown.show("half", 1, 2)
        note("done")
    monkeypatch.setattr(sys, "stderr", None)
    with line(clock) as shown:
        shown.show("half", 1, 2)


def test_the_result_of_a_real_command_is_alone_on_stdout(run, tmp_path: Path) -> None:
    region = ("--region", "400,400,256,256")
    out = ("--count", 2, "--steps", 2, "--out", tmp_path / "out")
    made = run("generate", "sample", *region, *out)
    assert made["code"] == 0 and "2 of 2, 100 %" in made["stderr"]
    quiet = run("generate", "sample", *region, *out[:-1], tmp_path / "b", "--quiet")
    assert quiet["code"] == 0 and quiet["stderr"] == ""

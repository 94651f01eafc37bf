"""Output to terminals and pipes of every kind."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_pixcell.cli import info
from napari_pixcell.cli.main import main
from napari_pixcell.cli.options import Command

TEXT = "25 µm · 2 × 2 → “a” …\ud800"


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("utf-8", "25 µm · 2 × 2 → “a” …?"),
        ("cp1252", "25 µm · 2 × 2 -> “a” …?"),
        ("ascii", '25 um - 2 x 2 -> "a" ...?'),
    ],
)
def test_characters_that_an_output_lacks_are_replaced(encoding, printed, monkeypatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(info, "info", Command("info", lambda _: {"found": TEXT}, ()))
    assert main(["info"]) == 0
    assert output.buffer.getvalue().decode(encoding) == f"found: {printed}\n"  # type: ignore[attr-defined]


LIST = [sys.executable, "-m", "napari_pixcell.cli", "models", "list"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_closed_pipe_ends_a_command_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(LIST, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert done.stderr == "" and done.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_behind_the_output_is_explained(monkeypatch, capsys) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["models", "list"]) == 1
    assert capsys.readouterr().err == "The output cannot be written (No space left on device).\n"


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_file_that_a_command_cannot_use_is_named(json, monkeypatch, capsys) -> None:
    def failing(_: object) -> dict[str, object]:
        raise PermissionError(13, "Permission denied", "/home/secret/styles.json")

    monkeypatch.setattr(info, "info", Command("info", failing, ()))
    assert main(["info", *json]) == 1
    printed = capsys.readouterr()
    text = printed.out if json else printed.err
    assert "styles.json" in text and "cannot be read or written: Permission denied" in text
    assert "secret" not in text

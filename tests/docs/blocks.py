"""Runs the code of a documentation page, as a reader would who copies it from top to bottom.

    from blocks import run_page

    def test_the_page_works(tmp_path):
        outputs = run_page(ROOT / "docs/tutorials/scripting.md", tmp_path)
        assert "4 variants" in outputs[-1]

- Blocks fenced as ```python share one namespace in this process. Those fenced as ```sh (or bash)
  run with ``bash -e``, each in a shell of its own. Both run in the order of the page, with the
  temporary folder as working directory, which they share. Any other block is text.
- ``napari-pixcell`` and ``python`` are those of the environment of the tests.
- A block under the comment ``<!-- not run: REASON -->`` is left out. The reason is required.
- A ```text block directly after another block is its output: each of its lines must be printed,
  in order. A line ``…`` or ``...`` stands for any others, and ``…`` within a line for any
  characters.
- ``before``, a mapping, holds names that Python blocks may use, for what a page takes as given.
- Returned is what each block printed. A block that fails, fails the test, and names its line.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PYTHON, SHELL, OUTPUT = ("python", "py"), ("sh", "bash"), ("text",)
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^`]*$")
NOT_RUN = re.compile(r"^\s*<!-- not run: (?P<reason>\S.*) -->\s*$")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Parameters
    ----------
    line : int
        Of its first line of code in the page, from 1.
    output : tuple of str
        Lines that it is said to print.
    """

    language: str
    code: str
    line: int
    output: tuple[str, ...] = ()


def blocks_of(page: Path) -> list[Block]:
    """Return the Python and shell blocks of a page that are to be run, in order."""
    found: list[Block] = []
    lines = page.read_text("utf-8").splitlines()
    at, skipped, previous = 0, False, None
    while at < len(lines):
        fence = FENCE.match(lines[at])
        if fence is None:
            if lines[at].strip():
                skipped, previous = NOT_RUN.match(lines[at]) is not None, None
            at += 1
            continue
        first = at + 1
        end = next(n for n in range(first, len(lines)) if lines[n].strip() == "```")
        code = [line.removeprefix(fence["indent"]) for line in lines[first:end]]
        language, at = fence["language"], end + 1
        if language in OUTPUT and previous is not None:
            found[-1] = Block(previous.language, previous.code, previous.line, tuple(code))
        previous = None
        if language in PYTHON + SHELL and not skipped:
            previous = Block(language, "\n".join(code) + "\n", first + 1)
            found.append(previous)
        skipped = False
    return found


def run_page(page: Path, folder: Path, before: Mapping[str, Any] | None = None) -> list[str]:
    """Run the blocks of a page in a folder, and return what each printed."""
    names: dict[str, Any] = {"__name__": "__main__", **(before or {})}
    outputs = []
    blocks = blocks_of(page)
    assert blocks, f"{page.name} has no block to run"
    for block in blocks:
        where = f"{page.name}, line {block.line}"
        with contextlib.chdir(folder):
            if block.language in PYTHON:
                printed = _run_python(block, page, names)
            else:
                printed = _run_shell(block, where)
        _compare(block.output, printed, where)
        outputs.append(printed)
    return outputs


def _run_python(block: Block, page: Path, names: dict[str, Any]) -> str:
    code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")  # lines of the page
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        exec(code, names)
    return stream.getvalue()


def _run_shell(block: Block, where: str) -> str:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", block.code],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, f"{where}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def _compare(expected: tuple[str, ...], printed: str, where: str) -> None:
    """Fail if the output that a page shows is not what its block printed."""
    if not expected:
        return
    pattern = ""
    for line in expected:
        if line.strip() in ("…", "..."):
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(map(re.escape, line.rstrip().split("…"))) + r"[ \t]*\n"
    shown = "\n".join(expected)
    assert re.fullmatch(pattern, printed.rstrip("\n") + "\n"), (
        f"{where}: the page shows\n{shown}\nbut the block printed\n{printed}"
    )

"""Runs the code of a documentation page, as a reader would who copies it from top to bottom.

    from blocks import run_page

    def test_the_page_works(tmp_path):
        outputs = run_page(ROOT / "docs/tutorials/scripting.md", tmp_path)
        assert "4 variants" in outputs[-1]

- Blocks fenced as ```python share one namespace in this process. Those fenced as ```sh (or bash)
  run with ``bash -e``, each in a shell of its own. Both run in the order of the page, with the
  temporary folder as working directory, which they share. Any other block is text.
- ``python`` is that of the environment of the tests. ``napari-pixcell`` runs in the process of the
  test, with the folder and the variables of the shell: a process of its own would import torch for
  each command. ``tests/cli`` and ``tests/packaging`` start it as it is installed. It is a process
  of its own with ``apart``, for tests whose process must stay without torch.
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
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from napari_pixcell.cli.main import main

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


def run_page(
    page: Path, folder: Path, before: Mapping[str, Any] | None = None, *, apart: bool = False
) -> list[str]:
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
                printed = _run_shell(block, where, apart)
        _compare(block.output, printed, where)
        outputs.append(printed)
    return outputs


def _run_python(block: Block, page: Path, names: dict[str, Any]) -> str:
    code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")  # lines of the page
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        exec(code, names)
    return stream.getvalue()


def _run_shell(block: Block, where: str, apart: bool) -> str:
    # No pipes: a process that a command leaves behind, such as the resource tracker, keeps its
    # standard error, and the end of a pipe would be waited for until that ends.
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder, "out"), Path(folder, "err")
        with paths[0].open("wb") as out, paths[1].open("wb") as err:
            code = _run_bash(block.code, out, err, apart)
        text, said = (path.read_text("utf-8") for path in paths)
    assert code == 0, f"{where}: exit code {code}\n{text}{said}"
    return text


def _run_bash(code: str, out: IO[bytes], err: IO[bytes], apart: bool) -> int:
    codes: list[int] = []

    def run(*first: str) -> None:
        places = (*first, str(Path(sys.executable).parent), os.environ.get("PATH", ""))
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", code],
            env={**os.environ, "PATH": os.pathsep.join(places)},
            stdout=out,
            stderr=err,
        )
        codes.append(done.returncode)

    if apart:
        run()
    else:
        _answering(run)
    return codes[0]


def _answering(run: Callable[[str], None]) -> None:
    """Run a shell in a thread, with a folder first in its path whose commands run in this one."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as commands:
        command = Path(folder) / "napari-pixcell"
        command.write_text(f"#!{sys.executable} -SE\n{_FORWARD}", encoding="utf-8")
        command.chmod(0o755)
        commands.bind(f"{folder}/commands")
        commands.listen()

        def shell() -> None:
            try:
                run(folder)
            finally:
                with socket.socket(socket.AF_UNIX) as last:  # nothing is asked: it has ended
                    last.connect(f"{folder}/commands")

        thread = threading.Thread(target=shell)
        thread.start()
        while _answer(commands):
            pass
        thread.join()


# Sends a command to the process of the test, with its output, and waits for the exit code.
_FORWARD = """
import array, json, os, socket, sys
asked = {"arguments": sys.argv[1:], "folder": os.getcwd(), "variables": dict(os.environ)}
with socket.socket(socket.AF_UNIX) as test:
    test.connect(os.path.join(os.path.dirname(sys.argv[0]), "commands"))
    outputs = array.array("i", [1, 2])
    test.sendmsg([b" "], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, outputs)])
    test.sendall(json.dumps(asked).encode())
    test.shutdown(socket.SHUT_WR)
    sys.exit(int(test.recv(8)))
"""


def _answer(commands: socket.socket) -> bool:
    """Run the next command of a shell. Return False once the shell has ended."""
    shell, _ = commands.accept()
    with shell:
        _, outputs, _, _ = socket.recv_fds(shell, 1, 2)
        if not outputs:
            return False
        with contextlib.ExitStack() as stack:
            out, err = (
                stack.enter_context(os.fdopen(output, "w", encoding="utf-8")) for output in outputs
            )
            asked = json.loads(stack.enter_context(shell.makefile()).read())
            stack.enter_context(contextlib.redirect_stdout(out))
            stack.enter_context(contextlib.redirect_stderr(err))
            stack.enter_context(contextlib.chdir(asked["folder"]))
            stack.enter_context(_environment(asked["variables"]))
            try:
                code = int(main(asked["arguments"]))
            except SystemExit as left:
                code = int(left.code or 0)
            except Exception:
                traceback.print_exc()
                code = 1
        shell.sendall(str(code).encode())
    return True


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


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

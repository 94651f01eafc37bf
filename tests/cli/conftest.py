"""Commands, run as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from napari_pixcell.cli.main import main

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs a command with ``--json`` and returns its result.

    The result has two keys more: the exit code as ``code``, and all of stderr as ``stderr``.
    """

    def run(*arguments: object) -> dict[str, Any]:
        capsys.readouterr()
        code = main([*map(str, arguments), "--json"])
        printed = capsys.readouterr()
        return json.loads(printed.out) | {"code": code, "stderr": printed.err}

    return run

"""The console script ``napari-pixcell``: what the dock widget does, without a window."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_pixcell import __version__
from napari_pixcell.cli.devices import on_device
from napari_pixcell.cli.exit_codes import ExitCode, FindingsError
from napari_pixcell.cli.help import UsageProblem
from napari_pixcell.cli.messages import messages
from napari_pixcell.cli.options import EXIT_CODE, PROGRAM, Options, Result, warn_of_former_names
from napari_pixcell.cli.output import flush_output, output_failed, prepare_output
from napari_pixcell.cli.program import parser
from napari_pixcell.cli.tables import print_facts
from napari_pixcell.errors import PixCellError

log = logging.getLogger("napari_pixcell.program")

UNEXPECTED = "An unexpected error occurred ({}). The text on stderr has the details."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, by default with the arguments of the process.

    Returns
    -------
    int
        See :class:`~napari_pixcell.cli.exit_codes.ExitCode`.
    """
    typed = list(sys.argv[1:] if arguments is None else arguments)
    prepare_output()
    try:
        try:
            return _run(typed)
        finally:
            flush_output()
    except OSError as error:
        return output_failed(error)


def _run(arguments: list[str]) -> ExitCode:
    try:
        options = parser(arguments).parse_args(arguments)
    except UsageProblem as problem:
        return _misused(problem, "--json" in arguments)
    options.arguments = arguments
    try:
        with messages(options.quiet, options.debug, options.log_file):
            return _run_logged(options)
    except FindingsError as error:
        _print_error(str(error), options)
        return ExitCode.FINDINGS
    except PixCellError as error:
        _print_error(str(error), options)
        return ExitCode.FAILED
    except OSError as error:
        if error.filename is None:  # of the output, which cannot take a message either
            raise
        name = Path(os.fsdecode(error.filename)).name
        text = f"“{name}” cannot be read or written: {error.strerror}. Check it and try again."
        _print_error(text, options)
        return ExitCode.FAILED
    except KeyboardInterrupt:
        if options.json:
            print(json.dumps({"cancelled": True}))
        print("Cancelled.", file=sys.stderr)
        return ExitCode.CANCELLED
    except Exception as error:  # which Python prints
        if options.json:
            print(json.dumps({"error": UNEXPECTED.format(type(error).__name__)}))
        raise


def _run_logged(options: Options) -> ExitCode:
    log.debug("%s %s: %s", PROGRAM, __version__, " ".join(options.arguments))
    warn_of_former_names(options)
    code = ExitCode.FAILED
    try:
        with on_device(getattr(options, "device", None)):
            result: Result = options.command(options)
        code = ExitCode(result.pop(EXIT_CODE, ExitCode.DONE))
        _show(result, options)
    except KeyboardInterrupt:
        code = ExitCode.CANCELLED
        raise
    except Exception:
        log.debug("the command failed", exc_info=True)
        raise
    finally:
        log.debug("exit code %d", code)
    return code


def _show(result: dict[str, Any], options: Options) -> None:
    text = json.dumps(result)
    log.debug("result: %s", text)
    if options.json:
        print(text)
    else:
        print_facts(result)


def _print_error(text: str, options: Options) -> None:
    if options.json:
        print(json.dumps({"error": text}))
    else:
        print(text, file=sys.stderr)


def _misused(problem: UsageProblem, as_json: bool) -> ExitCode:
    print(f"{problem.usage}{problem}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": str(problem)}))
    return ExitCode.USAGE


if __name__ == "__main__":
    sys.exit(main())

"""The console script ``napari-pixcell``: what the dock widget does, without a window."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from napari_pixcell import __version__
from napari_pixcell.cli import (
    dataset,
    dataset_processes,
    dataset_references,
    dataset_runs,
    demo,
    doctor,
    embed,
    generate,
    info,
    layout,
    measure,
    models,
    segment,
    similar,
    stain,
    styles,
    train_control,
    train_stain,
    verify,
)
from napari_pixcell.cli.options import EXIT_CODE, Command, Run
from napari_pixcell.cli.output import flush_output, output_failed, prepare_output
from napari_pixcell.errors import PixCellError

log = logging.getLogger("napari_pixcell")

MODULES = (  # in the order of --help
    *(info, embed, segment, generate, similar, stain, train_stain, train_control),
    *(
        layout,
        dataset,
        dataset_processes,
        dataset_references,
        dataset_runs,
        measure,
        models,
        verify,
    ),
    *(styles, doctor, demo),
)
GROUPS = {
    "layout": "Import, export, invent and vary layouts of cells.",
    "dataset": "Make, check and convert datasets of image–mask pairs.",
    "models": "List, get, check, verify, remove, export and import the weights of families.",
    "styles": "List, show, add, remove and rename saved styles.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, by default with the arguments of the process.

    Returns
    -------
    int
        0; 1 if the command failed, after a message, or nobody reads its output; 130 if it was
        interrupted.
    """
    prepare_output()
    try:
        try:
            return _run(arguments)
        finally:
            flush_output()
    except OSError as error:
        return output_failed(error)


def _run(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.DEBUG if options.debug else logging.WARNING)
    run: Run = options.command
    try:
        result = run(options)
    except PixCellError as error:
        return _fail(str(error), options.json)
    except OSError as error:
        if error.filename is None:  # of the output, which cannot take a message either
            raise
        name = Path(os.fsdecode(error.filename)).name
        text = f"“{name}” cannot be read or written: {error.strerror}. Check it and try again."
        return _fail(text, options.json)
    except KeyboardInterrupt:
        print("Cancelled.", file=sys.stderr)
        return 130
    code = int(result.pop(EXIT_CODE, 0))
    if options.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    return code


def _fail(text: str, as_json: bool) -> int:
    log.debug("the command failed", exc_info=True)
    if as_json:
        print(json.dumps({"error": text}))
    else:
        print(text, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-pixcell",
        description="Generate synthetic tissue from a region of a slide. For research use only.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    actions = {}
    for command in (value for module in MODULES for value in vars(module).values()):
        if isinstance(command, Command):
            name, *action = command.name.split()
            if action and name not in actions:
                text = GROUPS[name]
                grouped = commands.add_parser(name, help=text, description=text)
                actions[name] = grouped.add_subparsers(required=True, metavar="ACTION")
            command.add_to(actions[name] if action else commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())

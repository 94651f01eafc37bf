"""The commands of ``napari-pixcell``, and the parser of all or one of them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from napari_pixcell import __version__
from napari_pixcell.cli.help import CommandParser
from napari_pixcell.cli.options import PROGRAM, SAMPLE, Command, examples

# Commands and groups of them, in the order of --help, with the modules that declare them.
MODULES = {
    "info": ["info"],
    "embed": ["embed"],
    "segment": ["segment"],
    "generate": ["generate"],
    "rerun": ["generate"],
    "similar": ["similar"],
    "stain": ["stain"],
    "train-stain": ["train_stain"],
    "train-control": ["train_control"],
    "layout": ["layout"],
    "dataset": ["dataset", "dataset_processes", "dataset_references", "dataset_runs"],
    "measure": ["measure"],
    "models": ["models", "verify"],
    "styles": ["styles"],
    "doctor": ["doctor"],
    "demo": ["demo"],
    "completion": ["completion"],
}
GROUPS = {
    "layout": "Import, export, invent and vary layouts of cells.",
    "dataset": "Make, check and convert datasets of image–mask pairs.",
    "models": "List, get, check, verify, remove, export and import the weights of families.",
    "styles": "List, show, add, remove and rename saved styles.",
}
DESCRIPTION = "Generate synthetic tissue from a region of a slide. For research use only."
EXAMPLES = examples(
    "demo",
    f"info {SAMPLE}",
    f"generate {SAMPLE} --region 400,400,256,256 --count 2 --out variants",
    "generate --help",
)


def parser(arguments: Sequence[str] | None = None) -> CommandParser:
    """Return the parser of the program.

    Parameters
    ----------
    arguments : sequence of str, optional
        If given, only the command that they name is declared, which is quicker.
    """
    program = CommandParser(prog=PROGRAM, description=DESCRIPTION)
    program.add_argument("--version", action="version", version=__version__)
    EXAMPLES(program)
    commands = program.add_subparsers(required=True, metavar="COMMAND", prog=PROGRAM)
    named = arguments[0] if arguments and arguments[0] in MODULES else None
    for name, modules in MODULES.items():
        if named not in (None, name):
            continue
        actions = commands
        if name in GROUPS:
            text = GROUPS[name]
            grouped = commands.add_parser(name, help=text, description=text)
            prog = f"{PROGRAM} {name}"
            actions = grouped.add_subparsers(required=True, metavar="ACTION", prog=prog)
        for command in _commands(modules):
            if command.name.split()[0] == name:
                command.add_to(actions)
    return program


def _commands(modules: Sequence[str]) -> list[Command]:
    found = (vars(import_module(f"napari_pixcell.cli.{module}")).values() for module in modules)
    return [value for values in found for value in values if isinstance(value, Command)]

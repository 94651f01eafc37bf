"""How commands and their options are declared."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_pixcell.models.catalogue import BUILT_IN, COLOUR_MATCHES

Options = argparse.Namespace  # as parsed
Result = dict[str, Any]
Run = Callable[[Options], Result]
Parser = argparse._ActionsContainer  # or a group of one
Option = Callable[[Parser], object]  # adds itself to a parser
EXIT_CODE = "exit code"  # key of a result whose exit code is not 0


@dataclass(frozen=True)
class Command:
    """A command, described in ``--help`` by the docstring of its function."""

    name: str  # as typed: “info”, or “layout import” in a group
    run: Run
    options: tuple[Option, ...]

    def add_to(self, commands: Any) -> None:
        """Add the command to the subparsers of the program or of its group."""
        text = self.run.__doc__
        parser = commands.add_parser(self.name.split()[-1], help=text, description=text)
        _add_to(parser, (*self.options, JSON, DEBUG))
        parser.set_defaults(command=self.run)


def command(name: str, *options: Option) -> Callable[[Run], Command]:
    """Return a decorator that makes a function a command with these options."""
    return lambda run: Command(name, run, options)


def argument(*names: str, **settings: Any) -> Option:
    """Declare an argument, with the parameters of ``ArgumentParser.add_argument``."""
    return lambda parser: parser.add_argument(*names, **settings)


def group(title: str, *options: Option) -> Option:
    """Declare options that ``--help`` shows under a title of their own."""
    return lambda parser: _add_to(parser.add_argument_group(title), options)


def together(*options: Option) -> Option:
    """Declare several options as one."""
    return lambda parser: _add_to(parser, options)


def exclusive(*options: Option) -> Option:
    """Declare options of which at most one can be given."""
    return lambda parser: _add_to(parser.add_mutually_exclusive_group(), options)


def _add_to(parser: Parser, options: Iterable[Option]) -> None:
    for option in options:
        option(parser)


def path(name: str, metavar: str, words: str, **settings: Any) -> Option:
    """Declare the path of a file or folder, described by ``words``."""
    return argument(name, type=Path, metavar=metavar, help=words, **settings)


def number(name: str, default: float, words: str, metavar: str | None = None) -> Option:
    """Declare a number of the type of its default, described by ``words`` and the default."""
    text = f"{words}; default: {default:g}"
    return argument(name, type=type(default), default=default, metavar=metavar, help=text)


def flag(name: str, words: str) -> Option:
    """Declare a switch, described by ``words``."""
    return argument(name, action="store_true", help=words)


JSON = flag("--json", "print the result as JSON")
DEBUG = flag("--debug", "log every step")
SLIDE = argument("slide", metavar="SLIDE", type=Path)
SLIDE_OR_IMAGE = path("slide", "SLIDE", "a slide, or without --region a whole image")
FAMILY = argument(
    "--family", default="demo", help=f"one of: {', '.join(BUILT_IN)}, or one of your own"
)
MPP = argument("--mpp", type=float, help="pixel size in µm, if the file states none")
NO_CACHE = flag("--no-cache", "compute embeddings again and do not store them")
OURS, AS_PUBLISHED = METHODS = "ours", "published"
NAME = exclusive(
    argument("--name", help="name in files and records; default: a neutral one"),
    flag("--keep-name", "use the slide's own file name, which may identify a patient"),
)
WITH_START = flag("--with-start", "store the start image, which may be tissue, in the records")
COLOURS = """match the tissue's colours to those of its style: gentle moves their mean, full adapts
their contrast too; default: the family's"""
COLOUR_MATCH = argument("--colour-match", choices=COLOUR_MATCHES, help=COLOURS)
OUT_FOLDER = path("--out", "DIR", "folder to write", required=True)
OUT_LABELS = path("--out", "FILE.tif", "label image to write", required=True)


def method(words: str) -> Option:
    """Declare ``--method``; ``words`` say what the published one does differently."""
    text = f"ours, or {words}; default: %(default)s"
    return argument("--method", choices=METHODS, default=OURS, help=text)


def region(*, required: bool = True, family: bool = True) -> Option:
    """Declare ``--region``, ``--mpp`` and, unless False, ``--family``."""
    box = argument("--region", required=required, metavar="x,y,w,h", help="in level-0 pixels")
    return lambda parser: _add_to(parser, (box, FAMILY, MPP) if family else (box, MPP))

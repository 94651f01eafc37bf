"""How commands and their options are declared."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_pixcell.cli.exit_codes import ExitCode
from napari_pixcell.cli.messages import note
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import BUILT_IN, COLOUR_MATCHES
from napari_pixcell.slides.remote import slide_location

Options = argparse.Namespace  # as parsed
Result = dict[str, Any]
Run = Callable[[Options], Result]
Parser = argparse._ActionsContainer  # or a group of one
Option = Callable[[Parser], object]  # adds itself to a parser
EXIT_CODE = "exit code"  # key of a result whose exit code is not 0
FOLDERS = ("DIR", "FOLDER", "LABELLED")  # metavars
SAMPLE = "sample"  # in place of a slide: the bundled one
PROGRAM = "napari-pixcell"


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
        _add_to(parser, (*self.options, OUTPUT))
        parser.set_defaults(command=self.run)


def command(name: str, *options: Option) -> Callable[[Run], Command]:
    """Return a decorator that makes a function a command with these options."""
    return lambda run: Command(name, run, options)


def argument(*names: str, was: Sequence[str] = (), **settings: Any) -> Option:
    """Declare an argument, with the parameters of ``ArgumentParser.add_argument``.

    A default is added to the help, unless that tells it. Names in ``was`` still work, and are
    hidden.
    """

    def add(parser: Parser) -> argparse.Action:
        action = parser.add_argument(*names, **(settings | {"help": _help(settings)}))
        if settings.get("type") in (Path, slide_path):
            _complete_paths(action)
        for name in was:
            parser.add_argument(name, action=_Former, dest=action.dest, now=action)
        return action

    return add


class _Former(argparse.Action):
    """A former name of an option: hidden, and replaced by the present one with a message."""

    def __init__(self, *, now: argparse.Action, **settings: Any) -> None:
        for name in ("nargs", "type", "choices", "metavar"):
            settings[name] = getattr(now, name)
        super().__init__(**{**settings, "default": argparse.SUPPRESS, "help": argparse.SUPPRESS})
        self._now = now

    def __call__(
        self, parser: Any, options: Options, values: Any, option_string: str | None = None
    ) -> None:
        name = self._now.option_strings[0]
        options.outdated = [*getattr(options, "outdated", []), f"{option_string} is now {name}."]
        self._now(parser, options, values, name)


def warn_of_former_names(options: Options) -> None:
    """Print which options have another name by now."""
    for sentence in getattr(options, "outdated", []):
        note(f"{sentence} The former name will be removed.")


def _help(settings: dict[str, Any]) -> str:
    """Return the help of an argument with its default."""
    text, default = str(settings["help"]), settings.get("default")
    if text == argparse.SUPPRESS or "default" in text:
        return text
    if default in (None, False, "", argparse.SUPPRESS) or isinstance(default, list):
        return text
    return f"{text}; default: %(default)s"


def _complete_paths(action: argparse.Action) -> None:
    """Let shells complete files or folders, in the words of shtab."""
    kind = "directory" if action.metavar in FOLDERS else "file"
    action.complete = kind  # type: ignore[attr-defined]


def group(title: str, *options: Option) -> Option:
    """Declare options that ``--help`` shows under a title of their own."""
    return lambda parser: _add_to(parser.add_argument_group(title), options)


def together(*options: Option) -> Option:
    """Declare several options as one."""
    return lambda parser: _add_to(parser, options)


def exclusive(*options: Option) -> Option:
    """Declare options of which at most one can be given."""
    return lambda parser: _add_to(parser.add_mutually_exclusive_group(), options)


def examples(*lines: str) -> Option:
    """Declare examples for the end of ``--help``, without the name of the program."""
    text = "\n".join(["Examples:", *(f"  {PROGRAM} {line}" for line in lines)])
    return lambda parser: setattr(parser, "epilog", text)


def _add_to(parser: Parser, options: Iterable[Option]) -> None:
    for option in options:
        option(parser)


def path(name: str, metavar: str, words: str, **settings: Any) -> Option:
    """Declare the path of a file or folder, described by ``words``."""
    return argument(name, **{"type": Path, "metavar": metavar, "help": words, **settings})


def number(name: str, default: float, words: str, metavar: str = "N", **settings: Any) -> Option:
    """Declare a number of the type of its default, described by ``words`` and the default."""
    text = f"{words}; default: {default:g}"
    kind = type(default)
    return argument(name, type=kind, default=default, metavar=metavar, help=text, **settings)


def flag(name: str, words: str, **settings: Any) -> Option:
    """Declare a switch, described by ``words``."""
    return argument(name, action="store_true", help=words, **settings)


def slide_path(text: str) -> Path | str:
    """Return the path or address of a slide.

    “sample” is the bundled one, if no file is called so.
    """
    if text == SAMPLE and not Path(text).exists():
        from napari_pixcell.slides.samples import SAMPLE_SLIDE

        return SAMPLE_SLIDE
    return slide_location(text)


def slide(name: str, words: str, **settings: Any) -> Option:
    """Declare a slide, described by ``words``."""
    return path(name, "SLIDE", words, type=slide_path, **settings)


def device_name(text: str) -> str:
    """Return the name of a device, if it is well-formed."""
    if not re.fullmatch(r"cpu|mps|cuda(:\d{1,3})?", text):
        raise argparse.ArgumentTypeError(f"“{text}” is no device; use cpu, cuda, cuda:1 or mps")
    return text


OUTPUT = group(
    "output",
    flag("--json", "print the result, or the error, as JSON"),
    flag("--quiet", "print only the result and errors"),
    path("--log-file", "FILE", "add every step, with time stamps, to this file"),
    flag("--debug", "print every step"),
)
DEVICE = argument(
    "--device",
    type=device_name,
    metavar="cpu|cuda|cuda:N|mps",
    help="where networks run; default: the first GPU, or the CPU if there is none",
)
NETWORK = flag("--allow-network", "read a slide whose address was given; nothing is sent to it")
WHICH = f"a slide, the address of an OME-Zarr, or “{SAMPLE}” for the bundled slide"
SLIDE = together(slide("slide", WHICH), NETWORK)
SLIDE_OR_IMAGE = together(slide("slide", f"{WHICH}; without --region a whole image"), NETWORK)
DATASET = path("folder", "DIR", "folder of the dataset")
FAMILY = argument(
    "--family",
    default="demo",
    metavar="FAMILY",
    help=f"one of: {', '.join(BUILT_IN)}, or one of your own",
)
NO_CACHE = flag("--no-cache", "compute embeddings again and do not store them")
OURS, AS_PUBLISHED = METHODS = "ours", "published"
NAME = exclusive(
    argument("--name", metavar="NAME", help="name in files and records; default: a neutral one"),
    flag("--keep-name", "use the slide's own file name, which may identify a patient"),
)
WITH_START = flag("--with-start", "store the start image, which may be tissue, in the records")
COLOURS = """match the tissue's colours to those of its style: gentle moves their mean, full adapts
their contrast too; default: the family's"""
COLOUR_MATCH = argument("--colour-match", choices=COLOUR_MATCHES, help=COLOURS)
OUT_FOLDER = path("--out", "DIR", "folder to write", required=True)
OUT_LABELS = path("--out", "FILE.tif", "label image to write", required=True)


def out(metavar: str, words: str) -> Option:
    """Declare ``--out``, which was an argument without a name before; see :func:`out_of`."""
    former = path("former_out", metavar, argparse.SUPPRESS, nargs="?")
    return together(path("--out", metavar, words), former)


def out_of(options: Options) -> Path:
    """Return the output that :func:`out` declares.

    Raises
    ------
    PixCellError
        If there is none.
    """
    if options.out is None and options.former_out is None:
        raise PixCellError("No output is named. Add --out.")
    if options.former_out is not None:
        note("Name the output with --out. Its position alone will no longer be enough.")
    found: Path = options.out or options.former_out
    return found


def mpp(words: str = "pixel size in µm, if the file states none", **settings: Any) -> Option:
    """Declare ``--mpp``, described by ``words``."""
    return argument("--mpp", **{"type": float, "metavar": "UM", "help": words, **settings})


def steps(words: str) -> Option:
    """Declare ``--steps`` of a sampler; ``words`` name the default."""
    return argument("--steps", type=int, metavar="N", help=f"denoising steps; default: {words}")


def box(name: str, words: str, **settings: Any) -> Option:
    """Declare a rectangle of a slide, described by ``words``."""
    return argument(name, metavar="X,Y,W,H", help=words, **settings)


def method(words: str) -> Option:
    """Declare ``--method``; ``words`` say what the published one does differently."""
    text = f"ours, or {words}; default: %(default)s"
    return argument("--method", choices=METHODS, default=OURS, help=text)


def region(*, required: bool = True, family: bool = True) -> Option:
    """Declare ``--region``, ``--mpp`` and, unless False, ``--family``."""
    chosen = box("--region", "rectangle on the slide, in level-0 pixels", required=required)
    return lambda parser: _add_to(parser, (chosen, FAMILY, mpp()) if family else (chosen, mpp()))


def cancelled(**facts: Any) -> Result:
    """Return the result of a cancelled command."""
    return {"cancelled": True, **facts, EXIT_CODE: ExitCode.CANCELLED}


def checked(passed: bool, facts: Result) -> Result:
    """Return the result of a check."""
    return facts | {EXIT_CODE: ExitCode.of_check(passed)}

"""``napari-pixcell models``: list, get, check, remove, export and import weights."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import WeightSet
from napari_pixcell.models.families import get_weight_set, weight_sets
from napari_pixcell.models.hub import download, offer
from napari_pixcell.models.integrity import family_problems
from napari_pixcell.models.store import locations, missing
from napari_pixcell.models.transport import export_family, import_folder, remove
from napari_pixcell.words import file_size

Result = dict[str, Any]


def add_models_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``models`` and its own commands to the parser."""
    text = "List, get, check, remove, export and import families of weights."
    models = commands.add_parser("models", help=text, description=text)
    actions = models.add_subparsers(required=True, metavar="ACTION")

    def add(name: str, function: Any, text: str) -> argparse.ArgumentParser:
        action: argparse.ArgumentParser = actions.add_parser(
            name, help=text, description=text, parents=[common]
        )
        action.set_defaults(command=function)
        return action

    add("list", _list, "Show every family: whether it is installed, its size, licence and gate.")
    for name, function, text in (
        ("get", _get, "Fetch a family after showing size and licence."),
        ("check", _check, "Check that the files of a family are whole."),
        ("remove", _remove, "Delete a family's files; what another family uses stays."),
        ("export", _export, "Copy a family into a folder, for a machine without internet."),
    ):
        action = add(name, function, text)
        action.add_argument("family", metavar="FAMILY", help="see “models list”")
        if name == "get":
            action.add_argument("--yes", action="store_true", help="agree to size and licence")
        if name == "remove":
            action.add_argument(
                "--shared", action="store_true", help="also what another family uses"
            )
        if name == "export":
            action.add_argument("directory", metavar="DIR", type=Path)
    action = add("import", _import, "Take over a folder that “models export” wrote.")
    action.add_argument("directory", metavar="DIR", type=Path)


def _list(options: argparse.Namespace) -> Result:
    rows = [_row(family) for family in weight_sets().values()]
    if options.json:
        return {"families": rows}
    for row in rows:
        where = ", ".join(row["where"])
        state = f"installed ({where})" if row["installed"] else "missing"
        gate = f"; gated: {', '.join(row['gated'])}" if row["gated"] else ""
        print(f"{row['name']:<20} {state:<20} {file_size(row['bytes']):>7}  {row['title']}")
        print(f"{'':<20} {row['licence']}{gate}")
    return {}


def _row(family: WeightSet) -> Result:
    left = missing(family)
    return {
        "name": family.name,
        "title": family.title,
        "installed": not left,
        "where": locations(family),
        "missing": [f"{part.hub_id}/{name}" for part in left for name in part.files],
        "bytes": family.bytes,
        "licence": family.licence,
        "gated": sorted({part.hub_id for part in family.parts if part.gated}),
    }


def _get(options: argparse.Namespace) -> Result:
    family = get_weight_set(options.family)
    left = missing(family)
    for part in left:
        if not part.hub_id:
            raise PixCellError(
                f"The {part.kind} of {family.title} is your own and is missing; put its files "
                f"back into {part.folder.name if part.folder else 'its folder'}."
            )
    if left and not options.yes:
        _ask(family, options.json)
    download(left, _Line(options.json))
    return {"family": family.name, "installed": not missing(family), "where": locations(family)}


def _ask(family: WeightSet, quiet: bool) -> None:
    if quiet or not sys.stdin.isatty():
        raise PixCellError(f"{offer(family)} Add --yes to agree.")
    print(offer(family))
    if input("Get it? [y/N] ").strip().lower() not in ("y", "yes"):
        raise PixCellError("Nothing was fetched; get the family again when you agree.")


def _check(options: argparse.Namespace) -> Result:
    family = get_weight_set(options.family)
    problems = family_problems(family)
    if problems:
        raise PixCellError("\n".join(problems))
    return {"family": family.name, "check": "all files are whole"}


def _remove(options: argparse.Namespace) -> Result:
    family = get_weight_set(options.family)
    return {"family": family.name, "removed": remove(family, shared=options.shared)}


def _export(options: argparse.Namespace) -> Result:
    family = get_weight_set(options.family)
    copied = export_family(family, options.directory, _Line(options.json))
    return {"family": family.name, "folder": str(options.directory), "files": sorted(copied)}


def _import(options: argparse.Namespace) -> Result:
    folder = import_folder(options.directory, _Line(options.json))
    installed = [family.name for family in weight_sets().values() if not missing(family)]
    return {"folder of weights": str(folder), "installed": installed}


class _Line:
    """Progress in one line of a terminal."""

    def __init__(self, quiet: bool) -> None:
        self.shown = not quiet and sys.stderr.isatty()
        self.last = 0.0

    def __call__(self, done: int, total: int, message: str) -> None:
        now = time.monotonic()
        if not self.shown or (now - self.last < 0.2 and done < total):
            return
        self.last = now
        amount = f"{file_size(done)} of {file_size(total)}" if total else ""
        print(f"\r\033[K{message}  {amount}", end="" if done < total else "\n", file=sys.stderr)

"""``napari-pixcell models``: list, get, check, remove, export and import weights."""

from __future__ import annotations

import sys
from dataclasses import replace

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.running import ProgressLine
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import WeightSet
from napari_pixcell.models.families import get_weight_set, weight_sets
from napari_pixcell.models.hub import download, offer, wanted_parts
from napari_pixcell.models.integrity import family_problems, uncompared_files
from napari_pixcell.models.store import lacks_only_encoder, locations, missing
from napari_pixcell.models.transport import export_family, import_folder, remove
from napari_pixcell.words import file_size

FAMILY = cli.argument("family", metavar="FAMILY", help="see “models list”")
DIRECTORY = cli.path("directory", "DIR", "folder to copy to or from")


@cli.command("models list")
def list_families(options: cli.Options) -> cli.Result:
    """List families, with state, size, licence and gated repositories."""
    rows = [_row(family) for family in weight_sets().values()]
    if options.json:
        return {"families": rows}
    for row in rows:
        where = ", ".join(row["where"])
        state = f"installed ({where})" if row["installed"] else "missing"
        if row["without_encoder"]:
            state = "without encoder"
        gate = f"; gated: {', '.join(row['gated'])}" if row["gated"] else ""
        print(f"{row['name']:<20} {state:<20} {file_size(row['bytes']):>7}  {row['title']}")
        print(f"{'':<20} {row['licence']}{gate}")
    return {}


def _row(family: WeightSet) -> cli.Result:
    left = missing(family)
    return {
        "name": family.name,
        "title": family.title,
        "installed": not left,
        "without_encoder": lacks_only_encoder(family),
        "where": locations(family),
        "missing": [f"{part.hub_id}/{name}" for part in left for name in part.files],
        "bytes": family.bytes,
        "licence": family.licence,
        "gated": sorted({part.hub_id for part in family.parts if part.gated}),
    }


@cli.command(
    "models get",
    FAMILY,
    cli.flag("--yes", "accept size and licence"),
    cli.flag("--without-encoder", "leave out the encoder: styles then come from files of features"),
)
def get(options: cli.Options) -> cli.Result:
    """Download a family, after showing its size and licence."""
    family = get_weight_set(options.family)
    if options.without_encoder:
        kept = tuple(part for part in family.parts if part.kind != "encoder")
        family = replace(family, parts=kept)
    left = wanted_parts(family)
    if left and not options.yes:
        _ask(family, options.json)
    with _TransferLine(quiet=options.json) as transfer:
        download(left, transfer)
    return {"family": family.name, "installed": not missing(family), "where": locations(family)}


def _ask(family: WeightSet, quiet: bool) -> None:
    if quiet or sys.stdin is None or not sys.stdin.isatty():
        raise PixCellError(f"{offer(family)} Add --yes to accept.")
    print(offer(family))
    try:
        answer = input("Get it? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise PixCellError("Nothing was downloaded.")


@cli.command("models check", FAMILY)
def check(options: cli.Options) -> cli.Result:
    """Check that the files of a family are complete and unchanged."""
    family = get_weight_set(options.family)
    problems = family_problems(family)
    if problems:
        raise PixCellError("\n".join(problems))
    left = uncompared_files(family)
    if left:
        found = "all files are complete; those without a known hash were not compared"
        return {"family": family.name, "check": found, "not compared": left}
    return {"family": family.name, "check": "all files are complete and unchanged"}


@cli.command("models remove", FAMILY, cli.flag("--shared", "also files that other families use"))
def remove_family(options: cli.Options) -> cli.Result:
    """Delete a family's files, except those that others use."""
    family = get_weight_set(options.family)
    return {"family": family.name, "removed": remove(family, shared=options.shared)}


@cli.command("models export", FAMILY, DIRECTORY)
def export(options: cli.Options) -> cli.Result:
    """Copy a family to a folder, for a machine without internet."""
    family = get_weight_set(options.family)
    with _TransferLine(quiet=options.json) as transfer:
        copied = export_family(family, options.directory, transfer)
    return {"family": family.name, "folder": str(options.directory), "files": sorted(copied)}


@cli.command("models import", DIRECTORY)
def import_families(options: cli.Options) -> cli.Result:
    """Import a folder that “models export” wrote."""
    with _TransferLine(quiet=options.json) as transfer:
        folder = import_folder(options.directory, transfer)
    installed = [family.name for family in weight_sets().values() if not missing(family)]
    return {"folder of weights": str(folder), "installed": installed}


class _TransferLine(ProgressLine):
    """Progress of a download or copy, in bytes."""

    def __call__(self, done: int, total: int, message: str) -> None:
        amount = f"  {file_size(done)} of {file_size(total)}" if total else ""
        self.show(f"{message}{amount}")
